"""Quadratic functions of the rows of a matrix plus the lengths of the rows, to the last digits."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from cvxnn.array_types import EPS, Array, BoolArray, FloatArray
from cvxnn.kernels import kernel

# Sweeps before Newton's method and between its runs, runs, and steps of each.
_SWEEPS, _RUNS, _STEPS = 200, 8, 60
# Rows below this share of the longest are zero, and the excess of a slope that is rounding.
_NOTHING, _EXCESS = 1e-12, 1e-9
_HALVINGS = 30


def minimised(Q: FloatArray, b: FloatArray, beta: float, start: FloatArray) -> FloatArray:
    """The minimum of ``1/2 w'Qw - b'w + beta sum_j ||w_j||`` over matrices of rows w_j.

    Parameters
    ----------
    Q : ndarray, shape (k c, k c)
        Positive semidefinite up to rounding; w has the rows behind one another.
    b : ndarray, shape (k, c)
    beta : float
    start : ndarray, shape (k, c)

    Returns
    -------
    ndarray, shape (k, c)
        Not above the start.

    Notes
    -----
    Sweeps over the rows find which are zero; Newton's method on the others, which are smooth
    functions as far as the first zero that a step meets, finds their digits. O(k^2 c^2) a
    sweep, O(k^3 c^3) a step. Z. Qin, K. Scheinberg and D. Goldfarb, Efficient block-coordinate
    descent algorithms for the group Lasso, Math. Prog. Comp. 5 (2013).

    Examples
    --------
    >>> b = np.array([[3.0, 4.0], [0.3, 0.4]])
    >>> minimised(np.eye(4), b, 1.0, np.ones((2, 2))).round(9)
    array([[2.4, 3.2],
           [0. , 0. ]])
    """
    k, c = b.shape
    rows = start.copy()
    # In each row the largest curvature.
    blocks = Q.reshape(k, c, k, c)[np.arange(k), :, np.arange(k), :]
    tops = np.linalg.eigvalsh(blocks)[:, -1] * (1.0 + 1e-12) if k else np.zeros(0)
    for _ in range(_RUNS):
        slope = b.ravel() - Q @ rows.ravel()
        _sweep(Q, slope, tops, beta, rows, _SWEEPS)
        rows = _with_digits(Q, b, beta, rows)
        left = (b.ravel() - Q @ rows.ravel()).reshape(k, c)
        zero = ~_alive(rows)
        if not (np.linalg.norm(left[zero], axis=1) > beta * (1.0 + _EXCESS)).any():
            break
    return rows


def _alive(rows: FloatArray) -> BoolArray:
    lengths = np.linalg.norm(rows, axis=1)
    return np.asarray(lengths > _NOTHING * lengths.max(initial=0.0))


def _with_digits(Q: FloatArray, b: FloatArray, beta: float, rows: FloatArray) -> FloatArray:
    """After Newton's method on the rows that are not zero."""
    c = rows.shape[1]
    alive = _alive(rows)
    rows = np.where(alive[:, None], rows, 0.0)
    value = _value(Q, b, beta, rows)
    for _ in range(_STEPS):
        kept = np.flatnonzero(_alive(rows))
        if len(kept) == 0:
            break
        index = (kept[:, None] * c + np.arange(c)).ravel()
        move = np.zeros_like(rows)
        move[kept] = _move(Q[np.ix_(index, index)], Q[index] @ rows.ravel(), b, beta, rows, kept)
        moved = _along(rows, move, kept)
        found = None
        for share in 0.5 ** np.arange(_HALVINGS):
            candidate = moved if share == 1.0 else rows + share * (moved - rows)
            reached = _value(Q, b, beta, candidate)
            if reached < value:
                found = candidate
                break
        if found is None:
            break
        gained, rows, value = value - reached, found, reached
        if gained <= EPS * abs(value):
            break
    return rows


def _move(
    Q: FloatArray, product: FloatArray, b: FloatArray, beta: float, rows: FloatArray, kept: Array
) -> FloatArray:
    """The step of Newton's method for the rows `kept`."""
    c = rows.shape[1]
    lengths = np.linalg.norm(rows[kept], axis=1)
    units = rows[kept] / lengths[:, None]
    hessian, each = Q.reshape(len(kept), c, len(kept), c).copy(), np.arange(len(kept))
    bent = np.eye(c) - units[:, :, None] * units[:, None, :]
    hessian[each, :, each, :] += (beta / lengths)[:, None, None] * bent
    gradient = product - (b[kept] - beta * units).ravel()
    return _solved(hessian.reshape(Q.shape), -gradient).reshape(-1, c)


def _along(rows: FloatArray, move: FloatArray, kept: Array) -> FloatArray:
    """The rows after a step, or where the first of them is zero on the way there."""
    lengths = np.linalg.norm(rows[kept], axis=1)
    radial = (move[kept] * rows[kept]).sum(axis=1) / lengths
    shares = np.where(radial < -lengths, lengths / np.where(radial < 0.0, -radial, 1.0), np.inf)
    first = int(np.argmin(shares))
    if not shares[first] < 1.0:
        return rows + move
    moved = rows + shares[first] * move
    moved[kept[first]] = 0.0
    return moved


def _solved(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """The solution of a system that may be singular, up to a small ridge."""
    ridge = 1e-14 * float(np.abs(np.diag(matrix)).max())
    while True:
        try:
            factor = scipy.linalg.cho_factor(matrix + ridge * np.eye(len(matrix)))
            return np.asarray(scipy.linalg.cho_solve(factor, right))
        except scipy.linalg.LinAlgError:
            ridge *= 100.0


def _value(Q: FloatArray, b: FloatArray, beta: float, rows: FloatArray) -> float:
    w = rows.ravel()
    lengths = float(np.linalg.norm(rows, axis=1).sum())
    return 0.5 * float(w @ (Q @ w)) - float(np.vdot(b, rows)) + beta * lengths


@kernel
def _sweep(Q: Array, slope: Array, tops: Array, beta: float, rows: Array, sweeps: int) -> None:
    """Descent on row after row, under a multiple of the identity in place of its curvature."""
    k, c = rows.shape
    move, new = np.empty(c), np.empty(c)
    for _ in range(sweeps):
        largest = 0.0
        for j in range(k):
            top, square = tops[j], 0.0
            for o in range(c):
                new[o] = top * rows[j, o] + slope[j * c + o]
                square += new[o] * new[o]
            length = np.sqrt(square)
            # Without a curvature a row costs its length only.
            share = (1.0 - beta / length) / top if length > beta and top > 0.0 else 0.0
            moved = 0.0
            for o in range(c):
                move[o] = share * new[o] - rows[j, o]
                moved += move[o] * move[o]
                rows[j, o] = share * new[o]
            if moved == 0.0:
                continue
            largest = max(largest, top * moved)
            for o in range(c):
                if move[o] != 0.0:
                    for i in range(k * c):
                        slope[i] -= Q[j * c + o, i] * move[o]
        if largest <= 1e-18 * beta:
            break
