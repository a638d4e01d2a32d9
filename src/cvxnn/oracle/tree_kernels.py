"""Kernels of the branch and bound: one linear over-estimator for each simplicial cone (numba).

The function is ``f(u) = base'u + sum_k omega_k (n_k'u)_+`` on the unit ball of R^r. A
node is the cone of r generators ``w_j``; a point of it is ``u = sum_j lambda_j w_j`` with
``lambda >= 0``, and all that is known of a hyperplane are its products ``n_k'w_j``.
"""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import EPS, Array
from cvxnn.kernels import kernel
from cvxnn.patterns.cone_kernels import append, copy, dot

# Rows that are added up plainly, before a compensated addition.
BLOCK = 64

# What `advance` comes back with.
DONE, PAUSED, FOUND, FULL = 0, 1, 2, 3
# Columns of the integers of a node, and entries of the limits: see `advance`.
OFFSET, COUNT, DEPTH, LEFT, RIGHT, REPLACED, FRESH = 0, 1, 2, 3, 4, 5, 6
CLOSING, REPORT, INCUMBENT, LARGEST, LOST, GROWTH, FLOOR, MASS = 0, 1, 2, 3, 4, 5, 6, 7
N_LINKS, N_LIMITS = 7, 8
# The counter of nodes visited, of every search.
VISITED = 1


@kernel(inner=True)
def _norm(x: Array) -> float:
    return np.sqrt(dot(x, x))


@kernel
def _append(vector: Array, size: int, q: Array, factor: Array) -> bool:
    """Extend a QR factorisation by a vector; False if dependent."""
    copy(vector, q[size])
    return append(size, q, factor, 1e-12 * _norm(vector))


@kernel
def _solve(q: Array, factor: Array, c: Array, x: Array) -> None:
    """Solve ``w_j'x = c_j`` for all j, from the QR factors of the generators."""
    r = len(x)
    y = np.empty(r)
    x.fill(0.0)
    for j in range(r):
        y[j] = c[j]
        for k in range(j):
            y[j] -= factor[k, j] * y[k]
        y[j] /= factor[j, j]
        for i in range(r):
            x[i] += y[j] * q[j, i]


@kernel
def _find_facets(q: Array, factor: Array, facets: Array, heights: Array) -> None:
    """Unit normals of the facets, ``lambda_j = facets_j'u / heights_j``."""
    r = len(heights)
    unit = np.zeros(r)
    for j in range(r):
        unit[j] = 1.0
        _solve(q, factor, unit, facets[j])
        unit[j] = 0.0
        heights[j] = 1.0 / _norm(facets[j])
        for i in range(r):
            facets[j, i] *= heights[j]


@kernel(inner=True)
def _nearest_point(
    items: Array, kinds: Array, size: int, q: Array, factor: Array, best: Array, z: Array
) -> bool:
    """The shortest vector of the affine hull of the points plus the span of the rays.

    `best` becomes its weights. False if the items are dependent.
    """
    r = len(z)
    base, rank = 0, 0
    while kinds[base] >= 0:
        base += 1
    for k in range(size):
        if k != base:
            for i in range(r):
                z[i] = items[k, i] if kinds[k] >= 0 else items[k, i] - items[base, i]
            if rank == r or not _append(z, rank, q, factor):
                return False
            rank += 1
    copy(items[base], z)
    for k in range(2 * rank):
        # Twice, for the digits that cancel.
        s = dot(q[k % rank], z)
        for i in range(r):
            z[i] -= s * q[k % rank, i]
        factor[k % rank, r] = s if k < rank else factor[k % rank, r] + s
    best[base] = 1.0
    # Columns to items, from the last: those before `base` have the same number.
    for column in range(rank - 1, -1, -1):
        s = -factor[column, r]
        for other in range(column + 1, rank):
            s -= factor[column, other] * best[other + (other >= base)]
        k = column + (column >= base)
        best[k] = s / factor[column, column]
        if kinds[k] < 0:
            best[base] -= best[k]
    return True


@kernel(inner=True)
def _reduce(
    items: Array, cuts: Array, kinds: Array, weights: Array, size: int, q: Array, factor: Array,
    best: Array, z: Array,
) -> int:  # fmt: skip
    """Shortest vector of the convex hull of the points plus the cone of the rays, about.

    Wolfe's minor cycle. Returns the number of items left, 0 if they are dependent.
    """
    while True:
        if not _nearest_point(items, kinds, size, q, factor, best, z):
            return 0
        step, blocking = 1.0, -1
        for k in range(size):
            if best[k] <= 0.0:
                own = weights[k] / max(weights[k] - best[k], 1e-300)
                if own < step:
                    step, blocking = own, k
        for k in range(size):
            weights[k] += step * (best[k] - weights[k])
        if blocking < 0:
            return size
        size -= 1
        for k in range(blocking, size):
            kinds[k], weights[k] = kinds[k + 1], max(0.0, weights[k + 1])
            copy(items[k + 1], items[k])
            copy(cuts[k + 1], cuts[k])


@kernel(inner=True)
def _cut(
    share: Array, settled: Array, chords: Array, entries: Array, begin: int, end: int, out: Array
) -> float:
    """The over-estimator that is tight at ``sum_j share_j w_j``, and the function there."""
    r = len(share)
    value = dot(share, settled)
    out.fill(0.0)
    for k in range(begin, end):
        s = 0.0
        for j in range(r):
            s += share[j] * entries[k, 1 + j]
        if s > 0.0:
            omega = entries[k, 0]
            value += omega * s
            if omega < 0.0:
                for j in range(r):
                    out[j] += omega * entries[k, 1 + j]
    # Last: many small terms, added one by one to a large one, would each be rounded to it.
    for j in range(r):
        out[j] += settled[j] + chords[j]
    return value


@kernel(inner=True)
def _find_share(z: Array, w: Array, facets: Array, heights: Array, share: Array, out: Array) -> int:
    """Coordinates of z, clipped to the cone and scaled, and their point; the facet it violates."""
    r = len(z)
    worst = -1e-13 * _norm(z)
    facet = -1
    out.fill(0.0)
    for j in range(r):
        s = dot(facets[j], z)
        if s < worst:
            worst, facet = s, j
        share[j] = max(0.0, s) / heights[j]
        for i in range(r):
            out[i] += share[j] * w[j, i]
    length = _norm(out)
    if length > 0.0:
        for j in range(r):
            share[j] /= length
            out[j] /= length
    return facet


@kernel
def shorten(
    goal: float, first: Array, settled: Array, chords: Array, entries: Array, begin: int,
    end: int, w: Array, z: Array, mixed: Array, value: float, point: Array,
) -> float:  # fmt: skip
    """Shorten the certificate z of a node by Wolfe's algorithm.

    The points are ``d`` with ``w_j'd = c_j`` for over-estimators c with slopes 0 and 1
    (`first` is one); the rays are the normals of the facets. Ends when z is no longer
    than `goal`, or when a point of the cone shows that no slopes can make it so. `mixed`
    becomes the over-estimator of z. Returns the largest of `value` and the values of the
    function that were met, and its `point`.
    """
    r = len(z)
    basis, triangle = np.empty((r, r)), np.empty((r, r))
    q, factor = np.empty((r + 1, r)), np.empty((r + 1, r + 1))
    facets, heights = np.empty((r, r)), np.empty(r)
    items, cuts = np.zeros((r + 2, r)), np.zeros((r + 2, r))
    kinds = np.full(r + 2, -1)
    weights, best = np.zeros(r + 2), np.empty(r + 2)
    share, here, trial = np.empty(r), np.empty(r), np.empty(r)
    mixed.fill(np.inf)
    z.fill(0.0)
    for j in range(r):
        # A cone as thin as the rounding: no certificate.
        if not _append(w[j], j, basis, triangle):
            return value
    _solve(basis, triangle, first, z)
    copy(z, items[0])
    copy(first, cuts[0])
    copy(first, mixed)
    weights[0] = 1.0
    size, norm = 1, _norm(z)
    _find_facets(basis, triangle, facets, heights)
    for _ in range(6 * r + 12):
        if norm <= goal:
            break
        facet = _find_share(z, w, facets, heights, share, here)
        kinds[size], weights[size] = facet, 0.0
        cuts[size].fill(0.0)
        if facet >= 0:
            copy(facets[facet], items[size])
        else:
            other = _cut(share, settled, chords, entries, begin, end, cuts[size])
            if other > value:
                value = other
                copy(here, point)
            # The value of the concave over-estimator here: nothing comes below it.
            tight = dot(share, cuts[size])
            if tight > goal or tight >= norm * (1.0 - 1e-15):
                break
            _solve(basis, triangle, cuts[size], items[size])
        size = _reduce(items, cuts, kinds, weights, size + 1, q, factor, best, trial)
        length = _norm(trial)
        if size == 0 or length >= norm * (1.0 - 1e-15):
            break
        norm = length
        copy(trial, z)
        mixed.fill(0.0)
        total = 0.0
        for k in range(size):
            if kinds[k] < 0:
                total += weights[k]
            for j in range(r):
                mixed[j] += weights[k] * cuts[k, j]
        # An average of over-estimators only if their weights sum to one exactly.
        for j in range(r):
            mixed[j] /= total
    return value


@kernel(inner=True)
def settle(node: int, sums: Array, block: Array) -> None:
    """Add the sums of a block of rows, by two-sums, whose rounding does not pile up."""
    for j in range(len(block)):
        high = sums[0, node, j]
        s = high + block[j]
        part = s - high
        sums[0, node, j] = s
        sums[1, node, j] += (high - (s - part)) + (block[j] - part)
        block[j] = 0.0


@kernel
def _read_products(
    node: int, links: Array, scale: float, sums: Array, entries: Array, chords: Array,
    first: Array, block: Array,
) -> tuple[int, int, float, float]:  # fmt: skip
    """Pass the rows of a parent on to a child: settle those of one sign, keep the others.

    Returns where these lie, the sum of their largest contributions, and their value at
    the sum of the generators. `chords` and `first` become the over-estimators of convex
    and concave kinks, the latter tight at the centre.
    """
    r = len(chords)
    begin, count, replaced = links[node, OFFSET], links[node, COUNT], links[node, REPLACED]
    left, right = 1 + links[node, LEFT], 1 + links[node, RIGHT]
    # The second child may overwrite the rows: nobody else will read them.
    kept = begin + count if links[node, FRESH] else begin
    last, in_block = kept, 0
    spread, value = 0.0, 0.0
    chords.fill(0.0)
    first.fill(0.0)
    block.fill(0.0)
    for k in range(begin, begin + count):
        omega = entries[k, 0]
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
                block[j] += omega * entries[last, 1 + j]
            in_block += 1
            if in_block == BLOCK:
                settle(node, sums, block)
                in_block = 0
            continue
        entries[last, 0] = omega
        spread += abs(omega) * max(-low, high)
        if total > 0.0:
            value += omega * total
        for j in range(r):
            p = entries[last, 1 + j]
            if omega > 0.0:
                chords[j] += omega * max(p, 0.0)
            elif total > 0.0:
                first[j] += omega * p
        last += 1
    settle(node, sums, block)
    return kept, last, spread, value


@kernel
def _choose_edge(w: Array, entries: Array, begin: int, end: int, gaps: Array) -> tuple[int, int]:
    """The edge where the chords rise most above the function; if they do not, the longest."""
    r = len(w)
    left, right, best, length = 0, 1, 0.0, 0.0
    gaps.fill(0.0)
    for k in range(begin, end):
        omega = entries[k, 0]
        if omega > 0.0:
            for i in range(r):
                p = entries[k, 1 + i]
                for j in range(i):
                    # The chord is above by the smaller modulus where the signs differ.
                    other = entries[k, 1 + j]
                    gap = max(min(p, -other), min(-p, other))
                    gaps[i, j] += omega * max(gap, 0.0)
    for i in range(r):
        for j in range(i):
            s = 0.0
            for k in range(r):
                s += (w[i, k] - w[j, k]) ** 2
            if gaps[i, j] > best or (best == 0.0 and s > length):
                best, length, left, right = gaps[i, j], s, j, i
    return left, right


@kernel(inner=True)
def split(
    node: int, begin: int, end: int, bound: float, c: Array, w: Array, left: int, right: int,
    generators: Array, sums: Array, reals: Array, links: Array,
) -> None:  # fmt: skip
    """Replace a node by its two halves; `sums` has so many numbers for each generator."""
    r = len(w)
    width = sums.shape[2] // r
    s = 0.0
    for i in range(r):
        s += (w[left, i] + w[right, i]) ** 2
    scale = 1.0 / np.sqrt(s)
    depth = links[node, DEPTH] + 1
    # The half with the larger values is pushed last, so it comes first.
    larger = left if c[left] > c[right] else right
    for half in range(1, -1, -1):
        child = node + half
        replaced = left + right - larger if half == 1 else larger
        for j in range(r):
            copy(w[j], generators[child, j])
        for part in range(2):
            own, new = sums[part, node], sums[part, child]
            copy(own, new)
            for i in range(width):
                middle = (own[left * width + i] + own[right * width + i]) * scale
                new[replaced * width + i] = middle
        for i in range(r):
            generators[child, replaced, i] = (w[left, i] + w[right, i]) * scale
        reals[child, 0], reals[child, 1] = bound, scale
        links[child, OFFSET], links[child, COUNT] = begin, end - begin
        links[child, LEFT], links[child, RIGHT] = left, right
        links[child, REPLACED], links[child, FRESH] = replaced, half
        links[child, DEPTH] = depth


@kernel(inner=True)
def read_cone(
    node: int, links: Array, generators: Array, w: Array, centre: Array
) -> tuple[float, float]:
    """The generators of a node and their sum.

    Returns its length, and the largest ``sum_j lambda_j`` of a point of the unit ball.
    """
    r, nearest = len(w), np.inf
    for j in range(r):
        centre[j] = 0.0
        for i in range(r):
            w[j, i] = generators[node, j, i]
            centre[j] += generators[node, i, j]
    for j in range(r):
        nearest = min(nearest, dot(w[j], centre))
    norm, depth = _norm(centre), np.sqrt(float(r)) * links[node, DEPTH]
    return norm, norm / nearest * (1.0 + r * (4.0 * depth + 16.0) * EPS)


@kernel(inner=True)
def raise_incumbent(value: float, limits: Array) -> None:
    """Close nodes from a larger value on."""
    if value > limits[INCUMBENT]:
        limits[INCUMBENT] = value
        limits[CLOSING] = max(limits[CLOSING], value * limits[GROWTH] + limits[FLOOR])


@kernel
def advance(
    generators: Array, sums: Array, reals: Array, links: Array, entries: Array, limits: Array,
    counters: Array, point: Array, max_work: int,
) -> int:  # fmt: skip
    """Work on a stack of nodes until it is empty, `max_work` is used up, or a point is found.

    A node has ``generators`` (s, r, r); ``sums`` (2, s, r), its linear part at these in
    leading and trailing digits; ``reals`` (s, 2), the bound of its parent and the factor
    of its newest generator; ``links`` (s, 7), where the rows of its parent lie and which
    edge was bisected. ``entries`` (a, r + 1) are rows of undecided sign, ``omega_k`` and
    the products ``n_k'w_j``; FULL comes back when they must grow. ``counters``: nodes on
    the stack, nodes visited.

    Of the ``limits``, nodes with a bound up to CLOSING are closed; points above REPORT
    come back as FOUND in `point`; INCUMBENT is the largest value seen, LARGEST the largest
    bound of a closed node, LOST that of a node given up. A new incumbent t raises CLOSING
    to ``t GROWTH + FLOOR``. MASS is the sum of all moduli, for the rounding.
    """
    r, work = generators.shape[1], 0
    root = np.sqrt(float(r))
    w, gaps, block = np.empty((r, r)), np.empty((r, r)), np.empty(r)
    chords, first, settled = np.empty(r), np.empty(r), np.empty(r)
    z, mixed, centre, here = np.empty(r), np.empty(r), np.empty(r), np.empty(r)
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
        begin, end, spread, value = _read_products(
            node, links, reals[node, 1], sums, entries, chords, first, block
        )
        work += links[node, COUNT] + 16
        # The rounding: see BranchAndBound.
        depth = root * links[node, DEPTH]
        error = EPS * (2.0 * depth + 3.0 * r + BLOCK + 10.0) * limits[MASS]
        error += EPS * (end - begin + r + 4.0) * spread
        top, tight = 0.0, 0.0
        for j in range(r):
            settled[j] = sums[0, node, j] + sums[1, node, j]
            value += settled[j]
            first[j] += settled[j] + chords[j]
            tight += first[j]
            top = max(top, first[j])
        norm, reach = read_cone(node, links, generators, w, centre)
        value /= norm
        bound = min(bound, (top + error) * reach)
        found = value > limits[REPORT]
        for i in range(r):
            here[i] = centre[i] / norm
        mixed[0] = 0.0
        goal = limits[CLOSING] * (1.0 - 16.0 * (r + depth) * EPS) - 2.0 * root * error
        # Where the over-estimator is too large at the centre, no slopes can help.
        if bound > limits[CLOSING] and tight <= goal * norm:
            other = shorten(
                goal, first, settled, chords, entries, begin, end, w, z, mixed, value, here
            )
            work += links[node, COUNT]
            found |= other > limits[REPORT]
            value = max(value, other)
            norm = _norm(z)
            short = 0.0
            for j in range(r):
                short = max(short, mixed[j] - dot(w[j], z))
            error += EPS * (depth + r + 4.0) * norm + short
            bound = min(bound, norm * (1.0 + EPS * (r + 4.0)) + root * (1.0 + 1e-9) * error)
        raise_incumbent(value, limits)
        if bound <= limits[CLOSING]:
            limits[LARGEST] = max(limits[LARGEST], bound)
        elif counters[0] + 2 > len(links) or r == 1 or mixed[0] == np.inf:
            limits[LOST] = max(limits[LOST], bound)
        else:
            left, right = _choose_edge(w, entries, begin, end, gaps)
            split(node, begin, end, bound, first, w, left, right, generators, sums, reals, links)
            counters[0] += 2
        if found:
            copy(here, point)
            return FOUND
    return DONE
