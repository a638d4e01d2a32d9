"""The fully corrective method: a neuron a round, and the best weights of all of them."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.oracle import Proposals
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.squares import refitted
from cvxnn.solvers.stepwise.neurons import NextNeuron
from cvxnn.solvers.stepwise.search import StepwiseSearch

# A share of the objective that is rounding.
_NO_GAIN = 1e-14


@final
class IncrementalSearch(StepwiseSearch):
    """The search of :class:`~cvxnn.methods.Incremental`.

    Parameters
    ----------
    start : Neurons, optional
        Neurons to begin with.
    """

    def __init__(
        self,
        problem: Problem[Any],
        next_neuron: NextNeuron,
        deadline: Deadline,
        *,
        certifies: bool,
        start: Neurons | None = None,
    ) -> None:
        super().__init__(problem, next_neuron, deadline, certifies=certifies)
        self._prediction = np.zeros_like(problem.y)
        if start is not None:
            self._offer(refitted(problem, start, deadline))

    def _residual(self) -> FloatArray:
        return self.problem.residual(self._prediction)

    def _advance(self, found: Proposals) -> bool:
        before = self.objective
        best = found.select(np.arange(min(len(found), 1)))
        joined = self.neurons.joined(best.directions, best.outputs)
        self._offer(refitted(self.problem, joined, self.deadline))
        return self.objective < before * (1.0 - _NO_GAIN)

    def _offer(self, neurons: Neurons) -> None:
        prediction = self.layer.forward(neurons.rays, neurons.signs)
        objective = self.problem.value(prediction, float(neurons.sizes.sum()))
        if objective < self.objective:
            self.neurons, self.objective, self._prediction = neurons, objective, prediction
