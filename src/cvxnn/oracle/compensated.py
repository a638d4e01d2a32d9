"""Arithmetic in twice the working precision: a number is ``high + low`` (numba)."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# 2^27 + 1: splits a float64 into two halves whose products are exact.
_SPLITTER = 134217729.0


@numba.njit(cache=True, nogil=True)
def add(high: float, low: float, x: float) -> tuple[float, float]:
    """Add x to ``high + low``; what rounding takes from `high` goes to `low`."""
    total = high + x
    back = total - high
    return total, low + ((high - (total - back)) + (x - back))


@numba.njit(cache=True, nogil=True)
def product_error(a: float, b: float, product: float) -> float:
    """``a b - product`` for the rounded product, exact (Dekker 1971)."""
    big = _SPLITTER * a
    a_high = big - (big - a)
    a_low = a - a_high
    big = _SPLITTER * b
    b_high = big - (big - b)
    b_low = b - b_high
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@numba.njit(cache=True, nogil=True)
def add_product(high: float, low: float, a: float, b: float) -> tuple[float, float]:
    """Add ``a b`` to ``high + low``, where low is the rounding of high before and after.

    Errs by ``2 eps^2`` of the larger of the sum and the product at most.
    """
    product = a * b
    total, error = add(high, 0.0, product)
    return add(total, 0.0, error + (low + product_error(a, b, product)))


@numba.njit(cache=True, nogil=True)
def dot(x: float, x_low: float, y: float, y_low: float, a: float, b: float) -> float:
    """``(x + x_low) a + (y + y_low) b``: rounded once, whatever cancels."""
    high, low = add_product(x * a, product_error(x, a, x * a), y, b)
    return high + (low + (x_low * a + y_low * b))


@numba.njit(cache=True, nogil=True)
def cross_products(left: Array, right: Array) -> Array:
    """``x_1 y_2 - x_2 y_1`` for the rows x of `left` and y of `right`, shape (n,)."""
    out = np.empty(len(left))
    for i in range(len(left)):
        out[i] = dot(left[i, 0], 0.0, -left[i, 1], 0.0, right[i, 1], right[i, 0])
    return out


@numba.njit(cache=True, nogil=True)
def map_rows(rows: Array, matrix: Array) -> Array:
    """``rows @ matrix`` for two columns, each entry rounded once."""
    out = np.empty((len(rows), 2))
    for i in range(len(rows)):
        for j in range(2):
            out[i, j] = dot(rows[i, 0], 0.0, rows[i, 1], 0.0, matrix[0, j], matrix[1, j])
    return out


@numba.njit(cache=True, nogil=True)
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


@numba.njit(cache=True, nogil=True)
def residual(columns: Array, members: Array, weights: Array, y: Array) -> Array:
    """``y - A c`` for the columns `members` of A with these weights, each entry rounded once."""
    out = np.empty(len(y))
    for i in range(len(y)):
        high, low = y[i], 0.0
        for m in range(len(members)):
            high, low = add_product(high, low, -columns[i, members[m]], weights[m])
        out[i] = high + low
    return out
