"""Steps on some rows at a time, far from rest: Adam on tiles."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.interrupts import Deadline, interrupt_pending
from cvxnn.kernels import kernel
from cvxnn.problems import Neurons
from cvxnn.solvers.descent.weights import Weights
from cvxnn.solvers.segments.rows import RowTiles

# Of Adam: what means of gradients and of their squares forget with a step.
_FORGOTTEN, _FORGOTTEN_SQUARES = 0.1, 0.001


@final
class Stirring:
    """Moves neurons on objective (2) by steps on tiles of rows.

    Far from rest all rows say nearly the same, and a step on some of them brings as much as one
    on all.

    Parameters
    ----------
    tiles : RowTiles
        Rows in random order.
    intercept : bool
        Whether a number that costs nothing is added to all predictions, one for each output.
    deadline : Deadline
        Checked before every step, as Ctrl-C is: what was reached comes back.

    Notes
    -----
    O(n k (d + c)) for an epoch. D. Kingma and J. Ba, Adam: a method for stochastic optimization,
    ICLR 2015.
    """

    def __init__(self, tiles: RowTiles, *, intercept: bool, deadline: Deadline) -> None:
        self._tiles, self._intercept, self._deadline = tiles, intercept, deadline

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._tiles)

    def stirred(
        self,
        neurons: Neurons,
        beta: float,
        random_state: np.random.Generator,
        *,
        epochs: int,
        rate: float,
    ) -> Neurons:
        """The neurons after a step on each tile in every epoch, with steps that shrink to nothing.

        Parameters
        ----------
        neurons : Neurons
            Of sizes above zero.
        beta : float
            For these rows.
        random_state : numpy.random.Generator
            For the order of the tiles.
        epochs : int
            Passes over all of them.
        rate : float
            The first move of a weight.
        """
        weights = Weights.of(neurons, intercept=self._intercept)
        theta, count = weights.packed(neurons), self._tiles.n_tiles
        means, squares = np.zeros((2, len(theta)))
        steps = epochs * count
        order = np.concatenate([random_state.permutation(count) for _ in range(epochs)])
        for step, tile in enumerate(order.tolist()):
            if self._deadline.passed or interrupt_pending():
                break
            gradient = self._gradient(weights, theta, beta / count, slice(tile, tile + 1))
            # Means of few steps are too small by as much as they lack.
            scale = np.sqrt(1.0 - (1.0 - _FORGOTTEN_SQUARES) ** (step + 1))
            scale /= 1.0 - (1.0 - _FORGOTTEN) ** (step + 1)
            _adam_step(theta, gradient, means, squares, rate * (1.0 - step / steps) * scale)
        return weights.neurons(theta)

    def _gradient(
        self, weights: Weights, theta: FloatArray, beta: float, tile: slice
    ) -> FloatArray:
        sums = self._tiles.value_and_gradient(*weights.parts(theta), tile)
        return weights.with_penalty(theta, beta, sums)[1]


@kernel
def _adam_step(theta: Array, gradient: Array, means: Array, squares: Array, rate: float) -> None:
    for c in range(len(theta)):
        means[c] += _FORGOTTEN * (gradient[c] - means[c])
        squares[c] += _FORGOTTEN_SQUARES * (gradient[c] * gradient[c] - squares[c])
        if squares[c] > 0.0:
            theta[c] -= rate * means[c] / np.sqrt(squares[c])
