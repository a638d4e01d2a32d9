"""The search for three layers on one feature: an active set of knots, for any smooth loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.layers.line import Line
from cvxnn.losses.balance import balanced
from cvxnn.losses.offset import best_offset
from cvxnn.oracle.ramps import largest_ramp
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.ramps.active_set import Broken, QuadraticModel
from cvxnn.solvers.ramps.knots import Knots
from cvxnn.solvers.ramps.neurons import Ramps
from cvxnn.solvers.search import IncumbentSearch
from cvxnn.solvers.strategy import Strategy


@dataclass(frozen=True)
class Settings:
    """The numbers that the sequence of quadratic models goes by.

    Attributes
    ----------
    first_share, share_factor, least_share : float
        Of the curvature of ``Loss.majorizer`` that every row has in the first model, in each
        further one, and at last: some rows have none of their own. After a short step the model
        has been too flat, and the next has the square of the factor more.
    long : float
        A step from which on a model is taken to be good.
    fall : float
        Share of the fall that a model promises, which a step has to reach.
    most_halvings : int
        Of a step.
    """

    first_share: float = 1e-3
    share_factor: float = 0.1
    least_share: float = 1e-8
    long: float = 0.25
    fall: float = 1e-4
    most_halvings: int = 60


SETTINGS = Settings()


@final
class RampSearch(IncumbentSearch):
    """``min l(f + c, y) + beta/2 sum_j |turn_j|`` over piecewise linear f and a number c.

    Parameters
    ----------
    problem : Problem of Line
    deadline : Deadline
    start : Ramps, optional
        A function to begin with.

    Notes
    -----
    A round replaces the loss by its parabolas at the best function, solves that exactly and
    goes as far towards the solution as the objective falls enough; the squared loss is its own
    model, so that one round is all. O(n) for each knot that comes or goes, about.
    """

    neurons: Ramps

    def __init__(
        self, problem: Problem[Line], deadline: Deadline, start: Neurons | None = None
    ) -> None:
        self._line = line = problem.rows
        constant = best_offset(problem.loss, np.zeros_like(problem.y), problem.y)
        nothing = nothing_but(constant)
        super().__init__(problem, nothing, "ramps", deadline)
        self.basis = np.eye(1)
        self._share = SETTINGS.first_share
        self._now = Broken.constant(line, constant)
        self.objective = self._value(self._now)
        if isinstance(start, Ramps):
            self._begin_from(start)
        self._take(proof_of(problem, self._residual()))

    def step(self, tol: float) -> None:
        """One quadratic model, and a step towards its solution."""
        before = self.objective, self.bound
        model = self._model()
        solution = model.solve(self._now, self.deadline)
        promised = model.value(self._now) - model.value(solution)
        factor = SETTINGS.share_factor
        if self._go_towards(solution, promised):
            self._share = max(factor * self._share, SETTINGS.least_share)
        else:
            self._share = min(self._share / factor**2, 1.0)
        self._take(proof_of(self.problem, self._residual()))
        improved = self.objective < before[0] or self.bound > before[1]
        self.stalled = 0.0 if improved else self.stalled + 1.0

    def finish(self, tol: float, *, quick: bool) -> None:
        """Nothing is left to do: no ramp can be spared, as every end is a turn of its own."""

    def incumbent(self) -> Neurons:
        """The ramps of the best function."""
        return self.neurons

    def _begin_from(self, start: Ramps) -> None:
        points = self._line.points
        places = np.searchsorted(points, np.concatenate([start.starts, start.ends, points[:1]]))
        knots = Knots(points, np.unique(np.minimum(places, len(points) - 1)))
        values = start.predict(knots.places)
        self._keep(_function(knots, values))

    def _prediction(self, now: Broken) -> FloatArray:
        return now.expand()[self._line.places]

    def _value(self, now: Broken) -> float:
        return self.problem.value(self._prediction(now), now.cost)

    def _residual(self) -> FloatArray:
        return self.problem.residual(self._prediction(self._now))

    def _model(self) -> QuadraticModel:
        line, problem, f = self._line, self.problem, self._prediction(self._now)
        h = problem.loss.curvature(f, problem.y)
        if not problem.loss.is_quadratic:
            h = np.maximum(h, self._share * problem.loss.majorizer(f, problem.y))
        pull = line.gathered(problem.residual(f))
        return QuadraticModel(line, line.gathered(h), self._now.expand(), pull, problem.beta)

    def _go_towards(self, solution: Broken, promised: float) -> bool:
        """The first of the steps 1, 1/2, ... that falls by enough; whether that is a long one."""
        t, now = 1.0, self._now
        for _ in range(SETTINGS.most_halvings):
            candidate = solution if t == 1.0 else _between(now, solution, t)
            if self._value(candidate) <= self.objective - SETTINGS.fall * t * promised:
                self._keep(candidate)
                return t >= SETTINGS.long
            if self.deadline.passed:
                break
            t *= 0.5
        return False

    def _keep(self, candidate: Broken) -> None:
        value = self._value(candidate)
        if value <= self.objective:
            self._now, self.objective = candidate, value
            self.neurons = Ramps.of_function(candidate.knots.places, candidate.values)
            self.n_blocks = len(candidate.values)


@final
class RampStrategy(Strategy):
    """One search on a line; there are no patterns.

    Parameters
    ----------
    problem : Problem of Line
    start : Neurons, optional
        Where the search starts.
    """

    def __init__(self, problem: Problem[Line], start: Neurons | None = None) -> None:
        self._problem, self._start = problem, start

    def open(self, deadline: Deadline) -> RampSearch:
        """The search, in the time of a sort and a few passes over the data."""
        return RampSearch(self._problem, deadline, self._start)

    def open_for(
        self,
        problem: Problem[Line],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> RampSearch:
        """The same for another problem on the line."""
        return RampSearch(problem, deadline, start)

    def opening(self) -> Ramps:
        """The ramp of the largest value alone, with the best slope, and the intercept beside it."""
        problem, line = self._problem, self._problem.rows
        f = np.full_like(problem.y, self._constant)
        turns = line.turns(balanced(problem.residual(f)))
        first, last = sorted((int(np.argmax(turns)), int(np.argmin(turns))))
        if turns[first] == turns[last]:
            return self.nothing()
        index = np.unique([first, last])
        knots = Knots(line.points, index)
        sign = float(np.sign(turns[first] - turns[last]))
        both = Broken(knots, f[: len(index)], sign * np.array([1.0, -1.0]))
        h = line.gathered(np.maximum(problem.loss.majorizer(f, problem.y), 1e-300))
        pull = line.gathered(problem.residual(f))
        model = QuadraticModel(line, h, np.full(len(h), self._constant), pull, problem.beta)
        best = model.rest(both)
        return Ramps.of_function(best.knots.places, best.values)

    def nothing(self) -> Ramps:
        """No ramps, and the best constant."""
        return nothing_but(self._constant)

    def first_proof(self) -> DualProof:
        """What the residual of the best constant proves."""
        f = np.full_like(self._problem.y, self._constant)
        return proof_of(self._problem, self._problem.residual(f))

    @property
    def _constant(self) -> float:
        problem = self._problem
        return best_offset(problem.loss, np.zeros_like(problem.y), problem.y)


def nothing_but(constant: float) -> Ramps:
    """No ramps, and a number.

    Examples
    --------
    >>> nothing_but(2.0).predict(np.array([5.0]))
    array([2.])
    """
    none = np.zeros(0)
    return Ramps.between(none, none, none, constant)


def proof_of(problem: Problem[Line], v: FloatArray) -> DualProof:
    """What a dual point proves beside any intercept: its sum has to be 0, exactly."""
    v = balanced(v)
    bound = largest_ramp(problem.rows, v) if math.fsum(v) == 0.0 else np.inf
    return DualProof.of(v, bound, "ramps")


def _function(knots: Knots, values: FloatArray) -> Broken:
    """A function of these values, whatever the signs of its turns."""
    if len(values) == 1:
        return Broken(knots, values, np.zeros(1))
    return Broken(knots, values, np.where(knots.turns(values) >= 0.0, 1.0, -1.0))


def _between(one: Broken, other: Broken, t: float) -> Broken:
    """``(1 - t) f + t g`` of two functions."""
    index = np.union1d(one.knots.index, other.knots.index)
    values = (1.0 - t) * one.expand()[index] + t * other.expand()[index]
    return _function(Knots(one.knots.points, index), values)
