"""Accelerated proximal gradient, which finds the rank or the frequencies of an optimum."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline, interrupt_pending
from cvxnn.solvers.gauge.gauge_settings import SETTINGS
from cvxnn.solvers.gauge.objective import Objective

_EPS = float(np.finfo(float).eps)


@final
class ProximalGradient:
    """Accelerated proximal gradient steps with restart.

    The gauge is shrunk as a whole (for the nuclear norm: its singular values are).
    A. Beck and M. Teboulle, SIAM J. Imaging Sci. 2, 2009; restart when the step
    points against the momentum: B. O'Donoghue and E. Candes, Found. Comput. Math. 15, 2015.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._curvature = _curvature(objective)

    def run(self, start: FloatArray, steps: int, deadline: Deadline) -> FloatArray:
        """The coefficients after so many steps, fewer when time is up or Ctrl-C was pressed."""
        current, ahead, momentum = start, start, 1.0
        for _ in range(steps):
            if deadline.passed or interrupt_pending():
                break
            following = self._step(ahead)
            if float((ahead - following) @ (following - current)) > 0.0:
                momentum = 1.0
            grown = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
            ahead = following + (momentum - 1.0) / grown * (following - current)
            current, momentum = following, grown
        return current

    def _step(self, ahead: FloatArray) -> FloatArray:
        objective = self._objective
        value, slope = objective.smooth(ahead)
        for _ in range(SETTINGS.doublings):
            size = 1.0 / self._curvature
            following = objective.program.shrink(ahead - size * slope, size * objective.beta)
            move = following - ahead
            model = value + float(slope @ move) + 0.5 * self._curvature * float(move @ move)
            reached = objective.loss.value(objective.predict(following), objective.y)
            if reached <= model + 64.0 * _EPS * abs(value):
                break
            self._curvature *= 2.0
        return following


def _curvature(objective: Objective) -> float:
    """About the largest curvature of the loss; backtracking mends what it misses."""
    matrix = objective.program.matrix
    direction = np.asarray(np.random.default_rng(0).standard_normal(matrix.shape[1]))
    square = 0.0
    for _ in range(SETTINGS.power_steps):
        image = matrix.T @ (matrix @ direction)
        square = float(np.linalg.norm(image)) / float(np.linalg.norm(direction))
        if square == 0.0:
            return 1.0
        direction = image / float(np.linalg.norm(image))
    start = np.zeros(len(objective.y))
    return square * float(objective.loss.majorizer(start, objective.y).max())
