"""What the dual point of a joint dual maximises: a bound, or the inverse of a largest value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.problems import Problem
from cvxnn.solvers.parallel.master import Aim

# Of the curvature of the majorizer that every row has: some have none of their own.
_LEAST_SHARE = 1e-3


class Goal(ABC):
    """What is maximised over dual points v of which the leaves are at most beta.

    Attributes
    ----------
    aim : Aim
        Of the next master.
    beta : float
    offset : float
        What the goal is more than the aim, next to where that was made.
    """

    aim: Aim
    beta: float
    offset: float = 0.0

    def around(self, prediction: FloatArray) -> None:  # noqa: B027
        """Make the aim anew for dual points next to that of a prediction."""

    @abstractmethod
    def scale(self, v: FloatArray, largest: float) -> tuple[float, float]:
        """The factor t at which ``t v``, of price ``t largest``, is best, and what it proves."""

    def unit(self, v: FloatArray) -> float:
        """What a point between two others is divided by before it is priced."""
        return 1.0

    @abstractmethod
    def placed(self, v: FloatArray) -> FloatArray:
        """The point divided by its unit, where it has a value."""

    @abstractmethod
    def residual(self, prediction: FloatArray, v: FloatArray) -> FloatArray:
        """What the dual point of a prediction is, or v."""


@final
class BoundGoal(Goal):
    """The bound ``-l*(-v)`` on the optimum of a problem.

    A loss that is not quadratic has the parabola of its curvature at a prediction for its
    conjugate; what is proven is that of the loss itself.

    Parameters
    ----------
    problem : Problem
        Of one output, with a loss without kinks.
    """

    def __init__(self, problem: Problem[Any]) -> None:
        self._problem, self.beta = problem, problem.beta
        self.around(np.zeros_like(problem.y))

    def around(self, prediction: FloatArray) -> None:
        loss, y = self._problem.loss, self._problem.y
        curvature = curvature_at(self._problem, prediction)
        v = self._problem.residual(prediction)
        linear = prediction + v / curvature
        self.aim = Aim(np.eye(len(y)), linear, 1.0 / curvature)
        parabola = float(linear @ v) - 0.5 * float(v @ (v / curvature))
        self.offset = -loss.conjugate(loss.project(v, y), y) - parabola

    def scale(self, v: FloatArray, largest: float) -> tuple[float, float]:
        loss, y = self._problem.loss, self._problem.y
        t = loss.dual_scaling(v, y, self.beta / largest if largest > 0.0 else np.inf)
        return t, -loss.conjugate(t * v, y)

    def placed(self, v: FloatArray) -> FloatArray:
        return self._problem.loss.project(v, self._problem.y)

    def residual(self, prediction: FloatArray, v: FloatArray) -> FloatArray:
        return self._problem.residual(prediction)


@final
class GaugeGoal(Goal):
    """The largest t with ``M3(t v) <= 1`` for a given v, whose inverse is ``M3(v)``.

    Parameters
    ----------
    v : ndarray, shape (n,)
    """

    def __init__(self, v: FloatArray) -> None:
        self._v, self.beta = v, 1.0
        self.aim = Aim(v[:, None], np.ones(1), np.zeros(1))

    def scale(self, v: FloatArray, largest: float) -> tuple[float, float]:
        t = 1.0 / largest if largest > 0.0 else np.inf
        return t, t

    def unit(self, v: FloatArray) -> float:
        return float(v @ self._v) / float(self._v @ self._v)

    def placed(self, v: FloatArray) -> FloatArray:
        """The given v itself, so that what is proven of it needs no division."""
        return self._v

    def residual(self, prediction: FloatArray, v: FloatArray) -> FloatArray:
        return v


def curvature_at(problem: Problem[Any], prediction: FloatArray) -> FloatArray:
    """Curvatures of the loss at a prediction, above 0, shape (n,)."""
    loss, y = problem.loss, problem.y
    least = _LEAST_SHARE * loss.majorizer(prediction, y)
    return np.maximum(loss.curvature(prediction, y), least)
