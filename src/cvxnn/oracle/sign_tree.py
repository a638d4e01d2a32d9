"""Kernels of the search over signs: its nodes, best first, in bounded memory (numba)."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import Array
from cvxnn.kernels import kernel
from cvxnn.oracle.sign_kernels import (
    build,
    centre,
    evaluate,
    factorise,
    improve,
    nearest_point,
    safe_bound,
)
from cvxnn.oracle.tree_kernels import (
    CLOSING,
    DONE,
    FLOOR,
    FOUND,
    FULL,
    GROWTH,
    INCUMBENT,
    LARGEST,
    LOST,
    PAUSED,
    REPORT,
    VISITED,
)
from cvxnn.patterns.cone_kernels import copy

# Columns of the numbers of a node.
BOUND, LAM, MU = 0, 1, 2
# Counters beside VISITED: nodes in the heap and on the stack, nodes of the pool that are free,
# and whether the pool may still grow.
HEAP, STACK, FREE, GROWS = 0, 2, 3, 4
N_NUMBERS, N_COUNTERS = 3, 5

# By how much the barrier falls in a step, and how much larger a child begins: a parent that is
# given up is nearer to the boundary than its children can be brought back from.
_SHRINK, _RETREAT = 0.5, 4.0
# Steps at the root and below it: what a few do not close, two children do.
_ROOT_STEPS, _STEPS = 40, 6


@kernel(inner=True)
def _push(heap: Array, size: int, node: int, reals: Array) -> None:
    """Into a heap whose first node has the largest bound."""
    k = size
    while k > 0:
        above = (k - 1) // 2
        if reals[heap[above], BOUND] >= reals[node, BOUND]:
            break
        heap[k] = heap[above]
        k = above
    heap[k] = node


@kernel(inner=True)
def _pop(heap: Array, size: int, reals: Array) -> int:
    first, node = heap[0], heap[size - 1]
    k, size = 0, size - 1
    while 2 * k + 1 < size:
        below = 2 * k + 1
        if below + 1 < size and reals[heap[below + 1], BOUND] > reals[heap[below], BOUND]:
            below += 1
        if reals[heap[below], BOUND] <= reals[node, BOUND]:
            break
        heap[k] = heap[below]
        k = below
    heap[k] = node
    return first


@kernel(inner=True)
def _most_blurred(
    normals: Array, omega: Array, signs: Array, y: Array, spread: Array
) -> int:  # fmt: skip
    """The open row whose modulus the majorant overestimates most; -1 where none is open."""
    best, gap = -1, -1.0
    for k in range(len(omega)):
        if omega[k] > 0.0 and signs[k] == 0:
            z = 0.0
            for i in range(len(y)):
                z += normals[k, i] * y[i]
            own = omega[k] * (np.sqrt(z * z + spread[k]) - abs(z))
            if own > gap:
                best, gap = k, own
    return best


@kernel(inner=True)
def _raise(limits: Array, value: float) -> None:
    if value > limits[INCUMBENT]:
        limits[INCUMBENT] = value
        limits[CLOSING] = max(limits[CLOSING], value * limits[GROWTH] + limits[FLOOR])


@kernel(inner=True)
def _descend(
    base: Array, normals: Array, omega: Array, signs: Array, x: Array, numbers: Array,
    limits: Array, steps: int, y: Array, spread: Array, best: Array,
) -> tuple[float, int]:  # fmt: skip
    """Newton steps with a falling barrier until a node is closed, or will not be.

    `numbers` becomes those of its children, with a bound that is proven. Returns the largest
    value of f that was met, whose point `best` becomes, and the number of steps.
    """
    r, p = len(base), len(omega)
    A, b, factor, point = np.empty((r, r)), np.empty(r), np.empty((r, r)), np.empty(r)
    H, triangle = np.empty((p + 1, p + 1)), np.empty((p + 1, p + 1))
    lam, mu, reached = numbers[LAM], numbers[MU], -np.inf
    kappa, _, _ = build(base, normals, omega, signs, x, lam, A, b)
    bound, count, works = np.inf, 0, factorise(A, factor)
    if works:
        bound = lam + kappa + centre(factor, b, y)
    while works and count < steps:
        count += 1
        other, bound = improve(
            base, normals, omega, signs, x, lam, bound, mu, A, b, factor, y, spread, H, triangle
        )
        works = other > 0.0
        if not works:
            break
        lam = other
        value = evaluate(base, normals, omega, y, point)
        if value > reached:
            reached = value
            copy(point, best)
            _raise(limits, value)
        # Below the first, the central path is at most so far from the least bound.
        hopeless = count > 1 and bound - mu * (r + 1.0 + 2.0 * p) > limits[CLOSING]
        if bound <= limits[CLOSING] or hopeless:
            break
        mu *= _SHRINK
    numbers[LAM], numbers[MU] = lam, _RETREAT * mu
    bound = safe_bound(base, normals, omega, signs, x, lam, A, b, factor, y)
    if bound < numbers[BOUND]:
        numbers[BOUND] = bound
    return reached, count


@kernel(inner=True)
def _take(
    heap: Array, stack: Array, spare: Array, reals: Array, counters: Array
) -> tuple[int, bool]:  # fmt: skip
    """The next node, and whether it is looked at depth first because the pool is nearly full."""
    if counters[STACK] > 0:
        counters[STACK] -= 1
        node, deep = stack[counters[STACK]], True
    else:
        deep = counters[FREE] < len(stack)
        node = _pop(heap, counters[HEAP], reals)
        counters[HEAP] -= 1
    spare[counters[FREE]] = node
    counters[FREE] += 1
    return node, deep


@kernel(inner=True)
def _split(
    row: int, signs: Array, x: Array, numbers: Array, weight: float, deep: bool, states: Array,
    multipliers: Array, reals: Array, heap: Array, stack: Array, spare: Array, counters: Array,
) -> None:  # fmt: skip
    """Two children, in which the sign of a row is fixed."""
    # Its multiplier is what the barrier makes of a row at some distance from the boundary.
    x[row] = min(2.5 * numbers[MU], 0.1 * weight)
    for sign in (-1, 1):
        signs[row] = sign
        counters[FREE] -= 1
        child = spare[counters[FREE]]
        copy(signs, states[child])
        copy(x, multipliers[child])
        copy(numbers, reals[child])
        if deep:
            stack[counters[STACK]] = child
            counters[STACK] += 1
        else:
            _push(heap, counters[HEAP], child, reals)
            counters[HEAP] += 1


@kernel
def advance(
    base: Array, normals: Array, omega: Array, states: Array, multipliers: Array, reals: Array,
    heap: Array, stack: Array, spare: Array, limits: Array, counters: Array, point: Array,
    max_work: float,
) -> int:  # fmt: skip
    """Work on the nodes until there is none, `max_work` is used up, or a point is found.

    A node has ``states`` (c, p), -1, 0 or 1 for each row, ``multipliers`` (c, p), and ``reals``
    (c, 3): its bound, lam and the barrier. Those in the ``heap`` (c,) are looked at best first.
    FULL comes back when the pool must grow; where it may not, the subtree of a node is looked at
    depth first, on the ``stack`` (p + 3,). ``spare`` (c,) are the nodes of the pool that are
    free. ``limits`` and what comes back are as for
    :func:`cvxnn.oracle.tree_kernels.advance`, `max_work` is in products.
    """
    r, p, work = len(base), len(omega), 0.0
    signs, x, numbers = np.empty(p, dtype=np.int8), np.empty(p), np.empty(N_NUMBERS)
    y, b, best, spread = np.empty(r), np.empty(r), np.empty(r), np.zeros(p)
    cost = p * (p + 1.0) * (0.5 * r + p / 6.0) + r**3 + p * r * r
    while counters[HEAP] + counters[STACK] > 0:
        if work >= max_work:
            return PAUSED
        if counters[FREE] < len(stack) and counters[GROWS]:
            return FULL
        node, deep = _take(heap, stack, spare, reals, counters)
        if reals[node, BOUND] <= limits[CLOSING]:
            limits[LARGEST] = max(limits[LARGEST], reals[node, BOUND])
            continue
        copy(states[node], signs)
        copy(multipliers[node], x)
        copy(reals[node], numbers)
        steps = _ROOT_STEPS if counters[VISITED] == 0 else _STEPS
        counters[VISITED] += 1
        y.fill(0.0)
        row = _most_blurred(normals, omega, signs, y, spread)
        if row < 0:
            bound, value = nearest_point(
                base, normals, omega, signs, x, limits[CLOSING], b, best
            )  # fmt: skip
            numbers[BOUND] = min(numbers[BOUND], bound)
            _raise(limits, value)
            count = 1
        else:
            value, count = _descend(
                base, normals, omega, signs, x, numbers, limits, steps, y, spread, best
            )  # fmt: skip
            row = _most_blurred(normals, omega, signs, y, spread)
        work += count * cost
        if numbers[BOUND] <= limits[CLOSING]:
            limits[LARGEST] = max(limits[LARGEST], numbers[BOUND])
        elif row < 0:
            limits[LOST] = max(limits[LOST], numbers[BOUND])
        else:
            _split(
                row, signs, x, numbers, omega[row], deep, states, multipliers, reals, heap,
                stack, spare, counters,
            )  # fmt: skip
        if value > limits[REPORT]:
            copy(best, point)
            return FOUND
    return DONE
