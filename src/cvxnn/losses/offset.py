"""A number that is added to all predictions: the loss beside it, and the best one."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from cvxnn.array_types import FloatArray
from cvxnn.losses.base import Loss

# Steps that double until they have passed the best offset, and steps to its last digits.
_DOUBLINGS, _STEPS = 200, 200
_EPS = float(np.finfo(float).eps)


class OffsetLoss(Loss):
    """``l(f + b, y)`` for a number b: what a loss is for predictions beside an intercept.

    Its conjugate at -v is ``l*(-v) + b sum(v)``.

    Parameters
    ----------
    loss : Loss
    offset : float or ndarray, shape (n,)
        The b, or one for each row.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> OffsetLoss(SquaredLoss(), 1.0).value(np.zeros(2), np.array([1.0, 3.0]))
    2.0
    """

    def __init__(self, loss: Loss, offset: float | FloatArray) -> None:
        self.loss, self.offset = loss, offset
        self.is_quadratic, self.has_labels = loss.is_quadratic, loss.has_labels

    def take(self, rows: slice | NDArray[np.intp]) -> OffsetLoss:
        offset = self.offset[rows] if isinstance(self.offset, np.ndarray) else self.offset
        return OffsetLoss(self.loss.take(rows), offset)

    def beside(self, offset: float | FloatArray, y: FloatArray) -> tuple[Loss, FloatArray]:
        return self.loss.beside(self.offset + offset, y)

    def values(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.values(prediction + self.offset, y)

    def values_of_pair(self, high: FloatArray, low: FloatArray, y: FloatArray) -> FloatArray:
        total = high + self.offset
        # What the sum has rounded away, exactly (Knuth 1969, two-sum).
        moved = total - high
        left = (high - (total - moved)) + (self.offset - moved)
        return self.loss.values_of_pair(total, low + left, y)

    def gradient(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.gradient(prediction + self.offset, y)

    def curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.curvature(prediction + self.offset, y)

    def majorizer(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.majorizer(prediction + self.offset, y)

    def conjugates(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.conjugates(dual, y) + self.offset * dual

    def conjugate_moduli(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.conjugate_moduli(dual, y) + np.abs(self.offset * dual)

    def prediction(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.prediction(dual, y) - self.offset

    def project(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.project(dual, y)

    def longest(self, direction: FloatArray, y: FloatArray) -> float:
        return self.loss.longest(direction, y)

    def unit(self, y: FloatArray) -> float:
        return self.loss.unit(y)

    def in_units(self, unit: float) -> OffsetLoss:
        return OffsetLoss(self.loss.in_units(unit), self.offset / unit)


def best_offset(loss: Loss, y: FloatArray, prediction: FloatArray, start: float = 0.0) -> float:
    """The b with the least ``l(f + b, y)``, to rounding.

    Parameters
    ----------
    loss : Loss
        With a minimum in b: for the losses of labels there must be both labels.
    y, prediction : ndarray, shape (n,)
    start : float
        A guess.

    Returns
    -------
    float

    Notes
    -----
    The derivative rises with b. Steps by its curvature double until they have passed the
    root, and Brent's method has its digits; O(n) a step, two steps for a quadratic loss.

    Examples
    --------
    >>> from cvxnn.losses import LogisticLoss, SquaredLoss
    >>> best_offset(SquaredLoss(), np.array([1.0, 3.0]), np.zeros(2))
    2.0
    >>> round(best_offset(LogisticLoss(), np.array([1.0, 1.0, -1.0]), np.zeros(3)), 6)  # log 2
    0.693147
    """

    def slope(b: float) -> float:
        return math.fsum(loss.gradient(prediction + b, y))

    b, at = start, slope(start)
    if at == 0.0:
        return b
    reach = float(loss.majorizer(prediction + b, y).sum())
    step = -at / reach
    for _ in range(_DOUBLINGS):
        following = b + step
        ahead = slope(following)
        # Of a quadratic loss the first step ends at the root, on one side of it or the other.
        is_there = loss.is_quadratic and abs(ahead) <= 8.0 * _EPS * abs(at)
        if ahead == 0.0 or following == b or is_there:
            return following
        if (ahead < 0.0) != (at < 0.0):
            return float(brentq(slope, b, following, xtol=1e-300, rtol=4.0 * _EPS, maxiter=_STEPS))
        b, at, step = following, ahead, 2.0 * step
    return b
