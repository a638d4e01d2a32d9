"""The best output weights for given directions, many of them zero: a group Lasso."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.lasso.group_rows import minimised
from cvxnn.solvers.outputs.curvature import Curvature

# Models of the loss, the relative gain of one that is the last, and shares of a step to it.
_MODELS, _AT_REST, _SHARES = 12, 1e-14, (1.0, 0.5, 0.25, 0.1, 0.01)
# Unknowns up to which a model is cheap.
_MOST_UNKNOWNS = 1_000
# Curvature that every output has, as a share of the largest: some have none of their own.
_STRAIGHT = 1e-6


def reweighted(problem: Problem[Layer], neurons: Neurons, deadline: Deadline) -> Neurons:
    """The neurons that are left with the best sizes and outputs for their directions.

    Parameters
    ----------
    problem : Problem of Layer
        With c outputs and any loss.
    neurons : Neurons
    deadline : Deadline
        What was reached comes back when it passes.

    Notes
    -----
    Proximal Newton: the loss is replaced by its quadratic model, of which one is enough for
    squares. O(n k^2 c^2) for each, for k neurons; for squares O(n k^2).
    """
    (k, c), beta = neurons.outputs.shape, problem.beta
    if k == 0 or k * c > _MOST_UNKNOWNS:
        return neurons
    weights = neurons.outputs * neurons.sizes[:, None]
    for _ in range(1 if problem.is_least_squares else _MODELS):
        if deadline.passed:
            break
        value, slope, Q = _model(problem, neurons.directions, weights)
        value += beta * _total(weights)
        goal = minimised(Q, (Q @ weights.ravel()).reshape(k, c) - slope, beta, weights)
        found = None
        for share in _SHARES:
            candidate = weights + share * (goal - weights)
            reached = _value(problem, neurons.directions, candidate)
            if reached < value:
                found = candidate
                break
        if found is None:
            break
        weights = found
        if value - reached <= _AT_REST * abs(value):
            break
    sizes = np.linalg.norm(weights, axis=1)
    outputs = weights / np.where(sizes > 0.0, sizes, 1.0)[:, None]
    return replace(neurons, sizes=sizes, outputs=outputs).select(sizes > 0.0)


def _model(
    problem: Problem[Layer], directions: FloatArray, weights: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """The loss, its gradient in the weights, and its curvature there."""
    k, c = weights.shape
    curvature, slope, value = Curvature(weights, np.zeros(0, dtype=np.int64)), np.zeros((k, c)), 0.0
    for outputs, part in problem.rows.tiles(k * c):
        columns = part.activations(directions)
        f, y, loss = columns @ weights, problem.target[outputs], problem.loss.take(outputs)
        value += loss.value(f, y)
        slope += columns.T @ loss.gradient(f, y)
        h, g = loss.factors(f, y)
        h = np.maximum(h, _STRAIGHT * loss.majorizer(f, y))
        curvature.add(np.zeros((len(f), 0)), columns, h, g)
    return value, slope, curvature.total


def _value(problem: Problem[Layer], directions: FloatArray, weights: FloatArray) -> float:
    return problem.value(problem.rows.forward(directions, weights), _total(weights))


def _total(weights: FloatArray) -> float:
    return float(np.linalg.norm(weights, axis=1).sum())
