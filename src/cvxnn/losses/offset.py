"""A number that is added to all predictions: the loss beside it, and the best one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import Array, FloatArray
from cvxnn.losses.base import Loss
from cvxnn.losses.offset_sums import LossBeside, least_offset, least_offsets


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
        self.joins_outputs, self.is_kinked = loss.joins_outputs, loss.is_kinked
        self.has_log_link, self.has_majorizer = loss.has_log_link, loss.has_majorizer
        self.takes_any_array = loss.takes_any_array

    @property
    def steepness(self) -> float:
        return self.loss.steepness

    def smoothed(self, width: float) -> OffsetLoss:
        return OffsetLoss(self.loss.smoothed(width), self.offset)

    def kinks(self, y: FloatArray) -> FloatArray | None:
        kinks = self.loss.kinks(y)
        return None if kinks is None else kinks - self.offset

    def take(self, rows: slice | NDArray[np.intp]) -> OffsetLoss:
        offset = self.offset[rows] if isinstance(self.offset, np.ndarray) else self.offset
        return OffsetLoss(self.loss.take(rows), offset)

    def placed(self, place: Callable[[FloatArray], Array]) -> OffsetLoss:
        offset = place(self.offset) if isinstance(self.offset, np.ndarray) else self.offset
        return OffsetLoss(self.loss.placed(place), offset)

    def values(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.values(prediction + self.offset, y)

    def values_of_pair(self, high: FloatArray, low: FloatArray, y: FloatArray) -> FloatArray:
        total = high + self.offset
        # What the sum has rounded away, exactly (Knuth 1969, two-sum).
        moved = total - high
        left = (high - (total - moved)) + (self.offset - moved)
        return self.loss.values_of_pair(total, low + left, y)

    def value_errors(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.value_errors(prediction + self.offset, y)

    def gradient(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.gradient(prediction + self.offset, y)

    def curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.curvature(prediction + self.offset, y)

    def factors(
        self, prediction: FloatArray, y: FloatArray
    ) -> tuple[FloatArray, FloatArray | None]:
        return self.loss.factors(prediction + self.offset, y)

    def majorizer(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.majorizer(prediction + self.offset, y)

    def moves(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.moves(prediction + self.offset, y)

    def proximal(
        self, prediction: FloatArray, y: FloatArray, theta: float | FloatArray
    ) -> FloatArray | None:
        point = self.loss.proximal(prediction + self.offset, y, theta)
        return None if point is None else point - self.offset

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
        With a minimum in b: for the logistic loss there must be both labels.
    prediction, y : ndarray, shape (n,)
    start : float
        A guess.

    Returns
    -------
    float

    Notes
    -----
    Newton's method on a convex function of one variable, kept inside the bracket that signs
    of slopes give; O(n) a step. Of a loss with kinks a minimum is at one of them, such as a
    weighted quantile of residuals; O(n log n).

    Examples
    --------
    >>> from cvxnn.losses import AbsoluteLoss, LogisticLoss, SquaredLoss
    >>> best_offset(AbsoluteLoss(), np.zeros(3), np.array([1.0, 3.0, 9.0]))
    3.0
    >>> best_offset(SquaredLoss(), np.zeros(2), np.array([1.0, 3.0]))
    2.0
    >>> round(best_offset(LogisticLoss(), np.zeros(3), np.array([1.0, 1.0, -1.0])), 6)  # log 2
    0.693147
    """
    if loss.is_kinked:
        return least_along(loss, prediction, np.ones_like(y), y)
    return least_offset(LossBeside(loss, prediction, y), start)


def least_along(
    loss: Loss, prediction: FloatArray, move: FloatArray, y: FloatArray, price: float = 0.0
) -> float:
    """The t with the least ``l(f + t move, y) + price t``, for a loss that is linear but for kinks.

    Parameters
    ----------
    loss : Loss
        With a minimum in t.
    prediction, move, y : ndarray, of one shape
    price : float

    Notes
    -----
    The first kink beyond which the function rises; O(n log n).

    Examples
    --------
    >>> from cvxnn.losses import AbsoluteLoss
    >>> least_along(AbsoluteLoss(), np.zeros(2), np.array([2.0, 1.0]), np.array([4.0, 9.0]))
    2.0
    """
    kinks = loss.kinks(y)
    assert kinks is not None
    before = loss.gradient(np.nextafter(kinks, -np.inf), y)
    after = loss.gradient(np.nextafter(kinks, np.inf), y)
    moved = move != 0.0
    along = move[moved]
    steps = (kinks - prediction)[moved] / along
    order = np.argsort(steps, kind="stable")
    first = along * np.where(along > 0.0, before[moved], after[moved])
    rises = (np.abs(along) * (after - before)[moved])[order]
    slopes = float(first.sum()) + price + np.cumsum(rises)
    return float(steps[order[min(int(np.searchsorted(slopes, 0.0)), len(order) - 1)]])


def best_offsets(
    loss: Loss, prediction: FloatArray, y: FloatArray, start: float | FloatArray = 0.0
) -> float | FloatArray:
    """What :func:`best_offset` is, for each output where there are several.

    Parameters
    ----------
    loss : Loss
    prediction, y : ndarray, shape (n,) or (n, c)
    start : float, or ndarray of shape (c,)

    Returns
    -------
    float, or ndarray of shape (c,)

    Notes
    -----
    Where a loss joins outputs: Newton's method on all of them, each step halved until it is one
    down; O(n c^2) a step.

    Examples
    --------
    >>> from cvxnn.losses import SoftmaxLoss
    >>> Y = np.eye(3)[[0, 0, 1, 2]]
    >>> b = best_offsets(SoftmaxLoss(), np.zeros((4, 3)), Y)
    >>> np.exp(b - b[1]).round(6)
    array([2., 1., 1.])
    """
    if prediction.ndim == 1:
        return best_offset(loss, prediction, y, float(start))
    b = np.broadcast_to(start, y.shape[1:])
    if loss.joins_outputs:
        return least_offsets(LossBeside(loss, prediction, y), np.array(b))
    each = zip(prediction.T, y.T, b.tolist(), strict=True)
    return np.array([best_offset(loss, f, target, first) for f, target, first in each])
