"""Newton's method on the weights, which finds the digits of an optimum."""

from __future__ import annotations

import contextlib

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline, OutOfTimeError, interrupt_pending
from cvxnn.solvers.gauge.gauge_settings import SETTINGS
from cvxnn.solvers.gauge.objective import Objective


def polish(objective: Objective, coefficients: FloatArray, deadline: Deadline) -> FloatArray:
    """Newton's method in a trust region on the weights of the network of t.

    On networks the objective is smooth, and quadratic convergence gives the digits
    that proximal steps would take thousands of rounds for. It keeps the rank
    (or the frequencies) that those have found, or lowers it.

    Notes
    -----
    Products with the Hessian are formed without it: O(np) each.
    """
    filters, output = objective.program.weights(coefficients)
    if not len(filters):
        return coefficients
    weights = _WeightObjective(objective, filters.shape, output.shape)
    reached = start = _joined((filters, output))
    length = float(np.linalg.norm(start))

    def keep(intermediate_result: OptimizeResult) -> None:
        nonlocal reached
        reached = intermediate_result.x.copy()

    def hessian_product(weights_now: FloatArray, direction: FloatArray) -> FloatArray:
        # A step may take hundreds of products.
        if deadline.passed or interrupt_pending():
            raise OutOfTimeError
        return weights.hessian_product(weights_now, direction)

    with contextlib.suppress(OutOfTimeError):
        reached = minimize(
            weights.value,
            start,
            jac=weights.gradient,
            hessp=hessian_product,
            method="trust-ncg",
            callback=keep,
            options={
                "gtol": SETTINGS.newton_tolerance * objective.beta * length,
                "maxiter": SETTINGS.newton_steps,
                "initial_trust_radius": SETTINGS.first_radius * length,
                "max_trust_radius": SETTINGS.largest_radius * length,
            },
        ).x
    return objective.program.product(*weights.split(reached))


class _WeightObjective:
    """The objective on the weights in one vector, for `scipy.optimize.minimize`."""

    def __init__(
        self, objective: Objective, filters: tuple[int, ...], output: tuple[int, ...]
    ) -> None:
        self._objective, self._program = objective, objective.program
        self._filters, self._output = filters, output
        self._point: FloatArray | None = None

    def split(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        size = int(np.prod(self._filters))
        return weights[:size].reshape(self._filters), weights[size:].reshape(self._output)

    def value(self, weights: FloatArray) -> float:
        prediction = self._objective.predict(self._program.product(*self.split(weights)))
        penalty = 0.5 * self._objective.beta * float(weights @ weights)
        return self._objective.loss.value(prediction, self._objective.y) + penalty

    def gradient(self, weights: FloatArray) -> FloatArray:
        filters, output = self.split(weights)
        _, slope = self._objective.smooth(self._program.product(filters, output))
        pulled = self._program.pull_back(slope, filters, output)
        return _joined(pulled) + self._objective.beta * weights

    def hessian_product(self, weights: FloatArray, direction: FloatArray) -> FloatArray:
        objective, program = self._objective, self._program
        filters, output = self.split(weights)
        filters_move, output_move = self.split(direction)
        self._move_to(weights)
        move = program.product(filters_move, output) + program.product(filters, output_move)
        curved = self._curvature * objective.predict(move)
        through_slope = _joined(program.pull_back(self._slope, filters_move, output_move))
        through_loss = _joined(program.pull_back(program.matrix.T @ curved, filters, output))
        return through_slope + through_loss + objective.beta * direction

    def _move_to(self, weights: FloatArray) -> None:
        """Keep what all products with one Hessian share: half of their cost."""
        if self._point is not None and np.array_equal(self._point, weights):
            return
        objective, program = self._objective, self._program
        prediction = objective.predict(program.product(*self.split(weights)))
        self._curvature = objective.loss.curvature(prediction, objective.y)
        self._slope = program.matrix.T @ objective.loss.gradient(prediction, objective.y)
        self._point = weights.copy()


def _joined(parts: tuple[FloatArray, FloatArray]) -> FloatArray:
    return np.concatenate([part.ravel() for part in parts])
