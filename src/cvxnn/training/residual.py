"""The residual of a network: what an oracle proves of it, and the neurons that it asks for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.layers import Layer
from cvxnn.losses.balance import balanced
from cvxnn.oracle import Proposals
from cvxnn.oracle.choice import Effort, oracle_for
from cvxnn.oracle.outputs.choice import outputs_oracle_for
from cvxnn.oracle.price import Oracle, Price
from cvxnn.problems import Problem
from cvxnn.results import ImprovingNeuron
from cvxnn.solvers.intercept.proof import beside_any_offset
from cvxnn.solvers.line_search import best_size
from cvxnn.solvers.outputs.intercept import dual_point
from cvxnn.solvers.outputs.proof import spectral_outputs_proof


class Residual(ABC):
    """A dual point next to minus the gradient of the loss at the predictions of a network.

    Attributes
    ----------
    first : DualProof
        What is proven of it without a search.
    """

    first: DualProof

    @abstractmethod
    def oracle(self, effort: Effort) -> Oracle[Price]:
        """What bounds it, and finds neurons."""

    @abstractmethod
    def proof(self, price: Price) -> DualProof:
        """What its price proves, beside any intercept where there may be one."""


@final
class OneResidual(Residual):
    """That of one output.

    Parameters
    ----------
    problem : Problem of Layer
    v : ndarray, shape (n,)
        The residual.
    reach : float, optional
        Bound on the modulus of the intercept of every better network, where there may be one:
        :func:`~cvxnn.solvers.intercept.proof.intercept_reach`.
    """

    def __init__(self, problem: Problem[Layer], v: FloatArray, reach: float | None) -> None:
        self._problem, self._reach = problem, reach
        point = v if reach is None else balanced(v)
        self.first = self._beside(spectral_proof(problem.rows, point))

    def oracle(self, effort: Effort) -> Oracle[Price]:
        return oracle_for(self._problem.rows, effort)

    def proof(self, price: Price) -> DualProof:
        return self._beside(DualProof.priced(self.first.V, price))

    def _beside(self, proof: DualProof) -> DualProof:
        if self._reach is None:
            return proof
        return beside_any_offset(proof, self._problem, self._reach)


@final
class OutputsResidual(Residual):
    """That of several outputs: in the domain of the conjugate, and of the sum 0 by an intercept.

    Parameters
    ----------
    problem : Problem of Layer
    V : ndarray, shape (n, c)
        The residual.
    intercept : bool
        Whether there may be one.
    """

    def __init__(self, problem: Problem[Layer], V: FloatArray, *, intercept: bool) -> None:
        self._rows = problem.rows
        point = dual_point(problem, V, intercept=intercept)
        self.first = spectral_outputs_proof(problem.rows, point)

    def oracle(self, effort: Effort) -> Oracle[Price]:
        return outputs_oracle_for(self._rows, effort)

    def proof(self, price: Price) -> DualProof:
        return DualProof.priced(self.first.V, price)


class NeuronTrials:
    """Neurons beside a network of fixed weights.

    Parameters
    ----------
    problem : Problem of Layer
        Whose predictions are the activations of its rows.
    prediction : ndarray, shape (n,), or (n, c) for several outputs
        Of the network.
    """

    def __init__(self, problem: Problem[Layer], prediction: FloatArray) -> None:
        self.problem, self._X, self._prediction = problem, problem.rows.rows, prediction
        self._residual = problem.residual(prediction)

    def valued(self, proposals: Proposals) -> Proposals:
        """Proposals with values that are computed from X itself, in the order given."""
        # One by one: the activations of all at once might not fit into memory.
        values = [
            float(np.dot(self._residual.T @ np.maximum(self._X @ direction, 0.0), head))
            for direction, head in zip(proposals.directions, proposals.heads, strict=True)
        ]
        return Proposals(proposals.directions, proposals.outputs, np.array(values))

    def best(self, proposals: Proposals) -> ImprovingNeuron | None:
        """The one that lowers the objective most, at the size that is best for it."""
        worth = proposals.select(proposals.values > self.problem.beta)
        tried = [self._neuron(worth, j) for j in range(len(worth))]
        known = [neuron for neuron in tried if neuron is not None]
        return max(known, key=lambda neuron: neuron.decrease, default=None)

    def _neuron(self, proposals: Proposals, j: int) -> ImprovingNeuron | None:
        """The neuron of a direction at its best size c; None where it gains less than rounding."""
        direction, head = proposals.directions[j], proposals.heads[j]
        move = np.multiply.outer(np.maximum(self._X @ direction, 0.0), head)
        size = best_size(self.problem, self._prediction, move)
        moved = self._prediction + size * move
        loss, target = self.problem.loss, self.problem.target
        fall = loss.values(self._prediction, target) - loss.values(moved, target)
        decrease = float(fall.sum()) - self.problem.beta * size
        if decrease <= 0.0:
            return None
        output = float(head) if np.ndim(head) == 0 else head
        return ImprovingNeuron(direction, output, float(proposals.values[j]), size, decrease)
