"""Joint descent of neurons with several outputs on objective (2), in float64, on any layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline, OutOfTimeError, interrupt_pending
from cvxnn.layers import Layer
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.lbfgs import minimise


@final
class OutputsDescent:
    """Moves neurons in balanced weights, whatever cells they cross.

    Parameters
    ----------
    problem : Problem of Layer
        With c outputs and any loss.
    deadline : Deadline
        Checked at every evaluation, as Ctrl-C is: what was reached comes back.
    intercept : bool
        Whether a number that costs nothing is added to each output.

    Notes
    -----
    O(n k (d + c)) an evaluation, for k neurons.
    """

    def __init__(self, problem: Problem[Layer], deadline: Deadline, *, intercept: bool) -> None:
        self._problem, self._deadline, self._intercept = problem, deadline, intercept

    def moved(self, neurons: Neurons, *, steps: int, enough: float) -> Neurons:
        """The neurons after L-BFGS; those that reach zero are dropped.

        Parameters
        ----------
        neurons : Neurons
            Of sizes above zero.
        steps : int
            At most.
        enough : float
            Share of the objective that a stretch of steps has to gain: else it ends.
        """
        if len(neurons) == 0:
            return neurons
        (k, d), c = neurons.directions.shape, neurons.outputs.shape[1]
        hidden, output = neurons.balanced()
        b = np.broadcast_to(neurons.intercept, c)
        start = np.concatenate([hidden.ravel(), output.ravel(), b])
        n_weights, beta = k * (d + c), self._problem.beta
        # Which rows predictions read is found out once.
        tiles = list(self._problem.rows.tiles(k))

        def parts(theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
            hidden, output = theta[: k * d], theta[k * d : n_weights]
            return hidden.reshape(k, d), output.reshape(k, c), theta[n_weights:]

        def function(theta: FloatArray) -> tuple[float, FloatArray]:
            if self._deadline.passed or interrupt_pending():
                raise OutOfTimeError
            value, *slopes = value_and_gradient(self._problem, tiles, *parts(theta))
            gradient = np.concatenate([part.ravel() for part in slopes])
            weights = theta[:n_weights]
            gradient[:n_weights] += beta * weights
            if not self._intercept:
                gradient[n_weights:] = 0.0
            return value + 0.5 * beta * float(weights @ weights), gradient

        reached = minimise(function, start, steps=steps, enough=enough, stretch=10, memory=30)
        hidden, output, b = parts(reached)
        return replace(Neurons.of_weights(hidden, output), intercept=b)


def value_and_gradient(
    problem: Problem[Layer],
    tiles: Iterable[tuple[slice, Layer]],
    hidden: FloatArray,
    output: FloatArray,
    b: FloatArray,
) -> tuple[float, FloatArray, FloatArray, FloatArray]:
    """The loss, and its gradients in the weights of both layers and the intercept.

    Tile by tile, so that the activations of a tile stay in the cache.
    """
    loss, target = problem.loss, problem.target
    value, slopes, pulls, total = 0.0, np.zeros_like(hidden), np.zeros_like(output), 0.0 * b
    for outputs, part in tiles:
        active = part.rows @ hidden.T
        on = active > 0.0
        np.maximum(active, 0.0, out=active)
        f, y, of_part = part.read(active @ output) + b, target[outputs], loss.take(outputs)
        value += of_part.value(f, y)
        gradient = of_part.gradient(f, y)
        total += gradient.sum(axis=0)
        pull = part.pull(gradient)
        pulls += active.T @ pull
        slopes += ((pull @ output.T) * on).T @ part.rows
    return value, slopes, pulls, total
