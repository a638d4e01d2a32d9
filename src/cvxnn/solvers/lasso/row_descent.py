"""Group Lasso with rows for groups by coordinate descent: not to the last digit, in no time."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.kernels import kernel


def rows_swept(
    gram: FloatArray,
    target: FloatArray,
    beta: float,
    start: FloatArray,
    *,
    sweeps: int,
    enough: float,
) -> FloatArray:
    """Lower ``1/2 tr C'GC - tr B'C + beta sum_j ||c_j||`` from a start, row by row.

    Parameters
    ----------
    gram : ndarray, shape (k, k)
        G, positive semidefinite up to its rounding.
    target : ndarray, shape (k, c)
        B.
    beta : float
    start : ndarray, shape (k, c)
        Of rows c_j.
    sweeps : int
        Over all rows, at most.
    enough : float
        It ends with a sweep that gains less than this.

    Returns
    -------
    ndarray, shape (k, c)

    Notes
    -----
    O(k c) for a row that moves. Z. Qin, K. Scheinberg and D. Goldfarb, Efficient
    block-coordinate descent algorithms for the group Lasso, Math. Prog. Comp. 5 (2013).

    Examples
    --------
    >>> target = np.array([[3.0, 4.0], [0.3, 0.4]])
    >>> rows_swept(np.eye(2), target, 1.0, np.ones((2, 2)), sweeps=5, enough=0.0)
    array([[2.4, 3.2],
           [0. , 0. ]])
    """
    rows = start.copy()
    _sweep(gram, target - gram @ rows, beta, rows, sweeps, enough)
    return rows


@kernel
def _sweep(gram: Array, slope: Array, beta: float, rows: Array, sweeps: int, enough: float) -> None:
    k, c = rows.shape
    new, move = np.empty(c), np.empty(c)
    for _ in range(sweeps):
        gain = 0.0
        for j in range(k):
            g = gram[j, j]
            if g <= 0.0:
                continue
            square, before = 0.0, 0.0
            for o in range(c):
                new[o] = g * rows[j, o] + slope[j, o]
                square += new[o] * new[o]
                before += rows[j, o] * rows[j, o]
            length = np.sqrt(square)
            # What is left of the length.
            share = max(1.0 - beta / length, 0.0) / g if length > 0.0 else 0.0
            moves = False
            for o in range(c):
                move[o] = share * new[o] - rows[j, o]
                moves = moves or move[o] != 0.0
                gain += move[o] * (slope[j, o] - 0.5 * move[o] * g)
                rows[j, o] = share * new[o]
            gain -= beta * (share * length - np.sqrt(before))
            if moves:
                for i in range(k):
                    for o in range(c):
                        slope[i, o] -= gram[i, j] * move[o]
        if gain <= enough:
            break
