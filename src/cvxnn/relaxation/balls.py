"""The smallest multiples of the identity above a form, for vectors in balls."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray

_HALVINGS = 50


def over_ball(S: FloatArray) -> tuple[float, float]:
    """The m and lambda of the smallest sum with ``[m, 0; 0, lambda I] >= S``.

    ``m = s + b'(lambda I - C)^-1 b``; its derivative in lambda is -1 at the best one, between
    the largest eigenvalue of C, or 0, and that plus ||b||.
    """
    values, vectors = np.linalg.eigh(S[1:, 1:])
    squares = (vectors.T @ S[1:, 0]) ** 2
    length = float(np.sqrt(squares.sum()))
    size = float(np.abs(values).max(initial=0.0)) + length
    low = max(float(values[-1]), 0.0) + 1e-15 * size
    high = low + length
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        is_short = (squares / (middle - values) ** 2).sum() > 1.0
        low, high = (middle, high) if is_short else (low, middle)
    gaps = high - values
    return float(S[0, 0] + (squares / np.where(gaps > 0.0, gaps, 1.0)).sum()), high


def over_balls(S: FloatArray, c: int) -> tuple[float, float]:
    """The lambda and ``mu >= 0`` of the smallest sum with ``diag(lambda I, mu I) >= S``.

    Parameters
    ----------
    S : ndarray, shape (c + d, c + d)
        Over output weights a and directions u, in this order.
    c : int

    Notes
    -----
    ``lambda = lambda_max(S_aa + S_au (mu I - S_uu)^-1 S_ua)`` is convex in mu. With its
    eigenvector a the derivative is ``-||(mu I - S_uu)^-1 S_ua a||^2``, which is -1 at the best
    mu, between the largest eigenvalue of S_uu, or 0, and that plus ||S_au||. In another form
    the sum is ``min_r (e^2r + e^-2r) lambda_max(D S D)`` for ``D = diag(e^r I, e^-r I)``.

    Examples
    --------
    >>> lam, mu = over_balls(np.array([[0.0, 2.0], [2.0, 0.0]]), 1)
    >>> round(lam, 9), round(mu, 9)  # of 4 a u
    (2.0, 2.0)
    """
    values, vectors = np.linalg.eigh(S[c:, c:])
    across = S[:c, c:] @ vectors
    length = float(np.linalg.norm(across))
    size = float(np.abs(values).max(initial=0.0)) + length
    low = max(float(values[-1]), 0.0) + 1e-15 * size
    if length == 0.0:
        return float(np.linalg.eigvalsh(S[:c, :c])[-1]), low
    high = low + length
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        pulled = across / (middle - values)
        _, heads = np.linalg.eigh(S[:c, :c] + pulled @ across.T)
        is_short = float(np.square(heads[:, -1] @ pulled).sum()) > 1.0
        low, high = (middle, high) if is_short else (low, middle)
    gaps = high - values
    pulled = across / np.where(gaps > 0.0, gaps, 1.0)
    return float(np.linalg.eigvalsh(S[:c, :c] + pulled @ across.T)[-1]), high
