"""Joint descent of the filters and output weights of a network of maxima."""

from __future__ import annotations

from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, check_interrupt
from cvxnn.layers.max_pooling import MaxLayer
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.lbfgs import minimise

# A descent ends when so many steps gain less than this share, and pairs that are kept.
_ENOUGH, _STRETCH, _MEMORY = 1e-9, 10, 20


def descended(
    problem: Problem[Any], neurons: Neurons, steps: int, deadline: Deadline = UNLIMITED
) -> Neurons:
    """Neurons moved on objective (2), in balanced weights, whatever patches win on the way.

    Parameters
    ----------
    problem : Problem of MaxLayer
        Of one output and a smooth loss.
    neurons : Neurons
    steps : int
        At most.
    deadline : Deadline, optional
        What was reached comes back where it passes.

    Notes
    -----
    L-BFGS along subgradients, in which each image counts with its largest patch: O(n K k h) for
    a step of k neurons.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> problem = Problem.of(MaxLayer(np.eye(2), 2), np.array([2.0]), 0.5, SquaredLoss())
    >>> moved = descended(problem, Neurons(np.array([[0.8, 0.6]]), np.ones(1), np.ones((1, 1))), 50)
    >>> moved.sizes.round(4).tolist(), np.abs(moved.directions).round(4).tolist()
    ([1.5], [[1.0, 0.0]])
    """
    layer: MaxLayer = problem.rows
    hidden, output = neurons.balanced()
    shape = hidden.shape

    def value(theta: FloatArray) -> tuple[float, FloatArray]:
        check_interrupt()
        deadline.check()
        W, a = theta[: hidden.size].reshape(shape), theta[hidden.size :]
        prediction = layer.forward(W, a)
        v = problem.residual(prediction)
        scores, slopes = layer.scores(v, W)
        gradient = np.concatenate([(-a[:, None] * slopes).ravel(), -scores])
        penalty = 0.5 * problem.beta * float(theta @ theta)
        reached = problem.loss.value(prediction, problem.y) + penalty
        return reached, gradient + problem.beta * theta

    start = np.concatenate([hidden.ravel(), output[:, 0]])
    theta = minimise(value, start, steps=steps, enough=_ENOUGH, stretch=_STRETCH, memory=_MEMORY)
    return Neurons.of_weights(theta[: hidden.size].reshape(shape), theta[hidden.size :])
