"""How the optimum for several outputs is looked for on the rows of a layer."""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

import numpy as np

from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer
from cvxnn.methods import Method
from cvxnn.oracle.outputs.choice import pulled
from cvxnn.oracle.outputs.spectral import spectral_outputs_bound
from cvxnn.patterns.reduction import Reduction, reduce_rows
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.outputs.intercept import dual_point, without_neurons
from cvxnn.solvers.outputs.neurons import prediction_of
from cvxnn.solvers.outputs.search import OutputsSearch
from cvxnn.solvers.search import Search
from cvxnn.solvers.strategy import RowsStrategy


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
    intercept : bool
        Whether a number that costs nothing is added to each output.
    """

    def __init__(
        self,
        problem: Problem[Layer],
        method: Method,
        random_state: np.random.Generator,
        start: Neurons | None = None,
        *,
        intercept: bool,
    ) -> None:
        super().__init__(problem, method, random_state)
        self._start, self._intercept = start, intercept

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
            intercept=self._intercept,
        )  # fmt: skip

    def opening(self) -> Neurons:
        search = self.open_for(self._problem, None, UNLIMITED, certifies=False)
        search.step(1e-3)
        return search.incumbent()

    def nothing(self) -> Neurons:
        return without_neurons(self._problem, intercept=self._intercept)

    def first_proof(self) -> DualProof:
        problem, layer = self._problem, self._problem.rows
        V = problem.residual(prediction_of(layer, self.nothing()))
        V = dual_point(problem, V, intercept=self._intercept)
        weights, error = pulled(layer, V)
        bound = spectral_outputs_bound(layer.rows, weights) + error
        return DualProof(V, np.array([bound]), "spectral")
