"""Maxima of ``u'N v`` over vectors of signs: walks from starts, and a tree over all."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import Array
from cvxnn.kernels import kernel
from cvxnn.patterns.cone_kernels import copy


@kernel
def wander(
    N: Array, left: Array, right: Array, delays: Array, steps: int, level: float,
    found_left: Array, found_right: Array,
) -> int:  # fmt: skip
    """Walk from pairs of signs over local maxima of ``u'N v``, by the best flip of one sign.

    Parameters
    ----------
    N : ndarray, shape (d, d)
        Symmetric.
    left, right : ndarray, shape (m, d)
        Rows u and v of signs to start from, which are changed.
    delays : ndarray of int, shape (p,)
        Steps for which a sign stays after its flip, used in turn: random numbers.
    steps : int
        Of each walk.
    level : float
        Of the values that are recorded.
    found_left, found_right : ndarray, shape (k, d)
        Become local maxima above the level, not all of them different; the last of them where they
        are more.

    Returns
    -------
    int
        How many were found.

    Notes
    -----
    A flip that was made is not undone for a while, unless that leads to the best pair of the walk
    (tabu search: F. Glover, ORSA J. Computing 1, 1989). O(d) a step.
    """
    m, d = left.shape
    count, draws = 0, 0
    for k in range(m):
        u, v = left[k], right[k]
        a, b = N @ v, N @ u
        value = 0.0
        for i in range(d):
            value += u[i] * a[i]
        best = value
        until = np.zeros(2 * d, dtype=np.int64)
        for step in range(steps):
            gain, chosen, rises = -np.inf, -1, False
            for i in range(2 * d):
                change = -2.0 * u[i] * a[i] if i < d else -2.0 * v[i - d] * b[i - d]
                rises = rises or change > 1e-12 * abs(value)
                is_free = until[i] <= step or value + change > best * (1.0 + 1e-12)
                if is_free and change > gain:
                    gain, chosen = change, i
            if not rises and value > level:
                copy(u, found_left[count % len(found_left)])
                copy(v, found_right[count % len(found_left)])
                count += 1
            best = max(best, value)
            if chosen < 0:
                continue
            if chosen < d:
                u[chosen] = -u[chosen]
                for j in range(d):
                    b[j] += 2.0 * u[chosen] * N[chosen, j]
            else:
                v[chosen - d] = -v[chosen - d]
                for j in range(d):
                    a[j] += 2.0 * v[chosen - d] * N[chosen - d, j]
            value += gain
            until[chosen] = step + delays[draws % len(delays)]
            draws += 1
    return count


@kernel
def length_of(columns: Array, signs: Array, first: int) -> float:
    """``||sum_j signs_j columns_j||_1`` over the columns from `first` on."""
    d = len(columns)
    total = 0.0
    for i in range(d):
        entry = 0.0
        for j in range(first, d):
            entry += columns[j, i] * signs[j]
        total += abs(entry)
    return total


@kernel
def explore(
    columns: Array, first: int, rest: Array, best: Array, sums: Array, path: Array,
    tried: Array, state: Array, most_nodes: int,
) -> int:  # fmt: skip
    """Go on with a tree over the signs of the columns from `first` on, depth first.

    Parameters
    ----------
    columns : ndarray, shape (d, d)
        The columns of a matrix, as rows.
    first : int
        Its sign is 1: u and -u have the same length.
    rest : ndarray, shape (d + 1,)
        Bounds on the length of the columns from each one on, which are used after `first`.
    best : ndarray, shape (d,)
        Signs that become the best found, where they are better than the level.
    sums : ndarray, shape (d + 1, d)
        Sums over the columns before each one, on the path.
    path : ndarray, shape (d,)
        Its signs.
    tried : ndarray of int, shape (d + 1,)
        How many signs were tried at each depth.
    state : ndarray, shape (2,)
        The depth, and the level: what is not above it is left out. It rises with what is found.
    most_nodes : int

    Returns
    -------
    int
        Nodes that were opened: fewer than `most_nodes` where the tree is at its end.
    """
    d = len(columns)
    depth, level, nodes = int(state[0]), state[1], 0
    while depth > first and nodes < most_nodes:
        if depth == d:
            length = 0.0
            for i in range(d):
                length += abs(sums[d, i])
            if length > level:
                level = length
                copy(path[first:], best[first:])
        if depth == d or tried[depth] == 2:
            depth -= 1
            continue
        plus = minus = 0.0
        for i in range(d):
            plus += abs(sums[depth, i] + columns[depth, i])
            minus += abs(sums[depth, i] - columns[depth, i])
        # The sign that makes the sum longer comes first.
        is_plus = (plus >= minus) == (tried[depth] == 0)
        tried[depth] += 1
        length = plus if is_plus else minus
        if length + rest[depth + 1] <= level:
            # The other sum is shorter, or was tried before.
            tried[depth] = 2
            continue
        nodes += 1
        sign = 1.0 if is_plus else -1.0
        path[depth] = sign
        for i in range(d):
            sums[depth + 1, i] = sums[depth, i] + sign * columns[depth, i]
        depth += 1
        tried[depth] = 0
    state[0], state[1] = depth, level
    return nodes
