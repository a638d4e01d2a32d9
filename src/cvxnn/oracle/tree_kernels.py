"""Kernels of the branch and bound: one linear over-estimator for each simplicial cone (numba).

The function is ``f(u) = base'u + sum_k omega_k (n_k'u)_+`` on the unit ball of R^r. A
node is the cone of r generators ``w_j``; a point of it is ``u = sum_j lambda_j w_j`` with
``lambda >= 0``, and all that is known of a hyperplane are its products ``n_k'w_j``.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

EPS = 2.220446049250313e-16

# What `advance` comes back with.
DONE, PAUSED, FOUND, FULL = 0, 1, 2, 3
# How the search for the shortest certificate ended.
CLOSED, HOPELESS, CONVERGED, STUCK = 0, 1, 2, 3
# Columns of the integers of a node.
OFFSET, COUNT, DEPTH, LEFT, RIGHT, REPLACED, FRESH = 0, 1, 2, 3, 4, 5, 6
N_LINKS = 7
# Entries of the limits: see `advance`.
CLOSING, REPORT, INCUMBENT, LARGEST, LOST, GROWTH, FLOOR, MASS = 0, 1, 2, 3, 4, 5, 6, 7
N_LIMITS = 8


@numba.njit(cache=True, nogil=True)
def _factorise(w: Array, lu: Array, order: Array) -> bool:
    """LU factors of the generators, with pivots; False if they are dependent."""
    r = len(w)
    for i in range(r):
        order[i] = i
        for j in range(r):
            lu[i, j] = w[i, j]
    for k in range(r):
        pivot = k
        for i in range(k + 1, r):
            if abs(lu[i, k]) > abs(lu[pivot, k]):
                pivot = i
        if abs(lu[pivot, k]) < 1e-14:
            return False
        for j in range(r):
            lu[k, j], lu[pivot, j] = lu[pivot, j], lu[k, j]
        order[k], order[pivot] = order[pivot], order[k]
        for i in range(k + 1, r):
            lu[i, k] /= lu[k, k]
            for j in range(k + 1, r):
                lu[i, j] -= lu[i, k] * lu[k, j]
    return True


@numba.njit(cache=True, nogil=True)
def _solve(lu: Array, order: Array, c: Array, x: Array) -> None:
    """Solve ``w_j'x = c_j`` for all j."""
    r = len(x)
    for i in range(r):
        x[i] = c[order[i]]
        for j in range(i):
            x[i] -= lu[i, j] * x[j]
    for i in range(r - 1, -1, -1):
        for j in range(i + 1, r):
            x[i] -= lu[i, j] * x[j]
        x[i] /= lu[i, i]


@numba.njit(cache=True, nogil=True)
def _norm(x: Array) -> float:
    s = 0.0
    for i in range(len(x)):
        s += x[i] * x[i]
    return np.sqrt(s)


@numba.njit(cache=True, nogil=True)
def _find_facets(w: Array, lu: Array, order: Array, facets: Array, heights: Array) -> None:
    """Unit normals of the facets, ``lambda_j = facets_j'u / heights_j``."""
    r = len(w)
    unit = np.zeros(r)
    for j in range(r):
        unit[j] = 1.0
        _solve(lu, order, unit, facets[j])
        unit[j] = 0.0
        heights[j] = 1.0 / _norm(facets[j])
        for i in range(r):
            facets[j, i] *= heights[j]


@numba.njit(cache=True, nogil=True)
def _append(vector: Array, size: int, q: Array, factor: Array) -> bool:
    """Extend a QR factorisation by a vector (orthogonalised twice); False if dependent."""
    r = len(vector)
    for i in range(r):
        q[size, i] = vector[i]
    for k in range(size):
        factor[k, size] = 0.0
    for _ in range(2):
        for k in range(size):
            s = 0.0
            for i in range(r):
                s += q[k, i] * q[size, i]
            factor[k, size] += s
            for i in range(r):
                q[size, i] -= s * q[k, i]
    norm = _norm(q[size])
    if norm <= 1e-12 * _norm(vector):
        return False
    factor[size, size] = norm
    for i in range(r):
        q[size, i] /= norm
    return True


@numba.njit(cache=True, nogil=True)
def _nearest_point(
    items: Array, kinds: Array, size: int, q: Array, factor: Array, best: Array, z: Array
) -> bool:
    """The shortest vector of the affine hull of the points, plus the span of the rays.

    Its weights go to `best`, those of the points sum to one. False if the items
    are dependent.
    """
    r = len(z)
    base = 0
    while kinds[base] >= 0:
        base += 1
    rank = 0
    for k in range(size):
        if k != base:
            for i in range(r):
                z[i] = items[k, i] if kinds[k] >= 0 else items[k, i] - items[base, i]
            if rank == r or not _append(z, rank, q, factor):
                return False
            rank += 1
    for i in range(r):
        z[i] = items[base, i]
    # Once more for the digits that cancel.
    for repeat in range(2):
        for k in range(rank):
            s = 0.0
            for i in range(r):
                s += q[k, i] * z[i]
            for i in range(r):
                z[i] -= s * q[k, i]
            factor[k, r] = s if repeat == 0 else factor[k, r] + s
    best[base] = 1.0
    column = rank - 1
    for k in range(size - 1, -1, -1):
        if k == base:
            continue
        s = -factor[column, r]
        other = rank - 1
        for j in range(size - 1, k, -1):
            if j != base:
                s -= factor[column, other] * best[j]
                other -= 1
        best[k] = s / factor[column, column]
        column -= 1
    for k in range(size):
        if k != base and kinds[k] < 0:
            best[base] -= best[k]
    return True


@numba.njit(cache=True, nogil=True)
def _reduce(
    items: Array, cuts: Array, kinds: Array, weights: Array, size: int, q: Array, factor: Array,
    best: Array, z: Array,
) -> int:  # fmt: skip
    """Shortest vector of the convex hull of the points plus the cone of the rays, about.

    Drops items until the remaining weights are positive (the minor cycle of
    Wolfe's algorithm). Returns the number of items left, 0 if they are dependent.
    """
    r = len(z)
    while True:
        if not _nearest_point(items, kinds, size, q, factor, best, z):
            return 0
        step = 1.0
        blocking = -1
        for k in range(size):
            if best[k] <= 0.0:
                own = weights[k] / (weights[k] - best[k]) if weights[k] > 0.0 else 0.0
                if own < step:
                    step, blocking = own, k
        for k in range(size):
            weights[k] += step * (best[k] - weights[k])
        if blocking < 0:
            return size
        size -= 1
        points = 0
        for k in range(size):
            if k >= blocking:
                kinds[k] = kinds[k + 1]
                weights[k] = max(0.0, weights[k + 1])
                for i in range(r):
                    items[k, i] = items[k + 1, i]
                    cuts[k, i] = cuts[k + 1, i]
            if kinds[k] < 0:
                points += 1
        if points == 0:
            return 0


@numba.njit(cache=True, nogil=True)
def _cut(
    share: Array, settled: Array, chords: Array, entries: Array, begin: int, end: int, out: Array
) -> float:
    """The over-estimator that is tight at ``sum_j share_j w_j``, and the function there."""
    r = len(share)
    value = 0.0
    for j in range(r):
        out[j] = settled[j] + chords[j]
        value += share[j] * settled[j]
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
    return value


@numba.njit(cache=True, nogil=True)
def _find_share(
    z: Array, w: Array, facets: Array, heights: Array, share: Array, out: Array
) -> tuple[int, float]:
    """Coordinates of ``z / |z|`` in the cone, clipped to it; the facet most violated, or -1.

    `out` becomes the unit vector with these coordinates; its cosine to z is returned.
    """
    r = len(z)
    norm = _norm(z)
    worst = -1e-13 * norm
    facet = -1
    for i in range(r):
        out[i] = 0.0
    for j in range(r):
        s = 0.0
        for i in range(r):
            s += facets[j, i] * z[i]
        if s < worst:
            worst, facet = s, j
        share[j] = max(0.0, s) / heights[j]
        for i in range(r):
            out[i] += share[j] * w[j, i]
    length = _norm(out)
    if length == 0.0:
        return facet, 0.0
    cosine = 0.0
    for j in range(r):
        share[j] /= length
        out[j] /= length
        cosine += out[j] * z[j]
    return facet, cosine / norm


@numba.njit(cache=True, nogil=True)
def _shorten(
    goal: float, first: Array, settled: Array, chords: Array, entries: Array, begin: int,
    end: int, w: Array, lu: Array, order: Array, z: Array, mixed: Array, point: Array,
) -> tuple[int, float]:  # fmt: skip
    """Shorten the certificate z of a node by Wolfe's algorithm.

    The points are ``d`` with ``w_j'd = c_j`` for over-estimators c with slopes 0
    and 1 (`first` is one); the rays are the normals of the facets. Ends when z is
    no longer than `goal`, or when a point of the cone shows that no slopes can
    make it so. Returns how it ended and the largest value of the function that
    was met, at `point`; `mixed` is the over-estimator that z belongs to.
    """
    r = len(z)
    q, factor = np.empty((r + 1, r)), np.empty((r + 1, r + 1))
    facets, heights = np.empty((r, r)), np.empty(r)
    items, cuts = np.zeros((r + 2, r)), np.zeros((r + 2, r))
    kinds = np.full(r + 2, -1)
    weights, best = np.zeros(r + 2), np.empty(r + 2)
    share, here, last = np.empty(r), np.empty(r), np.empty(r)
    value = -np.inf
    status = STUCK
    for i in range(r):
        cuts[0, i] = first[i]
        mixed[i] = first[i]
    _solve(lu, order, first, z)
    if _norm(z) <= goal:
        return CLOSED, value
    _find_facets(w, lu, order, facets, heights)
    for i in range(r):
        items[0, i] = z[i]
        last[i] = z[i]
    weights[0] = 1.0
    size = 1
    for _ in range(6 * r + 12):
        norm = _norm(z)
        facet, cosine = _find_share(z, w, facets, heights, share, here)
        kinds[size] = facet
        weights[size] = 0.0
        for i in range(r):
            cuts[size, i] = 0.0
        if facet >= 0:
            for i in range(r):
                items[size, i] = facets[facet, i]
        else:
            other = _cut(share, settled, chords, entries, begin, end, cuts[size])
            if other > value:
                value = other
                for i in range(r):
                    point[i] = here[i]
            tight = 0.0
            for j in range(r):
                tight += share[j] * cuts[size, j]
            if tight > goal:
                status = HOPELESS
                break
            if tight >= norm * (1.0 - 1e-15):
                status = CONVERGED
                break
            _solve(lu, order, cuts[size], items[size])
        size = _reduce(items, cuts, kinds, weights, size + 1, q, factor, best, z)
        if size == 0:
            # Dependent up to rounding: what the last round left is as good.
            for j in range(r):
                z[j] = last[j]
            break
        for j in range(r):
            last[j] = z[j]
            mixed[j] = 0.0
            for k in range(size):
                mixed[j] += weights[k] * cuts[k, j]
        if _norm(z) <= goal:
            status = CLOSED
            break
    return status, value


@numba.njit(cache=True, nogil=True)
def _read_products(
    node: int, links: Array, scale: float, sums: Array, entries: Array, chords: Array,
    first: Array, gaps: Array,
) -> tuple[int, int, float, float]:  # fmt: skip
    """Pass the rows of a parent on to a child: settle those of one sign, keep the others.

    Returns the first and last position of the kept rows, the sum of their
    largest contributions, and their value at the sum of the generators. `chords`
    becomes the over-estimator of the convex kinks at the generators, `first` that
    of the concave ones which is tight at the centre, and `gaps` how far the
    chords rise above the function on each edge.
    """
    r = len(chords)
    begin, count, replaced = links[node, OFFSET], links[node, COUNT], links[node, REPLACED]
    left, right = 1 + links[node, LEFT], 1 + links[node, RIGHT]
    # The second child may overwrite the rows: nobody else will read them.
    kept = begin + count if links[node, FRESH] else begin
    last = kept
    spread = 0.0
    value = 0.0
    for i in range(r):
        chords[i] = 0.0
        first[i] = 0.0
        for j in range(i):
            gaps[i, j] = 0.0
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
                # Two-sum: the rounding of thousands of additions stays that of one.
                t = omega * entries[last, 1 + j]
                s = sums[0, node, j] + t
                b = s - sums[0, node, j]
                sums[1, node, j] += (sums[0, node, j] - (s - b)) + (t - b)
                sums[0, node, j] = s
            continue
        entries[last, 0] = omega
        spread += abs(omega) * max(-low, high)
        if total > 0.0:
            value += omega * total
        if omega < 0.0:
            if total > 0.0:
                for j in range(r):
                    first[j] += omega * entries[last, 1 + j]
        else:
            for i in range(r):
                p = entries[last, 1 + i]
                chords[i] += omega * max(p, 0.0)
                for j in range(i):
                    other = entries[last, 1 + j]
                    if p * other < 0.0:
                        gaps[i, j] += omega * min(abs(p), abs(other))
        last += 1
    return kept, last, spread, value


@numba.njit(cache=True, nogil=True)
def _choose_edge(w: Array, gaps: Array) -> tuple[int, int]:
    """The edge with the largest gap of the chords; the longest one if there is none."""
    r = len(w)
    left, right = 0, 1
    best = 0.0
    for i in range(r):
        for j in range(i):
            if gaps[i, j] > best:
                best, left, right = gaps[i, j], j, i
    if best > 0.0:
        return left, right
    for i in range(r):
        for j in range(i):
            s = 0.0
            for k in range(r):
                s += (w[i, k] - w[j, k]) ** 2
            if s > best:
                best, left, right = s, j, i
    return left, right


@numba.njit(cache=True, nogil=True)
def _split(
    node: int, begin: int, end: int, bound: float, c: Array, w: Array, gaps: Array,
    generators: Array, sums: Array, reals: Array, links: Array,
) -> None:  # fmt: skip
    """Replace a node by its two halves."""
    r = len(w)
    left, right = _choose_edge(w, gaps)
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
            for i in range(r):
                generators[child, j, i] = w[j, i]
            for part in range(2):
                sums[part, child, j] = sums[part, node, j]
        for i in range(r):
            generators[child, replaced, i] = (w[left, i] + w[right, i]) * scale
        reals[child, 0] = bound
        reals[child, 1] = scale
        links[child, OFFSET] = begin
        links[child, COUNT] = end - begin
        links[child, DEPTH] = depth
        links[child, LEFT] = left
        links[child, RIGHT] = right
        links[child, REPLACED] = replaced
        links[child, FRESH] = half
    for half in range(1, -1, -1):
        for part in range(2):
            low, high = sums[part, node, left], sums[part, node, right]
            sums[part, node + half, links[node + half, REPLACED]] = (low + high) * scale


@numba.njit(cache=True, nogil=True)
def advance(
    generators: Array, sums: Array, reals: Array, links: Array, entries: Array, limits: Array,
    counters: Array, point: Array, max_work: int,
) -> int:  # fmt: skip
    """Work on a stack of nodes until it is empty, `max_work` is used up, or a point is found.

    Parameters
    ----------
    generators : ndarray, shape (s, r, r)
        The stack; row j of a node is its generator ``w_j``.
    sums : ndarray, shape (2, s, r)
        The linear part at the generators: leading and trailing digits.
    reals : ndarray, shape (s, 2)
        Upper bound of the parent, and the factor that made the newest generator.
    links : ndarray of int64, shape (s, 7)
        Where the rows of the parent lie, and which edge of it was bisected.
    entries : ndarray, shape (a, r + 1)
        Rows of undecided sign: ``omega_k`` and the products ``n_k'w_j``.
    limits : ndarray, shape (8,)
        CLOSING: nodes with at most this bound are closed; REPORT: points above
        it are returned; INCUMBENT: largest value seen; LARGEST: largest bound
        of a closed node; LOST: largest bound of a node given up; GROWTH, FLOOR:
        a new incumbent t sets CLOSING to ``t GROWTH + FLOOR``; MASS: sum of all
        moduli, for the rounding.
    counters : ndarray of int64, shape (2,)
        Nodes on the stack, nodes visited.
    point : ndarray, shape (r,)
        A point above REPORT, when FOUND comes back.
    max_work : int
        Rows to look at.

    Returns
    -------
    int
        DONE, PAUSED, FOUND, or FULL: `entries` must grow.
    """
    r = generators.shape[1]
    root = np.sqrt(float(r))
    lu, order = np.empty((r, r)), np.empty(r, dtype=np.int64)
    w, gaps = np.empty((r, r)), np.zeros((r, r))
    chords, first, settled = np.empty(r), np.empty(r), np.empty(r)
    z, mixed, centre, here = np.empty(r), np.empty(r), np.empty(r), np.empty(r)
    work = 0
    while counters[0] > 0:
        if work >= max_work:
            return PAUSED
        node = counters[0] - 1
        bound = reals[node, 0]
        if bound <= limits[CLOSING]:
            counters[0] -= 1
            limits[LARGEST] = max(limits[LARGEST], bound)
            continue
        count = links[node, COUNT]
        if links[node, OFFSET] + 2 * count > len(entries):
            return FULL
        counters[0] -= 1
        counters[1] += 1
        begin, end, spread, value = _read_products(
            node, links, reals[node, 1], sums, entries, chords, first, gaps
        )
        work += count + 16
        # A proof needs no more than this and the certificate: see BranchAndBound.
        depth = root * links[node, DEPTH]
        error = EPS * ((2.0 * depth + 4.0) * limits[MASS] + (end - begin + r + 4) * spread)
        for i in range(r):
            centre[i] = 0.0
        top, tight = 0.0, 0.0
        for j in range(r):
            settled[j] = sums[0, node, j] + sums[1, node, j]
            value += settled[j]
            first[j] += settled[j] + chords[j]
            tight += first[j]
            top = max(top, first[j])
            for i in range(r):
                w[j, i] = generators[node, j, i]
                centre[i] += w[j, i]
        nearest = np.inf
        for j in range(r):
            s = 0.0
            for i in range(r):
                s += w[j, i] * centre[i]
            nearest = min(nearest, s)
        norm = _norm(centre)
        value /= norm
        reach = norm / nearest * (1.0 + r * (4.0 * depth + 16.0) * EPS)
        bound = min(bound, (top + error) * reach)
        found = value > limits[REPORT]
        if found:
            for i in range(r):
                point[i] = centre[i] / norm
        goal = limits[CLOSING] * (1.0 - 16.0 * (r + depth) * EPS) - 2.0 * root * error
        # Where the over-estimator is too large at the centre, no slopes can help.
        if bound > limits[CLOSING] and tight <= goal * norm:
            if not _factorise(w, lu, order):
                limits[LOST] = max(limits[LOST], bound)
                continue
            status, other = _shorten(
                goal, first, settled, chords, entries, begin, end, w, lu, order, z, mixed, here
            )
            if other > max(value, limits[REPORT]):
                found = True
                for i in range(r):
                    point[i] = here[i]
            value = max(value, other)
            work += count
            short = 0.0
            for j in range(r):
                s = mixed[j]
                for i in range(r):
                    s -= w[j, i] * z[i]
                short = max(short, s)
            norm = _norm(z)
            error += short + EPS * (depth + r + 4.0) * norm
            bound = min(bound, norm * (1.0 + EPS * (r + 4.0)) + root * (1.0 + 1e-9) * error)
        if value > limits[INCUMBENT]:
            limits[INCUMBENT] = value
            closing = value * limits[GROWTH] + limits[FLOOR]
            limits[CLOSING] = max(limits[CLOSING], closing)
        if bound <= limits[CLOSING]:
            limits[LARGEST] = max(limits[LARGEST], bound)
        elif counters[0] + 2 > len(links) or r == 1:
            limits[LOST] = max(limits[LOST], bound)
        else:
            _split(node, begin, end, bound, first, w, gaps, generators, sums, reals, links)
            counters[0] += 2
        if found:
            return FOUND
    return DONE
