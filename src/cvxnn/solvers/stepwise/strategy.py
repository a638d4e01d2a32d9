"""How a neuron is added in each round: by Frank and Wolfe's method, or a corrective one."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer
from cvxnn.methods import FrankWolfe, Incremental
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.proof_time import ProofTime
from cvxnn.solvers.search import Search
from cvxnn.solvers.stepwise.frank_wolfe import FrankWolfeSearch
from cvxnn.solvers.stepwise.incremental import IncrementalSearch
from cvxnn.solvers.stepwise.neurons import NextNeuron
from cvxnn.solvers.strategy import RowsStrategy, sharp_proof

# Random directions for the ascents of a step of Frank and Wolfe.
_STARTS = 16


@final
class StepwiseStrategy(RowsStrategy):
    """The search for neurons on a layer by one neuron a round.

    Parameters
    ----------
    problem : Problem of Layer
    method : FrankWolfe or Incremental
    random_state : numpy.random.Generator
    start : Neurons, optional
        Where the search starts.
    proof_time : ProofTime, optional
        Of the run; its own by default.
    """

    def __init__(
        self,
        problem: Problem[Layer],
        method: FrankWolfe | Incremental,
        random_state: np.random.Generator,
        start: Neurons | None = None,
        proof_time: ProofTime | None = None,
    ) -> None:
        super().__init__(problem, method, random_state)
        self._how, self._start = method, start
        self._proof_time = ProofTime(method) if proof_time is None else proof_time
        self._next: tuple[Layer, NextNeuron] | None = None

    def open(self, deadline: Deadline) -> Search:
        return self.open_for(self._problem, self._start, deadline)

    def open_for(
        self,
        problem: Problem[Any],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> Search:
        deadline.check()
        neuron, method = self._next_on(problem.rows, deadline), self._how
        certifies = certifies and method.certify
        if isinstance(method, FrankWolfe):
            return FrankWolfeSearch(
                problem, neuron, deadline,
                certifies=certifies, is_open_loop=method.step == "open_loop", start=start,
            )  # fmt: skip
        return IncrementalSearch(problem, neuron, deadline, certifies=certifies, start=start)

    def _next_on(self, layer: Layer, deadline: Deadline) -> NextNeuron:
        """What finds neurons on a layer, made once for it."""
        if self._next is None or self._next[0] is not layer:
            n_starts = self._how.n_starts if isinstance(self._how, Incremental) else _STARTS
            neuron = NextNeuron(layer, self._random_state, n_starts, deadline, self._proof_time)
            self._next = layer, neuron
        return self._next[1]

    def sharp_proof(self, deadline: Deadline = UNLIMITED) -> DualProof:
        return sharp_proof(self._problem.rows, self._problem.residual_at_zero, deadline)
