"""The objective of a linear network in its coefficients, and lower bounds on it."""

from __future__ import annotations

from typing import final

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.gauge.programs import GaugeProgram


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
