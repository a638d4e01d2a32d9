"""Kernels of conic projection: pricing cells, and proving that cells cover space (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np

from cvxnn.array_types import EPS, Array
from cvxnn.kernels import kernel


@kernel(inner=True)
def dot(a: Array, b: Array) -> float:
    s = 0.0
    for i in range(len(a)):
        s += a[i] * b[i]
    return s


@kernel(inner=True)
def copy(source: Array, target: Array) -> None:
    """``target[:] = source`` for vectors of one length, which numba takes far longer to compile."""
    for i in range(len(source)):
        target[i] = source[i]


@kernel(inner=True)
def append(size: int, q: Array, factor: Array, least: float) -> bool:
    """Extend a QR factorisation by the vector in ``q[size]``; False if no more than `least` is new.

    Orthogonalised twice: cells are often slivers between almost parallel rows,
    where a Gram matrix would lose half of the digits.
    """
    r = q.shape[1]
    for k in range(size):
        factor[k, size] = 0.0
    for _ in range(2):
        for k in range(size):
            s = dot(q[k], q[size])
            factor[k, size] += s
            for i in range(r):
                q[size, i] -= s * q[k, i]
    norm = np.sqrt(dot(q[size], q[size]))
    if norm <= least:
        return False
    factor[size, size] = norm
    for i in range(r):
        q[size, i] /= norm
    return True


@kernel(inner=True)
def _append_row(row: Array, sign: float, size: int, q: Array, factor: Array) -> bool:
    """Extend the factorisation of the active rows, which are unit vectors, by one."""
    for i in range(len(row)):
        q[size, i] = sign * row[i]
    return append(size, q, factor, 1e-13)


@kernel(inner=True)
def _multipliers(g: Array, size: int, q: Array, factor: Array, out: Array) -> None:
    """Least-squares multipliers of the active rows for the target ``-g``."""
    for k in range(size - 1, -1, -1):
        s = -dot(q[k], g)
        for i in range(k + 1, size):
            s -= factor[k, i] * out[i]
        out[k] = s / factor[k, k]


@kernel(inner=True)
def _residual(
    g: Array, normals: Array, signs: Array, active: Array, size: int, rho: Array, z: Array
) -> float:
    """``z = g + sum rho_j signs_j normals_j`` over the active rows, and its norm."""
    copy(g, z)
    for k in range(size):
        j = active[k]
        w = rho[k] * signs[j]
        for i in range(len(g)):
            z[i] += w * normals[j, i]
    return np.sqrt(dot(z, z))


@kernel(inner=True)
def _most_violated(
    z: Array, normals: Array, signs: Array, rows: Array, barred: Array, active: Array, size: int,
    tolerance: float,
) -> int:  # fmt: skip
    """The position in `rows` of the most violated constraint that may enter, or -1."""
    worst = -tolerance
    entering = -1
    for i in range(len(rows)):
        j = rows[i]
        slack = signs[j] * dot(normals[j], z)
        if slack < worst and not barred[i]:
            used = False
            for k in range(size):
                if active[k] == j:
                    used = True
            if not used:
                worst = slack
                entering = i
    return entering


@kernel
def scratch(p: int, r: int) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Where :func:`project` writes: rows, multipliers, projection; and what it works with."""
    return (
        np.empty(r + 1, dtype=np.int64), np.empty(r + 1), np.empty(r),
        np.empty((r + 1, r)), np.zeros((r + 1, r + 1)), np.empty(p, dtype=np.bool_),
    )  # fmt: skip


@kernel
def project(
    g: Array, normals: Array, signs: Array, rows: Array, enough: float, work: tuple[Array, ...]
) -> tuple[float, int]:
    """Project `g` on ``{u : signs_j normals_j'u >= 0, j in rows}`` (Lawson and Hanson).

    Minimises ``||g + sum_j rho_j signs_j normals_j||`` over ``rho >= 0``; by
    Moreau the minimum is the largest ``g'u`` over the cone and the unit ball.
    Every iterate is feasible, so its norm is an upper bound: the search may
    stop early, at `enough`, and what it returns is still a proof.

    Returns the norm and the number of multipliers; the first arrays of `work`, from
    :func:`scratch`, hold the rows, their multipliers (>= 0) and the projection.
    """
    active, rho, z, q, factor, barred = work
    r = len(g)
    # Not the literal 0, for which the functions it is passed to would be compiled once more.
    size: Any = np.int64(0)
    norm = _residual(g, normals, signs, active, size, rho, z)
    scale = norm
    trial = np.empty(r + 1)
    # The projection from the orthonormal basis, without the cancellation of large
    # multipliers: it decides which row enters. The norm of z stays the proof.
    side = np.empty(r)
    copy(g, side)
    barred.fill(False)
    for _ in range(4 * (r + 5)):
        if norm <= enough or norm <= 1e-15 * scale or size == r:
            break
        tolerance = 1e-14 * np.sqrt(dot(side, side))
        position = _most_violated(side, normals, signs, rows, barred, active, size, tolerance)
        if position < 0:
            break
        j = rows[position]
        if not _append_row(normals[j], signs[j], size, q, factor):
            barred[position] = True
            continue
        active[size] = j
        rho[size] = 0.0
        size += 1
        _multipliers(g, size, q, factor, trial)
        if trial[size - 1] <= 0.0:
            # Rounding: this row cannot help.
            size -= 1
            barred[position] = True
            continue
        while True:
            step = 1.0
            for k in range(size):
                if trial[k] < 0.0:
                    step = min(step, rho[k] / (rho[k] - trial[k]))
            kept = 0
            for k in range(size):
                value = rho[k] + step * (trial[k] - rho[k])
                if trial[k] < 0.0 and value <= 1e-15 * scale:
                    continue
                active[kept] = active[k]
                rho[kept] = max(value, 0.0)
                kept += 1
            if kept == size:
                break
            size = np.int64(0)
            for k in range(kept):
                a = active[k]
                if _append_row(normals[a], signs[a], size, q, factor):
                    active[size] = a
                    rho[size] = rho[k]
                    size += 1
            _multipliers(g, size, q, factor, trial)
        copy(g, side)
        for _ in range(2):
            for k in range(size):
                t = dot(q[k], side)
                for i in range(r):
                    side[i] -= t * q[k, i]
        previous = norm
        norm = _residual(g, normals, signs, active, size, rho, z)
        if norm > previous:
            barred[position] = True
    return norm, size


@kernel
def project_all(g: Array, cones: Array, counts: Array, enough: Array) -> tuple[Array, Array, Array]:
    """Project vectors g, shape (k, M, r), on M cones ``{u : G_c u >= 0}``, G of shape (M, p, r).

    Rows count where `counts`, shape (M, p), is 1 and not 0. Returns, for each vector, the
    norm, the sum of the multipliers behind it, and the projection. The search ends where
    the norm is below `enough`, shape (k, M).
    """
    p, r = cones.shape[1:]
    norms, totals, points = np.empty(g.shape[:2]), np.zeros(g.shape[:2]), np.empty(g.shape)
    rows, work = np.arange(p), scratch(p, r)
    for i in range(len(g)):
        for c in range(len(cones)):
            norms[i, c], size = project(g[i, c], cones[c], counts[c], rows, enough[i, c], work)
            for k in range(size):
                totals[i, c] += work[1][k]
            copy(work[2], points[i, c])
    return norms, totals, points


@kernel
def project_on_cell(
    g: Array, normals: Array, sides: Array, rows: Array
) -> tuple[float, Array, Array, Array]:
    """Project `g` on the closed cell of some sides: norm, point, active rows, multipliers."""
    work, signs = scratch(len(rows), len(g)), np.empty(len(sides))
    for j in range(len(sides)):
        signs[j] = 1.0 if sides[j] else -1.0
    norm, size = project(g, normals, signs, rows, 0.0, work)
    return norm, work[2], work[0][:size], work[1][:size]


@kernel(inner=True)
def _signs_of(word: Array, p: int, signs: Array) -> None:
    for j in range(p):
        on = (word[j >> 6] >> np.uint64(j & 63)) & np.uint64(1)
        signs[j] = 1.0 if on else -1.0


@kernel
def price_cells(
    words: Array, normals: Array, starts: Array, rows: Array, positive: Array, negative: Array,
    cover: Array, enough: float,
) -> tuple[Array, Array]:  # fmt: skip
    """Bound ``max s v'(Xu)_+`` over every cell and the unit ball, for s = +1 and -1.

    Parameters
    ----------
    words : ndarray of uint64, shape (M, ceil(p / 64))
        Sides of the cells.
    normals : ndarray, shape (p, r)
        Unit normals.
    starts, rows : ndarray of int64
        CSR: the rows that bound each cell (all rows where `starts` is empty).
    positive, negative : ndarray, shape (p,)
        Summed weights ``v_i scale_i`` of the rows along and against each normal.
    cover : ndarray, shape (M,)
        How far beyond any other hyperplane each cell's cone may reach.
    enough : float
        A cell whose bound reaches this value is not examined further.

    Returns
    -------
    bounds : ndarray, shape (2, M)
        Upper bounds, rounding included.
    points : ndarray, shape (2, M, r)
        The projections behind them; zero where the search stopped at `enough`.
    """
    m, (p, r) = len(words), normals.shape
    bounds, points = np.zeros((2, m)), np.zeros((2, m, r))
    signs = np.empty(p)
    every, work = np.arange(p), scratch(p, r)
    rho, z = work[1], work[2]
    g, h, base = np.empty(r), np.empty(r), np.zeros(r)
    mass = 0.0
    for j in range(p):
        mass += abs(positive[j]) + abs(negative[j])
        for i in range(r):
            base[i] += negative[j] * normals[j, i]
    for cell in range(m):
        _signs_of(words[cell], p, signs)
        copy(base, g)
        for j in range(p):
            if signs[j] > 0:
                w = positive[j] - negative[j]
                for i in range(r):
                    g[i] += w * normals[j, i]
        own = every if len(starts) == 0 else rows[starts[cell] : starts[cell + 1]]
        beyond = cover[cell] * mass
        for half in range(2):
            for i in range(r):
                h[i] = g[i] if half == 0 else -g[i]
            norm, size = project(h, normals, signs, own, enough - beyond, work)
            total = mass
            for k in range(size):
                total += rho[k]
            # Any summation of N products errs by at most N eps times the sum of
            # their moduli; 2 p terms build g, r + 1 multipliers are added.
            margin = 2.0 * EPS * (2 * p + 2 * r + 8) * total
            bounds[half, cell] = norm * (1.0 + 4.0 * EPS * (r + 4)) + margin + beyond
            if norm > enough - beyond:
                copy(z, points[half, cell])
    return bounds, points


@kernel(inner=True)
def _rounding(r: int, longest: float, total: float) -> float:
    """Rounding of ``row - sum w_j row_j`` in norm, for ``sum w_j = total``."""
    return 2.0 * EPS * (r + 4) * longest * (1.0 + total)


@kernel(inner=True)
def _invert(matrix: Array, inverse: Array, work: Array) -> bool:
    """Inverse of a small matrix by Gauss and Jordan; False if it is singular."""
    r = len(matrix)
    for i in range(r):
        for j in range(r):
            work[i, j] = matrix[i, j]
            work[i, r + j] = 1.0 if i == j else 0.0
    for k in range(r):
        pivot = k
        for i in range(k + 1, r):
            if abs(work[i, k]) > abs(work[pivot, k]):
                pivot = i
        if abs(work[pivot, k]) < 1e-100:
            return False
        for j in range(2 * r):
            work[k, j], work[pivot, j] = work[pivot, j], work[k, j]
        scale = work[k, k]
        for j in range(2 * r):
            work[k, j] /= scale
        for i in range(r):
            if i != k and work[i, k] != 0.0:
                factor = work[i, k]
                for j in range(2 * r):
                    work[i, j] -= factor * work[k, j]
    for i in range(r):
        copy(work[i, r:], inverse[i])
    return True


@kernel(inner=True)
def _inverse_bound(basis: Array, inverse: Array) -> float:
    """Proven bound on ``||basis^-1||`` from a computed inverse; inf if it proves nothing."""
    r = len(basis)
    square, defect = 0.0, 0.0
    for i in range(r):
        for j in range(r):
            square += inverse[i, j] ** 2
            s = 1.0 if i == j else 0.0
            moduli = 0.0
            for k in range(r):
                s -= basis[i, k] * inverse[k, j]
                moduli += abs(basis[i, k] * inverse[k, j])
            defect += (abs(s) + 4.0 * EPS * (r + 2) * moduli) ** 2
    if not defect < 0.25:
        return np.inf
    return 2.0 * np.sqrt(square)


@kernel(inner=True)
def _explain(
    row: Array, sign: float, longest: float, basis: Array, inverse: Array, bound: float,
    weights: Array,
) -> float:  # fmt: skip
    """How far a row is from a non-negative combination of basis rows; inf if it is none.

    With weights w > 0 and ``sign row = w'basis + e`` the rest is
    ``e = m'basis`` for some ``|m| <= ||basis^-1|| ||e||``. Weights that are
    larger than that absorb it: then the row *is* such a combination, exactly.
    """
    r = len(row)
    total, least = 0.0, np.inf
    for i in range(r):
        w = 0.0
        for k in range(r):
            w += sign * row[k] * inverse[k, i]
        if w < 0.0:
            return np.inf
        weights[i] = w
        total += w
        least = min(least, w)
    square = 0.0
    for k in range(r):
        e = sign * row[k]
        for i in range(r):
            e -= weights[i] * basis[i, k]
        square += e * e
    error = np.sqrt(square) + _rounding(r, longest, total)
    return 0.0 if least > bound * error else error


@kernel
def cover_errors(words: Array, normals: Array, starts: Array, rows: Array) -> Array:
    """How far beyond a hyperplane the outer cone of a cell can reach, at most.

    The outer cone of a cell is cut out by its flippable rows only. For every
    other row k, multipliers ``lambda >= 0`` with
    ``signs_k x_k = sum_j lambda_j signs_j x_j + e`` over the flippable rows j
    show ``signs_k x_k'u >= -||e||`` on the cone and the unit ball.

    Returns
    -------
    ndarray, shape (M,)
        For each cell the largest ``||e||`` over the rows, rounding included;
        exactly 0 where all rows are strictly redundant.
    """
    m = words.shape[0]
    p, r = normals.shape
    errors = np.zeros(m)
    longest = 0.0
    for k in range(p):
        longest = max(longest, np.sqrt(dot(normals[k], normals[k])))
    signs, flippable = np.empty(p), np.empty(p, dtype=np.bool_)
    work = scratch(p, r)
    active, rho, target = work[0], work[1], np.empty(r)
    # Bases that explained an earlier row of the same cell usually explain more.
    max_bases = 8
    bases, inverses = np.empty((max_bases, r, r)), np.empty((max_bases, r, r))
    bounds = np.empty(max_bases)
    table, weights = np.empty((r, 2 * r)), np.empty(r)
    for cell in range(m):
        _signs_of(words[cell], p, signs)
        own = rows[starts[cell] : starts[cell + 1]]
        if len(own) == p:
            continue
        flippable.fill(False)
        for k in own:
            flippable[k] = True
        n_bases = 0
        for k in range(p):
            if flippable[k]:
                continue
            error = np.inf
            for b in range(min(n_bases, max_bases)):
                found = _explain(
                    normals[k], signs[k], longest, bases[b], inverses[b], bounds[b], weights
                )
                error = min(error, found)
                if error == 0.0:
                    break
            if error > 0.0:
                for i in range(r):
                    target[i] = -signs[k] * normals[k, i]
                norm, size = project(target, normals, signs, own, 0.0, work)
                total = 0.0
                for i in range(size):
                    total += rho[i]
                error = min(error, norm + _rounding(r, longest, total))
                if size == r and norm < 1e-6:
                    b = n_bases % max_bases
                    for i in range(r):
                        for j in range(r):
                            bases[b, i, j] = signs[active[i]] * normals[active[i], j]
                    if _invert(bases[b], inverses[b], table):
                        bounds[b] = _inverse_bound(bases[b], inverses[b])
                        n_bases += 1
                        found = _explain(
                            normals[k], signs[k], longest, bases[b], inverses[b], bounds[b], weights
                        )
                        error = min(error, found)
            errors[cell] = max(errors[cell], error)
    return errors
