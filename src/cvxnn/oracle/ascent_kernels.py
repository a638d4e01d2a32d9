"""Kernels of the ascent oracle: climbing on the sphere from many starts (numba)."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import Array
from cvxnn.kernels import kernel
from cvxnn.patterns.cone_kernels import copy

# Sums may be reordered here, for speed: nothing in this file is part of a proof.
_FAST = {"reassoc", "contract", "nsz"}


# Rows at a time: their products stay in the fastest cache.
_BLOCK = 128


@kernel(inner=True, fastmath=_FAST)
def _evaluate(columns: Array, v: Array, u: Array, gradient: Array, block: Array) -> float:
    """``v'(Xu)_+`` and its gradient at u; loops run along the rows, so that they vectorise."""
    r, n = columns.shape
    value = 0.0
    for j in range(r):
        gradient[j] = 0.0
    for start in range(0, n, _BLOCK):
        size = min(_BLOCK, n - start)
        for i in range(size):
            block[i] = 0.0
        for j in range(r):
            for i in range(size):
                block[i] += columns[j, start + i] * u[j]
        for i in range(size):
            t = block[i]
            w = v[start + i] if t > 0.0 else 0.0
            value += w * t
            block[i] = w
        for j in range(r):
            total = 0.0
            for i in range(size):
                total += columns[j, start + i] * block[i]
            gradient[j] += total
    return value


@kernel(inner=True)
def _pay(u: Array, gradient: Array, cone: Array, price: float, target: Array) -> float:
    """The price of u, and the point of a cone that is best for the linear part less its price.

    That is the gradient with entries nearer to zero by the price, and zero outside of the cone.
    """
    total = 0.0
    for j in range(len(u)):
        total += abs(u[j])
        t = max(abs(gradient[j]) - price, 0.0) * np.sign(gradient[j])
        target[j] = 0.0 if cone[j] * t < 0.0 else t
    return price * total


@kernel(inner=True)
def _move(u: Array, target: Array, step: float, out: Array) -> bool:
    """The unit vector along ``(1 - step) u + step target / ||target||``; False if it is zero."""
    length = 0.0
    for j in range(len(u)):
        length += target[j] * target[j]
    length = np.sqrt(length)
    if length == 0.0:
        return False
    norm = 0.0
    for j in range(len(u)):
        out[j] = (1.0 - step) * u[j] + step * target[j] / length
        norm += out[j] * out[j]
    norm = np.sqrt(norm)
    if norm < 1e-12:
        return False
    for j in range(len(u)):
        out[j] /= norm
    return True


@kernel
def climb(
    columns: Array, v: Array, cone: Array, price: float, directions: Array, steps: Array,
    values: Array, n_steps: int,
) -> None:  # fmt: skip
    """Raise ``v'(Xu)_+ - p ||u||_1`` from every row of `directions`, in place.

    Each step goes from u towards its normalised gradient, the fixed point at a
    local maximum inside a cell; the step doubles when it raised the value and
    halves when it did not, which is what happens at a kink. Directions of a cone stay in it.

    Parameters
    ----------
    columns : ndarray, shape (r, n)
        The transpose of X.
    v : ndarray, shape (n,)
    cone : ndarray, shape (r,)
        The t of ``t_j u_j >= 0``, 0 for no constraint.
    price : float
    directions : ndarray, shape (m, r)
        Unit vectors of the cone.
    steps : ndarray, shape (m,)
        Step sizes, kept between calls; 1 at the beginning.
    values : ndarray, shape (m,)
        Written: the values reached.
    n_steps : int
        Evaluations for each start, O(n r) each.
    """
    m, r = directions.shape
    gradient, trial, ahead, target = np.empty(r), np.empty(r), np.empty(r), np.empty(r)
    block = np.empty(_BLOCK)
    for k in range(m):
        u = directions[k]
        values[k] = _evaluate(columns, v, u, gradient, block)
        values[k] -= _pay(u, gradient, cone, price, target)
        for _ in range(n_steps):
            if steps[k] < 1e-7 or not _move(u, target, steps[k], trial):
                break
            value = _evaluate(columns, v, trial, gradient, block)
            value -= _pay(trial, gradient, cone, price, ahead)
            if value > values[k] + 1e-15 * abs(values[k]):
                values[k] = value
                copy(trial, u)
                copy(ahead, target)
                steps[k] = min(1.0, 2.0 * steps[k])
            else:
                steps[k] *= 0.5
