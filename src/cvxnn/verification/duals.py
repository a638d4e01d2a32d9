"""Values of dual points, rounded down: conjugates of the losses in decimal numbers."""

from __future__ import annotations

import decimal
from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError

# Digits that are kept, and the step of shares of which logarithms are taken.
_DIGITS, _STEP = 40, Decimal("1e-26")
DOWN = decimal.Context(_DIGITS, decimal.ROUND_FLOOR, -(10**6), 10**6)
UP = decimal.Context(_DIGITS, decimal.ROUND_CEILING, -(10**6), 10**6)
# For logarithms, which take their time: enough digits for a share and one minus it.
SHORT = decimal.Context(27, decimal.ROUND_HALF_EVEN)
# By how much an entropy may change over two steps, inside of [step, 1 - step].
_CHANGE = 2 * _STEP * 60
# A share below which the entropy is a short sum.
_SMALL = Decimal("1e-10")
_HALVINGS = 200


class Dual(ABC):
    """``-l*(-t v)`` as a function of t, for a loss with weights of the rows.

    For any t >= 0 with ``t max_{||u|| <= 1} |v'phi(u)| <= beta`` it is a lower bound on the
    optimum: by Fenchel's inequality ``l(f) >= -l*(-t v) - t v'f``, and
    ``t v'f <= beta sum_j sizes_j`` for every network (seed paper, (8) and (11)). The
    conjugate of ``w l`` at ``-v`` is ``w l*(-v / w)``. Decimal numbers of forty digits hold every
    float, and each of their operations is rounded in the direction that is asked for.

    Parameters
    ----------
    v, y, weights : ndarray, shape (n,)
        Weights above 0.

    Attributes
    ----------
    name : str
        Of the loss.
    has_signs : bool
        Whether targets are -1 and 1.
    joins_outputs : bool
        Whether it is for v and y of shape (n, c), and no sum over outputs.
    """

    name: ClassVar[str]
    has_signs: ClassVar[bool] = False
    joins_outputs: ClassVar[bool] = False

    def __init__(self, v: FloatArray, y: FloatArray, weights: FloatArray) -> None:
        self._v, self._y, self._w = v, y, weights

    @classmethod  # noqa: B027
    def check(cls, targets: FloatArray) -> None:
        """InputError if targets are none for the loss."""

    @property
    @abstractmethod
    def longest(self) -> Decimal:
        """A t up to which ``t v`` is in the domain of the conjugate, rounded down."""

    @abstractmethod
    def best(self, longest: Decimal) -> Decimal:
        """A t up to `longest` next to the best one."""

    @abstractmethod
    def value(self, t: Decimal) -> float:
        """A number that is at most ``-l*(-t v)``; t is in the domain."""

    def lower_bound(self, largest: float, beta: float) -> float:
        """The bound on the optimum where ``|v'phi(u)| <= largest`` for ``||u|| <= 1``; O(n)."""
        if not np.isfinite(largest) or not np.isfinite(self._v).all():
            return -np.inf
        end = self.longest
        if largest > 0.0:
            end = min(end, DOWN.divide(Decimal(beta), Decimal(largest)))
        if not (end > 0 and self._v.any()):
            return self.value(Decimal(0))
        return self.value(self.best(end))


def best_multiple(longest: Decimal, slope: Callable[[float], float]) -> Decimal:
    """The t up to `longest` where the slope of a concave function changes its sign, about.

    Examples
    --------
    >>> float(best_multiple(Decimal(3), lambda t: 2.0 - t))
    2.0
    """
    low, end = 0.0, min(floor(longest), 1e300)
    # It may be far below the end, which need not be near anything.
    high = min(1.0, end)
    while high < end and slope(high) > 0.0:
        high = min(2.0 * high, end)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if slope(middle) > 0.0 else (low, middle)
    t = Decimal(high)
    return min(t, longest) if t > 0 else Decimal(0)


def floor(number: Decimal) -> float:
    """A float that is not above a decimal number.

    Examples
    --------
    >>> Decimal(floor(Decimal("0.1"))) <= Decimal("0.1")
    True
    """
    nearest = float(number)
    return nearest if Decimal(nearest) <= number else float(np.nextafter(nearest, -np.inf))


class _Quadratic(Dual):
    """``t B - t^2 A / 2``, with ``A = sum_i v_i^2 / w_i``."""

    def __init__(self, v: FloatArray, y: FloatArray, weights: FloatArray) -> None:
        super().__init__(v, y, weights)
        self._square, self._product = Decimal(0), Decimal(0)
        for a, b, w in zip(v.tolist(), y.tolist(), weights.tolist(), strict=True):
            v_, y_, w_ = Decimal(a), Decimal(b), Decimal(w)
            square = UP.multiply(v_, v_)
            if w != 1.0:
                square = UP.divide(square, w_)
            self._square = UP.add(self._square, square)
            self._product = DOWN.add(self._product, DOWN.multiply(v_, y_))

    def add(self, square: Fraction, product: Fraction) -> None:
        """Change both numbers, as a dual point that is moved does."""
        for number, context, name in ((square, UP, "_square"), (product, DOWN, "_product")):
            part = context.divide(Decimal(number.numerator), Decimal(number.denominator))
            setattr(self, name, context.add(getattr(self, name), part))

    def best(self, longest: Decimal) -> Decimal:
        if self._product <= 0 or self._square <= 0:
            return Decimal(0)
        return min(longest, DOWN.divide(self._product, self._square))

    def value(self, t: Decimal) -> float:
        if t == 0:
            return 0.0
        square = UP.multiply(UP.multiply(t, t), UP.divide(self._square, Decimal(2)))
        return floor(DOWN.subtract(DOWN.multiply(t, self._product), square))


@final
class SquaredDual(_Quadratic):
    """``w/2 (f - y)^2``: the conjugate at -v is ``v^2 / (2 w) - v y``.

    Examples
    --------
    >>> y = np.array([2.0])
    >>> SquaredDual(y, y, np.ones(1)).lower_bound(2.0, 0.5)  # 1/2 y^2 - 1/2 (y - beta)^2
    0.875
    """

    name: ClassVar[str] = "squared"

    @property
    def longest(self) -> Decimal:
        return Decimal("Infinity")


@final
class HuberDual(_Quadratic):
    """The same for ``|v| <= w delta``.

    Examples
    --------
    >>> y = np.array([4.0])
    >>> HuberDual(y, y, np.ones(1), 1.0).lower_bound(0.0, 1.0)  # all of the loss at 0
    3.5
    """

    name: ClassVar[str] = "huber"

    def __init__(self, v: FloatArray, y: FloatArray, weights: FloatArray, delta: float) -> None:
        super().__init__(v, y, weights)
        self._delta = delta

    @property
    def longest(self) -> Decimal:
        return _longest(np.abs(self._v), self._w, self._delta)


@final
class SquaredHingeDual(_Quadratic):
    """``w/2 max(0, 1 - y f)^2``: for ``s = y v / w >= 0`` the conjugate is ``w (s^2 / 2 - s)``.

    Examples
    --------
    >>> y = np.array([-1.0])
    >>> SquaredHingeDual(y, y, np.ones(1)).lower_bound(0.0, 1.0)
    0.5
    """

    name: ClassVar[str] = "squared_hinge"
    has_signs: ClassVar[bool] = True

    @property
    def longest(self) -> Decimal:
        return Decimal("Infinity") if (self._y * self._v >= 0.0).all() else Decimal(0)


@final
class LogisticDual(Dual):
    """``w log(1 + exp(-y f))``: for ``s = y v / w`` in [0, 1] it is minus w times the entropy.

    Logarithms of decimal numbers are rounded correctly.

    Examples
    --------
    >>> y = np.array([1.0])
    >>> round(LogisticDual(0.5 * y, y, np.ones(1)).lower_bound(0.0, 1.0), 12)  # log 2
    0.69314718056
    """

    name: ClassVar[str] = "logistic"
    has_signs: ClassVar[bool] = True

    @property
    def longest(self) -> Decimal:
        if (self._y * self._v < 0.0).any():
            return Decimal(0)
        return _longest(np.abs(self._v), self._w, 1.0)

    def best(self, longest: Decimal) -> Decimal:
        shares = np.abs(self._v) / self._w

        def slope(t: float) -> float:
            """Of the sum of entropies."""
            s = np.clip(t * shares, 1e-300, 1.0 - 1e-16)
            return float(np.abs(self._v) @ (np.log1p(-s) - np.log(s)))

        return best_multiple(longest, slope)

    def value(self, t: Decimal) -> float:
        total = Decimal(0)
        for a, w in zip(np.abs(self._v).tolist(), self._w.tolist(), strict=True):
            size, weight = Decimal(a), Decimal(w)
            share = DOWN.divide(DOWN.multiply(t, size), weight)
            total = DOWN.add(total, DOWN.multiply(weight, _entropy(share)))
        return floor(total)


def _entropy(share: Decimal) -> Decimal:
    """A lower bound on ``-s log s - (1 - s) log(1 - s)``, for an s next to a share from above.

    At the share cut to whole steps, whose slope ``|log((1 - s) / s)|`` is below 60 from one step
    to the next but one; 0 where one of them is an end.
    """
    if share < _SMALL:
        return _small_entropy(share)
    s = share.quantize(_STEP, decimal.ROUND_FLOOR, DOWN)
    # Differences of multiples of the step are exact.
    rest = UP.subtract(Decimal(1), s)
    if s <= 0 or rest <= 3 * _STEP:
        return Decimal(0)
    total = DOWN.minus(_CHANGE)
    for part in (s, rest):
        # The logarithm is the nearest number of its digits: the next is above it.
        logarithm = SHORT.next_plus(SHORT.ln(part))
        total = DOWN.add(total, DOWN.minus(UP.multiply(part, logarithm)))
    return max(total, Decimal(0))


def _small_entropy(s: Decimal) -> Decimal:
    """The same for a small s, where the entropy rises.

    ``-(1 - s) log(1 - s) = s - s^2 / 2 - s^3 / 6 - s^4 / 12 - ... >= s - s^2 / 2 - s^3``.
    """
    if s <= 0:
        return Decimal(0)
    logarithm = SHORT.next_plus(SHORT.ln(s))
    square = UP.multiply(s, s)
    less = UP.add(UP.divide(square, Decimal(2)), UP.multiply(square, s))
    rest = DOWN.subtract(s, less)
    return DOWN.add(rest, DOWN.minus(UP.multiply(s, logarithm)))


class _Linear(Dual):
    """``t B`` with ``B = sum_i v_i y_i``, on a box: of a loss with a kink at y, and else linear."""

    def __init__(self, v: FloatArray, y: FloatArray, weights: FloatArray) -> None:
        super().__init__(v, y, weights)
        self._product = Decimal(0)
        for a, b in zip(v.tolist(), y.tolist(), strict=True):
            self._product = DOWN.add(self._product, DOWN.multiply(Decimal(a), Decimal(b)))

    def _longest_in(self, low: Decimal, high: Decimal) -> Decimal:
        """The t up to which ``-w low <= t v <= w high``, rounded down."""
        v, w = self._v, self._w
        return min(_longest(np.maximum(v, 0.0), w, high), _longest(np.maximum(-v, 0.0), w, low))

    def best(self, longest: Decimal) -> Decimal:
        # Without an end nothing is known of predictions, and v is 0.
        return longest if self._product > 0 and longest.is_finite() else Decimal(0)

    def value(self, t: Decimal) -> float:
        return floor(DOWN.multiply(t, self._product))


@final
class AbsoluteDual(_Linear):
    """``w |f - y|``: the conjugate at -v is ``-v y`` for ``|v| <= w``.

    Examples
    --------
    >>> y = np.array([2.0])
    >>> AbsoluteDual(0.5 * y, y, np.ones(1)).lower_bound(2.0, 0.5)  # |y| 0.25
    0.5
    """

    name: ClassVar[str] = "absolute"

    @property
    def longest(self) -> Decimal:
        return self._longest_in(Decimal(1), Decimal(1))


@final
class QuantileDual(_Linear):
    """The same for ``w (level - 1) <= v <= w level``.

    Examples
    --------
    >>> y = np.array([2.0])
    >>> QuantileDual(y, y, np.ones(1), 0.75).lower_bound(0.0, 1.0)  # all of the loss at 0
    1.5
    """

    name: ClassVar[str] = "quantile"

    def __init__(self, v: FloatArray, y: FloatArray, weights: FloatArray, level: float) -> None:
        if not 0.0 < level < 1.0:
            raise InputError(f"The loss of the certificate has the level {level:g}, which is none.")
        super().__init__(v, y, weights)
        self._level = Decimal(level)

    @property
    def longest(self) -> Decimal:
        return self._longest_in(DOWN.subtract(Decimal(1), self._level), self._level)


@final
class HingeDual(_Linear):
    """``w max(0, 1 - y f)``: for ``s = y v`` in [0, w] the conjugate is ``-s``.

    Examples
    --------
    >>> y = np.array([-1.0])
    >>> HingeDual(y, y, np.ones(1)).lower_bound(0.0, 1.0)
    1.0
    """

    name: ClassVar[str] = "hinge"
    has_signs: ClassVar[bool] = True

    @property
    def longest(self) -> Decimal:
        if (self._y * self._v < 0.0).any():
            return Decimal(0)
        return _longest(np.abs(self._v), self._w, 1.0)


def _longest(sizes: FloatArray, weights: FloatArray, delta: float | Decimal) -> Decimal:
    """The least of ``delta weights / sizes``, rounded down."""
    shares = sizes / (weights * float(delta))
    # Only those that are near the largest as floats can be the largest.
    near = np.flatnonzero((shares >= shares.max(initial=0.0) * (1.0 - 1e-12)) & (sizes > 0.0))
    ends = [
        DOWN.divide(
            DOWN.multiply(Decimal(delta), Decimal(float(weights[k]))), Decimal(float(sizes[k]))
        )
        for k in near
    ]
    return min(ends, default=Decimal("Infinity"))
