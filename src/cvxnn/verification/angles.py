"""Functions of kinks in the plane, exactly: rows sorted by angle, slopes in whole numbers."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cmp_to_key
from math import atan2, isqrt

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.verification.kinked import Kinked
from cvxnn.verification.rounding import float_up

# Bits by which squares are refined before a root is taken.
_BITS = 128

Pair = tuple[int, int]


def largest_in_plane(function: Kinked) -> float:
    """``max |f(u)|`` over ``||u|| <= 1`` in R^2 or less, rounded up by one float.

    Of one side, ``max f(u)``.

    Notes
    -----
    Between two neighbouring lines ``x_i'u = 0`` the function is linear, ``g'u``: its largest
    value on the closed arc between unit vectors p and q is ``||g||`` where g is in the cone of p
    and q, else it is that at p or q (seed paper, section 3; H. Edelsbrunner et al. 1986 for
    arrangements). Floats are whole numbers times powers of two, so that order of the lines,
    slopes and the test are exact; only the last square root is rounded, up. O(N log N).

    Examples
    --------
    >>> square = Kinked(np.eye(2), np.array([3.0, -4.0]), np.zeros(2))
    >>> largest_in_plane(square)
    4.0
    """
    if function.rank == 0 or len(function.rows) == 0:
        return 0.0
    rows, row_scale = whole(np.pad(function.rows, ((0, 0), (0, 2 - function.rank))))
    weights, weight_scale = whole(function.weights)
    base, base_scale = whole(np.pad(function.base, (0, 2 - function.rank)))
    # In units of 2^-(row + weight) both.
    scale = max(row_scale + weight_scale, base_scale)
    slopes = weights[:, None] * rows * (1 << (scale - row_scale - weight_scale))
    start = base * (1 << (scale - base_scale))
    best = 0
    for p, g, q in _arcs(rows, slopes, start):
        best = max(best, _largest_square(p, g, q))
        if not function.is_one_sided:
            best = max(best, _largest_square(p, (-g[0], -g[1]), q))
    root = isqrt(best)
    root += root * root < best
    return float_up(Fraction(root, 1 << (_BITS // 2)) / Fraction(2) ** scale)


def whole(numbers: FloatArray) -> tuple[Array, int]:
    """Floats as whole numbers times ``2^-k``, and k."""
    mantissas, exponents = np.frexp(numbers)
    integers = np.ldexp(mantissas, 53).astype(np.int64).astype(object)
    used = exponents[numbers != 0.0]
    lowest = int(used.min()) if used.size else 53
    shifts = np.where(numbers != 0.0, exponents - lowest, 0).astype(object)
    return integers * (2**shifts), 53 - lowest


def _arcs(rows: Array, slopes: Array, base: Array) -> Iterator[tuple[Pair, Pair, Pair]]:
    """All arcs between neighbouring lines, with the slope on each."""
    lines: list[tuple[Pair, Pair]] = []
    g = (int(base[0]), int(base[1]))
    for (a, b), (c, d) in zip(rows.tolist(), slopes.tolist(), strict=True):
        # The direction of the line in the upper half plane, and what the row adds beyond it.
        if a > 0 or (a == 0 and b < 0):
            # On before the line is crossed: taken away there.
            lines.append(((-b, a), (-c, -d)))
            g = (g[0] + c, g[1] + d)
        else:
            lines.append(((b, -a), (c, d)))
    # Nearly in order by floats, and then exactly: few comparisons are left.
    lines.sort(key=lambda line: angle(line[0]))
    in_order = cmp_to_key(order)
    lines.sort(key=lambda line: in_order(line[0]))
    last = lines[-1][0]
    before = (-last[0], -last[1])
    for side in (1, -1):
        for (x, y), (c, d) in lines:
            here = (side * x, side * y)
            # Lines that are the same have an arc of one point between them.
            yield before, g, here
            g = (g[0] + side * c, g[1] + side * d)
            before = here


def _largest_square(p: Pair, g: Pair, q: Pair) -> int:
    """The square of the largest ``g'u`` on an arc, times ``2^_BITS``, rounded up; or 0."""
    values = [g[0] * x + g[1] * y for x, y in (p, q)]
    # Of an arc of one point a slope that points away from it is not inside.
    is_inside = cross(p, g) >= 0 and cross(g, q) >= 0 and max(values) >= 0
    if is_inside or cross(p, q) < 0:
        return (g[0] * g[0] + g[1] * g[1]) << _BITS
    best = 0
    for value, (x, y) in zip(values, (p, q), strict=True):
        if value > 0:
            best = max(best, -((-value * value << _BITS) // (x * x + y * y)))
    return best


def angle(line: Pair) -> float:
    """Of a direction, about."""
    largest = max(abs(line[0]), abs(line[1]))
    return atan2(line[1] / largest, line[0] / largest)


def cross(one: Pair, other: Pair) -> int:
    """The determinant of two vectors."""
    return one[0] * other[1] - one[1] * other[0]


def order(one: Pair, other: Pair) -> int:
    """Which direction comes first, counterclockwise in the upper half plane."""
    turn = cross(one, other)
    return (turn < 0) - (turn > 0)
