"""Losses with a kink where a prediction is right: absolute, quantile and hinge."""

from __future__ import annotations

from abc import abstractmethod
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.backends.namespaces import namespace_of
from cvxnn.errors import InputError
from cvxnn.losses.base import Loss
from cvxnn.losses.margin import LabelLoss
from cvxnn.losses.regression import RegressionLoss
from cvxnn.validation import check_number

Sides = tuple[float | FloatArray, float | FloatArray]


class KinkedLoss(Loss):
    """``l_i(f, y) = high (y - f)_+ - low (f - y)_+`` with ``low <= 0 <= high``, not both 0.

    Minus its gradient is `high` where a prediction is too small, `low` where it is too large,
    and anything between where it is right. So the domain of the conjugate is a box, on which
    ``l*(-v) = -v'y`` (R. T. Rockafellar, Convex Analysis, 1970, 13.2). There is no curvature,
    and no parabola above the kink: searches are for :meth:`smoothed` losses.
    """

    is_kinked = True
    takes_any_array = True

    @abstractmethod
    def sides(self, y: FloatArray) -> Sides:
        """`low` and `high`, numbers or arrays of the shape of y."""

    def smoothed(self, width: float) -> SmoothedKink:
        """A smooth loss: `width` times the Moreau envelope of this one, see there."""
        return SmoothedKink(self, width)

    def kinks(self, y: FloatArray) -> FloatArray:
        return y

    def values(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self._of_residual(y - prediction, y)

    def values_of_pair(self, high: FloatArray, low: FloatArray, y: FloatArray) -> FloatArray:
        return self._of_residual((y - high) - low, y)

    def _of_residual(self, residual: FloatArray, y: FloatArray) -> FloatArray:
        low, high = self.sides(y)
        xp = namespace_of(residual)
        return high * xp.maximum(residual, 0.0) + low * xp.minimum(residual, 0.0)

    def gradient(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        low, high = self.sides(y)
        xp = namespace_of(prediction)
        above, below = (xp.astype(side, y.dtype) for side in (prediction > y, prediction < y))
        # Of the subgradients at a kink 0.
        return -low * above - high * below

    def curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return namespace_of(y).zeros_like(y)

    def majorizer(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        raise TypeError("no parabola is above a kink: ask a smoothed loss for one")

    def conjugates(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        low, high = self.sides(y)
        return np.where((low <= dual) & (dual <= high), -dual * y, np.inf)

    def conjugate_moduli(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return np.abs(dual * y)

    def prediction(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return y

    def project(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return np.clip(dual, *self.sides(y))

    def longest(self, direction: FloatArray, y: FloatArray) -> float:
        return longest_in_box(direction, *self.sides(y))


def longest_in_box(
    direction: FloatArray, low: float | FloatArray, high: float | FloatArray
) -> float:
    """The largest t, possibly inf, with ``low <= t v <= high`` in every entry.

    Examples
    --------
    >>> longest_in_box(np.array([1.0, -4.0]), -2.0, 3.0)
    0.5
    """
    ends = np.broadcast_to(np.where(direction > 0.0, high, low), direction.shape)
    moved = direction != 0.0
    return float((ends[moved] / direction[moved]).min(initial=np.inf))


class ResidualKink(KinkedLoss, RegressionLoss):
    """A kinked loss of the residual, the same in every row."""

    @property
    @abstractmethod
    def ends(self) -> tuple[float, float]:
        """`low` and `high`."""

    def sides(self, y: FloatArray) -> Sides:
        return self.ends

    @property
    def steepness(self) -> float:
        low, high = self.ends
        return max(-low, high)

    def in_units(self, unit: float) -> Loss:
        low, high = self.ends
        return TiltedLoss(low / unit, high / unit)


@final
class TiltedLoss(ResidualKink):
    """``high (y - f)_+ - low (f - y)_+`` with given slopes.

    Parameters
    ----------
    low, high : float
        ``low < 0 < high``.

    Examples
    --------
    >>> TiltedLoss(-1.0, 3.0).values(np.array([0.0, 4.0]), np.array([2.0, 2.0]))
    array([6., 2.])
    """

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    @property
    def ends(self) -> tuple[float, float]:
        return self.low, self.high


@final
class AbsoluteLoss(ResidualKink):
    """``|f - y|``: predictions are medians, and rows far off pull no more than others.

    Its conjugate is ``-v'y`` on ``|v_i| <= 1``.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import AbsoluteLoss
    >>> AbsoluteLoss().values(np.array([0.5, 3.0]), np.ones(2))
    array([0.5, 2. ])
    """

    @property
    def ends(self) -> tuple[float, float]:
        return -1.0, 1.0


@final
class QuantileLoss(ResidualKink):
    """``level (y - f)_+ + (1 - level) (f - y)_+``: predictions are quantiles of y given x.

    Also called pinball or check loss (R. Koenker and G. Bassett, Econometrica 46, 1978). Its
    conjugate is ``-v'y`` on ``level - 1 <= v_i <= level``. For the level 0.5 it is half the
    absolute loss.

    Parameters
    ----------
    level : float, default 0.5
        Of the quantile, between 0 and 1: share of the targets that are to be below it.

    Raises
    ------
    InputError
        If the level is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import QuantileLoss
    >>> QuantileLoss(0.75).values(np.array([0.0, 4.0]), np.array([2.0, 2.0]))
    array([1.5, 0.5])
    """

    def __init__(self, level: float = 0.5) -> None:
        self.level = check_level(level, "level")

    def __repr__(self) -> str:
        return f"QuantileLoss({self.level:g})"

    @property
    def ends(self) -> tuple[float, float]:
        return self.level - 1.0, self.level


@final
class HingeLoss(KinkedLoss, LabelLoss):
    """``max(0, 1 - y f)`` for labels -1 and 1: that of support vector machines.

    Its conjugate is ``-sum_i s_i`` for ``s = y v`` in [0, 1] (C. Cortes and V. Vapnik,
    Machine Learning 20, 1995).

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import HingeLoss
    >>> HingeLoss().values(np.array([0.0, 2.0]), np.ones(2))
    array([1., 0.])
    """

    def sides(self, y: FloatArray) -> Sides:
        # With labels the margin is 1 where the prediction is y.
        xp = namespace_of(y)
        return xp.minimum(y, 0.0), xp.maximum(y, 0.0)


@final
class SmoothedKink(Loss):
    """A parabola of curvature 1 in place of a kink: `width` times the Moreau envelope of a loss.

    ``1/2 r^2`` for the residual ``r = y - f`` in [width low, width high], and linear beyond.
    With ``D = width (high - low) / 2`` and ``c = width (high + low) / 2`` that is Huber's loss
    with delta = D of ``r - c``, and a linear function. Divided by the width it is below the
    loss, by no more than ``width v^2 / 2`` of the larger side v; minus its gradient, divided
    by the width, is in the box of the loss, and its conjugate at -v is ``width l*(-v / width)
    + v^2 / 2`` (J. J. Moreau, Bull. Soc. Math. France 93, 1965).

    Parameters
    ----------
    loss : KinkedLoss
    width : float
        > 0; beside a power of two nothing is rounded on the way from one loss to the other.

    Examples
    --------
    >>> smooth = SmoothedKink(AbsoluteLoss(), 0.5)
    >>> smooth.values(np.array([0.25, 2.0]), np.zeros(2)) / 0.5
    array([0.0625, 1.75  ])
    """

    takes_any_array = True

    def __init__(self, loss: KinkedLoss, width: float) -> None:
        self.loss, self.width = loss, width
        self.has_labels = loss.has_labels

    def check_intercept(self, y: FloatArray) -> None:
        self.loss.check_intercept(y)

    def _sides(self, y: FloatArray) -> Sides:
        low, high = self.loss.sides(y)
        return self.width * low, self.width * high

    def values(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self._of_residual(y - prediction, y)

    def values_of_pair(self, high: FloatArray, low: FloatArray, y: FloatArray) -> FloatArray:
        return self._of_residual((y - high) - low, y)

    def _of_residual(self, residual: FloatArray, y: FloatArray) -> FloatArray:
        inner = namespace_of(y).clip(residual, *self._sides(y))
        return inner * (residual - 0.5 * inner)

    def gradient(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return -namespace_of(y).clip(y - prediction, *self._sides(y))

    def curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        (low, high), residual = self._sides(y), y - prediction
        return namespace_of(y).astype((low <= residual) & (residual <= high), y.dtype)

    def majorizer(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        low, high = self._sides(y)
        xp, half, middle = namespace_of(y), 0.5 * (high - low), 0.5 * (high + low)
        return half / xp.maximum(xp.abs(y - prediction - middle), half)

    def conjugates(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        low, high = self._sides(y)
        return np.where((low <= dual) & (dual <= high), 0.5 * dual**2 - dual * y, np.inf)

    def conjugate_moduli(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return dual**2 + np.abs(dual * y)

    def prediction(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return y - dual

    def project(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return np.clip(dual, *self._sides(y))

    def longest(self, direction: FloatArray, y: FloatArray) -> float:
        return longest_in_box(direction, *self._sides(y))

    def growth(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        low, high = self._sides(y)
        least, most = np.minimum(-low, high), np.maximum(-low, high)
        return np.broadcast_to(least, y.shape), np.broadcast_to(0.5 * most**2, y.shape)

    def moved(self, y: FloatArray, offset: float | FloatArray) -> FloatArray | None:
        return self.loss.moved(y, offset)

    def unit(self, y: FloatArray) -> float:
        return self.loss.unit(y)

    def in_units(self, unit: float) -> SmoothedKink:
        return SmoothedKink(self.loss, self.width / unit)


def check_level(value: object, name: str) -> float:
    """A number between 0 and 1, neither of them; else InputError.

    Examples
    --------
    >>> check_level(0.9, "quantile")
    0.9
    """
    level = check_number(value, name)
    if not 0.0 < level < 1.0:
        raise InputError(f"{name} must be between 0 and 1, got {level:g}.")
    return level
