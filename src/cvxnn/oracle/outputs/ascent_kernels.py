"""Kernels that climb ``||V'(Xu)_+ + B'u||`` on the sphere from many starts (numba)."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import Array
from cvxnn.kernels import kernel

# Sums may be reordered here, for speed: nothing in this file is part of a proof.
_FAST = {"reassoc", "contract", "nsz"}
# A step that gains less, relative, is the last.
_LEAST_GAIN = 1e-13


@kernel(fastmath=_FAST)
def output_at(columns: Array, weights: Array, base: Array, u: Array, on: Array, z: Array) -> float:
    """``z = V'(Xu)_+ + B'u`` and its norm; `on` becomes the activations, shape (n,)."""
    r, n = columns.shape
    for i in range(n):
        on[i] = 0.0
    for j in range(r):
        for i in range(n):
            on[i] += columns[j, i] * u[j]
    for i in range(n):
        on[i] = max(on[i], 0.0)
    square = 0.0
    for k in range(len(z)):
        total = 0.0
        for i in range(n):
            total += weights[k, i] * on[i]
        for j in range(r):
            total += base[j, k] * u[j]
        z[k] = total
        square += total * total
    return np.sqrt(square)


@kernel(fastmath=_FAST)
def _gradient(
    columns: Array, weights: Array, base: Array, on: Array, z: Array, pull: Array, out: Array
) -> float:
    """``X'D V z + B z`` for the active rows D, along the gradient of the norm; its length."""
    r, n = columns.shape
    for i in range(n):
        pull[i] = 0.0
    for k in range(len(z)):
        for i in range(n):
            pull[i] += weights[k, i] * z[k]
    for i in range(n):
        pull[i] = pull[i] if on[i] > 0.0 else 0.0
    square = 0.0
    for j in range(r):
        total = 0.0
        for i in range(n):
            total += columns[j, i] * pull[i]
        for k in range(len(z)):
            total += base[j, k] * z[k]
        out[j] = total
        square += total * total
    return np.sqrt(square)


@kernel
def climb(
    columns: Array, weights: Array, base: Array, directions: Array, steps: Array,
    values: Array, n_steps: int,
) -> None:  # fmt: skip
    """Raise ``||V'(Xu)_+ + B'u||`` from every row of `directions`, in place.

    With the output a along ``V'(Xu)_+`` a step goes from u towards the gradient of
    ``a'V'(Xu)_+``, normalised; its length doubles when the value rises, and halves when it
    does not, as at a kink.

    Parameters
    ----------
    columns : ndarray, shape (r, n)
        The transpose of X.
    weights : ndarray, shape (c, n)
        The transpose of V.
    base : ndarray, shape (r, c)
        B.
    directions : ndarray, shape (m, r)
        Unit vectors.
    steps : ndarray, shape (m,)
        Lengths of steps, kept between calls; 1 at the beginning.
    values : ndarray, shape (m,)
        Written: the values reached.
    n_steps : int
        Evaluations for each start at most, O(n (r + c)) each.
    """
    r, n = columns.shape
    on, pull, trial = np.empty(n), np.empty(n), np.empty(r)
    z, ahead, target = np.empty(len(weights)), np.empty(len(weights)), np.empty(r)
    for m in range(len(directions)):
        u = directions[m]
        values[m] = output_at(columns, weights, base, u, on, z)
        length = _gradient(columns, weights, base, on, z, pull, target)
        for _ in range(n_steps):
            if steps[m] < 1e-8 or length == 0.0:
                break
            norm = 0.0
            for j in range(r):
                trial[j] = (1.0 - steps[m]) * u[j] + steps[m] * target[j] / length
                norm += trial[j] * trial[j]
            norm = np.sqrt(norm)
            if norm < 1e-12:
                break
            for j in range(r):
                trial[j] /= norm
            value = output_at(columns, weights, base, trial, on, ahead)
            gain = value - values[m]
            if gain > 0.0:
                u[:], z[:], values[m] = trial, ahead, value
                length = _gradient(columns, weights, base, on, z, pull, target)
                if gain <= _LEAST_GAIN * value:
                    break
                steps[m] = min(1.0, 2.0 * steps[m])
            else:
                steps[m] *= 0.5
