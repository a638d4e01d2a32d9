"""Losses for labels -1 and 1, functions of the margin ``m = y f``."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from scipy.special import xlog1py, xlogy

from cvxnn.array_types import FloatArray
from cvxnn.backends.functions import expit, softplus
from cvxnn.backends.namespaces import namespace_of
from cvxnn.errors import InputError
from cvxnn.losses.base import Loss


class LabelLoss(Loss):
    """A loss for labels -1 and 1, which have no unit."""

    has_labels = True

    def check(self, y: FloatArray) -> None:
        others = y[~np.isin(y, (-1.0, 1.0))]
        if len(others):
            raise InputError(
                "y must have the labels -1 and 1 only for this loss (2 * y - 1 of 0 and 1), "
                f"got {others[0]:g}."
            )

    def unit(self, y: FloatArray) -> float:
        return 1.0


class MarginLoss(LabelLoss):
    """A loss of the margin ``m = y f``; dual points are ``v = y s`` with ``s = -l'(m) >= 0``."""

    @abstractmethod
    def _pull(self, margin: FloatArray) -> FloatArray:
        """``s = -dl/dm``."""

    def gradient(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return -y * self._pull(y * prediction)


class LogisticLoss(MarginLoss):
    """``sum_i log(1 + exp(-y_i f_i))``: minus the log-likelihood of ``P(y = 1) = 1 / (1 + e^-f)``.

    Its conjugate is the negative entropy of ``s = y v`` in [0, 1]. The
    majorizing curvature is that of T. Jaakkola and M. Jordan (Stat. Comput. 10, 2000).

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import LogisticLoss
    >>> round(LogisticLoss().value(np.zeros(2), np.array([1.0, -1.0])), 6)  # 2 log 2
    1.386294
    """

    takes_any_array = True

    def check_intercept(self, y: FloatArray) -> None:
        for column in np.atleast_2d(y.T):
            if (column == column[0]).all():
                raise InputError(
                    f"y must have both labels -1 and 1 for an intercept, got only {column[0]:g}: "
                    "it has no best value."
                )

    def _pull(self, margin: FloatArray) -> FloatArray:
        return expit(-margin)

    def values(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return softplus(-y * prediction)

    def curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return expit(prediction) * expit(-prediction)

    def majorizer(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        xp = namespace_of(prediction)
        half = 0.5 * xp.abs(prediction)
        beyond = xp.tanh(half) / xp.maximum(4.0 * half, 1e-4)
        return xp.where(half > 1e-4, beyond, 0.25)

    def conjugates(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        s = y * dual
        inside = (s >= 0.0) & (s <= 1.0)
        s = np.where(inside, s, 0.0)
        return np.where(inside, xlogy(s, s) + xlog1py(1.0 - s, -s), np.inf)

    def conjugate_moduli(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        s = np.clip(y * dual, 0.0, 1.0)
        # The logarithm near s = 1 has the error of 1 - s: one eps more.
        return np.asarray(np.abs(xlogy(s, s)) + np.abs(xlog1py(1.0 - s, -s)) + s)

    def prediction(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        # At the ends of the domain the prediction is infinite: as far as float64 goes.
        s = np.clip(y * dual, 1e-300, 1.0 - 1e-16)
        return y * (np.log1p(-s) - np.log(s))

    def project(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return y * np.clip(y * dual, 0.0, 1.0)

    def longest(self, direction: FloatArray, y: FloatArray) -> float:
        s = y * direction
        if s.min(initial=0.0) < 0.0:
            return 0.0
        largest = float(s.max(initial=0.0))
        return 1.0 / largest if largest > 0.0 else np.inf


class SquaredHingeLoss(MarginLoss):
    """``1/2 sum_i max(0, 1 - y_i f_i)^2``, with the factor 1/2 of the squared loss.

    For ``s = y v >= 0`` the conjugate is ``sum_i s_i^2 / 2 - s_i``.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import SquaredHingeLoss
    >>> SquaredHingeLoss().values(np.array([0.0, 2.0]), np.ones(2))
    array([0.5, 0. ])
    """

    takes_any_array = True

    def _pull(self, margin: FloatArray) -> FloatArray:
        return namespace_of(margin).maximum(1.0 - margin, 0.0)

    def values(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return 0.5 * self._pull(y * prediction) ** 2

    def values_of_pair(self, high: FloatArray, low: FloatArray, y: FloatArray) -> FloatArray:
        return 0.5 * np.maximum((1.0 - y * high) - y * low, 0.0) ** 2

    def curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return namespace_of(prediction).astype(y * prediction < 1.0, y.dtype)

    def majorizer(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return namespace_of(y).ones_like(y)

    def conjugates(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        s = y * dual
        return np.where(s >= 0.0, 0.5 * s**2 - s, np.inf)

    def conjugate_moduli(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        s = np.abs(dual)
        return s**2 + s

    def prediction(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return y * (1.0 - y * dual)

    def project(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return y * np.maximum(y * dual, 0.0)

    def longest(self, direction: FloatArray, y: FloatArray) -> float:
        return np.inf if (y * direction).min(initial=0.0) >= 0.0 else 0.0
