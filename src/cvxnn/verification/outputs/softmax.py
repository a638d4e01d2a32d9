"""Values of dual points of the softmax loss, rounded down: entropies in decimal numbers."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import ClassVar, final

import numpy as np

from cvxnn.verification.duals import DOWN, SHORT, UP, Dual, floor

_HALVINGS = 80


@final
class SoftmaxDual(Dual):
    """``w (log(sum_k exp f_k) sum_k y_k - y'f)``: of ``p = w y - t v`` minus the entropy.

    The loss of a row is ``s lse(f) - w y'f`` with ``s = w sum_k y_k``, and the conjugate of ``s
    lse`` at p is ``sum_k p_k log(p_k / s)`` where ``p >= 0`` and ``sum_k p_k = s``, else infinite
    (S. Boyd and L. Vandenberghe, Convex Optimization, 2004, example 3.25); so that of the loss at
    ``-t v`` is that at ``w y - t v``. The sum is s for each t where that of v is 0 exactly.

    Parameters
    ----------
    v, y : ndarray, shape (n, c)
        Targets not below 0.
    weights : ndarray, shape (n,)
        Above 0.

    Examples
    --------
    >>> y = np.array([[1.0, 0.0]])
    >>> bound = SoftmaxDual(np.array([[0.5, -0.5]]), y, np.ones(1)).lower_bound(0.0, 1.0)
    >>> round(bound, 12)  # log 2
    0.69314718056
    """

    name: ClassVar[str] = "softmax"
    joins_outputs: ClassVar[bool] = True

    @property
    def longest(self) -> Decimal:
        if any(math.fsum(row) != 0.0 for row in self._v.tolist()):
            return Decimal(0)
        rising = self._v > 0.0
        goals, weights = np.broadcast_arrays(self._y, self._w[:, None])
        shares = (weights * goals)[rising] / self._v[rising]
        # Only those that are near the least as floats can be the least.
        near = np.flatnonzero(shares <= shares.min(initial=np.inf) * (1.0 + 1e-12))
        triples = (array[rising][near].tolist() for array in (goals, weights, self._v))
        ends = [
            DOWN.divide(DOWN.multiply(Decimal(y), Decimal(w)), Decimal(v))
            for y, w, v in zip(*triples, strict=True)
        ]
        return min(ends, default=Decimal("Infinity"))

    def best(self, longest: Decimal) -> Decimal:
        goals = self._w[:, None] * self._y
        total = goals.sum(axis=1, keepdims=True)
        low, high = 0.0, min(floor(longest), 1e300)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            p = np.maximum(goals - middle * self._v, 1e-300)
            # The derivative of the entropy in t; rows of v have the sum 0.
            rises = float((self._v * np.log(p / total)).sum()) > 0.0
            low, high = (middle, high) if rises else (low, middle)
        t = Decimal(high)
        return min(t, longest) if t > 0 else Decimal(0)

    def value(self, t: Decimal) -> float:
        total = Decimal(0)
        rows = zip(self._v.tolist(), self._y.tolist(), self._w.tolist(), strict=True)
        for v, y, w in rows:
            total = DOWN.add(total, _entropy(t, v, y, Decimal(w)))
        return floor(total)


def _entropy(t: Decimal, v: list[float], y: list[float], weight: Decimal) -> Decimal:
    """A lower bound on ``sum_k p_k log(s / p_k)`` for a row."""
    goals = [Decimal(b) for b in y]
    size, total = Decimal(0), Decimal(0)
    for goal in goals:
        size = DOWN.add(size, goal)
    size = DOWN.multiply(weight, size)
    for a, goal in zip(v, goals, strict=True):
        # Between these two is p_k.
        low = DOWN.subtract(DOWN.multiply(weight, goal), UP.multiply(t, Decimal(a)))
        high = UP.subtract(UP.multiply(weight, goal), DOWN.multiply(t, Decimal(a)))
        if high <= 0:
            continue
        # The logarithm is the nearest number of its digits: the next is below it.
        logarithm = SHORT.next_minus(SHORT.ln(DOWN.divide(size, high)))
        p = max(low, Decimal(0)) if logarithm >= 0 else high
        total = DOWN.add(total, DOWN.multiply(p, logarithm))
    return total
