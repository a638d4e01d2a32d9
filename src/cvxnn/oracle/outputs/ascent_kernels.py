"""Kernels that climb ``||V'(Xu)_+ + B'u||`` on the sphere from many starts (numba)."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import Array
from cvxnn.kernels import kernel
from cvxnn.patterns.cone_kernels import copy

# Sums may be reordered here, for speed: nothing in this file is part of a proof.
_FAST = {"reassoc", "contract", "nsz"}
# A step that gains less, relative, is the last, and so is a shorter one.
LEAST_GAIN, LEAST_STEP = 1e-13, 1e-8
# Rows at a time: what is made of them stays in the fastest cache.
_BLOCK = 128


@kernel(inner=True, fastmath=_FAST)
def _output(
    columns: Array, weights: Array, base: Array, u: Array, active: Array, z: Array
) -> float:
    """``z = V'(Xu)_+ + B'u`` and its norm; `active` becomes the activations, shape (n,)."""
    r, n = columns.shape
    for k in range(len(z)):
        z[k] = 0.0
        for j in range(r):
            z[k] += base[j, k] * u[j]
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        for i in range(start, stop):
            active[i] = 0.0
        for j in range(r):
            for i in range(start, stop):
                active[i] += columns[j, i] * u[j]
        for i in range(start, stop):
            active[i] = max(active[i], 0.0)
        for k in range(len(z)):
            total = 0.0
            for i in range(start, stop):
                total += weights[k, i] * active[i]
            z[k] += total
    square = 0.0
    for k in range(len(z)):
        square += z[k] * z[k]
    return np.sqrt(square)


@kernel(inner=True, fastmath=_FAST)
def _gradient(
    columns: Array, weights: Array, base: Array, active: Array, z: Array, pull: Array, out: Array
) -> float:
    """``X'D V z + B z`` for the active rows D, along the gradient of the norm; its length."""
    r, n = columns.shape
    for j in range(r):
        out[j] = 0.0
        for k in range(len(z)):
            out[j] += base[j, k] * z[k]
    for start in range(0, n, _BLOCK):
        size = min(_BLOCK, n - start)
        for i in range(size):
            pull[i] = 0.0
        for k in range(len(z)):
            for i in range(size):
                pull[i] += weights[k, start + i] * z[k]
        for i in range(size):
            pull[i] = pull[i] if active[start + i] > 0.0 else 0.0
        for j in range(r):
            total = 0.0
            for i in range(size):
                total += columns[j, start + i] * pull[i]
            out[j] += total
    square = 0.0
    for j in range(r):
        square += out[j] * out[j]
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
    active, pull, trial = np.empty(n), np.empty(_BLOCK), np.empty(r)
    z, ahead, target = np.empty(len(weights)), np.empty(len(weights)), np.empty(r)
    for m in range(len(directions)):
        u = directions[m]
        values[m] = _output(columns, weights, base, u, active, z)
        length = _gradient(columns, weights, base, active, z, pull, target)
        for _ in range(n_steps):
            if steps[m] < LEAST_STEP or length == 0.0:
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
            value = _output(columns, weights, base, trial, active, ahead)
            gain = value - values[m]
            if gain > 0.0:
                copy(trial, u)
                copy(ahead, z)
                values[m] = value
                length = _gradient(columns, weights, base, active, z, pull, target)
                if gain <= LEAST_GAIN * value:
                    break
                steps[m] = min(1.0, 2.0 * steps[m])
            else:
                steps[m] *= 0.5
