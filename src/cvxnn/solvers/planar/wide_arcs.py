"""Dual points of rows that are nearly parallel: feasible where rounding alone decides.

All kinks are then in a small part of the circle of directions, and the rest of it is two
wide arcs, on which all rows are active, or those on one side. There ``v'(Xu)_+`` is as
long as the rows, and to stay below a small beta it has to cancel in many more digits than
on the arcs between the kinks. Rounding of v alone is more than that.
"""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.compensated import sums_over_parts
from cvxnn.oracle.circle import CircularRows
from cvxnn.solvers.planar.moments import Moments

# Rows that share a correction: first all, then those whose entries of v are smallest,
# and so have the finest rounding.
_SHARES = (None, 64, 16, 4, 2, 2)
# Sums that are off by less than this share of beta are as good as exact ones.
_ENOUGH = 1e-12


def within_wide_arcs(
    circle: CircularRows,
    moments: Moments,
    v: FloatArray,
    beta: float,
    rays: FloatArray,
    signs: FloatArray,
) -> FloatArray:
    """A dual point near v that is feasible on the two wide arcs.

    There ``g = sum_i v_i x_i`` over the active rows becomes ``s beta u`` if a neuron u is
    on the arc, as a stationary network has it, and no longer than beta if there is none.
    Any v gives a valid bound, so the correction needs no proof of its own.

    Parameters
    ----------
    circle : CircularRows
        With a frame.
    moments : Moments
        Of its rows.
    v : ndarray, shape (m,)
        On the sorted rows.
    beta : float
    rays : ndarray, shape (k, 2)
        Neurons in the coordinates of the moments.
    signs : ndarray, shape (k,)

    Returns
    -------
    ndarray, shape (m,)

    Notes
    -----
    O(m).
    """
    assert circle.frame is not None
    v = v.copy()
    weights, located = moments.weights(rays), moments.locate(rays, 0.0)[0]
    for arc, rows in _wide_arcs(circle):
        goal = None
        for j in np.flatnonzero(located == arc):
            goal = beta * signs[j] * weights[j] / np.hypot(*weights[j])
        excess = _excess(circle, v, beta, rows, goal)
        for share in _SHARES:
            if np.hypot(*excess) <= _ENOUGH * beta:
                break
            chosen = rows
            if share is not None and share < len(rows):
                chosen = rows[np.argpartition(np.abs(v[rows]), share)[:share]]
            # In the coordinates of the frame, where the rows are far from parallel.
            z = moments.circle.rows[chosen]
            before = v[chosen]
            v[chosen] -= z @ np.linalg.lstsq(z.T @ z, excess @ circle.frame, rcond=None)[0]
            left = _excess(circle, v, beta, rows, goal)
            if np.hypot(*left) < np.hypot(*excess):
                excess = left
            else:
                v[chosen] = before
    return v


def _excess(
    circle: CircularRows, v: FloatArray, beta: float, rows: IntArray, goal: FloatArray | None
) -> FloatArray:
    """How far the sum over these rows is from its goal, or from the ball of radius beta."""
    total = sums_over_parts(circle.rows[rows], v[rows], np.array([0, len(rows)]))[0]
    if goal is not None:
        return np.asarray(total - goal)
    length = float(np.hypot(*total))
    return np.asarray(total * (1.0 - beta / max(length, beta)))


def _wide_arcs(circle: CircularRows) -> list[tuple[int, IntArray]]:
    """The widest arc and the one opposite to it, with their active rows where there are any."""
    p, normals = circle.n_classes, circle.normals
    after = np.vstack([normals[1:], -normals[:1]])
    crosses = normals[:, 0] * after[:, 1] - normals[:, 1] * after[:, 0]
    arc = int(np.argmax(np.arctan2(crosses, (normals * after).sum(axis=1)))) + 1
    first, last = int(circle.starts[arc]), int(circle.starts[arc + p])
    inside = np.arange(first, last)
    rest = np.concatenate([np.arange(last, int(circle.starts[-1])), np.arange(first)])
    arcs = ((arc, inside), ((arc + p) % (2 * p), rest))
    return [(place, rows) for place, rows in arcs if len(rows)]
