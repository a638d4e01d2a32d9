"""Losses of counts and of amounts, whose logarithm is predicted: Poisson and gamma."""

from __future__ import annotations

from abc import abstractmethod
from typing import final

import numpy as np
from scipy.special import wrightomega, xlog1py, xlogy

from cvxnn.array_types import EPS, BoolArray, FloatArray
from cvxnn.backends.namespaces import namespace_of
from cvxnn.errors import InputError
from cvxnn.losses.base import Loss

# Targets that have a logarithm in float32, in which searches work.
_SMALLEST, _LARGEST = 1e-30, 1e30
# Of gradients the exponential ends at the third root of the largest number: squares of it, and
# sums of them, are numbers. Nothing is minimal there.
_ROOT = 3.0
# At the ends of the domains of conjugates the prediction is infinite: as far as squares of what
# belongs to it are numbers.
_NEXT_TO_ZERO = 1e-100
# Rows whose losses are numbers, and so is their sum.
_MOST_ROWS = 1e9
# Where ``e^r - 1 - r`` is summed up as a series, and the last term of it.
_NEAR, _LAST = 0.5, 16


class LogLinkLoss(Loss):
    """A loss of targets and ``mu = e^f``: half of a deviance, 0 where they are the same.

    An exponential has no parabola above it. That of :meth:`majorizer` is nowhere below the
    loss between f and log y, where it is least, and beyond f on the other side.
    """

    has_log_link = True
    has_majorizer = False

    def check(self, y: FloatArray) -> None:
        if not self.takes(y).all():
            raise InputError(self._wanted)

    def takes(self, y: FloatArray) -> BoolArray:
        """Which targets it is for."""
        known = (y >= _SMALLEST) & (y <= _LARGEST)
        return np.asarray(known | self._is_allowed(y))

    _wanted: str

    @abstractmethod
    def _is_allowed(self, y: FloatArray) -> BoolArray:
        """Which targets are fine beside ordinary numbers above 0."""

    def unit(self, y: FloatArray) -> float:
        # What y is multiplied by is added to f, and no loss of another y.
        return 1.0

    def moves(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return -self.gradient(prediction, y) / self.majorizer(prediction, y)


@final
class PoissonLoss(LogLinkLoss):
    """``sum_i e^f_i - y_i f_i + y_i log y_i - y_i``: half of the deviance of counts y >= 0.

    Up to a constant minus the log-likelihood of counts with the mean ``e^f``. Rows of y / t with
    the weight t are those of counts y in times t.

    Notes
    -----
    With ``w = y - v >= 0`` the conjugate at -v is ``w log(w / y) + v - v log y``, where y = 0 it
    is ``w log w + v``.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import PoissonLoss
    >>> PoissonLoss().values(np.array([0.0, np.log(3.0)]), np.array([0.0, 3.0]))
    array([1., 0.])
    """

    takes_any_array = True

    _wanted = (
        "y must have counts for this loss, numbers >= 0, and those above 0 between 1e-30 and 1e30."
    )

    def check_intercept(self, y: FloatArray) -> None:
        if not y.any(axis=0).all():
            raise InputError(
                "y must have a count above 0 for an intercept, got zeros only: it has no best "
                "value."
            )

    def _is_allowed(self, y: FloatArray) -> BoolArray:
        return np.asarray(y == 0.0)

    def values(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.values_of_pair(prediction, namespace_of(y).zeros_like(prediction), y)

    def values_of_pair(self, high: FloatArray, low: FloatArray, y: FloatArray) -> FloatArray:
        xp = namespace_of(y)
        with np.errstate(over="ignore"):
            # Of two numbers that are nearly the same the difference has all digits.
            above = _excess((high - _logarithm(y)) + low)
            above = y * xp.where(y > 0.0, above, 0.0)
            return _summable(xp.where(y > 0.0, above, xp.exp(high) * (1.0 + low)))

    def value_errors(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        reach = _of_logarithm(prediction, _logarithm(y))
        with np.errstate(over="ignore"):
            return np.where(y > 0.0, self.slopes(prediction, reach, y) * reach, 0.0)

    def gradient(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return _power(prediction) - y

    def slopes(self, prediction: FloatArray, reach: FloatArray, y: FloatArray) -> FloatArray:
        logarithm = _logarithm(y)
        with np.errstate(over="ignore"):
            slopes = y * _slopes(
                prediction - logarithm, reach + _of_logarithm(prediction, logarithm)
            )
            return np.where(y > 0.0, slopes, _whole_power(prediction + reach))

    def curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return _power(prediction)

    def majorizer(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        # That of all below f, and up to log y.
        return namespace_of(y).maximum(_positive(_power(prediction)), y)

    def conjugates(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        terms = self._entropy(dual, y) + dual - dual * _logarithm(y)
        return np.where(dual <= y, terms, np.inf)

    def conjugate_moduli(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        rest = 2.0 * np.abs(dual) * (1.0 + np.abs(_logarithm(y)))
        return np.asarray(np.abs(self._entropy(dual, y)) + rest)

    @staticmethod
    def _entropy(dual: FloatArray, y: FloatArray) -> FloatArray:
        """``w log(w / y)``, next to nothing beside small dual points; ``w log w`` where y is 0."""
        mean = np.maximum(y - dual, 0.0)
        with np.errstate(over="ignore"):
            beside = xlog1py(mean, -dual / _or_one(y))
        return np.where(y > 0.0, beside, xlogy(mean, mean))

    def prediction(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return np.log(np.maximum(y - dual, _NEXT_TO_ZERO))

    def project(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return np.minimum(dual, y)

    def longest(self, direction: FloatArray, y: FloatArray) -> float:
        rising = direction > 0.0
        return _least_quotient(y[rising], direction[rising])

    def proximal(
        self, prediction: FloatArray, y: FloatArray, theta: float | FloatArray
    ) -> FloatArray:
        # The e with ``e + theta exp(e) = f + theta y``.
        return _root(prediction + theta * y, theta * np.ones_like(y))


@final
class GammaLoss(LogLinkLoss):
    """``sum_i y_i e^-f_i + f_i - log y_i - 1``: half of the deviance of amounts y > 0.

    Up to a constant, minus the log-likelihood of amounts of the mean ``e^f`` and a deviation in
    proportion to it. A factor of y is a number that is added to f.

    Notes
    -----
    With ``s = 1 + v >= 0`` the conjugate at -v is ``s log s - v - v log y``.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import GammaLoss
    >>> GammaLoss().values(np.log([2.0, 3.0]), np.array([2.0, 3.0]))
    array([0., 0.])
    """

    takes_any_array = True

    _wanted = "y must have amounts above 0 for this loss, between 1e-30 and 1e30."

    def _is_allowed(self, y: FloatArray) -> BoolArray:
        return np.zeros_like(y, dtype=bool)

    def values(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.values_of_pair(prediction, namespace_of(y).zeros_like(prediction), y)

    def values_of_pair(self, high: FloatArray, low: FloatArray, y: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            return _summable(_excess((namespace_of(y).log(y) - high) - low))

    def value_errors(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        reach = _of_logarithm(prediction, np.log(y))
        with np.errstate(over="ignore"):
            return self.slopes(prediction, reach, y) * reach

    def gradient(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return 1.0 - _power(namespace_of(y).log(y) - prediction)

    def slopes(self, prediction: FloatArray, reach: FloatArray, y: FloatArray) -> FloatArray:
        logarithm = np.log(y)
        return _slopes(logarithm - prediction, reach + _of_logarithm(prediction, logarithm))

    def curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return _power(namespace_of(y).log(y) - prediction)

    def majorizer(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        # That of all above f, and down to log y.
        return namespace_of(y).maximum(self.curvature(prediction, y), 1.0)

    def conjugates(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        terms = self._entropy(dual) - dual - dual * np.log(y)
        return np.where(dual >= -1.0, terms, np.inf)

    def conjugate_moduli(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        rest = 2.0 * np.abs(dual) * (1.0 + np.abs(np.log(y)))
        return np.asarray(np.abs(self._entropy(dual)) + rest)

    @staticmethod
    def _entropy(dual: FloatArray) -> FloatArray:
        """``s log s``, with all digits beside small dual points."""
        inside = np.maximum(dual, -1.0)
        return np.asarray(xlog1py(1.0 + inside, inside))

    def prediction(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return np.log(y) - np.log(np.maximum(1.0 + dual, _NEXT_TO_ZERO))

    def project(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return np.maximum(dual, -1.0)

    def longest(self, direction: FloatArray, y: FloatArray) -> float:
        falling = direction[direction < 0.0]
        return _least_quotient(np.ones_like(falling), -falling)

    def proximal(
        self, prediction: FloatArray, y: FloatArray, theta: float | FloatArray
    ) -> FloatArray:
        # The e with ``-e + theta y exp(-e) = theta - f``.
        return -_root(theta - prediction, theta * y)


def _power(exponent: FloatArray) -> FloatArray:
    """``e^x``, and the same for all x from some hundred on."""
    xp = namespace_of(exponent)
    return xp.exp(xp.minimum(exponent, _longest(exponent) / _ROOT))


def _whole_power(exponent: FloatArray) -> FloatArray:
    """``e^x``, up to the largest number."""
    return np.asarray(np.exp(np.minimum(exponent, _longest(exponent))))


def _slopes(r: FloatArray, reach: FloatArray) -> FloatArray:
    """The largest modulus of ``e^r - 1`` within a reach."""
    above = np.expm1(np.minimum(r + reach, _longest(r)))
    return np.maximum(above, -np.expm1(np.minimum(r - reach, 0.0)))


def _longest(exponent: FloatArray) -> float:
    """The logarithm of the largest number of its type, about."""
    return 88.0 if exponent.dtype == namespace_of(exponent).float32 else 709.0


def _positive(y: FloatArray) -> FloatArray:
    """Numbers >= 0, and a small one in place of 0."""
    xp = namespace_of(y)
    return xp.maximum(y, float(xp.finfo(y.dtype).smallest_normal))


def _or_one(y: FloatArray) -> FloatArray:
    return namespace_of(y).where(y > 0.0, y, 1.0)


def _logarithm(y: FloatArray) -> FloatArray:
    """``log y``, and 0 where y is 0."""
    return namespace_of(y).log(_or_one(y))


def _excess(r: FloatArray) -> FloatArray:
    """``e^r - 1 - r >= 0`` up to a few roundings of the whole."""
    xp = namespace_of(r)
    near = xp.clip(r, -_NEAR, _NEAR)
    total = xp.ones_like(near)
    for k in range(_LAST, 2, -1):
        total = 1.0 + near / k * total
    return xp.where(xp.abs(r) < _NEAR, 0.5 * near**2 * total, xp.expm1(r) - r)


def _summable(values: FloatArray) -> FloatArray:
    """Losses that are infinite where sums of them might be beyond the largest number."""
    xp = namespace_of(values)
    most = float(xp.finfo(values.dtype).max) / _MOST_ROWS
    return xp.where(values < most, values, np.inf)


def _of_logarithm(prediction: FloatArray, logarithm: FloatArray) -> FloatArray:
    """What the rounding of log y, and of its difference from f, is at most."""
    return 2.0 * EPS * (np.abs(prediction) + 2.0 * np.abs(logarithm))


def _least_quotient(above: FloatArray, below: FloatArray) -> float:
    """The least of quotients of numbers >= 0 and > 0; inf where there are none."""
    with np.errstate(over="ignore"):
        return float((above / below).min(initial=np.inf))


def _root(c: FloatArray, factor: FloatArray) -> FloatArray:
    """The e with ``e + factor exp(e) = c``, for factors >= 0.

    ``w = factor exp(e)`` has ``w + log w = c + log factor``: Wright's function, which does not
    leave the range of numbers where Lambert's does (R. Corless and D. Jeffrey, AISC 2002).
    """
    with np.errstate(divide="ignore"):
        logarithm = np.log(factor)
    w = np.asarray(wrightomega(c + logarithm))
    # Of a large w the logarithm has the digits that the difference has not.
    large = w > 1.0
    return np.where(large, np.log(np.where(large, w, 1.0)) - np.where(large, logarithm, 0.0), c - w)
