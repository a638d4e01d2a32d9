"""Joint descent of many neurons on objective (2), over tiles of rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError, interrupt_pending
from cvxnn.layers import Layer
from cvxnn.layers.tiles import Tiles
from cvxnn.losses import Loss
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.lbfgs import minimise
from cvxnn.solvers.descent.settings import SETTINGS


@final
class JointDescent:
    """Moves neurons by L-BFGS on objective (2), in balanced weights, whatever cells they cross.

    Parameters
    ----------
    problem : Problem of Layer
        Without a readout, with a loss that is a sum over the rows.
    dtype : type
        float32 or float64, to work in.
    intercept : bool
        Whether a number that costs nothing is added to all predictions.

    Notes
    -----
    O(n d k) an evaluation, for k neurons.
    """

    def __init__(
        self, problem: Problem[Layer], dtype: type[np.floating[Any]], *, intercept: bool = False
    ) -> None:
        self._tiles, self._intercept = Tiles(problem.rows.rows, dtype), intercept
        y, loss = problem.y.astype(dtype), problem.loss
        self._of_tiles: dict[int, tuple[Loss, Array]] = {
            rows.start: (loss.take(rows), y[rows]) for rows in self._tiles.slices
        }

    def moved(
        self,
        neurons: Neurons,
        beta: float,
        *,
        steps: int,
        enough: float,
        deadline: Deadline = UNLIMITED,
    ) -> Neurons:
        """The neurons after so many steps at most; those that reach zero are dropped.

        Parameters
        ----------
        neurons : Neurons
            Of sizes above zero.
        beta : float
        steps : int
        enough : float
            Share of the objective that a stretch of steps has to gain: else it ends.
        deadline : Deadline, optional
            Checked before every tile, as Ctrl-C is: what was reached comes back.
        """
        if len(neurons) == 0:
            return neurons
        (k, d), root = neurons.directions.shape, np.sqrt(neurons.sizes)
        n_weights = k * (d + 1)

        def evaluate(theta: FloatArray) -> tuple[float, FloatArray]:
            weights, b = theta[:n_weights], theta[n_weights:].sum()
            slopes = np.empty_like(theta)
            value, hidden_slopes, output_slopes, slope = self._evaluated(
                weights[: k * d].reshape(k, d), weights[k * d :], b, deadline
            )
            slopes[: k * d], slopes[k * d : n_weights] = hidden_slopes.ravel(), output_slopes
            slopes[:n_weights] += beta * weights
            slopes[n_weights:] = slope
            return value + 0.5 * beta * float(weights @ weights), slopes

        offset = [neurons.intercept] if self._intercept else []
        hidden, output = neurons.directions * root[:, None], neurons.signs * root
        reached = minimise(
            evaluate, np.concatenate([hidden.ravel(), output, offset]),
            steps=steps, enough=enough, stretch=SETTINGS.stretch, memory=SETTINGS.memory,
        )  # fmt: skip
        moved = Neurons.of_weights(reached[: k * d].reshape(k, d), reached[k * d : n_weights])
        return replace(moved, intercept=float(reached[n_weights:].sum()))

    def _evaluated(
        self, hidden: FloatArray, output: FloatArray, b: float, deadline: Deadline
    ) -> tuple[float, FloatArray, FloatArray, float]:
        """The loss, and its gradients in both layers and the intercept."""
        slope = 0.0

        def loss_of(rows: slice, f: Array) -> tuple[float, Array]:
            nonlocal slope
            if deadline.passed or interrupt_pending():
                raise OutOfTimeError
            loss, target = self._of_tiles[rows.start]
            if self._intercept:
                f += f.dtype.type(b)
            gradient = loss.gradient(f, target).astype(f.dtype, copy=False)
            if self._intercept:
                slope += float(gradient.sum())
            return loss.value(f, target), gradient

        return *self._tiles.value_and_gradient(hidden, output, loss_of), slope
