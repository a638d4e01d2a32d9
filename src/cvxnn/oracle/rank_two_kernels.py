"""Kernels of the rank-two oracle: one walk around the circle, in two precisions (numba)."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.compensated import add, add_product, dot
from cvxnn.kernels import kernel

# Layout of the state of a walk: the prefix sum (two components, each with its
# compensation), the largest value so far, then five numbers for each of the
# four functions: pending maximum, lowest value since, its direction, last slope.
STATE_SIZE = 25


@kernel
def weighted_sum(rows: Array, v: Array, unit: float, begin: int, end: int, sums: Array) -> None:
    """Add ``sum_i v_i unit x_i`` over the rows begin:end to `sums` (x, y, each with its rest)."""
    x, x_low, y, y_low = sums[0], sums[1], sums[2], sums[3]
    for i in range(begin, end):
        weight = v[i] * unit
        x, x_low = add(x, x_low, weight * rows[i, 0])
        y, y_low = add(y, y_low, weight * rows[i, 1])
    sums[0], sums[1], sums[2], sums[3] = x, x_low, y, y_low


@kernel(inner=True)
def _emit(values: Array, points: Array, found: int, f: int, state: Array) -> int:
    """Write out the pending maximum of function f."""
    at = 5 + 5 * f
    values[found] = state[at]
    sign = 1.0 if f % 2 == 0 else -1.0
    # The functions on the second half of the circle are walked on the first one.
    turn = 1.0 if f < 2 else -1.0
    points[found, 0] = turn * state[at + 2]
    points[found, 1] = turn * state[at + 3]
    points[found, 2] = sign
    return found + 1


@kernel(inner=True)
def meet(
    value: float, x: float, y: float, f: int, enough: float, depth: float,
    state: Array, values: Array, points: Array, found: int,
) -> int:  # fmt: skip
    """A local maximum at the direction (x, y): it becomes pending, or is one with the last."""
    at = 5 + 5 * f
    pending, valley = state[at], state[at + 1]
    if value > state[4]:
        state[4] = value
    if pending > enough:
        if value >= pending:
            if pending - valley >= depth * (pending - enough):
                found = _emit(values, points, found, f, state)
        elif value - valley < depth * (value - enough):
            return found
        else:
            found = _emit(values, points, found, f, state)
            state[at] = -np.inf
    if value > enough:
        state[at], state[at + 1] = value, value
        state[at + 2], state[at + 3] = x, y
    return found


@kernel
def walk_circle(
    rows: Array, starts: Array, normals: Array, v: Array, unit: float, totals: Array,
    begin: int, end: int, enough: float, depth: float, first: int, last: int,
    state: Array, values: Array, points: Array,
) -> tuple[int, int]:  # fmt: skip
    """Local maxima of ``s v'(Xu)_+`` on the circle, from class `begin` until `end`.

    On the first half of the circle the active rows are those along the normals
    not passed yet and those against the passed ones: their sum is
    ``G = A - C`` for the total A of the rows along and the prefix sum C of
    both. On the second half, walked at -u, it is ``G = -B - C``. A slope is
    ``-s G'n``, so that a maximum is where ``s G'n`` turns from - to +.

    Of the sides first:last of s = 1 and s = -1, both or one.
    Stops where the buffers may overflow; returns the class to go on with and
    the number of maxima written.
    """
    p = len(normals)
    found = 0
    cx, cx_low, cy, cy_low = state[0], state[1], state[2], state[3]
    room = len(values) - 8
    for k in range(begin, end):
        if found > room:
            state[0], state[1], state[2], state[3] = cx, cx_low, cy, cy_low
            return k, found
        nx, ny = normals[k, 0], normals[k, 1]
        old_x, old_y = cx + cx_low, cy + cy_low
        for i in range(starts[k], starts[k + 1]):
            weight = v[i] * unit
            cx, cx_low = add(cx, cx_low, weight * rows[i, 0])
            cy, cy_low = add(cy, cy_low, weight * rows[i, 1])
        for i in range(starts[p + k], starts[p + k + 1]):
            weight = -v[i] * unit
            cx, cx_low = add(cx, cx_low, weight * rows[i, 0])
            cy, cy_low = add(cy, cy_low, weight * rows[i, 1])
        new_x, new_y = cx + cx_low, cy + cy_low
        for half in range(2):
            total_x, total_y = totals[half, 0], totals[half, 1]
            gx, gy = total_x - old_x, total_y - old_y
            hx, hy = total_x - new_x, total_y - new_y
            if k == p - 1:
                # The walk goes on at the start of the other half, from this very float:
                # computed as a difference, a slope of zero could get one sign here and
                # the opposite one there, and the maximum would be on neither side.
                hx, hy = -totals[1 - half, 0], -totals[1 - half, 1]
            before = gx * nx + gy * ny
            after = hx * nx + hy * ny
            turn = hy * nx - hx * ny
            for side in range(first, last):
                f = 2 * half + side
                at = 5 + 5 * f
                s = 1.0 if side == 0 else -1.0
                slope = s * state[at + 4]
                if slope < 0.0 and s * before > 0.0:
                    value = np.sqrt(gx * gx + gy * gy)
                    found = meet(
                        value, s * gx / value, s * gy / value, f, enough, depth,
                        state, values, points, found,
                    )  # fmt: skip
                if s * before <= 0.0 and s * after >= 0.0:
                    found = meet(s * turn, -ny, nx, f, enough, depth, state, values, points, found)
                elif s * turn < state[at + 1]:
                    state[at + 1] = s * turn
            state[5 + 10 * half + 4] = after
            state[5 + 10 * half + 9] = after
    state[0], state[1], state[2], state[3] = cx, cx_low, cy, cy_low
    return end, found


def start_walk(slopes: FloatArray) -> FloatArray:
    """State before the first class, from the slopes at the last normal, turned round, behind it."""
    state = np.zeros(STATE_SIZE)
    state[5::5], state[6::5], state[9::5] = -np.inf, np.inf, np.repeat(slopes, 2)
    return state


@kernel
def end_walk(enough: float, state: Array, values: Array, points: Array) -> int:
    """Write out what is pending at the end of the walk."""
    found = 0
    for f in range(4):
        if state[5 + 5 * f] > enough:
            found = _emit(values, points, found, f, state)
    return found


@kernel
def precise_sum(rows: Array, v: Array, unit: float, begin: int, end: int, sums: Array) -> None:
    """Add ``sum_i v_i unit x_i`` over the rows begin:end to `sums` (x, y, each with its rest)."""
    for i in range(begin, end):
        weight = v[i] * unit
        sums[0], sums[1] = add_product(sums[0], sums[1], weight, rows[i, 0])
        sums[2], sums[3] = add_product(sums[2], sums[3], weight, rows[i, 1])


@kernel(inner=True)
def _minus(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    high, low = add(a, a_low, -b)
    return high, low - b_low


@kernel
def walk_precisely(
    rows: Array, starts: Array, leaders: Array, v: Array, unit: float, totals: Array,
    begin: int, end: int, enough: float, depth: float, first: int, last: int,
    state: Array, values: Array, points: Array,
) -> tuple[int, int]:  # fmt: skip
    """Like ``walk_circle``; a maximum on hyperplane k is written as the point ``(k + 2, 0)``.

    `leaders` are rows along the normals, shape (p, 2); `totals` has the shape (2, 4).
    """
    p = len(leaders)
    found = 0
    room = len(values) - 8
    c = state[:4]
    for k in range(begin, end):
        if found > room:
            return k, found
        nx, ny = leaders[k, 0], leaders[k, 1]
        length = np.hypot(nx, ny)
        old_x, old_x_low, old_y, old_y_low = c[0], c[1], c[2], c[3]
        precise_sum(rows, v, unit, starts[k], starts[k + 1], c)
        precise_sum(rows, v, -unit, starts[p + k], starts[p + k + 1], c)
        for half in range(2):
            total = totals[half]
            gx, gx_low = _minus(total[0], total[1], old_x, old_x_low)
            gy, gy_low = _minus(total[2], total[3], old_y, old_y_low)
            hx, hx_low = _minus(total[0], total[1], c[0], c[1])
            hy, hy_low = _minus(total[2], total[3], c[2], c[3])
            if k == p - 1:
                # From the very floats that the other half starts with, see walk_circle.
                other = totals[1 - half]
                hx, hx_low, hy, hy_low = -other[0], -other[1], -other[2], -other[3]
            before = dot(gx, gx_low, gy, gy_low, nx, ny)
            after = dot(hx, hx_low, hy, hy_low, nx, ny)
            turn = dot(hy, hy_low, -hx, -hx_low, nx, ny) / length
            for side in range(first, last):
                f = 2 * half + side
                at = 5 + 5 * f
                s = 1.0 if side == 0 else -1.0
                slope = s * state[at + 4]
                if slope < 0.0 and s * before > 0.0:
                    x, y = gx + gx_low, gy + gy_low
                    value = np.hypot(x, y)
                    found = meet(
                        value, s * x / value, s * y / value, f, enough, depth,
                        state, values, points, found,
                    )  # fmt: skip
                if s * before <= 0.0 and s * after >= 0.0:
                    found = meet(
                        s * turn, k + 2.0, 0.0, f, enough, depth, state, values, points, found
                    )
                elif s * turn < state[at + 1]:
                    state[at + 1] = s * turn
            state[5 + 10 * half + 4] = after
            state[5 + 10 * half + 9] = after
    return end, found
