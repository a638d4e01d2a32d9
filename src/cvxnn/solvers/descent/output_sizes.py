"""The best output weights of neurons of given directions, up to float32, for several outputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer, row_chunks
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.settings import SETTINGS
from cvxnn.solvers.lasso.row_descent import rows_swept

# Of the diagonal: it is more than sums in float32 lose.
_RIDGE = 1e-6
# Of a move: below it, it is none.
_LEAST_SHARE = 1e-3


def reweighted(
    problem: Problem[Layer], neurons: Neurons, deadline: Deadline, *, intercept: bool
) -> Neurons:
    """The neurons that are left with the best output weights, for a parabola in place of the loss.

    A group Lasso on the directions: outputs turn, sizes change, and neurons that the others can
    do without vanish. Its parabola has one curvature for all outputs of a row, the largest.

    Parameters
    ----------
    problem : Problem of Layer
        Without a readout, with a loss that is a sum over the rows.
    neurons : Neurons
    deadline : Deadline
        Raises OutOfTimeError when it passes.
    intercept : bool
        Whether the best intercept goes with the weights; that of the neurons is the best one.

    Notes
    -----
    O(n k^2), in float32. A column of ones without a penalty is eliminated, see
    :func:`~cvxnn.solvers.descent.sizes.resized`.
    """
    if len(neurons) == 0:
        return neurons
    f = problem.rows.forward(neurons.rays, neurons.outputs) + neurons.intercept
    curvature, residual = _curvature(problem, f), problem.residual(f)
    gram, pull, sums = _sums(problem, neurons, curvature, residual, deadline)
    total = float(curvature.sum())
    if intercept:
        gram -= np.outer(sums, sums) / total
        pull -= np.outer(sums, residual.sum(axis=0)) / total
    gram[np.diag_indices_from(gram)] *= 1.0 + _RIDGE
    before = neurons.outputs * neurons.sizes[:, None]
    weights = rows_swept(
        gram, pull + gram @ before, problem.beta, before,
        sweeps=SETTINGS.sweeps, enough=SETTINGS.least_sweep * problem.beta * neurons.sizes.sum(),
    )  # fmt: skip
    move, moved = weights - before, np.zeros(problem.n_outputs)
    if intercept:
        moved = (residual.sum(axis=0) - sums @ move) / total
    share = _share(problem, neurons, f, move, moved)
    weights = before + share * move
    sizes = np.linalg.norm(weights, axis=1)
    outputs = weights / np.where(sizes > 0.0, sizes, 1.0)[:, None]
    b = neurons.intercept + share * moved if intercept else neurons.intercept
    found = replace(neurons, sizes=sizes, outputs=outputs, intercept=b)
    return found.select(sizes > SETTINGS.nothing * sizes.max(initial=0.0))


def _share(
    problem: Problem[Layer], neurons: Neurons, f: FloatArray, move: FloatArray, moved: FloatArray
) -> float:
    """How much of a move of output weights and intercept is one down, of predictions f.

    The parabola is that of the loss here: where that curves more, a whole move goes too far.
    """
    weights = neurons.outputs * neurons.sizes[:, None]
    step = problem.rows.forward(neurons.directions, move) + moved
    value, share = problem.value(f, float(neurons.sizes.sum())), 1.0
    while share > _LEAST_SHARE:
        sizes = np.linalg.norm(weights + share * move, axis=1)
        if problem.value(f + share * step, float(sizes.sum())) <= value:
            return share
        share *= 0.5
    return 0.0


def _sums(
    problem: Problem[Layer],
    neurons: Neurons,
    curvature: FloatArray,
    residual: FloatArray,
    deadline: Deadline,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """``C'HC``, ``C'V`` and ``C'h`` for the activations C and the residual V."""
    k = len(neurons)
    gram, pull, sums = np.zeros((k, k)), np.zeros((k, residual.shape[1])), np.zeros(k)
    rays = neurons.directions.T.astype(np.float32)
    root, v = np.sqrt(curvature).astype(np.float32), residual.astype(np.float32)
    for part in row_chunks(len(residual), k):
        deadline.check()
        columns: Array = problem.rows.rows[part].astype(np.float32) @ rays
        np.maximum(columns, 0.0, out=columns)
        pull += columns.T @ v[part]
        columns *= root[part, None]
        # Of a matrix with itself half of the products are formed.
        gram += columns.T @ columns
        sums += columns.T @ root[part]
    return gram, pull, sums


def _curvature(problem: Problem[Layer], f: FloatArray) -> FloatArray:
    """Of the loss, the largest of each row, and next to none where it is straight."""
    loss, Y = problem.loss, problem.Y
    least = SETTINGS.straight * loss.majorizer(f, Y)
    return np.maximum(loss.curvature(f, Y), least).max(axis=1)
