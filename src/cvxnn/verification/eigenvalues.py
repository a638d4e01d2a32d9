"""Proven bounds on eigenvalues and singular values, whatever an approximate algorithm returns."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.verification.rounding import TINY, U, gamma


def largest_eigenvalue(matrix: FloatArray) -> float:
    """An upper bound on the largest eigenvalue of a symmetric matrix of size one, 0 at least.

    Notes
    -----
    For any matrix R and number m, ``z'Az = m ||z||^2 - ||R z||^2 - z'(m I - A - R'R) z <= (m +
    ||m I - A - R'R||_F) ||z||^2``. With R from eigenvectors as computed the last norm is rounding;
    it is computed, and its own rounding charged: sums of k + 2 products in every entry.

    Examples
    --------
    >>> bool(3.0 <= largest_eigenvalue(np.array([[2.0, 1.0], [1.0, 2.0]])) < 3.0 + 1e-12)
    True
    """
    count = len(matrix)
    if count == 0 or not matrix.any():
        return 0.0
    values, vectors = np.linalg.eigh(matrix)
    top = max(float(values[-1]), 0.0)
    root = np.sqrt(np.maximum(top - values, 0.0))[:, None] * vectors.T
    left = np.abs(top * np.eye(count) - matrix - root.T @ root)
    moduli = top * np.eye(count) + np.abs(matrix) + np.abs(root).T @ np.abs(root)
    return (top + _frobenius(left + gamma(count + 4) * moduli)) * (1.0 + 8.0 * U)


def spectral_norm(matrix: FloatArray) -> float:
    """An upper bound on the largest singular value of a matrix of size one: by ``A'A`` or ``AA'``.

    Examples
    --------
    >>> bool(4.0 <= spectral_norm(np.diag([3.0, -4.0, 1.0])[:2]) < 4.0 + 1e-12)
    True
    """
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    gram = matrix.T @ matrix
    rounding = gamma(len(matrix) + 2) * _frobenius(np.abs(matrix).T @ np.abs(matrix))
    return float(np.sqrt(largest_eigenvalue(gram) + rounding) * (1.0 + 8.0 * U)) + TINY


def _frobenius(moduli: FloatArray) -> float:
    return float(np.sqrt((moduli * moduli).sum())) * (1.0 + gamma(moduli.size + 8)) + TINY
