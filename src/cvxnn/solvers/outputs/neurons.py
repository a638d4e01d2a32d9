"""Neurons of several outputs: predictions, small new ones, pruned ones."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.networks.pruning import columns_of, prune_scales
from cvxnn.oracle.price import Proposals
from cvxnn.problems import Neurons, Problem


def prediction_of(layer: Layer, neurons: Neurons) -> FloatArray:
    """``sum_j size_j phi(u_j) a_j'``, and the intercept, shape (n, c)."""
    return layer.forward(neurons.rays, neurons.outputs) + neurons.intercept


def objective_of(problem: Problem[Layer], neurons: Neurons) -> float:
    """Objective (2) of the balanced network."""
    return problem.value(prediction_of(problem.rows, neurons), float(neurons.sizes.sum()))


def with_small(
    problem: Problem[Layer], neurons: Neurons, proposals: Proposals, share: float
) -> Neurons:
    """The neurons, and proposals of a share of the size at which each alone would be best."""
    if len(proposals) == 0:
        return neurons
    f, loss = prediction_of(problem.rows, neurons), problem.loss
    curvature, squares = loss.majorizer(f, problem.target), np.zeros(len(proposals))
    for outputs, part in problem.rows.tiles(len(proposals)):
        # Of the curvatures of a row those of its outputs, as far as a neuron moves them.
        weights = curvature[outputs] @ (proposals.outputs**2).T
        squares += (weights * part.activations(proposals.directions) ** 2).sum(axis=0)
    excess = np.maximum(proposals.values - problem.beta, 1e-3 * problem.beta)
    sizes = share * excess / np.maximum(squares, 1e-300) / len(proposals)
    joined = neurons.joined(proposals.directions, proposals.outputs)
    return joined.sized(np.concatenate([neurons.sizes, sizes]))


def pruned(layer: Layer, neurons: Neurons, deadline: Deadline) -> Neurons:
    """The same predictions with linearly independent ``phi(u_j) a_j'``, no larger a penalty."""
    if len(neurons) == 0:
        return neurons
    active = layer.activations(neurons.directions) * neurons.sizes
    seen = np.flatnonzero(active.any(axis=0))
    neurons, active = neurons.select(seen), active[:, seen]
    scales = independent_scales(active, neurons.outputs, neurons.sizes, deadline)
    return neurons.sized(scales * neurons.sizes).select(np.flatnonzero(scales > 0.0))


def independent_scales(
    active: FloatArray, outputs: FloatArray, sizes: FloatArray, deadline: Deadline
) -> FloatArray:
    """Scales of neurons, some of them 0, with which their ``z_j a_j'`` are independent.

    Parameters
    ----------
    active : ndarray, shape (n, k)
        The activations ``z_j`` as columns.
    outputs : ndarray, shape (k, c)
        The ``a_j``.
    sizes : ndarray, shape (k,)
        Of the neurons, whose sum does not grow.
    deadline : Deadline
        Ends the moves when it passes.

    Examples
    --------
    >>> parallel = np.array([[1.0, 2.0], [0.0, 0.0]])
    >>> independent_scales(parallel, np.ones((2, 1)), np.array([1.0, 1.0]), Deadline())
    array([0. , 1.5])
    """
    columns = columns_of(active, outputs)
    scales = np.ones(len(sizes))
    for moved in prune_scales(columns, sizes, deadline=deadline):
        scales = moved
    return scales
