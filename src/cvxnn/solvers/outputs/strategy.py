"""How the optimum for several outputs is looked for on the rows of a layer."""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer
from cvxnn.methods import Method
from cvxnn.oracle.outputs.choice import outputs_oracle_for
from cvxnn.patterns.reduction import Reduction, reduce_rows
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.outputs.intercept import dual_point, without_neurons
from cvxnn.solvers.outputs.neurons import prediction_of
from cvxnn.solvers.outputs.proof import spectral_outputs_proof
from cvxnn.solvers.outputs.search import OutputsSearch
from cvxnn.solvers.proof_time import ProofTime
from cvxnn.solvers.search import Search
from cvxnn.solvers.strategy import SHARP, RowsStrategy, some_seconds


def sharp_outputs_proof(layer: Layer, V: FloatArray, deadline: Deadline = UNLIMITED) -> DualProof:
    """The largest ``||V'phi(u)||`` over ``||u|| <= 1``, or an upper bound after some seconds."""
    oracle = outputs_oracle_for(layer, some_seconds(layer))
    return DualProof.priced(V, oracle.price(V, tol=SHARP, deadline=deadline))


@final
class OutputsStrategy(RowsStrategy):
    """The search for neurons that several outputs share.

    Parameters
    ----------
    problem : Problem of Layer
    method : Method
        "global".
    random_state : numpy.random.Generator
    start : Neurons, optional
        Where the search starts.
    proof_time : ProofTime, optional
        Of the run, for an exact oracle that may not end.
    intercept : bool
        Whether a number that costs nothing is added to each output.
    """

    def __init__(
        self,
        problem: Problem[Layer],
        method: Method,
        random_state: np.random.Generator,
        start: Neurons | None = None,
        proof_time: ProofTime | None = None,
        *,
        intercept: bool,
    ) -> None:
        super().__init__(problem, method, random_state)
        self._start, self._proof_time, self._intercept = start, proof_time, intercept

    @cached_property
    def _reduction(self) -> Reduction:
        return reduce_rows(self._problem.rows.rows)

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
        return OutputsSearch(
            problem, self._random_state, self._reduction, deadline, start=start,
            certifies=certifies and self._method.certify, polishes=self._method.polish,
            intercept=self._intercept, proof_time=self._proof_time,
        )  # fmt: skip

    def opening(self) -> Neurons:
        search = self.open_for(self._problem, None, UNLIMITED, certifies=False)
        search.step(1e-3)
        return search.incumbent()

    def nothing(self) -> Neurons:
        return without_neurons(self._problem, intercept=self._intercept)

    def sharp_proof(self, deadline: Deadline = UNLIMITED) -> DualProof:
        return sharp_outputs_proof(self._problem.rows, self._dual_point, deadline)

    @property
    def _dual_point(self) -> FloatArray:
        """Of the network without neurons."""
        problem = self._problem
        V = problem.residual(prediction_of(problem.rows, self.nothing()))
        return dual_point(problem, V, intercept=self._intercept)

    def first_proof(self) -> DualProof:
        return spectral_outputs_proof(self._problem.rows, self._dual_point)
