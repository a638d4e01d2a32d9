"""The search for an optimal linear network: proximal steps, Newton's method, a certificate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvxnn.interrupts import Deadline, check_interrupt
from cvxnn.losses import Loss
from cvxnn.problems import Neurons
from cvxnn.solvers.gauge.newton import polish
from cvxnn.solvers.gauge.objective import Objective
from cvxnn.solvers.gauge.programs import GaugeProgram
from cvxnn.solvers.gauge.proximal_gradient import ProximalGradient
from cvxnn.solvers.gauge.settings import SETTINGS
from cvxnn.solvers.search import Search

FloatArray = NDArray[np.float64]

# A search is given up when `stalled` is 3: what each idle round adds to it.
_IDLE = 3.0 / SETTINGS.idle_rounds


class GaugeSearch(Search):
    """Proximal steps and Newton's method on the program of a gauge.

        min_t  l(A t, y) + beta G(t)

    Its neurons are the filters of the network, see :class:`GaugeProgram`.

    Parameters
    ----------
    program : GaugeProgram
    y : ndarray, shape (n,)
    beta : float
    loss : Loss
    deadline : Deadline

    Notes
    -----
    Proximal steps find the rank, or the frequencies, and Newton's method the digits. Where
    two rounds of that do not suffice, the search starts again along a path of falling beta.
    """

    def __init__(
        self, program: GaugeProgram, y: FloatArray, beta: float, loss: Loss, deadline: Deadline
    ) -> None:
        self._problem = problem = Objective(program, y, beta, loss)
        self._coefficients = t = np.zeros(program.matrix.shape[1])
        self.neurons, self.n_blocks = program.neurons(t), 0
        self.objective = problem.of_neurons(self.neurons)
        self.proof = problem.proof(t)
        self.bound = problem.bound(self.proof)
        self._gradient = ProximalGradient(problem)
        self._rounds, self.stalled, self.deadline = 0, 0.0, deadline

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
            polished = polish(self._problem, stepped, self.deadline)
            self._note(polished)
            self._coefficients = polished if self._is_lower(polished, stepped) else stepped

    def _follow_path(self) -> None:
        """Start again from solutions for falling beta: Newton finds a small one's rank slowly."""
        problem, t = self._problem, np.zeros_like(self._coefficients)
        beta = SETTINGS.path_factor * problem.proof(t).oracle_bound
        while beta * SETTINGS.path_factor > problem.beta and not self.deadline.passed:
            check_interrupt()
            easier = Objective(problem.program, problem.y, beta, problem.loss)
            t = ProximalGradient(easier).run(t, SETTINGS.path_steps, self.deadline)
            t = polish(easier, t, self.deadline)
            beta *= SETTINGS.path_factor
        if self._is_lower(t, self._coefficients):
            self._coefficients = t

    def _is_lower(self, one: FloatArray, other: FloatArray) -> bool:
        return self._problem.value(one) <= self._problem.value(other)

    def _note(self, coefficients: FloatArray) -> None:
        """Keep the network of t if it is the best so far, and the bound of its residual."""
        neurons = self._problem.program.neurons(coefficients)
        objective = self._problem.of_neurons(neurons)
        if objective < self.objective:
            self.neurons, self.objective, self.n_blocks = neurons, objective, len(neurons)
        proof = self._problem.proof(coefficients)
        bound = self._problem.bound(proof)
        if bound > self.bound:
            self.proof, self.bound = proof, bound
