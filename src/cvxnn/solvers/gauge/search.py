"""The search for an optimal linear network: proximal steps, Newton's method, a certificate."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline, check_interrupt
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.gauge.descent import SETTINGS, Objective, ProximalGradient, polish
from cvxnn.solvers.gauge.programs import GaugeProgram
from cvxnn.solvers.search import IncumbentSearch
from cvxnn.solvers.strategy import Strategy

# A search is given up when `stalled` is 3: what each idle round adds to it.
_IDLE = 3.0 / SETTINGS.idle_rounds


@final
class GaugeSearch(IncumbentSearch):
    """Proximal steps and Newton's method on the program of a gauge.

        min_t  l(A t, y) + beta G(t)

    Its neurons are the filters of the network, see :class:`GaugeProgram`.

    Parameters
    ----------
    problem : Problem of GaugeProgram
    deadline : Deadline

    Notes
    -----
    Proximal steps find the rank, or the frequencies, and Newton's method the digits. Where
    two rounds of that do not suffice, the search starts again along a path of falling beta.
    """

    def __init__(self, problem: Problem[GaugeProgram], deadline: Deadline) -> None:
        self._objective = objective = Objective(problem)
        self._coefficients = t = np.zeros(problem.rows.matrix.shape[1])
        super().__init__(problem, problem.rows.neurons(t), "gauge", deadline)
        self._take(objective.proof(t))
        self._gradient, self._rounds = ProximalGradient(objective), 0

    def step(self, tol: float) -> None:
        """One round: proximal steps, and Newton's method if those do not reach tol.

        When time is up or Ctrl-C has been pressed within it, it ends early with what it has.
        """
        check_interrupt()
        before = self.objective, self.bound
        if self._rounds == SETTINGS.direct_rounds:
            self._follow_path()
        self._improve(tol)
        self._rounds += 1
        advanced = (self.objective, self.bound) != before
        self.stalled = 0.0 if advanced else self.stalled + _IDLE

    def finish(self, tol: float, *, quick: bool) -> None:
        """Nothing is left to do: the weights are minimal as they are."""

    def incumbent(self) -> Neurons:
        """The best network so far: filters are not reduced."""
        return self.neurons

    def _improve(self, tol: float) -> None:
        stepped = self._gradient.run(self._coefficients, SETTINGS.steps, self.deadline)
        self._note(stepped)
        if self.gap > tol:
            polished = polish(self._objective, stepped, self.deadline)
            self._note(polished)
            self._coefficients = polished if self._is_lower(polished, stepped) else stepped

    def _follow_path(self) -> None:
        """Start again from solutions for falling beta: Newton finds a small one's rank slowly."""
        objective, t = self._objective, np.zeros_like(self._coefficients)
        beta = SETTINGS.path_factor * objective.proof(t).oracle_bound
        while beta * SETTINGS.path_factor > objective.beta and not self.deadline.passed:
            check_interrupt()
            easier = Objective(replace(objective.problem, beta=beta))
            t = ProximalGradient(easier).run(t, SETTINGS.path_steps, self.deadline)
            t = polish(easier, t, self.deadline)
            beta *= SETTINGS.path_factor
        if self._is_lower(t, self._coefficients):
            self._coefficients = t

    def _is_lower(self, one: FloatArray, other: FloatArray) -> bool:
        return self._objective.value(one) <= self._objective.value(other)

    def _note(self, coefficients: FloatArray) -> None:
        """Keep the network of t if it is the best so far, and the bound of its residual."""
        neurons = self._objective.program.neurons(coefficients)
        objective = self._objective.of_neurons(neurons)
        if objective < self.objective:
            self.neurons, self.objective, self.n_blocks = neurons, objective, len(neurons)
        self._take(self._objective.proof(coefficients))


@final
class GaugeStrategy(Strategy):
    """One search on the program of a gauge; there are no patterns.

    Parameters
    ----------
    problem : Problem of GaugeProgram
    """

    def __init__(self, problem: Problem[GaugeProgram]) -> None:
        self._objective = Objective(problem)
        self._nothing = np.zeros(problem.rows.matrix.shape[1])

    def open(self, deadline: Deadline) -> GaugeSearch:
        """The search, in the time of a few passes over the data."""
        return GaugeSearch(self._objective.problem, deadline)

    def open_for(
        self,
        problem: Problem[GaugeProgram],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> GaugeSearch:
        """The same for another problem on the same rows; it always starts from 0."""
        return GaugeSearch(problem, deadline)

    def opening(self) -> Neurons:
        """One proximal step from 0, which leaves it wherever 0 is not optimal."""
        step = ProximalGradient(self._objective).run(self._nothing, 1, Deadline())
        return self._objective.program.neurons(step)

    def nothing(self) -> Neurons:
        """The network without filters."""
        return self._objective.program.neurons(self._nothing)

    def first_proof(self) -> DualProof:
        """What the targets prove."""
        return self._objective.proof(self._nothing)
