"""Sums of products in twice the working precision.

A pair (high, low) stands for ``high + low`` with ``|low| <= eps |high|``: about 32 digits.
The kernels are the error-free transformations of T. Dekker (Numer. Math. 18, 1971) and
D. Knuth, summed as in T. Ogita, S. Rump and S. Oishi (SIAM J. Sci. Comput. 26, 2005).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.kernels import kernel

# High and low parts of the same shape.
Pair = tuple[FloatArray, FloatArray]

_EPS = float(np.finfo(float).eps)
# 2^27 + 1: splits a float64 into two halves whose products are exact.
_SPLITTER = 134217729.0


@kernel(inner=True)
def add(high: float, low: float, x: float) -> tuple[float, float]:
    """Add x to ``high + low``; what rounding takes from `high` goes to `low`."""
    total = high + x
    back = total - high
    return total, low + ((high - (total - back)) + (x - back))


@kernel(inner=True)
def product_error(a: float, b: float, product: float) -> float:
    """``a b - product`` for the rounded product, exact (Dekker 1971)."""
    big = _SPLITTER * a
    a_high = big - (big - a)
    a_low = a - a_high
    big = _SPLITTER * b
    b_high = big - (big - b)
    b_low = b - b_high
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@kernel(inner=True)
def add_product(high: float, low: float, a: float, b: float) -> tuple[float, float]:
    """Add ``a b`` to ``high + low``, where low is the rounding of high before and after.

    Errs by ``2 eps^2`` of the larger of the sum and the product at most.
    """
    product = a * b
    total, error = add(high, 0.0, product)
    return add(total, 0.0, error + (low + product_error(a, b, product)))


@kernel(inner=True)
def add_exactly(high: float, low: float, a: float, b: float) -> tuple[float, float]:
    """Add ``a b`` to high, and to low what rounding takes from product and sum.

    Cheaper than :func:`add_product` by a sum, for low parts that are read at the end only.
    """
    product = a * b
    total, rest = add(high, low, product)
    return total, rest + product_error(a, b, product)


@kernel
def dot(x: float, x_low: float, y: float, y_low: float, a: float, b: float) -> float:
    """``(x + x_low) a + (y + y_low) b``: rounded once, whatever cancels."""
    high, low = add_product(x * a, product_error(x, a, x * a), y, b)
    return high + (low + (x_low * a + y_low * b))


@kernel
def cross_products(left: Array, right: Array) -> Array:
    """``x_1 y_2 - x_2 y_1`` for the rows x of `left` and y of `right`, shape (n,)."""
    out = np.empty(len(left))
    for i in range(len(left)):
        out[i] = dot(left[i, 0], 0.0, -left[i, 1], 0.0, right[i, 1], right[i, 0])
    return out


@kernel
def map_rows(rows: Array, matrix: Array) -> Array:
    """``rows @ matrix`` for two columns, each entry rounded once."""
    out = np.empty((len(rows), 2))
    for i in range(len(rows)):
        for j in range(2):
            out[i, j] = dot(rows[i, 0], 0.0, rows[i, 1], 0.0, matrix[0, j], matrix[1, j])
    return out


@kernel
def sums_over_parts(rows: Array, v: Array, ends: Array) -> Array:
    """``sum_i v_i x_i`` over the rows ``ends[m]:ends[m + 1]``, shape (m, 2)."""
    out = np.empty((len(ends) - 1, 2))
    for m in range(len(out)):
        x, x_low, y, y_low = 0.0, 0.0, 0.0, 0.0
        for i in range(ends[m], ends[m + 1]):
            x, x_low = add_product(x, x_low, v[i], rows[i, 0])
            y, y_low = add_product(y, y_low, v[i], rows[i, 1])
        out[m, 0], out[m, 1] = x + x_low, y + y_low
    return out


@kernel
def residual(columns: Array, members: Array, weights: Array, y: Array) -> Array:
    """``y - A c`` for the columns `members` of A with these weights, each entry rounded once."""
    out = np.empty(len(y))
    for i in range(len(y)):
        high, low = y[i], 0.0
        for m in range(len(members)):
            high, low = add_product(high, low, -columns[i, members[m]], weights[m])
        out[i] = high + low
    return out


@kernel
def _products(first: Array, second: Array, high: Array, low: Array) -> None:
    n, inner, m = first.shape[0], first.shape[1], second.shape[1]
    for i in range(n):
        for j in range(m):
            h, c = 0.0, 0.0
            for k in range(inner):
                h, c = add_exactly(h, c, first[i, k], second[k, j])
            high[i, j] = h + c
            low[i, j] = (h - high[i, j]) + c


@kernel
def _network(rows: Array, hidden: Array, weights: Array, high: Array, low: Array) -> None:
    n, d, m = rows.shape[0], rows.shape[1], hidden.shape[0]
    for i in range(n):
        total, rest = 0.0, 0.0
        for j in range(m):
            h, c = 0.0, 0.0
            for k in range(d):
                h, c = add_exactly(h, c, rows[i, k], hidden[j, k])
            t = h + c
            if t > 0.0:
                c = (h - t) + c
                total, rest = add_exactly(total, rest, t, weights[j])
                rest += c * weights[j]
        high[i] = total + rest
        low[i] = (total - high[i]) + rest


@kernel
def _sparse(
    data: Array, indices: Array, starts: Array, values: Array, rests: Array,
    high: Array, low: Array,
) -> None:  # fmt: skip
    for i in range(len(high)):
        total, rest = 0.0, 0.0
        for k in range(starts[i], starts[i + 1]):
            total, rest = add_exactly(total, rest, data[k], values[indices[k]])
            rest += data[k] * rests[indices[k]]
        high[i] = total + rest
        low[i] = (total - high[i]) + rest


def sparse_product(matrix: Any, pair: Pair) -> Pair:
    """``R a`` for a sparse array R in rows and a pair a of arrays of shape (N,); O(entries)."""
    high, low = np.empty(matrix.shape[0]), np.empty(matrix.shape[0])
    _sparse(matrix.data, matrix.indices, matrix.indptr, *pair, high, low)
    return high, low


def matrix_product(first: FloatArray, second: FloatArray) -> Pair:
    """``A B`` as a pair of arrays; O(n k m), some 25 operations for each product.

    Parameters
    ----------
    first : ndarray, shape (n, k)
    second : ndarray, shape (k, m)

    Returns
    -------
    high, low : ndarray, shape (n, m)
        Their sum errs by ``pair_error(k) |A| |B|`` at most.

    Examples
    --------
    >>> high, low = matrix_product(np.array([[1e20, 1.0, -1e20]]), np.ones((3, 1)))
    >>> float(high[0, 0])
    1.0
    """
    first, second = np.ascontiguousarray(first), np.ascontiguousarray(second)
    high = np.empty((len(first), second.shape[1]))
    low = np.empty_like(high)
    _products(first, second, high, low)
    return high, low


def sum_of_pairs(first: Pair, second: Pair) -> Pair:
    """The sum of two pairs of arrays, entry by entry."""
    total = first[0] + second[0]
    back = total - first[0]
    rest = first[1] + second[1] + ((first[0] - (total - back)) + (second[0] - back))
    high = total + rest
    return high, (total - high) + rest


def network_output(rows: FloatArray, hidden: FloatArray, weights: FloatArray) -> Pair:
    """``sum_j (X u_j)_+ a_j`` as a pair of arrays of shape (n,); O(n m d).

    Parameters
    ----------
    rows : ndarray, shape (n, d)
    hidden : ndarray, shape (m, d)
    weights : ndarray, shape (m,)

    Returns
    -------
    high, low : ndarray, shape (n,)
        Their sum errs by ``pair_error(m + d) sum_j |a_j| |x_i|'|u_j|`` at most.

    Examples
    --------
    >>> rows, hidden = np.array([[0.3]]), np.array([[0.1], [0.1]])
    >>> network_output(rows, hidden, np.array([1.0, -1.0]))[0]
    array([0.])
    """
    high, low = np.empty(len(rows)), np.empty(len(rows))
    _network(
        np.ascontiguousarray(rows), np.ascontiguousarray(hidden),
        np.ascontiguousarray(weights), high, low,
    )  # fmt: skip
    return high, low


def pair_error(terms: int) -> float:
    """Bound on the error of a sum of so many products in pairs, relative to their moduli.

    A compensated sum of n products errs by ``gamma_n^2`` of the sum of moduli, Ogita,
    Rump and Oishi (2005), Proposition 5.5; twice that holds for pairs of such sums.
    """
    return 2.0 * (2.0 * (terms + 8) * _EPS) ** 2
