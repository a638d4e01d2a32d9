"""A number that is added to all predictions: the loss beside it, and the best one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import EPS, FloatArray
from cvxnn.losses.base import Loss

_STEPS = 200


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


def beside(loss: Loss, y: FloatArray, offset: float | FloatArray) -> tuple[Loss, FloatArray]:
    """Loss and targets of predictions to which a number, or one for each row, is added.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> beside(SquaredLoss(), np.array([1.0, 3.0]), 1.0)[1]
    array([0., 2.])
    """
    moved = loss.moved(y, offset)
    return (OffsetLoss(loss, offset), y) if moved is None else (loss, moved)


def best_offset(loss: Loss, prediction: FloatArray, y: FloatArray, start: float = 0.0) -> float:
    """The b with the least ``l(f + b, y)``, to rounding.

    Parameters
    ----------
    loss : Loss
        With a minimum in b: for the losses of labels there must be both labels.
    prediction, y : ndarray, shape (n,)
    start : float
        A guess.

    Returns
    -------
    float

    Notes
    -----
    Newton's method on a convex function of one variable, kept inside the bracket that signs
    of slopes give; O(n) a step.

    Examples
    --------
    >>> from cvxnn.losses import LogisticLoss, SquaredLoss
    >>> best_offset(SquaredLoss(), np.zeros(2), np.array([1.0, 3.0]))
    2.0
    >>> round(best_offset(LogisticLoss(), np.zeros(3), np.array([1.0, 1.0, -1.0])), 6)  # log 2
    0.693147
    """
    low, high, b, length = -np.inf, np.inf, start, 0.0
    for _ in range(_STEPS):
        gradient = loss.gradient(prediction + b, y)
        slope = float(gradient.sum())
        if abs(slope) <= EPS * float(np.abs(gradient).sum()):
            break
        low, high = (low, b) if slope > 0.0 else (b, high)
        total = prediction + b
        if high - low < np.inf:
            move = -slope / max(float(loss.curvature(total, y).sum()), 1e-300)
        else:
            # Where nothing stops it Newton's step may lead to the end of the numbers; parabolas
            # above the loss do not, but on an exponential slope they would crawl.
            move = -slope / float(loss.majorizer(total, y).sum())
            length = max(abs(move), 2.0 * length)
            move = float(np.copysign(length, move))
        if abs(move) <= 4.0 * EPS * abs(b):
            break
        b = b + move if low < b + move < high else 0.5 * (low + high)
    return b
