"""The two steps of a round: accelerated proximal gradient, and Newton on the weights."""

from __future__ import annotations

import contextlib

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize

from cvxnn.architectures.programs import GaugeProgram
from cvxnn.interrupts import Deadline, OutOfTimeError, interrupt_pending
from cvxnn.losses import Loss

FloatArray = NDArray[np.float64]

_EPS = float(np.finfo(float).eps)
_POWER_STEPS = 20
_MOST_DOUBLINGS = 60
_NEWTON_STEPS = 100


class Objective:
    """``l(A t, y) + beta G(t)`` on coefficients and on weights."""

    def __init__(self, program: GaugeProgram, y: FloatArray, beta: float, loss: Loss) -> None:
        self.program, self.y, self.beta, self.loss = program, y, beta, loss

    def predict(self, coefficients: FloatArray) -> FloatArray:
        """``A t``, shape (n,)."""
        return self.program.matrix @ coefficients

    def dual_point(self, coefficients: FloatArray) -> FloatArray:
        """Minus the gradient of the loss in the predictions, shape (n,)."""
        return -self.loss.gradient(self.predict(coefficients), self.y)

    def smooth(self, coefficients: FloatArray) -> tuple[float, FloatArray]:
        """The loss and its gradient in the coefficients; O(np)."""
        prediction = self.predict(coefficients)
        slope = self.program.matrix.T @ self.loss.gradient(prediction, self.y)
        return self.loss.value(prediction, self.y), slope

    def curvature(self) -> float:
        """About the largest curvature of the loss; backtracking mends what it misses."""
        matrix = self.program.matrix
        direction = np.asarray(np.random.default_rng(0).standard_normal(matrix.shape[1]))
        square = 0.0
        for _ in range(_POWER_STEPS):
            image = matrix.T @ (matrix @ direction)
            square = float(np.linalg.norm(image)) / float(np.linalg.norm(direction))
            if square == 0.0:
                return 1.0
            direction = image / float(np.linalg.norm(image))
        start = np.zeros(len(self.y))
        return square * float(self.loss.majorizer(start, self.y).max())


class ProximalGradient:
    """Accelerated proximal gradient steps with restart.

    The gauge is shrunk as a whole (for the nuclear norm: its singular values are).
    A. Beck and M. Teboulle, SIAM J. Imaging Sci. 2, 2009; restart when the step
    points against the momentum: B. O'Donoghue and E. Candes, Found. Comput. Math. 15, 2015.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._curvature = objective.curvature()

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
        for _ in range(_MOST_DOUBLINGS):
            size = 1.0 / self._curvature
            following = objective.program.shrink(ahead - size * slope, size * objective.beta)
            move = following - ahead
            model = value + float(slope @ move) + 0.5 * self._curvature * float(move @ move)
            reached = objective.loss.value(objective.predict(following), objective.y)
            if reached <= model + 64.0 * _EPS * abs(value):
                break
            self._curvature *= 2.0
        return following


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
    reached = start = np.concatenate([filters.ravel(), output.ravel()])

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
                "gtol": 1e-12 * objective.beta * float(np.linalg.norm(start)),
                "maxiter": _NEWTON_STEPS,
                "initial_trust_radius": 0.1 * float(np.linalg.norm(start)),
                "max_trust_radius": 10.0 * float(np.linalg.norm(start)),
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
