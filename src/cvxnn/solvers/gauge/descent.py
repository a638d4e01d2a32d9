"""How the objective of a linear network is lowered: proximal steps, then Newton's method.

Accelerated proximal gradient finds the rank, or the frequencies, of an optimum; Newton's method
on the weights finds its digits.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from cvxnn.array_types import EPS, FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline, OutOfTimeError, interrupt_pending
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.gauge.programs import GaugeProgram


@dataclass(frozen=True)
class Settings:
    """The numbers that the search goes by, each with its reason.

    Attributes
    ----------
    steps : int
        Proximal steps of a round: enough to find the rank where the problem is easy.
    direct_rounds : int
        Rounds after which a problem counts as hard, and is approached along a path.
    path_factor : float
        From one beta of the path to the next: near enough for one solution to lead to the next.
    path_steps : int
        Proximal steps for each beta of the path, which need not be solved to the end.
    idle_rounds : int
        Rounds without any progress after which rounding is to blame.
    power_steps : int
        Of the power method: backtracking mends what it misses.
    doublings : int
        Of the curvature in one step, at most: 18 digits.
    newton_steps : int
        Of the trust-region method in one polish, at most; the next round goes on from there.
    newton_tolerance : float
        Length of the gradient in shares of beta times that of the weights: rounding.
    first_radius, largest_radius : float
        Of the trust region, in lengths of the weights: proximal steps have led close.
    """

    steps: int = 60
    direct_rounds: int = 2
    path_factor: float = 0.3
    path_steps: int = 20
    idle_rounds: int = 4
    power_steps: int = 20
    doublings: int = 60
    newton_steps: int = 100
    newton_tolerance: float = 1e-12
    first_radius: float = 0.1
    largest_radius: float = 10.0


SETTINGS = Settings()


@final
class Objective:
    """``l(A t, y) + beta G(t)``, and what its dual points prove.

    Parameters
    ----------
    problem : Problem of GaugeProgram
    """

    def __init__(self, problem: Problem[GaugeProgram]) -> None:
        self.problem, self.program = problem, problem.rows
        self.y, self.beta, self.loss = problem.y, problem.beta, problem.loss

    def predict(self, coefficients: FloatArray) -> FloatArray:
        """``A t``, shape (n,)."""
        return self.program.matrix @ coefficients

    def smooth(self, coefficients: FloatArray) -> tuple[float, FloatArray]:
        """The loss and its gradient in the coefficients; O(np)."""
        prediction = self.predict(coefficients)
        slope = self.program.matrix.T @ self.loss.gradient(prediction, self.y)
        return self.loss.value(prediction, self.y), slope

    def value(self, coefficients: FloatArray) -> float:
        """The objective of coefficients."""
        return self.problem.value(self.predict(coefficients), self.program.gauge(coefficients))

    def of_neurons(self, neurons: Neurons) -> float:
        """The objective of a network, from its weights."""
        prediction = self.predict(self.program.coefficients(neurons))
        return self.problem.value(prediction, float(neurons.sizes.sum()))

    def proof(self, coefficients: FloatArray) -> DualProof:
        """What the residual of coefficients proves."""
        v = self.problem.residual(self.predict(coefficients))
        return DualProof.of(v, self.program.dual_norm_bound(v), "gauge")


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
            if reached <= model + 64.0 * EPS * abs(value):
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
