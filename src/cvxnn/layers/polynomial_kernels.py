"""Predictions of polynomial networks in twice the precision."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.compensated import Pair, add, add_exactly, matrix_product, pair_error, product_error
from cvxnn.kernels import kernel


@kernel
def _network(
    table: Array, hidden: Array, weights: Array, excess: Array, coefficients: Array, count: int,
    high: Array, low: Array,
) -> None:  # fmt: skip
    h, m = table.shape[1], hidden.shape[0]
    a, b, c = coefficients
    for i in range(len(high)):
        total, rest = 0.0, 0.0
        for r in range(i * count, (i + 1) * count):
            for j in range(m):
                s, s_low = 0.0, 0.0
                for k in range(h):
                    s, s_low = add_exactly(s, s_low, table[r, k], hidden[j, k])
                t = s + s_low
                t_low = (s - t) + s_low
                # a t + b, and that times t.
                q = a * t
                q, q_low = add(q, product_error(a, t, q) + a * t_low, b)
                p = q * t
                p_low = product_error(q, t, p) + q * t_low + q_low * t
                p_low -= excess[j] * t * (a * t + 0.5 * b)
                total, rest = add_exactly(total, rest, p, weights[j])
                rest += p_low * weights[j]
        mean = total / count
        rest = ((total - mean * count) - product_error(mean, count, mean * count) + rest) / count
        for j in range(m):
            mean, rest = add_exactly(mean, rest, c, weights[j])
        high[i] = mean + rest
        low[i] = (mean - high[i]) + rest


def precise_values(
    table: FloatArray,
    hidden: FloatArray,
    weights: FloatArray,
    coefficients: tuple[float, float, float],
    count: int,
) -> Pair:
    """``sum_j alpha_j phi(u_j / ||u_j||)`` as a pair of arrays of shape (n,); O(n K m h).

    Parameters
    ----------
    table : ndarray, shape (n K, h)
    hidden : ndarray, shape (m, h)
        Of the length 1 up to rounding, which is taken out to first order.
    weights : ndarray, shape (m,)
    coefficients : tuple of float
        a, b and c.
    count : int
        K, over which is averaged.

    Returns
    -------
    high, low : ndarray, shape (n,)
        Their sum errs by ``16 pair_error(K m + h)`` of the sum of moduli at most.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> high, low = precise_values(np.array([[3.0]]), one, np.ones(1), (1.0, 2.0, 3.0), 1)
    >>> high
    array([18.])
    """
    squares = [matrix_product(u[None], u[:, None]) for u in hidden]
    excess = np.array([float(high[0, 0] - 1.0 + low[0, 0]) for high, low in squares])
    n = len(table) // count
    high, low = np.empty(n), np.empty(n)
    _network(
        np.ascontiguousarray(table), np.ascontiguousarray(hidden),
        np.ascontiguousarray(weights), excess, np.array(coefficients), count, high, low,
    )  # fmt: skip
    return high, low


def precise_error(terms: int) -> float:
    """Bound on the error of :func:`precise_values`, relative to the sum of moduli."""
    return 16.0 * pair_error(terms)
