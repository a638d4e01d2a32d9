"""Functions of kinks with several outputs in the plane, exactly: arcs between lines in order."""

from __future__ import annotations

from fractions import Fraction
from functools import cmp_to_key
from math import isqrt

import numpy as np

from cvxnn.array_types import Array, BoolArray, FloatArray
from cvxnn.verification.angles import angle, order, whole
from cvxnn.verification.outputs.kinked import OutputsKinked
from cvxnn.verification.rounding import float_up

# Bits by which squares are refined before a root is taken.
_BITS = 128
# Values that are, as floats, farther below the largest than this share are not the largest.
_NEAR = 1e-9


def largest_norm_in_plane(function: OutputsKinked) -> float:
    """``max ||F(u)||`` over ``||u|| <= 1`` in R^2 or less, rounded up by two floats.

    Notes
    -----
    Between two neighbouring lines ``x_i'u = 0`` the function is linear, and ``||F(u)||^2 = u'S u``
    a sine of twice the angle of u plus a constant. On a closed arc of at most half a turn it is
    largest at an end, or at its crest, where it is the largest eigenvalue of S. Whether there is a
    crest inside the signs of the derivatives at the ends tell: of an arc of a quarter turn
    at most it rises at the first and falls at the last; of a longer one it does not fall at the
    first or does not rise at the last. Floats are whole numbers times powers of two, so that
    all of this is exact; only roots are rounded, up. Floats choose those of all values that are
    near the largest. O(N log N), and O(N c) products.

    Examples
    --------
    >>> weights = np.array([[3.0, 0.0], [0.0, -4.0]])
    >>> largest_norm_in_plane(OutputsKinked(np.eye(2), weights, np.zeros((2, 2))))
    4.0
    """
    n, r = function.rows.shape
    if r == 0 or n == 0:
        return 0.0
    rows, row_scale = whole(np.pad(function.rows, ((0, 0), (0, 2 - r))))
    weights, weight_scale = whole(function.weights)
    base, base_scale = whole(np.pad(function.base, ((0, 2 - r), (0, 0))))
    scale = max(row_scale + weight_scale, base_scale)
    weights = weights * (1 << (scale - row_scale - weight_scale))
    lines, slopes = _arcs(rows, weights, base * (1 << (scale - base_scale)))
    best = max(_largest_crest(lines, slopes), _largest_at_lines(lines, slopes))
    # In units of 2^(2 scale + _BITS).
    return float_up(Fraction(_root_up(best), 1 << (_BITS // 2)) / Fraction(2) ** scale)


def _arcs(rows: Array, weights: Array, base: Array) -> tuple[Array, Array]:
    """Lines around the circle, shape (2N + 1, 2), and the slopes between each and the next.

    Slopes have the shape (2, 2N, c): ``F(u) = slopes[0, k] u_1 + slopes[1, k] u_2``.
    """
    a, b = rows.T
    # The direction of a line in the upper half plane; on before it is crossed, or beyond it.
    is_before = ((a > 0) | ((a == 0) & (b < 0))).astype(bool)
    sign = np.where(is_before, 1, -1).astype(object)
    upper = np.stack([-b * sign, a * sign], axis=1)
    pairs = [(int(x), int(y)) for x, y in upper]
    index = sorted(range(len(rows)), key=lambda k: angle(pairs[k]))
    compare = cmp_to_key(order)
    index.sort(key=lambda k: compare(pairs[k]))
    jumps = rows.T[:, :, None] * weights[None]
    first = base + (jumps * is_before.astype(object)[None, :, None]).sum(axis=1)
    jumps = (jumps * -sign[None, :, None])[:, index]
    around = np.concatenate([jumps, -jumps], axis=1).cumsum(axis=1)
    # Beyond line k, up to the next one; after a whole turn all is as before the first.
    lines = np.concatenate([upper[index], -upper[index], upper[index[:1]]])
    return lines, first[:, None] + around


def _largest_crest(lines: Array, slopes: Array) -> int:
    """The largest eigenvalue over arcs that have a crest inside, times ``2^_BITS``, rounded up."""
    (s, t), p, q = slopes, lines[:-1], lines[1:]
    a, b, m = ((x * y).sum(axis=1) for x, y in ((s, s), (t, t), (s, t)))

    def rise(u: Array) -> Array:
        """The derivative at u, counterclockwise, times a positive number."""
        x, y = u.T
        return (b - a) * x * y + m * (x * x - y * y)

    starts, ends = rise(p), rise(q)
    ahead = (p * q).sum(axis=1)
    is_point = (ahead > 0) & (p[:, 0] * q[:, 1] == p[:, 1] * q[:, 0])
    short = (starts >= 0) & (ends <= 0)
    long = (starts >= 0) | (ends <= 0)
    inside = np.where(ahead >= 0, short, long).astype(bool) & ~is_point.astype(bool)
    best = 0
    total, difference = (a + b)[inside], (a - b)[inside]
    squares = difference * difference + 4 * m[inside] * m[inside]
    unit = np.full(len(total), 1 << int(total.max(initial=1)).bit_length(), dtype=object)
    near = _near(
        (total / unit + np.sqrt((squares / (unit * unit)).astype(np.float64))).astype(float)
    )
    for whole_part, square in zip(total[near], squares[near], strict=True):
        root = _root_up(int(square) << (2 * _BITS))
        best = max(best, ((int(whole_part) << _BITS) + root + 1) // 2)
    return best


def _largest_at_lines(lines: Array, slopes: Array) -> int:
    """The largest square on lines, times ``2^_BITS``, rounded up."""
    x, y = lines[:-1].T
    values = slopes[0] * x[:, None] + slopes[1] * y[:, None]
    squares, lengths = (values * values).sum(axis=1), x * x + y * y
    near = _near(_ratios(squares, lengths))
    pairs = zip(squares[near], lengths[near], strict=True)
    return max((-((-int(v) << _BITS) // int(w)) for v, w in pairs), default=0)


def _root_up(number: int) -> int:
    root = isqrt(number)
    return root + (root * root < number)


def _near(values: FloatArray) -> BoolArray:
    """Those that may be the largest."""
    return np.asarray(values >= values.max(initial=0.0) * (1.0 - _NEAR))


def _ratios(numbers: Array, others: Array) -> FloatArray:
    """Whole numbers >= 0 over others > 0 as floats, in a unit in which they are not too large."""
    if len(numbers) == 0:
        return np.zeros(0)
    bits = int(numbers.max()).bit_length() - int(others.min()).bit_length()
    return np.asarray(numbers / (others * (1 << max(bits, 0))), dtype=np.float64)
