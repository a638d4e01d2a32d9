"""Kernels of the branch and bound for several outputs: the bound of a cone (numba).

The function is ``||F(u)||`` with ``F(u) = base'u + sum_k omega_k (n_k'u)_+`` in R^c. Nodes
are those of :mod:`cvxnn.oracle.tree_kernels`, with c numbers for each generator in `sums`,
and the index of omega_k instead of itself in `entries`.
"""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import EPS, Array
from cvxnn.kernels import kernel
from cvxnn.oracle import tree_kernels as tree
from cvxnn.oracle.tree_kernels import (
    BLOCK,
    CLOSING,
    COUNT,
    DEPTH,
    FOUND,
    FRESH,
    FULL,
    LARGEST,
    LEFT,
    LOST,
    MASS,
    OFFSET,
    PAUSED,
    REPLACED,
    REPORT,
    RIGHT,
    raise_incumbent,
    read_cone,
    settle,
    shorten,
    split,
)  # fmt: skip
from cvxnn.patterns.cone_kernels import dot


@kernel(inner=True)
def _norm(x: Array) -> float:
    return np.sqrt(dot(x, x))


@kernel
def read_rows(
    node: int, links: Array, scale: float, omega: Array, sizes: Array, sums: Array,
    entries: Array, block: Array, value: Array,
) -> tuple[int, int, float]:  # fmt: skip
    """Pass the rows of a parent on to a child: settle those of one sign, keep the others.

    Returns where these lie, and the sum of their largest contributions; `value` becomes
    their part of F at the sum of the generators.
    """
    c, r = omega.shape[1], entries.shape[1] - 1
    begin, count, replaced = links[node, OFFSET], links[node, COUNT], links[node, REPLACED]
    left, right = 1 + links[node, LEFT], 1 + links[node, RIGHT]
    # The second child may overwrite the rows: nobody else will read them.
    kept = begin + count if links[node, FRESH] else begin
    last, in_block, spread = kept, 0, 0.0
    block.fill(0.0)
    value.fill(0.0)
    for k in range(begin, begin + count):
        index = int(entries[k, 0])
        middle = (entries[k, left] + entries[k, right]) * scale
        low, high, total = np.inf, -np.inf, 0.0
        for j in range(r):
            p = middle if j == replaced else entries[k, 1 + j]
            entries[last, 1 + j] = p
            total += p
            low = min(low, p)
            high = max(high, p)
        if high <= 0.0:
            continue
        if low >= 0.0:
            for j in range(r):
                p = entries[last, 1 + j]
                for q in range(c):
                    block[j * c + q] += omega[index, q] * p
            in_block += 1
            if in_block == BLOCK:
                settle(node, sums, block)
                in_block = 0
            continue
        entries[last, 0] = index
        spread += sizes[index] * max(-low, high)
        if total > 0.0:
            for q in range(c):
                value[q] += omega[index, q] * total
        last += 1
    settle(node, sums, block)
    return kept, last, spread


@kernel
def overestimate(
    settled: Array, ahead: Array, omega: Array, entries: Array, begin: int, end: int,
    parts: Array, rises: Array, sides: Array, out: Array,
) -> None:  # fmt: skip
    """Numbers ``c_j`` with ``||F(sum_j l_j w_j)|| <= c'l`` for all ``l >= 0``: see OutputsTree.

    `settled`, shape (r, c), is the linear part of F at the generators, `ahead` a unit
    vector, the direction of F at the centre. `parts`, shape (r, 2 + c), becomes what c_j is
    made of: the height along `ahead`, the sum of chords across it, and the linear part across it.
    `rises`, shape (m, 2), are the shares of the undecided rows in the first two; in `sides`,
    shape (2, r), sums are built.
    """
    r, c = settled.shape
    sides.fill(0.0)
    parts.fill(0.0)
    for k in range(begin, end):
        index = int(entries[k, 0])
        s, square, total = 0.0, 0.0, 0.0
        for q in range(c):
            s += ahead[q] * omega[index, q]
        for q in range(c):
            square += (omega[index, q] - s * ahead[q]) ** 2
        rest = np.sqrt(square)
        rises[k - begin, 0], rises[k - begin, 1] = abs(s), rest
        for j in range(r):
            total += entries[k, 1 + j]
        # Chords where the function is convex along its own direction, tangents elsewhere; and
        # across it what the row is at the centre, with a chord for the part of the other sign.
        chord, tangent = (0, 1) if s > 0.0 else (1, 0)
        is_on = total > 0.0
        for j in range(r):
            p = entries[k, 1 + j]
            sides[chord, j] += abs(s) * max(p, 0.0)
            if is_on:
                sides[tangent, j] -= abs(s) * p
                for q in range(c):
                    parts[j, 2 + q] += omega[index, q] * p
            parts[j, 1] += rest * max(-p if is_on else p, 0.0)
    # Last: many small terms, added one by one to a large one, would each be rounded to it.
    for j in range(r):
        linear = dot(settled[j], ahead)
        parts[j, 0] = max(max(linear + sides[0, j], sides[1, j] - linear), 0.0)
        across = parts[j, 2:]
        s = linear + dot(across, ahead)
        for q in range(c):
            across[q] = settled[j, q] + across[q] - s * ahead[q]
        out[j] = np.hypot(parts[j, 0], _norm(across) + parts[j, 1])


@kernel(inner=True)
def longest_edge(w: Array) -> tuple[int, int]:
    """The two generators that are farthest apart."""
    left, right, longest = 0, 1, 0.0
    for i in range(len(w)):
        for j in range(i):
            s = 0.0
            for k in range(len(w)):
                s += (w[i, k] - w[j, k]) ** 2
            if s > longest:
                longest, left, right = s, j, i
    return left, right


@kernel
def choose_edge(
    w: Array, parts: Array, rises: Array, heights: Array, entries: Array, begin: int, end: int,
    gaps: Array,
) -> tuple[int, int]:  # fmt: skip
    """The edge where the bound is farthest above itself in the middle; if nowhere, the longest.

    In the middle the height is taken for linear, but for the chords of the undecided rows.
    """
    r = len(w)
    left, right = longest_edge(w)
    # Less is rounding.
    best = 1e-12 * heights.max()
    gaps.fill(0.0)
    for k in range(begin, end):
        along, across = rises[k - begin, 0], rises[k - begin, 1]
        for i in range(r):
            p = entries[k, 1 + i]
            for j in range(i):
                other = entries[k, 1 + j]
                # A chord is above by the smaller modulus where the signs differ.
                gap = max(max(min(p, -other), min(-p, other)), 0.0)
                gaps[0, i, j] += along * gap
                gaps[1, i, j] += across * gap
    for i in range(r):
        for j in range(i):
            square = 0.0
            for q in range(2, parts.shape[1]):
                square += (parts[i, q] + parts[j, q]) ** 2
            across = np.sqrt(square) + parts[i, 1] + parts[j, 1] - gaps[1, i, j]
            along = max(parts[i, 0] + parts[j, 0] - gaps[0, i, j], 0.0)
            gap = heights[i] + heights[j] - np.hypot(along, across)
            if gap > best:
                best, left, right = gap, j, i
    return left, right


@kernel
def advance(
    omega: Array, sizes: Array, generators: Array, sums: Array, reals: Array, links: Array,
    entries: Array, limits: Array, counters: Array, point: Array, max_work: int,
) -> int:  # fmt: skip
    """Work on a stack of nodes as :func:`cvxnn.oracle.tree_kernels.advance` does.

    `omega` has the shape (p, c), `sizes` are the norms of its rows. MASS of the limits is
    the sum of all norms.
    """
    r, c, work = generators.shape[1], omega.shape[1], 0
    root = np.sqrt(float(r))
    w, gaps, block = np.empty((r, r)), np.empty((2, r, r)), np.empty(r * c)
    settled, value, ahead = np.empty((r, c)), np.empty(c), np.empty(c)
    parts, rises, sides = np.empty((r, 2 + c)), np.empty((len(omega), 2)), np.empty((2, r))
    heights, zero = np.empty(r), np.zeros(r)
    z, mixed, centre, ignored = np.empty(r), np.empty(r), np.empty(r), np.empty(r)
    while counters[0] > 0:
        if work >= max_work:
            return PAUSED
        node = counters[0] - 1
        bound = reals[node, 0]
        if bound <= limits[CLOSING]:
            counters[0] -= 1
            limits[LARGEST] = max(limits[LARGEST], bound)
            continue
        if links[node, OFFSET] + 2 * links[node, COUNT] > len(entries):
            return FULL
        counters[0] -= 1
        counters[1] += 1
        begin, end, spread = read_rows(
            node, links, reals[node, 1], omega, sizes, sums, entries, block, value
        )
        work += links[node, COUNT] + 16
        for j in range(r):
            for q in range(c):
                settled[j, q] = sums[0, node, j * c + q] + sums[1, node, j * c + q]
                value[q] += settled[j, q]
        norm, reach = read_cone(node, links, generators, w, centre)
        height = _norm(value)
        for q in range(c):
            ahead[q] = value[q] / height if height > 0.0 else 1.0 / np.sqrt(float(c))
        height /= norm
        overestimate(settled, ahead, omega, entries, begin, end, parts, rises, sides, heights)
        # The rounding: see OutputsTree.
        depth = root * links[node, DEPTH]
        error = 2.3 * EPS * (2.0 * depth + 3.0 * r + 2.0 * c + BLOCK + 30.0) * limits[MASS]
        error += 2.3 * EPS * (end - begin + r + 2.0 * c + 12.0) * spread
        bound = min(bound, (heights.max() + error) * reach)
        found = height > limits[REPORT]
        mixed[0] = 0.0
        goal = limits[CLOSING] * (1.0 - 16.0 * (r + depth) * EPS) - 2.0 * root * error
        # Where the over-estimator is too large at the centre, no certificate can help.
        if bound > limits[CLOSING] and heights.sum() <= goal * norm:
            shorten(goal, heights, heights, zero, entries, 0, 0, w, z, mixed, np.inf, ignored)
            short = 0.0
            for j in range(r):
                short = max(short, heights[j] - dot(w[j], z))
            length = _norm(z)
            error += EPS * (depth + r + 4.0) * length + short
            bound = min(bound, length * (1.0 + EPS * (r + 4.0)) + root * (1.0 + 1e-9) * error)
        raise_incumbent(height, limits)
        if bound <= limits[CLOSING]:
            limits[LARGEST] = max(limits[LARGEST], bound)
        elif counters[0] + 2 > len(links) or r == 1:
            limits[LOST] = max(limits[LOST], bound)
        else:
            if mixed[0] == np.inf:
                # A cone as thin as the rounding, for which there are no certificates. It is
                # wide elsewhere: halves that are small will do without.
                left, right = longest_edge(w)
            else:
                left, right = choose_edge(w, parts, rises, heights, entries, begin, end, gaps)
            split(node, begin, end, bound, heights, w, left, right, generators, sums, reals, links)
            counters[0] += 2
        if found:
            for i in range(r):
                point[i] = centre[i] / norm
            return FOUND
    return tree.DONE
