"""What a dual point makes of ramps on a line: exact sums of whole numbers."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.verification.rounding import float_up


def largest_of_ramps(x: FloatArray, v: FloatArray) -> float:
    """``max |v'f|`` over ``f = clip(x - s, 0, t - s)`` with s < t, rounded up; O(n log n).

    For a v of the sum 0; without that a constant has no bound, and it is inf. With
    ``D(s) = sum_{x_i > s} v_i (x_i - s)`` a ramp has ``D(s) - D(t)``, and D is linear between
    points, 0 from the last on and constant before the first: the largest is
    ``max D - min D`` over the points. Every float is a whole number times a power of two, so
    nothing is rounded before the end.

    Parameters
    ----------
    x, v : ndarray, shape (n,)

    Examples
    --------
    >>> largest_of_ramps(np.array([3.0, 0.0, 1.0]), np.array([1.0, 1.0, -2.0]))
    2.0
    >>> largest_of_ramps(np.array([0.0, 1.0]), np.array([1.0, 1.0]))
    inf
    """
    order = np.argsort(x, kind="stable")
    points, x_unit = _whole(x[order])
    weights, v_unit = _whole(v[order])
    if sum(weights) != 0:
        return np.inf
    high = low = beyond = turn = 0
    steps = list(itertools.pairwise(points))
    for (left, right), weight in zip(reversed(steps), reversed(weights[1:]), strict=True):
        beyond += weight
        turn += (right - left) * beyond
        high, low = max(high, turn), min(low, turn)
    return float_up((high - low) * x_unit * v_unit)


def _whole(numbers: FloatArray) -> tuple[list[int], Fraction]:
    """Whole numbers, and the power of two that they have to be multiplied by."""
    ratios = [number.as_integer_ratio() for number in numbers.tolist()]
    common = max(denominator for _, denominator in ratios)
    return [top * (common // bottom) for top, bottom in ratios], Fraction(1, common)
