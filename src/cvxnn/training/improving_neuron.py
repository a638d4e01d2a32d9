"""The neuron that lowers the objective of a network most, of those that an oracle proposes."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.layers import Layer
from cvxnn.oracle import Proposals
from cvxnn.problems import Problem
from cvxnn.results import ImprovingNeuron
from cvxnn.solvers.line_search import best_size


class NeuronTrials:
    """Neurons beside a network of fixed weights.

    Parameters
    ----------
    problem : Problem of Layer
        Whose predictions are the activations of its rows.
    prediction : ndarray, shape (n,)
        Of the network.
    """

    def __init__(self, problem: Problem[Layer], prediction: FloatArray) -> None:
        self._problem, self._X, self._prediction = problem, problem.rows.rows, prediction
        self._residual = problem.residual(prediction)

    def valued(self, proposals: Proposals) -> Proposals:
        """Proposals with values that are computed from X itself, in the order given."""
        # One by one: the activations of all at once might not fit into memory.
        values = [
            float(self._residual @ np.maximum(self._X @ direction, 0.0))
            for direction in proposals.directions
        ]
        return Proposals(
            proposals.directions, proposals.outputs, proposals.signs * np.array(values)
        )

    def best(self, proposals: Proposals) -> ImprovingNeuron | None:
        """The one that lowers the objective most, at the size that is best for it."""
        worth = proposals.select(proposals.values > self._problem.beta)
        tried = [self._neuron(worth, j) for j in range(len(worth))]
        known = [neuron for neuron in tried if neuron is not None]
        return max(known, key=lambda neuron: neuron.decrease, default=None)

    def _neuron(self, proposals: Proposals, j: int) -> ImprovingNeuron | None:
        """The neuron of a direction at its best size c; None where it gains less than rounding."""
        direction, sign = proposals.directions[j], float(proposals.signs[j])
        move = sign * np.maximum(self._X @ direction, 0.0)
        size = best_size(self._problem, self._prediction, move)
        moved = self._prediction + size * move
        loss, y = self._problem.loss, self._problem.y
        fall = loss.values(self._prediction, y) - loss.values(moved, y)
        decrease = float(fall.sum()) - self._problem.beta * size
        if decrease <= 0.0:
            return None
        return ImprovingNeuron(direction, sign, float(proposals.values[j]), size, decrease)
