"""The walk of the rank-two oracle in twice the working precision (numba).

The same as in :mod:`cvxnn.oracle.rank_two_kernels` with the hyperplanes' rows
themselves instead of unit normals: nothing is rounded before the last step.
"""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import Array
from cvxnn.compensated import add, add_product, dot
from cvxnn.kernels import kernel
from cvxnn.oracle.rank_two_kernels import meet


@kernel
def precise_sum(rows: Array, v: Array, unit: float, begin: int, end: int, sums: Array) -> None:
    """Add ``sum_i v_i unit x_i`` over the rows begin:end to `sums` (x, y, each with its rest)."""
    for i in range(begin, end):
        weight = v[i] * unit
        sums[0], sums[1] = add_product(sums[0], sums[1], weight, rows[i, 0])
        sums[2], sums[3] = add_product(sums[2], sums[3], weight, rows[i, 1])


@kernel
def _minus(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    high, low = add(a, a_low, -b)
    return high, low - b_low


@kernel
def walk_precisely(
    rows: Array, starts: Array, leaders: Array, v: Array, unit: float, totals: Array,
    begin: int, end: int, enough: float, depth: float, state: Array, values: Array, points: Array,
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
            for side in range(2):
                f = 2 * half + side
                at = 5 + 5 * f
                s = 1.0 if side == 0 else -1.0
                last = s * state[at + 4]
                if last < 0.0 and s * before > 0.0:
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


@kernel
def start_precisely(leaders: Array, totals: Array, state: Array) -> None:
    """State before the first class, see ``start_walk``."""
    state[:5] = 0.0
    nx, ny = leaders[-1, 0], leaders[-1, 1]
    for f in range(4):
        total = totals[f // 2]
        at = 5 + 5 * f
        state[at] = -np.inf
        state[at + 1] = np.inf
        state[at + 4] = -dot(total[0], total[1], total[2], total[3], nx, ny)
