"""Dual points beside an intercept, which have the sum 0."""

from __future__ import annotations

import math

import numpy as np

from cvxnn.array_types import FloatArray, IntArray

# The smallest power of two in float64.
_LEAST_EXPONENT = -1074


def balanced(v: FloatArray) -> FloatArray:
    """The dual point with the sum 0, by less of what is above 0, or of what is below.

    So it stays in the domain of every conjugate that is a sum over the rows: intervals
    around 0.

    Notes
    -----
    Entries are cut to multiples of a number of which the sum of their moduli has less than
    2^53: then no sum of them is rounded, and what is left of it is taken from the largest.

    Examples
    --------
    >>> balanced(np.array([2.0, 1.0, -1.0])).round(6)
    array([ 0.666667,  0.333333, -1.      ])
    >>> float(balanced(np.array([0.1, 0.7, -0.3])).sum())
    0.0
    """
    above, below = math.fsum(v[v > 0.0]), -math.fsum(v[v < 0.0])
    if above > below:
        v = np.where(v > 0.0, v * (below / above), v)
    elif below > above:
        v = np.where(v < 0.0, v * (above / below), v)
    if math.fsum(v) == 0.0:
        return v
    _, exponent = math.frexp(above + below)
    v = v - np.fmod(v, math.ldexp(1.0, max(exponent - 53, _LEAST_EXPONENT)))
    total = math.fsum(v)
    k = int(np.argmax(v if total > 0.0 else -v))
    # With more rows than there are memories for, the largest may be less than what is left.
    v[k] -= total if abs(total) <= abs(v[k]) else 0.0
    return v


def balanced_columns(V: FloatArray) -> FloatArray:
    """Of several outputs: columns of the sum 0 exactly; one for which that is not found is 0.

    Examples
    --------
    >>> balanced_columns(np.array([[2.0, 0.5], [1.0, -0.5], [-1.0, 1.0]])).round(3).tolist()
    [[0.667, 0.167], [0.333, -0.5], [-1.0, 0.333]]
    """
    columns = [balanced(column) for column in V.T]
    return np.column_stack(
        [column if math.fsum(column) == 0.0 else 0.0 * column for column in columns]
    )


def shared_out(rows: IntArray, columns: IntArray) -> IntArray:
    """A table of integers >= 0 with these sums, by the north-west corner rule; O(n c).

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
    columns : ndarray of int, shape (c,)
        Of the same total; none negative.

    Examples
    --------
    >>> shared_out(np.array([1, 0, 2]), np.array([2, 1])).tolist()
    [[1, 0], [0, 0], [1, 1]]
    """
    row_ends, column_ends = np.cumsum(rows)[:, None], np.cumsum(columns)
    ends = np.minimum(row_ends, column_ends)
    begins = np.maximum(row_ends - rows[:, None], column_ends - columns)
    return np.maximum(ends - begins, 0)
