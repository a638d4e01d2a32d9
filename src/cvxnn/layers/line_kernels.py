"""Sums along a line in twice the precision (numba)."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import Array
from cvxnn.compensated import add, add_product
from cvxnn.kernels import kernel


@kernel
def turns_along(x: Array, v: Array) -> Array:
    """``D_i = sum_{k > i} v_k (x_k - x_i)`` for points in their order, shape (n,); O(n).

    From the last point on, ``D_i = D_{i+1} + (x_{i+1} - x_i) sum_{k > i} v_k``, with both sums
    in twice the precision. A step errs by less than ``8 eps^2`` of the sums of moduli, so that D,
    before it is rounded, errs by ``16 n eps^2 (x_n - x_1) ||v||_1`` at most.
    """
    n = len(x)
    out = np.zeros(n)
    beyond, beyond_low, turn, turn_low = 0.0, 0.0, 0.0, 0.0
    for i in range(n - 2, -1, -1):
        beyond, beyond_low = add(beyond, beyond_low, v[i + 1])
        # Renormalised: the low part stays the rounding of the high one.
        beyond, beyond_low = add(beyond, 0.0, beyond_low)
        gap, gap_low = add(x[i + 1], 0.0, -x[i])
        turn, turn_low = add_product(turn, turn_low, gap, beyond)
        turn, turn_low = add(turn, 0.0, turn_low + (gap * beyond_low + gap_low * beyond))
        out[i] = turn + turn_low
    return out
