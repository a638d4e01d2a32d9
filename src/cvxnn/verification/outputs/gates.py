"""What a dual point of several outputs makes of fixed gates: a singular value for each."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.verification.eigenvalues import spectral_norm
from cvxnn.verification.gates import sides_of
from cvxnn.verification.rounding import TINY, U, gamma, norms_up, power_of_two, sum_up

# Entries of masks that exist at a time.
_CHUNK = 1 << 21


def largest_norm_of_gates(X: FloatArray, gates: FloatArray, V: FloatArray) -> float:
    """The largest singular value of ``X'D_i V``, ``D_i = diag(X g_i >= 0)``, rounded up.

    A neuron u of gate i has ``||V'D_i X u|| <= ||X'D_i V|| ||u||``. Rows whose product with a gate
    is nothing but rounding may be on either side of it: they add ``||v_k|| ||x_k||``. A Frobenius
    norm tells of most gates that they are none of the largest. O(G n d c).

    Parameters
    ----------
    X : ndarray, shape (n, d)
    gates : ndarray, shape (G, d)
    V : ndarray, shape (n, c)

    Examples
    --------
    >>> gates, V = np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([[3.0, 0.0], [0.0, -4.0]])
    >>> round(largest_norm_of_gates(np.eye(2), gates, V), 9)
    4.0
    """
    unit, weight_unit = power_of_two(X), power_of_two(V)
    X, V = X / unit, V / weight_unit
    sizes = norms_up(V) * norms_up(X)
    best = 0.0
    each = max(1, _CHUNK // max(1, len(X)))
    for start in range(0, len(gates), each):
        for opened, doubt in zip(*sides_of(X, gates[start : start + each]), strict=True):
            product = X[opened].T @ V[opened]
            left = 1.001 * float(sizes[doubt].sum())
            if float(norms_up(product.ravel())) + left > best:
                size = power_of_two(product)
                best = max(best, spectral_norm(product / size) * size + left)
    bound = best * (1.0 + 8.0 * U) + gamma(len(X) + 4) * sum_up(sizes) + len(X) * TINY
    return float(np.nextafter(bound * unit * weight_unit, np.inf)) if V.any() else 0.0
