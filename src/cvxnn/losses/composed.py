"""Losses made of another loss: with weights of the rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import Array, FloatArray
from cvxnn.backends.namespaces import namespace_of
from cvxnn.layers.rows import power_of_two
from cvxnn.losses.base import Loss


class WeightedLoss(Loss):
    """``sum_i w_i l_i(f_i, y_i)``: a row of weight 2 counts like two equal rows.

    The conjugate of ``w l`` at -v is ``w l*(-v / w)``.

    Parameters
    ----------
    loss : Loss
    weights : ndarray, shape (n,)
        Positive; rows of weight zero are to be left out.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.losses import SquaredLoss
    >>> WeightedLoss(SquaredLoss(), np.array([2.0, 1.0])).value(np.zeros(2), np.array([1.0, 3.0]))
    5.5
    """

    def __init__(self, loss: Loss, weights: FloatArray) -> None:
        self.loss, self.weights = loss, weights
        self.is_quadratic, self.has_labels = loss.is_quadratic, loss.has_labels
        self.joins_outputs, self.is_kinked = loss.joins_outputs, loss.is_kinked
        self.has_log_link, self.has_majorizer = loss.has_log_link, loss.has_majorizer
        self.takes_any_array = loss.takes_any_array

    def check(self, y: FloatArray) -> None:
        self.loss.check(y)

    def check_intercept(self, y: FloatArray) -> None:
        self.loss.check_intercept(y)

    @property
    def steepness(self) -> float:
        return self.loss.steepness

    def smoothed(self, width: float) -> WeightedLoss:
        return WeightedLoss(self.loss.smoothed(width), self.weights)

    def kinks(self, y: FloatArray) -> FloatArray | None:
        return self.loss.kinks(y)

    def growth(self, y: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        growth = self.loss.growth(y)
        return None if growth is None else (self._times(growth[0]), self._times(growth[1]))

    def take(self, rows: slice | NDArray[np.intp]) -> WeightedLoss:
        return WeightedLoss(self.loss.take(rows), self.weights[rows])

    def placed(self, place: Callable[[FloatArray], Array]) -> WeightedLoss:
        return WeightedLoss(self.loss.placed(place), place(self.weights))

    def moved(self, y: FloatArray, offset: float | FloatArray) -> FloatArray | None:
        return self.loss.moved(y, offset)

    def values(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self._times(self.loss.values(prediction, y))

    def values_of_pair(self, high: FloatArray, low: FloatArray, y: FloatArray) -> FloatArray:
        return self._times(self.loss.values_of_pair(high, low, y))

    def value_errors(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self._times(self.loss.value_errors(prediction, y))

    def gradient(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self._times(self.loss.gradient(prediction, y))

    def curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self._times(self.loss.curvature(prediction, y))

    def factors(
        self, prediction: FloatArray, y: FloatArray
    ) -> tuple[FloatArray, FloatArray | None]:
        h, g = self.loss.factors(prediction, y)
        return self._times(h), None if g is None else namespace_of(g).sqrt(self._shaped(g)) * g

    def majorizer(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self._times(self.loss.majorizer(prediction, y))

    def moves(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.moves(prediction, y)

    def proximal(
        self, prediction: FloatArray, y: FloatArray, theta: float | FloatArray
    ) -> FloatArray | None:
        return self.loss.proximal(prediction, y, self._times(theta * np.ones_like(prediction)))

    def conjugates(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return self._times(self.loss.conjugates(self._over(dual), y))

    def conjugate_moduli(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        # The quotient has an error of its own.
        return 2.0 * self._times(self.loss.conjugate_moduli(self._over(dual), y))

    def prediction(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.prediction(self._over(dual), y)

    def project(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return self._times(self.loss.project(self._over(dual), y))

    def longest(self, direction: FloatArray, y: FloatArray) -> float:
        return self.loss.longest(self._over(direction), y)

    def _times(self, array: FloatArray) -> FloatArray:
        """Rows times their weights, whether there is one output or more."""
        return self._shaped(array) * array

    def _over(self, array: FloatArray) -> FloatArray:
        return array / self._shaped(array)

    def _shaped(self, array: FloatArray) -> FloatArray:
        return self.weights if array.ndim == 1 else self.weights[:, None]

    @property
    def weight_unit(self) -> float:
        return power_of_two(self.weights)

    def in_weight_units(self) -> WeightedLoss:
        return WeightedLoss(self.loss, self.weights / self.weight_unit)

    def unit(self, y: FloatArray) -> float:
        return self.loss.unit(y)

    def in_units(self, unit: float) -> WeightedLoss:
        return WeightedLoss(self.loss.in_units(unit), self.weights)


def weighted(loss: Loss, y: FloatArray, weights: FloatArray) -> tuple[Loss, FloatArray]:
    """Loss and targets where each row has a weight > 0.

    Examples
    --------
    >>> from cvxnn.losses import SoftmaxLoss
    >>> weighted(SoftmaxLoss(), np.array([[1.0, 0.0]]), np.array([3.0]))[1]
    array([[3., 0.]])
    """
    if (weights == 1.0).all():
        return loss, y
    repeated = loss.repeated(y, weights)
    return (WeightedLoss(loss, weights), y) if repeated is None else (loss, repeated)
