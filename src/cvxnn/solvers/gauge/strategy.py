"""How the optimum of a linear network is looked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.losses import Loss
from cvxnn.problems import Neurons
from cvxnn.solvers.gauge.objective import Objective
from cvxnn.solvers.gauge.programs import GaugeProgram
from cvxnn.solvers.gauge.proximal_gradient import ProximalGradient
from cvxnn.solvers.gauge.search import GaugeSearch
from cvxnn.solvers.strategy import Strategy

FloatArray = NDArray[np.float64]


class GaugeStrategy(Strategy):
    """One search on the program of a gauge; there are no patterns.

    Parameters
    ----------
    program : GaugeProgram
    y : ndarray, shape (n,)
    beta : float
    loss : Loss
    """

    def __init__(self, program: GaugeProgram, y: FloatArray, beta: float, loss: Loss) -> None:
        self._problem = Objective(program, y, beta, loss)
        self._nothing = np.zeros(program.matrix.shape[1])

    def open(self, deadline: Deadline) -> GaugeSearch:
        """The search, in the time of a few passes over the data."""
        problem = self._problem
        return GaugeSearch(problem.program, problem.y, problem.beta, problem.loss, deadline)

    def opening(self) -> Neurons:
        """One proximal step from 0, which leaves it wherever 0 is not optimal."""
        step = ProximalGradient(self._problem).run(self._nothing, 1, Deadline())
        return self._problem.program.neurons(step)

    def nothing(self) -> Neurons:
        """The network without filters."""
        return self._problem.program.neurons(self._nothing)

    def first_proof(self) -> DualProof:
        """What the targets prove."""
        return self._problem.proof(self._nothing)
