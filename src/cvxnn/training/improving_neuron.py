"""The neuron that lowers the objective of a network most, of those that an oracle proposes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from cvxnn.losses import Loss
from cvxnn.oracle import Proposals
from cvxnn.results import ImprovingNeuron

FloatArray = NDArray[np.float64]


class NeuronTrials:
    """Neurons beside a network of fixed weights.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    beta : float
    loss : Loss
    prediction : ndarray, shape (n,)
        Of the network.
    """

    def __init__(
        self, X: FloatArray, y: FloatArray, beta: float, loss: Loss, prediction: FloatArray
    ) -> None:
        self._X, self._y, self._beta, self._loss = X, y, beta, loss
        self._prediction = prediction
        self._residual = -loss.gradient(prediction, y)

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
        worth = proposals.select(proposals.values > self._beta)
        tried = [self._neuron(worth, j) for j in range(len(worth))]
        known = [neuron for neuron in tried if neuron is not None]
        return max(known, key=lambda neuron: neuron.decrease, default=None)

    def _neuron(self, proposals: Proposals, j: int) -> ImprovingNeuron | None:
        """The neuron of a direction at its best size c; None where it gains less than rounding."""
        direction, sign = proposals.directions[j], float(proposals.signs[j])
        move = sign * np.maximum(self._X @ direction, 0.0)
        size = self._best_size(move)
        moved = self._prediction + size * move
        fall = self._loss.values(self._prediction, self._y) - self._loss.values(moved, self._y)
        decrease = float(fall.sum()) - self._beta * size
        if decrease <= 0.0:
            return None
        return ImprovingNeuron(direction, sign, float(proposals.values[j]), size, decrease)

    def _best_size(self, move: FloatArray) -> float:
        """The c > 0 with the least ``l(f + c move) + beta c``, convex in c; 0 if there is none."""
        loss, y, prediction = self._loss, self._y, self._prediction
        slope_at_zero = float(loss.gradient(prediction, y) @ move) + self._beta
        weight = float(loss.majorizer(prediction, y) @ move**2)
        if slope_at_zero >= 0.0 or weight == 0.0:
            return 0.0
        # The minimum of the parabola that majorizes the loss: that of a quadratic loss.
        unit = -slope_at_zero / weight

        def slope(t: float) -> float:
            """Relative to that at 0, whose square might leave the range of float64."""
            moved = prediction + t * unit * move
            return (float(loss.gradient(moved, y) @ move) + self._beta) / -slope_at_zero

        end = 1.0
        while slope(end) < 0.0:
            end *= 2.0
        return unit * float(brentq(slope, 0.0, end))
