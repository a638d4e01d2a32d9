"""Neurons of given directions: their outputs and values."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.layers.rows import power_of_two, row_chunks
from cvxnn.oracle.price import Proposals


def proposals_at(
    X: FloatArray, V: FloatArray, directions: FloatArray, threshold: float
) -> Proposals:
    """Neurons of some directions whose values are above a threshold, best first.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    V : ndarray, shape (n, c)
    directions : ndarray, shape (m, d)
        Of any length.
    threshold : float

    Examples
    --------
    >>> found = proposals_at(np.eye(2), np.array([[3.0, 4.0], [0.0, 1.0]]), np.eye(2), 2.0)
    >>> found.values, found.outputs
    (array([5.]), array([[0.6, 0.8]]))
    """
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    directions = directions / np.where(lengths > 0.0, lengths, 1.0)
    sums = np.zeros((len(directions), V.shape[1]))
    for part in row_chunks(len(X), len(directions)):
        sums += np.maximum(directions @ X[part].T, 0.0) @ V[part]
    # Squares of very small or large sums are out of range.
    unit = power_of_two(sums)
    sums /= unit
    norms = np.linalg.norm(sums, axis=1)
    order = np.argsort(-norms, kind="stable")
    order = order[norms[order] * unit > max(threshold, 0.0)]
    return Proposals(directions[order], sums[order] / norms[order, None], norms[order] * unit)
