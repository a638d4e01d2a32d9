"""What a dual point makes of neurons with fixed gates: a norm for each."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.verification.rounding import TINY, U, gamma, norms_up, power_of_two, sum_up

_CHUNK = 1 << 21


def largest_of_gates(X: FloatArray, gates: FloatArray, v: FloatArray) -> float:
    """``max_i ||X'D_i v||`` with ``D_i = diag(X g_i >= 0)``, rounded up; O(G n d).

    A neuron u of gate i has ``v'D_i X u <= ||X'D_i v||``. Rows whose product with a gate is
    nothing but rounding may be on either side of it: they add ``|v_k| ||x_k||``.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    gates : ndarray, shape (G, d)
    v : ndarray, shape (n,)

    Examples
    --------
    >>> gates = np.array([[1.0, -1.0], [1.0, 1.0]])
    >>> round(largest_of_gates(np.eye(2), gates, np.array([3.0, 4.0])), 9)
    5.0
    """
    n, d = X.shape
    unit, weight_unit = power_of_two(X), power_of_two(v)
    X, v = X / unit, v / weight_unit
    sizes = np.abs(v) * norms_up(X)
    best = 0.0
    each = max(1, _CHUNK // max(1, n))
    for start in range(0, len(gates), each):
        part = gates[start : start + each]
        part = part / np.array([power_of_two(gate) for gate in part])[:, None]
        products = part @ X.T
        doubt = np.abs(products) <= gamma(d + 2) * (np.abs(part) @ np.abs(X).T)
        # Without rounding: a sum of zeros is 0, on every machine.
        doubt &= np.abs(part) @ np.abs(X).T > 0.0
        lengths = norms_up(((products >= 0.0) & ~doubt) * v @ X)
        best = max(best, float((lengths + 1.001 * (doubt @ sizes)).max(initial=0.0)))
    bound = best * (1.0 + 8.0 * U) + gamma(n + 4) * sum_up(sizes) + n * TINY
    return float(np.nextafter(bound * unit * weight_unit, np.inf)) if v.any() else 0.0
