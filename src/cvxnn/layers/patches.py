"""The patches of images as the rows of a layer, equal ones once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cvxnn.array_types import FloatArray
from cvxnn.layers import Layer


def patch_layer(patches: FloatArray, *, average: bool, has_bias: bool) -> Layer:
    """The layer ``sum_j pool_k (x_k'u_j)_+ a_j`` of filters on patches ``x_k``.

    Parameters
    ----------
    patches : ndarray, shape (n, K, h)
    average : bool
        Whether to divide the sum over the patches by K.
    has_bias : bool
        Whether every patch ends with a constant 1.

    Returns
    -------
    Layer
        Its readout counts how often an image has each patch. Patches that are equal,
        as in the empty margins of images, are one row: they are on the same side of
        every filter. One of zeros without a constant has no side, and no row.

    Notes
    -----
    O(n K h log(n K)).

    Examples
    --------
    >>> layer = patch_layer(np.array([[[1.0], [1.0], [2.0]]]), average=False, has_bias=False)
    >>> layer.rows, layer.readout.toarray()
    (array([[1.],
           [2.]]), array([[2., 1.]]))
    """
    n, n_patches, size = patches.shape
    rows, member = _distinct(patches.reshape(n * n_patches, size))
    image = np.repeat(np.arange(n), n_patches)
    # Entries of the same place are added up.
    readout = csr_array((np.ones(len(member)), (image, member)), shape=(n, len(rows)))
    if average:
        readout /= n_patches
    if has_bias:
        return Layer(np.column_stack([rows, np.ones(len(rows))]), readout)
    seen = np.flatnonzero(rows.any(axis=1))
    if len(seen) in (0, len(rows)):
        return Layer(rows, readout)
    return Layer(np.ascontiguousarray(rows[seen]), csr_array(readout[:, seen]))


def _distinct(table: FloatArray) -> tuple[FloatArray, NDArray[np.intp]]:
    """Rows without repetition, in the order in which they appear, and which each row is."""
    # Compared as bytes, in which -0.0 would differ from 0.0: several times as quick as
    # by columns.
    table = np.ascontiguousarray(table + 0.0)
    keys = table.view(np.dtype((np.void, table.itemsize * table.shape[1])))
    _, first, member = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return table[first[order]], np.argsort(order)[member.reshape(-1)]
