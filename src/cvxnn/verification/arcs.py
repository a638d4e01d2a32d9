"""Functions of kinks in the plane in floats: an upper bound in one pass over the sorted rows."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.verification.kinked import Kinked
from cvxnn.verification.rounding import TINY, U, gamma, norms_up, sum_up

# What an angle, and the unit vector of an angle, err by at most, far more than they do.
_ANGLE = 64.0 * U
# The same of a cross product of a unit vector and a slope, relative to that.
_INSIDE = 1e-12


def bound_in_plane(function: Kinked) -> float:
    """An upper bound on ``max |f(u)|`` over ``||u|| <= 1`` in R^2 or less, rounding covered.

    Of one side, on ``max f(u)``.

    Notes
    -----
    As :func:`~cvxnn.verification.angles.largest_in_plane`, whose whole numbers take longer, with
    slopes that are running sums of floats. Arcs lie between computed angles: beyond a row's
    own line, on the wrong side of it, a unit vector is within the error of that angle, so
    that ``|x_i'u|`` is at most this times ``||x_i||``. A slope that may point into its arc, or
    away from it, counts as if it did. O(N log N).

    Examples
    --------
    >>> square = Kinked(np.eye(2), np.array([3.0, -4.0]), np.zeros(2))
    >>> bool(4.0 <= bound_in_plane(square) < 4.0 + 1e-12)
    True
    """
    if function.rank == 0 or len(function.rows) == 0:
        return 0.0
    pad = ((0, 0), (0, 2 - function.rank))
    rows, base = np.pad(function.rows, pad), np.pad(function.base, pad[1])
    a, b = rows.T
    # The line of a row in the upper half plane: on before it is crossed, off beyond.
    falls = (a > 0.0) | ((a == 0.0) & (b < 0.0))
    side = np.where(falls, 1.0, -1.0)
    angles = np.arctan2(side * a, -side * b)
    order = np.argsort(angles)
    slopes = function.weights[:, None] * rows
    steps = (-side[:, None] * slopes)[order]
    first = base + slopes[falls].sum(axis=0)
    passed = np.cumsum(steps, axis=0)
    last, passed = passed[-1], np.vstack([np.zeros(2), passed[:-1]])
    ends = np.column_stack([np.cos(angles[order]), np.sin(angles[order])])
    begins = np.vstack([-ends[-1:], ends[:-1]])
    # The second half of the circle is the first one turned.
    halves = (first + passed, (first + last) - passed)
    arcs = [
        (turn * begins, slope, turn * ends) for turn, slope in zip((1.0, -1.0), halves, strict=True)
    ]
    largest = max(_largest(*arc) for arc in arcs)
    if not function.is_one_sided:
        largest = max(largest, *(_largest(begin, -slope, end) for begin, slope, end in arcs))
    mass = sum_up(np.abs(function.weights) * norms_up(function.rows)) + float(norms_up(base))
    error = (2.0 * gamma(2 * len(rows) + 16) + 2.0 * _ANGLE) * mass
    return float((largest + error) * (1.0 + 16.0 * U)) + TINY


def _largest(begins: FloatArray, slopes: FloatArray, ends: FloatArray) -> float:
    """The largest ``g'u`` on arcs between unit vectors, each with a slope g, and 0."""
    lengths = np.sqrt((slopes * slopes).sum(axis=1))
    slack = _INSIDE * lengths
    at_ends = np.maximum((begins * slopes).sum(axis=1), (ends * slopes).sum(axis=1))
    inside = (_cross(begins, slopes) >= -slack) & (_cross(slopes, ends) >= -slack)
    # Of an arc of one point a slope that points away from it is not inside.
    inside &= at_ends >= -slack
    return float(np.where(inside, lengths, at_ends).max(initial=0.0))


def _cross(one: FloatArray, other: FloatArray) -> FloatArray:
    return np.asarray(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0])
