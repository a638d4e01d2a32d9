"""Kernels of the search over signs: one concave majorant on the ball for each set of them (numba).

The function is ``f(u) = base'u + sum_k omega_k (n_k'u)_+`` on the unit ball of R^r. A node
fixes the sign of ``z_k = n_k'u`` for some rows with ``omega_k > 0``; each row has one multiplier
``x_k``, and with ``gamma`` a hair below 1 its term is nowhere above a quadratic,

    ===================  =================================================  ===============
    row                  quadratic                                          multiplier
    ===================  =================================================  ===============
    convex, sign open    ``omega z / 2 + x z^2 + omega^2 / (16 x)``         ``x > 0``
    convex, ``z >= 0``   ``omega z + x (z - gamma z^2)``                    ``x >= 0``
    convex, ``z <= 0``   ``-x (z + gamma z^2)``                             ``x >= 0``
    concave              ``-x z - gamma x (1 + x / omega) z^2``             in [0, -omega]
    ===================  =================================================  ===============

so that ``f(u) <= kappa + b'u - u'A u + lam`` for ``A = lam I - C``.
"""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import EPS, Array
from cvxnn.kernels import kernel
from cvxnn.patterns.cone_kernels import copy, dot

# Normals are a rounding longer than 1, and so are products with them.
_GAMMA = 1.0 - 1e-12
# Rounds of the nearest point of a box, each of some sweeps and one step on the open coordinates.
_ROUNDS, _SWEEPS = 60, 4


@kernel
def factorise(matrix: Array, factor: Array) -> bool:
    """Cholesky of the lower triangle; False if a pivot is not positive."""
    for j in range(len(matrix)):
        s = matrix[j, j]
        for k in range(j):
            s -= factor[j, k] * factor[j, k]
        if not s > 0.0:
            return False
        pivot = np.sqrt(s)
        factor[j, j] = pivot
        for i in range(j + 1, len(matrix)):
            s = matrix[i, j]
            for k in range(j):
                s -= factor[i, k] * factor[j, k]
            factor[i, j] = s / pivot
    return True


@kernel(inner=True)
def _solve_lower(factor: Array, c: Array, x: Array) -> None:
    for i in range(len(c)):
        s = c[i]
        for j in range(i):
            s -= factor[i, j] * x[j]
        x[i] = s / factor[i, i]


@kernel(inner=True)
def _solve_upper(factor: Array, x: Array) -> None:
    """Solve with the transpose, in place."""
    for i in range(len(x) - 1, -1, -1):
        s = x[i]
        for j in range(i + 1, len(x)):
            s -= factor[j, i] * x[j]
        x[i] = s / factor[i, i]


@kernel
def build(
    base: Array, normals: Array, omega: Array, signs: Array, x: Array, lam: float, A: Array,
    b: Array,
) -> tuple[float, float, float]:  # fmt: skip
    """The majorant ``kappa + lam + b'u - u'Au``: kappa, and the moduli summed in b and in A."""
    r, kappa, linear, square = len(base), 0.0, 0.0, lam
    copy(base, b)
    A.fill(0.0)
    for i in range(r):
        A[i, i] = lam
    for k in range(len(omega)):
        weight = omega[k]
        h = x[k] * _GAMMA
        if weight < 0.0:
            f = -x[k]
            h *= 1.0 + x[k] / weight
        elif signs[k] == 0:
            f, h = 0.5 * weight, -x[k]
            kappa += weight * weight / (16.0 * x[k])
        elif signs[k] > 0:
            f = weight + x[k]
        else:
            f = -x[k]
        linear += abs(f)
        square += x[k]
        for i in range(r):
            b[i] += f * normals[k, i]
            share = h * normals[k, i]
            for j in range(i + 1):
                A[i, j] += share * normals[k, j]
    return kappa, linear, square


@kernel
def centre(factor: Array, b: Array, y: Array) -> float:
    """``b'A^{-1}b / 4``; y becomes the maximiser ``A^{-1}b / 2``."""
    _solve_lower(factor, b, y)
    value = 0.25 * dot(y, y)
    _solve_upper(factor, y)
    for i in range(len(y)):
        y[i] *= 0.5
    return value


@kernel
def safe_bound(
    base: Array, normals: Array, omega: Array, signs: Array, x: Array, lam: float,
    A: Array, b: Array, factor: Array, y: Array,
) -> float:  # fmt: skip
    """A bound on f over a node that holds for any multipliers; see :class:`SignTree`."""
    r, count = len(base), len(omega)
    kappa, linear, square = build(base, normals, omega, signs, x, lam, A, b)
    if not factorise(A, factor):
        return np.inf
    centre(factor, b, y)
    trace, frobenius, left, length, size = 0.0, 0.0, 0.0, dot(y, y), dot(b, b)
    for i in range(r):
        trace += A[i, i]
        s = b[i]
        for j in range(r):
            entry = A[i, j] if j <= i else A[j, i]
            frobenius += entry * entry
            s -= 2.0 * entry * y[j]
        left += s * s
    length, size, frobenius = np.sqrt(length), np.sqrt(size), np.sqrt(frobenius)
    rho = np.sqrt(left) + EPS * (r + 4.0) * (size + 2.0 * frobenius * length)
    error = EPS * (count + 8.0) * (np.sqrt(dot(base, base)) + linear + square)
    error += EPS * (r + 4.0) * size * length + EPS * (count + 8.0) * kappa
    error += EPS * (2.0 * r + 4.0) * trace * (1.0 + length) ** 2
    value = lam + kappa + 0.5 * dot(b, y)
    return (value + rho * (1.0 + 0.5 * length) + error) * (1.0 + 16.0 * EPS)


@kernel(inner=True)
def evaluate(base: Array, normals: Array, omega: Array, y: Array, point: Array) -> float:
    """The function at the direction of y, which becomes `point`; -inf at zero."""
    norm = np.sqrt(dot(y, y))
    if not norm > 0.0:
        return -np.inf
    for i in range(len(y)):
        point[i] = y[i] / norm
    value = dot(base, point)
    for k in range(len(omega)):
        value += omega[k] * max(0.0, dot(normals[k], point))
    return value


@kernel
def _merit(
    value: float, mu: float, factor: Array, omega: Array, signs: Array, x: Array
) -> float:  # fmt: skip
    """What Newton's method lowers: the bound, and barriers of A and the multipliers."""
    for i in range(len(factor)):
        value -= 2.0 * mu * np.log(factor[i, i])
    for k in range(len(omega)):
        if omega[k] < 0.0:
            value -= mu * np.log(x[k] * (-omega[k] - x[k]))
        elif signs[k] != 0:
            value -= mu * np.log(x[k])
    return value


@kernel(inner=True)
def _direction(
    normals: Array, omega: Array, signs: Array, x: Array, mu: float, factor: Array, y: Array,
    spread: Array, H: Array, triangle: Array, step: Array,
) -> float:  # fmt: skip
    """Newton's step in the multipliers and, last, lam; its decrement, negative on failure.

    With ``M = A^{-1}``, the second derivative of ``b'Mb / 4 - mu logdet A`` along (db, dA) is
    ``2 |db / 2 - dA y|_M^2 + mu tr(M dA M dA)``, and rows enter dA by ``n_k n_k'``. `spread`
    becomes ``mu n_k'M n_k``.
    """
    r, p = len(y), len(omega)
    # Last the rows of the inverse factor, for lam.
    halves, column = np.empty((p, r)), np.empty(r)
    slopes, squares = np.empty(p), np.empty(p)
    trace, second = 0.0, 0.0
    inverse = np.zeros((r, r))
    for j in range(r):
        column.fill(0.0)
        column[j] = 1.0
        _solve_lower(factor, column, inverse[j])
        _solve_upper(factor, inverse[j])
        trace += inverse[j, j]
        second += dot(inverse[j], inverse[j])
    _solve_lower(factor, y, column)
    step[p] = 1.0 - dot(y, y) - mu * trace
    H[p, p] = 2.0 * dot(column, column) + mu * second
    moved = np.empty(r)
    for k in range(p):
        z, weight = dot(normals[k], y), omega[k]
        _solve_lower(factor, normals[k], halves[k])
        reach = dot(halves[k], halves[k])
        spread[k] = mu * reach
        moment = z * z + spread[k]
        if weight < 0.0:
            square, linear = 1.0 + 2.0 * x[k] / weight, -1.0
            down, up = mu / x[k], mu / (-weight - x[k])
            first = up - down
            curved = (down * down + up * up) / mu - 2.0 * moment / weight
        elif signs[k] == 0:
            square, linear = -1.0, 0.0
            first = -weight * weight / (16.0 * x[k] * x[k])
            curved = -2.0 * first / x[k]
        else:
            square, linear = 1.0, float(signs[k])
            first = -mu / x[k]
            curved = -first / x[k]
        step[k] = z * linear - square * moment + first
        slopes[k], squares[k] = 0.5 * linear - square * z, square
        copy(halves[k], moved)
        _solve_upper(factor, moved)
        H[p, k] = -2.0 * slopes[k] * dot(halves[k], column) + mu * square * dot(moved, moved)
        for other in range(k):
            product = dot(halves[k], halves[other])
            both = 2.0 * slopes[k] * slopes[other]
            H[k, other] = (both + mu * square * squares[other] * product) * product
        H[k, k] = 2.0 * slopes[k] ** 2 * reach + mu * (square * reach) ** 2 + curved
    if not factorise(H, triangle):
        return -1.0
    _solve_lower(triangle, step, step)
    decrement = dot(step, step)
    _solve_upper(triangle, step)
    return decrement


@kernel(inner=True)
def _longest(omega: Array, signs: Array, x: Array, step: Array) -> float:
    """The share of a step that keeps multipliers inside, by a margin; at most 1."""
    share = 1.0
    for k in range(len(omega)):
        if step[k] > 0.0:
            share = min(share, 0.95 * x[k] / step[k])
        elif step[k] < 0.0 and omega[k] < 0.0:
            share = min(share, 0.95 * (-omega[k] - x[k]) / -step[k])
    return share


@kernel
def improve(
    base: Array, normals: Array, omega: Array, signs: Array, x: Array, lam: float, bound: float,
    mu: float, A: Array, b: Array, factor: Array, y: Array, spread: Array, H: Array,
    triangle: Array,
) -> tuple[float, float]:  # fmt: skip
    """One step of Newton's method from multipliers that `factor` and y belong to.

    Returns lam and the bound, rounding left aside; -inf and the old bound where it fails.
    """
    p = len(omega)
    step, trial = np.empty(p + 1), np.empty(p)
    start = _merit(bound, mu, factor, omega, signs, x)
    decrement = _direction(
        normals, omega, signs, x, mu, factor, y, spread, H, triangle, step
    )  # fmt: skip
    if not decrement >= 0.0:
        return -np.inf, bound
    share = _longest(omega, signs, x, step)
    for _ in range(30):
        for k in range(p):
            trial[k] = x[k] - share * step[k]
        other = lam - share * step[p]
        if other > 0.0:
            kappa, _, _ = build(base, normals, omega, signs, trial, other, A, b)
            if factorise(A, factor):
                value = other + kappa + centre(factor, b, y)
                merit = _merit(value, mu, factor, omega, signs, trial)
                if merit <= start - 0.05 * share * decrement + 1e-12 * abs(start):
                    copy(trial, x)
                    return other, value
        share *= 0.4
    return -np.inf, bound


@kernel
def nearest_point(
    base: Array, normals: Array, omega: Array, signs: Array, x: Array, closing: float, b: Array,
    point: Array,
) -> tuple[float, float]:  # fmt: skip
    """Where all signs are fixed: the shortest ``b = c - sum_k x_k n_k`` over the box of x.

    Its length bounds f over the node, and its direction nearly attains it. Returns both, the
    bound with its rounding. Sweeps over coordinates, and steps on those that are inside the box
    to where they would be best together, until one of them says enough.
    """
    r, p = len(base), len(omega)
    total = np.sqrt(dot(base, base))
    inside = np.empty(p, dtype=np.int64)
    gram, triangle, move = np.empty((p, p)), np.empty((p, p)), np.empty(p)
    for k in range(p):
        total += abs(omega[k])
    error = EPS * (p + 8.0) * total
    bound, value = np.inf, -np.inf
    for _ in range(_ROUNDS):
        # Anew: what was added up in sweeps is rounded more often than the bound says.
        copy(base, b)
        for k in range(p):
            f = -x[k] if omega[k] < 0.0 else (omega[k] if signs[k] > 0 else 0.0)
            for i in range(r):
                b[i] += f * normals[k, i]
        norm = np.sqrt(dot(b, b))
        bound = min(bound, norm * (1.0 + EPS * (r + 4.0)) + error)
        value = max(value, evaluate(base, normals, omega, b, point))
        if bound <= closing or bound - value <= 4.0 * error:
            break
        size = 0
        for sweep in range(_SWEEPS):
            for k in range(p):
                if omega[k] < 0.0:
                    move[k] = min(max(x[k] + dot(normals[k], b), 0.0), -omega[k]) - x[k]
                    x[k] = min(max(x[k] + move[k], 0.0), -omega[k])
                    for i in range(r):
                        b[i] -= move[k] * normals[k, i]
                    if sweep == _SWEEPS - 1 and 0.0 < x[k] < -omega[k]:
                        inside[size] = k
                        size += 1
        for a in range(size):
            for e in range(a + 1):
                gram[a, e] = dot(normals[inside[a]], normals[inside[e]])
            # More than r of them are dependent.
            gram[a, a] += 1e-13
            move[a] = dot(normals[inside[a]], b)
        if size == 0 or not factorise(gram[:size, :size], triangle[:size, :size]):
            continue
        _solve_lower(triangle[:size, :size], move[:size], move[:size])
        _solve_upper(triangle[:size, :size], move[:size])
        share = 1.0
        for a in range(size):
            k = inside[a]
            room = -omega[k] - x[k] if move[a] > 0.0 else x[k]
            if abs(move[a]) * share > room:
                share = room / abs(move[a])
        for a in range(size):
            k = inside[a]
            x[k] = min(max(x[k] + share * move[a], 0.0), -omega[k])
    return bound, value
