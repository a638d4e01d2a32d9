"""Layers whose predictions read rows of their own, so that the step of the loss is one by one."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from cvxnn.array_types import FloatArray
from cvxnn.layers import Layer


def separated(layer: Layer) -> Layer | None:
    """The layer with a copy of a row for each prediction that reads it.

    Then ``R R'`` is diagonal. Copies have the same kink, so that they come to the same block.
    None for a readout that mixes all predictions, or is dense.

    Examples
    --------
    >>> shared = Layer(np.array([[1.0], [2.0]]), scipy.sparse.csr_array([[1.0, 0.0], [2.0, 3.0]]))
    >>> own = separated(shared)
    >>> own.rows.ravel(), own.readout.toarray()
    (array([1., 1., 2.]), array([[1., 0., 0.],
           [0., 2., 3.]]))
    """
    if layer.readout is None:
        return layer
    if not scipy.sparse.issparse(layer.readout):
        return None
    entries = scipy.sparse.csr_array(layer.readout)
    if np.bincount(entries.indices, minlength=1).max() <= 1:
        return layer
    own = (entries.data, np.arange(entries.nnz), entries.indptr)
    readout = scipy.sparse.csr_array(own, shape=(layer.n_predictions, entries.nnz))
    return Layer(layer.rows[entries.indices], readout)


def separate_rows(layer: Layer) -> int:
    """How many rows there are at most once they are separated.

    Examples
    --------
    >>> separate_rows(Layer(np.array([[1.0], [2.0]])).with_slope(-1.0))
    4
    """
    return len(layer.rows) if layer.readout is None else int(layer.readout.nnz)


def squares(layer: Layer, theta: FloatArray) -> FloatArray:
    """The diagonal of ``R diag(theta) R'`` for a separated layer, shape (n,)."""
    if layer.readout is None:
        return theta
    return np.asarray(layer.readout.multiply(layer.readout) @ theta)
