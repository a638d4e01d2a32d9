"""Kernels of the rank-two oracle for several outputs: a walk around the circle (numba).

Sums over active rows ``G = sum_i x_i v_i'`` have a row for each of the two coordinates, a
column for each output, and a pair (high, low) for each number: shape (2, c, 2).
"""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import Array
from cvxnn.compensated import add, add_product, dot
from cvxnn.kernels import kernel
from cvxnn.oracle.rank_two_kernels import meet

# What a maximum is met on: the inside of an arc, or the hyperplane at its end.
INSIDE, END = 0.0, 1.0


@kernel
def add_rows(
    rows: Array, V: Array, unit: float, begin: int, end: int, precise: bool, sums: Array
) -> None:
    """Add ``unit sum_i x_i v_i'`` over the rows begin:end to `sums`."""
    for i in range(begin, end):
        for j in range(V.shape[1]):
            weight = V[i, j] * unit
            for axis in range(2):
                high, low, x = sums[axis, j, 0], sums[axis, j, 1], rows[i, axis]
                if precise:
                    high, low = add_product(high, low, weight, x)
                else:
                    high, low = add(high, low, weight * x)
                sums[axis, j, 0], sums[axis, j, 1] = high, low


@kernel(inner=True)
def _pass(
    k: int, rows: Array, starts: Array, V: Array, unit: float, precise: bool, totals: Array,
    prefix: Array, G: Array,
) -> None:  # fmt: skip
    """Step over normal k: `G` of both halves of the circle, shape (2, 2, c, 2)."""
    p = len(starts) // 2
    add_rows(rows, V, unit, starts[k], starts[k + 1], precise, prefix)
    add_rows(rows, V, -unit, starts[p + k], starts[p + k + 1], precise, prefix)
    for half in range(2):
        for axis in range(2):
            for j in range(V.shape[1]):
                if k == p - 1:
                    # The walk goes on at the start of the other half, from this very float.
                    G[half, axis, j, 0] = -totals[1 - half, axis, j, 0]
                    G[half, axis, j, 1] = -totals[1 - half, axis, j, 1]
                    continue
                total = totals[half, axis, j]
                high, low = add(total[0], total[1], -prefix[axis, j, 0])
                G[half, axis, j, 0], G[half, axis, j, 1] = high, low - prefix[axis, j, 1]


@kernel(inner=True)
def _component(G: Array, j: int, a: float, b: float, precise: bool) -> float:
    """``G_1j a + G_2j b``."""
    x, x_low, y, y_low = G[0, j, 0], G[0, j, 1], G[1, j, 0], G[1, j, 1]
    if precise:
        return dot(x, x_low, y, y_low, a, b)
    return (x + x_low) * a + (y + y_low) * b


@kernel
def evaluate(G: Array, x: float, y: float, precise: bool) -> tuple[float, float]:
    """``||G't||`` at t, the vector (x, y) turned left, and half the slope of its square."""
    square, slope = 0.0, 0.0
    for j in range(G.shape[1]):
        z = _component(G, j, -y, x, precise)
        slope += z * _component(G, j, -x, -y, precise)
        square += z * z
    return np.sqrt(square), slope


@kernel(inner=True)
def _moments(G: Array) -> tuple[float, float, float]:
    """``||G't||^2 = middle + half cos 2 t + mixed sin 2 t`` at the angle t."""
    a, b, mixed = 0.0, 0.0, 0.0
    for j in range(G.shape[1]):
        x, y = G[0, j, 0] + G[0, j, 1], G[1, j, 0] + G[1, j, 1]
        a += x * x
        b += y * y
        mixed += x * y
    return 0.5 * (a + b), 0.5 * (a - b), mixed


@kernel
def walk(
    rows: Array, starts: Array, leaders: Array, V: Array, unit: float, precise: bool,
    totals: Array, prefix: Array, G: Array, opening: Array, begin: int, end: int,
    enough: float, depth: float, state: Array, values: Array, points: Array,
) -> tuple[int, int]:  # fmt: skip
    """Local maxima of ``||V'(Xu)_+||`` on the circle, from class `begin` until `end`.

    The two halves of the circle are walked at once, see
    :func:`~cvxnn.oracle.rank_two_kernels.walk_circle`: ``G = A - C`` and ``-B - C``.
    `leaders` are vectors along the normals, of length 1 unless `precise`; `opening` slopes at
    the beginnings of the arcs under way. A maximum is written as ``k + 1``, negative on the
    second half, for the arc that ends at normal k, and INSIDE or END with the same sign.

    Stops where the buffers may overflow; returns the class to go on with and the number of
    maxima written.
    """
    found, room = 0, len(values) - 8
    before, heights = np.empty(2), np.empty(2)
    for k in range(begin, end):
        if found > room:
            return k, found
        x, y = leaders[k, 0], leaders[k, 1]
        length = np.hypot(x, y) if precise else 1.0
        for half in range(2):
            height, slope = evaluate(G[half], x, y, precise)
            heights[half], before[half] = height / length, slope
            if opening[half] >= 0.0 and slope <= 0.0:
                middle, spread, mixed = _moments(G[half])
                value = np.sqrt(middle + np.hypot(spread, mixed))
                found = meet(
                    value, k + 1.0, INSIDE, 2 * half, enough, depth, state, values, points, found
                )
            elif opening[half] < 0.0 and slope > 0.0:
                middle, spread, mixed = _moments(G[half])
                valley = np.sqrt(max(middle - np.hypot(spread, mixed), 0.0))
                state[6 + 10 * half] = min(state[6 + 10 * half], valley)
        _pass(k, rows, starts, V, unit, precise, totals, prefix, G)
        for half in range(2):
            height, slope = evaluate(G[half], x, y, precise)
            value = max(heights[half], height / length)
            state[4] = max(state[4], value)
            if before[half] >= 0.0 and slope <= 0.0:
                found = meet(
                    value, k + 1.0, END, 2 * half, enough, depth, state, values, points, found
                )
            state[6 + 10 * half] = min(state[6 + 10 * half], value)
            opening[half] = slope
    return end, found


@kernel(inner=True)
def _end(leaders: Array, k: int) -> tuple[float, float]:
    """The unit vector where the arc before normal k ends; that before the first begins at -1."""
    x, y = leaders[k, 0], leaders[k, 1]
    length = np.hypot(x, y) if k >= 0 else -np.hypot(x, y)
    return -y / length, x / length


@kernel(inner=True)
def _steepest(G: Array, a: float, b: float, x: float, y: float) -> tuple[float, float]:
    """The unit vector t between (a, b) and (x, y) of the largest ``||G't||``."""
    _, spread, mixed = _moments(G)
    angle = 0.5 * np.arctan2(mixed, spread)
    cos, sin = np.cos(angle), np.sin(angle)
    if cos * x + sin * y < 0.0:
        cos, sin = -cos, -sin
    if a * sin - b * cos >= 0.0 and cos * y - sin * x >= 0.0:
        return cos, sin
    # At an end, or all directions of the arc are equal, up to rounding.
    first, _ = evaluate(G, b, -a, False)
    last, _ = evaluate(G, y, -x, False)
    return (a, b) if first > last else (x, y)


@kernel
def locate(
    rows: Array, starts: Array, leaders: Array, V: Array, unit: float, precise: bool,
    totals: Array, prefix: Array, G: Array, classes: Array, halves: Array, kinds: Array,
    directions: Array, outputs: Array,
) -> None:  # fmt: skip
    """Directions and unit outputs of maxima that :func:`walk` has met, in its order."""
    k = 0
    for m in range(len(classes)):
        while k < classes[m]:
            _pass(k, rows, starts, V, unit, precise, totals, prefix, G)
            k += 1
        own = G[halves[m]]
        x, y = _end(leaders, k)
        if kinds[m] == INSIDE:
            a, b = _end(leaders, k - 1)
            x, y = _steepest(own, a, b, x, y)
        square = 0.0
        for j in range(V.shape[1]):
            z = _component(own, j, x, y, precise)
            outputs[m, j] = z
            square += z * z
        if square > 0.0:
            norm = np.sqrt(square)
            for j in range(V.shape[1]):
                outputs[m, j] /= norm
        else:
            # The value was rounding.
            outputs[m, 0] = 1.0
        turn = 1.0 if halves[m] == 0 else -1.0
        directions[m, 0], directions[m, 1] = turn * x, turn * y
