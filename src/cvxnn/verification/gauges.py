"""What a dual point makes of linear networks: the dual norm of a gauge."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.verification.eigenvalues import spectral_norm
from cvxnn.verification.rounding import (
    TINY,
    U,
    exact_sums,
    gamma,
    norms_up,
    power_of_two,
    sum_up,
)


def largest_of_patches(patches: FloatArray, v: FloatArray) -> float:
    """``max sum_k v'X^(k) u w_k`` over unit u and w: the norm of ``sum_i v_i X_i``, rounded up.

    Parameters
    ----------
    patches : ndarray, shape (n, K, h)
    v : ndarray, shape (n,)

    Examples
    --------
    >>> round(largest_of_patches(np.eye(4).reshape(4, 2, 2), np.array([3.0, 0.0, 0.0, -4.0])), 9)
    4.0
    """
    unit, weight_unit = power_of_two(patches), power_of_two(v)
    patches, v = patches / unit, v / weight_unit
    whole = exact_sums(v, patches.reshape(len(v), -1)).reshape(patches.shape[1:])
    rounding = 2.0 * U * float(norms_up(whole.ravel())) + TINY
    size = power_of_two(whole)
    bound = (spectral_norm(whole / size) * size + rounding) * (1.0 + 8.0 * U)
    return float(np.nextafter(bound * unit * weight_unit, np.inf))


def largest_of_circles(X: FloatArray, v: FloatArray) -> float:
    """``max v'X C(u) w`` over unit u and w, C circulant: the largest modulus of the DFT of ``X'v``.

    With hats for the transform that is not normalised, ``s'(u * w) = sum_k conj(s^_k) u^_k w^_k / d
    <= max |s^| ||u^|| ||w^|| / d = max |s^| ||u|| ||w||``. Cosines and sines are taken to be right
    to 64 units of the last place. O(n d + d^2).

    Examples
    --------
    >>> round(largest_of_circles(np.eye(4), np.array([3.0, 0.0, 0.0, -4.0])), 9)
    7.0
    """
    unit, weight_unit = power_of_two(X), power_of_two(v)
    X, v = X / unit, v / weight_unit
    d = X.shape[1]
    slope = exact_sums(v, X)
    # In whole numbers: every angle is below one turn.
    turns = np.outer(np.arange(d // 2 + 1), np.arange(d)) % d
    angles = turns * (2.0 * np.pi / d)
    parts = np.stack([np.cos(angles) @ slope, np.sin(angles) @ slope], axis=1)
    rounding = 3.0 * gamma(d + 128) * sum_up(np.abs(slope))
    # Relative to the largest, whose square might vanish.
    size = power_of_two(parts)
    bound = float(norms_up(parts / size).max()) * size + rounding
    return float(np.nextafter((bound + TINY) * (1.0 + 8.0 * U) * unit * weight_unit, np.inf))
