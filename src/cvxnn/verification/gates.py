"""What a dual point makes of neurons with fixed gates: a norm for each."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.verification.rounding import TINY, U, gamma, norms_up, power_of_two, sum_up

# Entries of masks that exist at a time.
_CHUNK = 1 << 21


def largest_of_gates(X: FloatArray, gates: FloatArray, v: FloatArray) -> float:
    """``max_i ||X'D_i v||`` with ``D_i = diag(X g_i >= 0)``, rounded up; O(G n d).

    Of pairs of gates ``D_i`` is the product of two.

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
    n = len(X)
    unit, weight_unit = power_of_two(X), power_of_two(v)
    X, v = X / unit, v / weight_unit
    sizes = np.abs(v) * norms_up(X)
    best = 0.0
    each = max(1, _CHUNK // max(1, n))
    for start in range(0, len(gates), each):
        opened, doubt = sides_of(X, gates[start : start + each])
        lengths = norms_up(opened * v @ X)
        best = max(best, float((lengths + 1.001 * (doubt @ sizes)).max(initial=0.0)))
    bound = best * (1.0 + 8.0 * U) + gamma(n + 4) * sum_up(sizes) + n * TINY
    return float(np.nextafter(bound * unit * weight_unit, np.inf)) if v.any() else 0.0


def sides_of(X: FloatArray, gates: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Rows on which gates are open, and those that may be on either side of them, (G, n).

    The first are without the second. Gates of the width 2 d are pairs, open where both are.

    Examples
    --------
    >>> opened, doubt = sides_of(np.array([[1.0, 0.0], [0.1, 0.3]]), np.array([[3.0, -1.0]]))
    >>> opened.tolist(), doubt.tolist()
    ([[True, False]], [[False, True]])
    """
    if gates.shape[1] > X.shape[1]:
        opened, doubt = sides_of(X, gates[:, : X.shape[1]])
        above, unsure = sides_of(X, gates[:, X.shape[1] :])
        either = (opened | doubt) & (above | unsure) & (doubt | unsure)
        return opened & above, either
    gates = gates / np.array([power_of_two(gate) for gate in gates])[:, None]
    products = gates @ X.T
    moduli = np.abs(gates) @ np.abs(X).T
    doubt = np.abs(products) <= gamma(X.shape[1] + 2) * moduli
    # Without rounding: a sum of zeros is 0, on every machine.
    doubt &= moduli > 0.0
    return (products >= 0.0) & ~doubt, doubt
