"""Losses for real targets: squared and Huber."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.backends.namespaces import namespace_of
from cvxnn.losses.base import Loss
from cvxnn.validation import check_positive


class RegressionLoss(Loss):
    """A loss of the residual ``f - y``: what is added to f may be taken from y."""

    def moved(self, y: FloatArray, offset: float | FloatArray) -> FloatArray:
        return y - offset


class SquaredLoss(RegressionLoss):
    """``l(f, y) = 1/2 ||f - y||^2``: the loss of objective (2) of the seed paper.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import SquaredLoss
    >>> loss = SquaredLoss()
    >>> loss.value(np.zeros(2), np.array([1.0, 2.0]))
    2.5
    """

    is_quadratic = True
    takes_any_array = True

    def values(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return 0.5 * (prediction - y) ** 2

    def value(self, prediction: FloatArray, y: FloatArray) -> float:
        residual = prediction - y
        return 0.5 * float(np.vdot(residual, residual))

    def values_of_pair(self, high: FloatArray, low: FloatArray, y: FloatArray) -> FloatArray:
        return 0.5 * ((high - y) + low) ** 2

    def gradient(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return prediction - y

    def curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return namespace_of(y).ones_like(y)

    def majorizer(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return namespace_of(y).ones_like(y)

    def conjugates(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return 0.5 * dual**2 - dual * y

    def conjugate(self, dual: FloatArray, y: FloatArray) -> float:
        return 0.5 * float(np.vdot(dual, dual)) - float(np.vdot(dual, y))

    def conjugate_moduli(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return dual**2 + np.abs(dual * y)

    def prediction(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return y - dual

    def project(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return dual

    def longest(self, direction: FloatArray, y: FloatArray) -> float:
        return np.inf

    def dual_scaling(self, direction: FloatArray, y: FloatArray, largest: float) -> float:
        square = float(np.vdot(direction, direction))
        if square == 0.0:
            return 0.0
        return float(np.clip(float(np.vdot(direction, y)) / square, 0.0, largest))


class HuberLoss(RegressionLoss):
    """``1/2 r^2`` for ``|r| <= delta``, beyond it ``delta |r| - delta^2 / 2``; ``r = f - y``.

    Minus its gradient is the residual, clipped: a row far off pulls with delta at
    most (P. J. Huber, Ann. Math. Statist. 35, 1964). The conjugate is that of the
    squared loss on ``|v_i| <= delta``.

    Parameters
    ----------
    delta : float, default 1.0
        Where the loss becomes linear, in the units of y; > 0.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import HuberLoss
    >>> HuberLoss(1.0).values(np.array([0.5, 3.0]), np.zeros(2))
    array([0.125, 2.5  ])
    """

    takes_any_array = True

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = check_positive(delta, "delta")

    def __repr__(self) -> str:
        return f"HuberLoss({self.delta:g})"

    def values(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        xp = namespace_of(prediction)
        size = xp.abs(prediction - y)
        inner = xp.minimum(size, self.delta)
        return inner * (size - 0.5 * inner)

    def values_of_pair(self, high: FloatArray, low: FloatArray, y: FloatArray) -> FloatArray:
        return self.values((high - y) + low, np.zeros_like(y))

    def gradient(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return namespace_of(prediction).clip(prediction - y, -self.delta, self.delta)

    def curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        xp = namespace_of(prediction)
        return xp.astype(xp.abs(prediction - y) <= self.delta, y.dtype)

    def majorizer(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        xp = namespace_of(prediction)
        return self.delta / xp.maximum(xp.abs(prediction - y), self.delta)

    def conjugates(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return np.where(np.abs(dual) <= self.delta, 0.5 * dual**2 - dual * y, np.inf)

    def conjugate_moduli(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return dual**2 + np.abs(dual * y)

    def prediction(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return y - dual

    def project(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return np.clip(dual, -self.delta, self.delta)

    def longest(self, direction: FloatArray, y: FloatArray) -> float:
        largest = float(np.abs(direction).max(initial=0.0))
        return self.delta / largest if largest > 0.0 else np.inf

    def in_units(self, unit: float) -> HuberLoss:
        return HuberLoss(self.delta / unit)
