"""Dual points whose sums are 0 exactly, as intercepts and the softmax loss ask for."""

from __future__ import annotations

import math

import numpy as np

from cvxnn.array_types import FloatArray

_STEPS = 4


def with_sum_zero(v: FloatArray) -> FloatArray:
    """A vector with a few entries changed so that its sum is 0 exactly; 0 where that fails.

    Examples
    --------
    >>> with_sum_zero(np.array([1.0, -1.0, 0.25])).tolist()
    [0.75, -1.0, 0.25]
    """
    v = v.copy()
    for _ in range(_STEPS):
        total = math.fsum(v)
        if total == 0.0:
            return v
        v[int(np.argmax(v if total > 0.0 else -v))] -= total
    return np.zeros_like(v)


def with_sums_zero(V: FloatArray, *, rows: bool, columns: bool) -> FloatArray:
    """The same for rows, columns or both of a matrix; all is 0 where both cannot be had.

    Examples
    --------
    >>> with_sums_zero(np.array([[1.0, -0.5], [-1.0, 0.25]]), rows=False, columns=True)[:, 1]
    array([-0.25,  0.25])
    """
    V = V.copy()
    if rows:
        for i, row in enumerate(V):
            if math.fsum(row) != 0.0:
                V[i] = with_sum_zero(row)
    if not columns:
        return V
    if not rows:
        return np.column_stack([with_sum_zero(v) for v in V.T])
    return V if all(math.fsum(v) == 0.0 for v in V.T) else np.zeros_like(V)
