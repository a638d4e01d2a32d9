"""Joint descent of neurons with several outputs on objective (2), in float64, on any layer."""

from __future__ import annotations

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

    Notes
    -----
    O(n k (d + c)) an evaluation, for k neurons.
    """

    def __init__(self, problem: Problem[Layer], deadline: Deadline) -> None:
        self._problem, self._deadline = problem, deadline

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
        hidden, output = neurons.balanced()
        shape, start = hidden.shape, np.concatenate([hidden.ravel(), output.ravel()])

        def function(theta: FloatArray) -> tuple[float, FloatArray]:
            if self._deadline.passed or interrupt_pending():
                raise OutOfTimeError
            U, A = _parts(theta, shape)
            value, slopes, pulls = value_and_gradient(self._problem, U, A)
            beta = self._problem.beta
            gradient = np.concatenate([slopes.ravel(), pulls.ravel()]) + beta * theta
            return value + 0.5 * beta * float(theta @ theta), gradient

        reached = minimise(function, start, steps=steps, enough=enough, stretch=10, memory=30)
        return Neurons.of_weights(*_parts(reached, shape))


def value_and_gradient(
    problem: Problem[Layer], hidden: FloatArray, output: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """The loss, and its gradients in the weights of both layers, shapes (k, d) and (k, c).

    Tile by tile, so that the activations of a tile stay in the cache.
    """
    layer, loss, target = problem.rows, problem.loss, problem.target
    value, slopes, pulls = 0.0, np.zeros_like(hidden), np.zeros_like(output)
    for outputs, part in layer.tiles(len(hidden)):
        active = part.rows @ hidden.T
        on = active > 0.0
        np.maximum(active, 0.0, out=active)
        f, y, of_part = part.read(active @ output), target[outputs], loss.take(outputs)
        value += of_part.value(f, y)
        pull = part.pull(of_part.gradient(f, y))
        pulls += active.T @ pull
        slopes += ((pull @ output.T) * on).T @ part.rows
    return value, slopes, pulls


def _parts(theta: FloatArray, shape: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    k, d = shape
    return theta[: k * d].reshape(k, d), theta[k * d :].reshape(k, -1)
