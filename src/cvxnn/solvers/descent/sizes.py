"""The best sizes of neurons of given directions, up to float32."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer, row_chunks
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.settings import SETTINGS
from cvxnn.solvers.lasso.coordinate_descent import swept

# Of the diagonal: it is more than sums in float32 lose.
_RIDGE = 1e-6


def resized(
    problem: Problem[Layer], neurons: Neurons, deadline: Deadline, *, intercept: bool
) -> Neurons:
    """The neurons that are left with the best sizes, where the loss is its parabola at them.

    Parameters
    ----------
    problem : Problem of Layer
        Without a readout, with a loss that is a sum over the rows.
    neurons : Neurons
    deadline : Deadline
        Raises OutOfTimeError when it passes.
    intercept : bool
        Whether the best intercept goes with the sizes.

    Notes
    -----
    O(n k^2), in float32. A column of ones without a penalty is eliminated: the other
    columns and the targets are taken from their means, with curvatures as weights.
    """
    if len(neurons) == 0:
        return neurons
    f = problem.rows.forward(neurons.rays, neurons.signs) + neurons.intercept
    curvature = _curvature(problem, f)
    # The parabola is 1/2 sum_i h_i (f_i - t_i)^2 with h t = h f + v.
    pulled = curvature * f + problem.residual(f)
    gram, pull, sums = _sums(problem, neurons, curvature, pulled, deadline)
    total = float(curvature.sum())
    mean = float(pulled.sum()) / total
    if intercept:
        gram -= np.outer(sums, sums) / total
        pull -= sums * mean
    gram[np.diag_indices_from(gram)] *= 1.0 + _RIDGE
    sizes = swept(
        gram, pull - problem.beta, neurons.sizes,
        sweeps=SETTINGS.sweeps, enough=SETTINGS.least_sweep * problem.beta * neurons.sizes.sum(),
    )  # fmt: skip
    b = mean - float(sums @ sizes) / total if intercept else 0.0
    least = SETTINGS.nothing * sizes.max(initial=0.0)
    return replace(neurons, sizes=sizes, intercept=b).select(sizes > least)


def _sums(
    problem: Problem[Layer],
    neurons: Neurons,
    curvature: FloatArray,
    pulled: FloatArray,
    deadline: Deadline,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """``C'HC``, ``C'(h t)`` and ``C'h`` for the activations C, with signs."""
    k = len(neurons)
    gram, pull, sums = np.zeros((k, k)), np.zeros(k), np.zeros(k)
    rays = (neurons.directions.T).astype(np.float32)
    signs, root = neurons.signs.astype(np.float32), np.sqrt(curvature).astype(np.float32)
    right = np.stack([pulled / np.maximum(root, 1e-30), root], axis=1).astype(np.float32)
    for part in row_chunks(len(pulled), k):
        deadline.check()
        columns: Array = problem.rows.rows[part].astype(np.float32) @ rays
        np.maximum(columns, 0.0, out=columns)
        columns *= signs
        columns *= root[part, None]
        # Of a matrix with itself half of the products are formed.
        gram += columns.T @ columns
        of_part = columns.T @ right[part]
        pull += of_part[:, 0]
        sums += of_part[:, 1]
    return gram, pull, sums


def _curvature(problem: Problem[Layer], f: FloatArray) -> FloatArray:
    """Of the loss, and next to none where it is straight."""
    loss, y = problem.loss, problem.y
    return np.maximum(loss.curvature(f, y), SETTINGS.straight * loss.majorizer(f, y))
