"""Non-negative Lasso by coordinate descent: not to the last digit, and in no time."""

from __future__ import annotations

from cvxnn.array_types import Array, FloatArray
from cvxnn.kernels import kernel


def swept(
    gram: FloatArray, target: FloatArray, start: FloatArray, *, sweeps: int, enough: float
) -> FloatArray:
    """Lower ``1/2 c'Gc - b'c`` over ``c >= 0`` from a start, coordinate by coordinate.

    Parameters
    ----------
    gram : ndarray, shape (k, k)
        G, positive semidefinite up to its rounding.
    target : ndarray, shape (k,)
        b.
    start : ndarray, shape (k,)
    sweeps : int
        Over all coordinates, at most.
    enough : float
        It ends with a sweep that gains less than this.

    Returns
    -------
    ndarray, shape (k,)

    Notes
    -----
    O(k) for a coordinate that moves. J. Friedman, T. Hastie and R. Tibshirani,
    Regularization paths for generalized linear models via coordinate descent, J. Stat.
    Softw. 33 (2010).

    Examples
    --------
    >>> import numpy as np
    >>> swept(np.eye(2), np.array([2.0, -0.5]), np.ones(2), sweeps=5, enough=0.0)
    array([2., 0.])
    """
    sizes = start.copy()
    _sweep(gram, target - gram @ sizes, sizes, sweeps, enough)
    return sizes


@kernel
def _sweep(gram: Array, slope: Array, sizes: Array, sweeps: int, enough: float) -> None:
    k = len(sizes)
    for _ in range(sweeps):
        gain = 0.0
        for j in range(k):
            if gram[j, j] <= 0.0:
                continue
            new = max(sizes[j] + slope[j] / gram[j, j], 0.0)
            move = new - sizes[j]
            if move != 0.0:
                gain += move * (slope[j] - 0.5 * move * gram[j, j])
                for i in range(k):
                    slope[i] -= move * gram[j, i]
                sizes[j] = new
        if gain <= enough:
            break
