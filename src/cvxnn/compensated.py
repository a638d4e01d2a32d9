"""Sums of products in twice the working precision.

A pair (high, low) stands for ``high + low`` with ``|low| <= eps |high|``: about 32 digits.
The kernels are the error-free transformations of T. Dekker (Numer. Math. 18, 1971) and
D. Knuth, summed as in T. Ogita, S. Rump and S. Oishi (SIAM J. Sci. Comput. 26, 2005).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvxnn.kernels import kernel

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

# High and low parts of the same shape.
Pair = tuple[FloatArray, FloatArray]

_EPS = float(np.finfo(float).eps)
# Splits a float64 into two halves of 26 bits.
_SPLITTER = 134217729.0


@kernel
def _product(a: float, b: float) -> tuple[float, float]:
    """``a b`` and what rounding takes from it, exactly."""
    high = a * b
    t = _SPLITTER * a
    a_high = t - (t - a)
    a_low = a - a_high
    t = _SPLITTER * b
    b_high = t - (t - b)
    b_low = b - b_high
    return high, ((a_high * b_high - high) + a_high * b_low + a_low * b_high) + a_low * b_low


@kernel
def _plus(high: float, low: float, x: float) -> tuple[float, float]:
    """Add x to the pair; what rounding takes from `high` goes to `low`."""
    total = high + x
    back = total - high
    return total, low + ((high - (total - back)) + (x - back))


@kernel
def _products(first: Array, second: Array, high: Array, low: Array) -> None:
    n, inner, m = first.shape[0], first.shape[1], second.shape[1]
    for i in range(n):
        for j in range(m):
            h, c = 0.0, 0.0
            for k in range(inner):
                p, e = _product(first[i, k], second[k, j])
                h, c = _plus(h, c, p)
                c += e
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
                p, e = _product(rows[i, k], hidden[j, k])
                h, c = _plus(h, c, p)
                c += e
            t = h + c
            if t > 0.0:
                c = (h - t) + c
                p, e = _product(t, weights[j])
                total, rest = _plus(total, rest, p)
                rest += e + c * weights[j]
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
            p, e = _product(data[k], values[indices[k]])
            total, rest = _plus(total, rest, p)
            rest += e + data[k] * rests[indices[k]]
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
