"""Dual points of rows that are nearly parallel: feasible where rounding alone decides.

All kinks are then in a small part of the circle of directions, and the rest of it is two
wide arcs, on which all rows are active, or those on one side. There ``v'(Xu)_+`` is as
long as the rows, and to stay below a small beta it has to cancel in many more digits than
on the arcs between the kinks. Rounding of v alone is more than that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvxnn.oracle.circle import CircularRows
from cvxnn.oracle.compensated import sums_over_parts

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Rows that share a correction: first all, then those whose entries of v are smallest,
# and so have the finest rounding.
_SHARES = (None, 64, 64, 16)
# A sum that is above beta by less than this is as good as one below it.
_ENOUGH = 1e-12


def within_wide_arcs(circle: CircularRows, v: FloatArray, beta: float) -> FloatArray:
    """A dual point near v for which ``|v'(Xu)_+| <= beta`` on the two wide arcs.

    Any v gives a valid bound, so the correction needs no proof of its own.

    Parameters
    ----------
    circle : CircularRows
        With a frame.
    v : ndarray, shape (m,)
        On the sorted rows.
    beta : float

    Returns
    -------
    ndarray, shape (m,)

    Notes
    -----
    O(m) besides the choice of the smallest entries.
    """
    framed = circle.framed()
    v = v.copy()
    for rows in _wide_arcs(circle):
        for share in _SHARES:
            parts = np.array([0, len(rows)])
            total = sums_over_parts(circle.rows[rows], v[rows], parts)[0]
            length = float(np.hypot(*total))
            if length <= beta * (1.0 + _ENOUGH):
                break
            # In the coordinates of the frame, where the rows are far from parallel.
            excess = (total * (1.0 - beta / length)) @ circle.frame
            chosen = rows
            if share is not None and share < len(rows):
                chosen = rows[np.argpartition(np.abs(v[rows]), share)[:share]]
            z = framed.rows[chosen]
            v[chosen] -= z @ np.linalg.lstsq(z.T @ z, excess, rcond=None)[0]
    return v


def _wide_arcs(circle: CircularRows) -> list[IntArray]:
    """The active rows of the widest arc, and of the one opposite to it."""
    p = circle.n_classes
    normals = circle.normals
    after = np.vstack([normals[1:], -normals[:1]])
    k = int(np.argmax(np.arctan2(
        normals[:, 0] * after[:, 1] - normals[:, 1] * after[:, 0], (normals * after).sum(axis=1)
    )))  # fmt: skip
    starts = circle.starts
    first, last = int(starts[(k + 1) % (2 * p)]), int(starts[k + 1 + p])
    inside = np.arange(first, last)
    rest = np.concatenate([np.arange(last, int(starts[-1])), np.arange(first)])
    return [rows for rows in (inside, rest) if len(rows)]
