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
# Share of the first sweep's largest gain at which the rows no longer move.
_STILL = 1e-20


def minimised(Q: FloatArray, b: FloatArray, prices: FloatArray, start: FloatArray) -> FloatArray:
    """The minimum of ``1/2 w'Qw - b'w + sum_j beta_j ||w_j||`` over matrices of rows w_j.

    Parameters
    ----------
    Q : ndarray, shape (k c, k c)
        Positive semidefinite up to rounding; w has the rows behind one another.
    b : ndarray, shape (k, c)
    prices : ndarray, shape (k,)
        The beta_j; 0 for a row that costs nothing.
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
    >>> minimised(np.eye(4), b, np.ones(2), np.ones((2, 2))).round(9)
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
        _sweep(Q, slope, tops, prices, rows, _SWEEPS)
        rows = _with_digits(Q, b, prices, rows)
        left = (b.ravel() - Q @ rows.ravel()).reshape(k, c)
        zero = ~_alive(rows, prices)
        excess = np.linalg.norm(left[zero], axis=1) > prices[zero] * (1.0 + _EXCESS)
        if not excess.any():
            break
    return rows


def _alive(rows: FloatArray, prices: FloatArray) -> BoolArray:
    """Rows that are not zero, and those that are smooth there."""
    lengths = np.linalg.norm(rows, axis=1)
    return np.asarray((lengths > _NOTHING * lengths.max(initial=0.0)) | (prices == 0.0))


def _with_digits(Q: FloatArray, b: FloatArray, prices: FloatArray, rows: FloatArray) -> FloatArray:
    """After Newton's method on the rows that are not zero."""
    c = rows.shape[1]
    alive = _alive(rows, prices)
    rows = np.where(alive[:, None], rows, 0.0)
    value = _value(Q, b, prices, rows)
    for _ in range(_STEPS):
        kept = np.flatnonzero(_alive(rows, prices))
        if len(kept) == 0:
            break
        index = (kept[:, None] * c + np.arange(c)).ravel()
        move = np.zeros_like(rows)
        slope = (Q[index] @ rows.ravel()).reshape(-1, c) - b[kept]
        move[kept] = _move(Q[np.ix_(index, index)], slope, prices[kept], rows[kept])
        moved = _along(rows, move, kept[prices[kept] > 0.0])
        found = None
        for share in 0.5 ** np.arange(_HALVINGS):
            candidate = moved if share == 1.0 else rows + share * (moved - rows)
            reached = _value(Q, b, prices, candidate)
            if reached < value:
                found = candidate
                break
        if found is None:
            break
        gained, rows, value = value - reached, found, reached
        if gained <= EPS * abs(value):
            break
    return rows


def _move(Q: FloatArray, slope: FloatArray, prices: FloatArray, rows: FloatArray) -> FloatArray:
    """The step of Newton's method for rows that are smooth, from the slope of the quadratic."""
    k, c = rows.shape
    lengths = np.linalg.norm(rows, axis=1)
    lengths = np.where(prices > 0.0, lengths, 1.0)
    units = rows / lengths[:, None]
    hessian, each = Q.reshape(k, c, k, c).copy(), np.arange(k)
    bent = np.eye(c) - units[:, :, None] * units[:, None, :]
    hessian[each, :, each, :] += (prices / lengths)[:, None, None] * bent
    gradient = slope + prices[:, None] * units
    return _solved(hessian.reshape(Q.shape), -gradient.ravel()).reshape(k, c)


def _along(rows: FloatArray, move: FloatArray, kept: Array) -> FloatArray:
    """The rows after a step, or where the first of those `kept` is zero on the way there."""
    if len(kept) == 0:
        return rows + move
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


def _value(Q: FloatArray, b: FloatArray, prices: FloatArray, rows: FloatArray) -> float:
    w = rows.ravel()
    cost = float(prices @ np.linalg.norm(rows, axis=1))
    return 0.5 * float(w @ (Q @ w)) - float(np.vdot(b, rows)) + cost


@kernel
def _sweep(Q: Array, slope: Array, tops: Array, prices: Array, rows: Array, sweeps: int) -> None:
    """Descent on row after row, under a multiple of the identity in place of its curvature."""
    k, c = rows.shape
    move, new = np.empty(c), np.empty(c)
    first = 0.0
    for sweep in range(sweeps):
        largest = 0.0
        for j in range(k):
            top, beta, square = tops[j], prices[j], 0.0
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
        first = largest if sweep == 0 else first
        if largest <= _STILL * first:
            break
