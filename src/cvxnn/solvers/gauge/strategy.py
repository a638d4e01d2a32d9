"""How the optimum of a linear network is looked for."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.gauge.objective import Objective
from cvxnn.solvers.gauge.programs import GaugeProgram
from cvxnn.solvers.gauge.proximal_gradient import ProximalGradient
from cvxnn.solvers.gauge.search import GaugeSearch
from cvxnn.solvers.strategy import Strategy


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
