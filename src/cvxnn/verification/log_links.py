"""Values of dual points, rounded down, where the logarithm of targets is predicted."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal
from typing import ClassVar, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.duals import DOWN, SHORT, UP, Dual, best_multiple, floor

_ZERO, _ONE = Decimal(0), Decimal(1)


class LogLinkDual(Dual):
    """A sum of concave functions of ``u_i = t v_i / w_i``: least at an end of what u_i may be.

    The loss is half of a deviance, and nowhere below 0.
    """

    def lower_bound(self, largest: float, beta: float) -> float:
        found = super().lower_bound(largest, beta)
        return max(found, 0.0) if np.isfinite(found) else found

    @property
    def longest(self) -> Decimal:
        ends = [
            DOWN.divide(DOWN.multiply(Decimal(w), Decimal(room)), Decimal(size))
            for w, room, size in self._rooms()
        ]
        return min(ends, default=Decimal("Infinity"))

    def best(self, longest: Decimal) -> Decimal:
        return best_multiple(longest, self._slope)

    def value(self, t: Decimal) -> float:
        total = _ZERO
        each = zip(self._v.tolist(), self._y.tolist(), self._w.tolist(), strict=True)
        for a, y, w in each:
            size, weight = Decimal(a), Decimal(w)
            ends = {context.divide(context.multiply(t, size), weight) for context in (DOWN, UP)}
            least = min(self._of_row(u, Decimal(y)) for u in ends)
            total = DOWN.add(total, DOWN.multiply(weight, least))
        return floor(total)

    @abstractmethod
    def _rooms(self) -> list[tuple[float, float, float]]:
        """Weight, how far u may go, and the size of v, of rows that leave the domain."""

    @abstractmethod
    def _slope(self, t: float) -> float:
        """About the derivative of the value."""

    @abstractmethod
    def _of_row(self, u: Decimal, y: Decimal) -> Decimal:
        """A lower bound on the value of a row, at the next point of the domain."""


@final
class PoissonDual(LogLinkDual):
    """``w (e^f - y f + y log y - y)``: for ``m = y - v / w >= 0`` minus the conjugate at -v is
    ``w (y log y - m log m) - v``.

    Examples
    --------
    >>> y = np.array([0.0])
    >>> round(PoissonDual(-np.ones(1), y, np.ones(1)).lower_bound(0.0, 1.0), 12)  # all at f = 0
    1.0
    """

    name: ClassVar[str] = "poisson"

    @classmethod
    def check(cls, targets: FloatArray) -> None:
        if not (targets >= 0.0).all():
            raise InputError("y must have counts for this loss, numbers >= 0.")

    def _rooms(self) -> list[tuple[float, float, float]]:
        rising = self._v > 0.0
        parts = (part[rising].tolist() for part in (self._w, self._y, self._v))
        return list(zip(*parts, strict=True))

    def _slope(self, t: float) -> float:
        means = np.maximum(self._y - t * self._v / self._w, 1e-300)
        return float(self._v @ np.log(means))

    def _of_row(self, u: Decimal, y: Decimal) -> Decimal:
        # Of numbers that are given with as many digits, a difference may have more.
        sizes = {max(context.subtract(y, u), _ZERO) for context in (DOWN, UP)}
        most = max(_product_above(size, size) for size in sizes)
        above = DOWN.subtract(_product_below(y, y), most)
        return DOWN.subtract(above, u)


@final
class GammaDual(LogLinkDual):
    """``w (y e^-f + f - log y - 1)``: for ``s = 1 + v / w >= 0`` minus the conjugate at -v is
    ``v (1 + log y) - w s log s``.

    Examples
    --------
    >>> y = np.array([1.0])
    >>> GammaDual(np.zeros(1), y, np.ones(1)).lower_bound(0.0, 1.0)
    0.0
    """

    name: ClassVar[str] = "gamma"

    @classmethod
    def check(cls, targets: FloatArray) -> None:
        if not (targets > 0.0).all():
            raise InputError("y must have amounts above 0 for this loss.")

    def _rooms(self) -> list[tuple[float, float, float]]:
        falling = self._v < 0.0
        weights, sizes = self._w[falling].tolist(), (-self._v[falling]).tolist()
        return list(zip(weights, [1.0] * len(sizes), sizes, strict=True))

    def _slope(self, t: float) -> float:
        shares = np.maximum(1.0 + t * self._v / self._w, 1e-300)
        return float(self._v @ (np.log(self._y) - np.log(shares)))

    def _of_row(self, u: Decimal, y: Decimal) -> Decimal:
        u = max(u, -_ONE)
        shares = {max(context.add(_ONE, u), _ZERO) for context in (DOWN, UP)}
        most = max(_product_above(share, share) for share in shares)
        # What changes the sign rounds nothing, as a minus would.
        above = _product_above(u.copy_negate(), y).copy_negate()
        product = _product_below(u, y) if u >= 0 else above
        return DOWN.subtract(DOWN.add(u, product), most)


def _product_above(size: Decimal, number: Decimal) -> Decimal:
    """A number that is not below ``size log(number)``, for sizes >= 0; ``0 log 0 = 0``."""
    if size == 0:
        return _ZERO
    # The logarithm is the nearest number of its digits: the next is above it.
    return UP.multiply(size, SHORT.next_plus(SHORT.ln(number)))


def _product_below(size: Decimal, number: Decimal) -> Decimal:
    """A number that is not above it."""
    if size == 0:
        return _ZERO
    return DOWN.multiply(size, SHORT.next_minus(SHORT.ln(number)))
