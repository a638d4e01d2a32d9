"""L-BFGS for functions with kinks, at the cost of one pass over its pairs a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.interrupts import OutOfTimeError
from cvxnn.kernels import kernel

# Value and gradient at a point.
Function = Callable[[FloatArray], tuple[float, FloatArray]]

# Of the weak conditions of Wolfe: the fall that a step has to reach, as a share of the slope,
# and the share of the slope that may be left.
_FALL, _LEFT = 1e-4, 0.9
# Trials of a step length: in so many halvings no step is left.
_TRIALS = 12
# Pairs with a smaller cosine say nothing of the curvature.
_FLAT = 1e-12
# The least number with all digits.
_TINY = float(np.finfo(np.float64).tiny)
_SUMS = {"reassoc", "contract", "nsz"}


def minimise(
    function: Function,
    start: FloatArray,
    *,
    steps: int,
    enough: float,
    stretch: int,
    memory: int,
) -> FloatArray:
    """The best point of a descent from `start`.

    Step lengths are found by bisection, for the weak conditions of Wolfe: the strong ones
    need not hold anywhere beside a kink. scipy's L-BFGS-B spends more time on bounds that
    there are none of than the function takes on a few hundred rows.

    Parameters
    ----------
    function : callable
        May raise OutOfTimeError to end the descent.
    start : ndarray, shape (p,)
    steps : int
        Steps at most.
    enough : float
        The descent ends when `stretch` steps gain less than this share of the value.
    stretch : int
    memory : int
        Pairs that are kept.

    Returns
    -------
    ndarray, shape (p,)
        With a value not above that at `start`.

    Notes
    -----
    O(p memory) a step beside the function. J. Nocedal, Math. Comp. 35, 1980;
    A. Lewis and M. Overton, Mathematical Programming 141, 2013, for kinks.

    Examples
    --------
    >>> def squares(x):
    ...     return float(x @ (x - 2.0)), 2.0 * (x - 1.0)
    >>> minimise(squares, np.zeros(3), steps=9, enough=0.0, stretch=5, memory=5)
    array([1., 1., 1.])
    """
    descent = _Descent(function, start, memory)
    values: list[float] = []
    try:
        descent.begin()
        for _ in range(steps):
            values.append(descent.value)
            judged = len(values) > stretch
            slow = judged and values[-1 - stretch] - values[-1] < enough * abs(values[-1])
            if slow or not descent.advance():
                break
    except OutOfTimeError:
        # What was reached counts.
        return descent.point
    return descent.point


@final
class _Descent:
    """A point that falls step by step, and what is known of the curvature there."""

    def __init__(self, function: Function, start: FloatArray, memory: int) -> None:
        self._function, self.point = function, start
        self._moves, self._changes = np.empty((2, memory, len(start)))
        self._products = np.empty(memory)
        self._kept = 0

    def begin(self) -> None:
        self.value, self._gradient = self._function(self.point)

    def advance(self) -> bool:
        """One step; False where none lowers the value."""
        move = self._direction()
        slope = float(move @ self._gradient)
        if not slope < 0.0:
            return self._forget()
        low, high, length = 0.0, np.inf, 1.0
        reached: tuple[float, FloatArray, FloatArray] | None = None
        for _ in range(_TRIALS):
            point = self.point + length * move
            value, gradient = self._function(point)
            if not value <= self.value + _FALL * length * slope:
                high = length
            else:
                reached = value, point, gradient
                if float(gradient @ move) >= _LEFT * slope:
                    break
                low = length
            length = 2.0 * low if high == np.inf else 0.5 * (low + high)
        if reached is None:
            return self._forget()
        self._take(*reached)
        return True

    def _direction(self) -> FloatArray:
        """The step of length 1."""
        gradient, m = self._gradient, len(self._products)
        if self._kept == 0:
            # Nothing is known of the curvature: a short one.
            return -gradient * min(1.0, 1.0 / max(float(np.abs(gradient).sum()), 1e-300))
        order = np.arange(self._kept - 1, max(self._kept - m, 0) - 1, -1) % m
        return np.asarray(_direction(gradient, self._moves, self._changes, self._products, order))

    def _forget(self) -> bool:
        """Drop what is known of the curvature; whether there was anything."""
        known = self._kept > 0
        self._kept = 0
        return known

    def _take(self, value: float, point: FloatArray, gradient: FloatArray) -> None:
        i = self._kept % len(self._products)
        move, change = self._moves[i], self._changes[i]
        np.subtract(point, self.point, out=move)
        np.subtract(gradient, self._gradient, out=change)
        product, square = float(move @ change), float(change @ change)
        # Of changes whose square is no number any more it says nothing either.
        flat = _FLAT * np.sqrt(float(move @ move)) * np.sqrt(square)
        if square >= _TINY and product > max(flat, _TINY):
            self._products[i] = product
            self._kept += 1
        self.value, self.point, self._gradient = value, point, gradient


@kernel(fastmath=_SUMS)
def _direction(
    gradient: Array, moves: Array, changes: Array, products: Array, order: Array
) -> Array:
    """Minus the gradient times the inverse curvature, by the two loops over pairs."""
    p, m = len(gradient), len(order)
    q, shares = np.empty(p), np.empty(m)
    for c in range(p):
        q[c] = -gradient[c]
    for j in range(m):
        move, change = moves[order[j]], changes[order[j]]
        total = 0.0
        for c in range(p):
            total += move[c] * q[c]
        shares[j] = total / products[order[j]]
        for c in range(p):
            q[c] -= shares[j] * change[c]
    last, square = changes[order[0]], 0.0
    for c in range(p):
        square += last[c] * last[c]
    factor = products[order[0]] / square
    for c in range(p):
        q[c] *= factor
    for j in range(m - 1, -1, -1):
        move, change = moves[order[j]], changes[order[j]]
        total = 0.0
        for c in range(p):
            total += change[c] * q[c]
        total = shares[j] - total / products[order[j]]
        for c in range(p):
            q[c] += total * move[c]
    return q
