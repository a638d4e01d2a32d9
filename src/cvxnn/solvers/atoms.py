"""Atoms, the outputs of neurons of size one: their sums and best sizes; merged and pruned.

Objective and sizes are for the squared loss.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Rows, row_chunks
from cvxnn.networks.pruning import DEPENDENT, prune_scales
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.lasso.nonnegative_lasso import nonnegative_lasso

# A row counts as tight when |x'u| is below this times sum_i |x_i u_i|: relative
# to what cancels, so that the units of the columns do not matter.
TIGHT = 1e-9
# Rows that show that two neurons share no cell, in nearly all cases.
_PROBES = 256


def atoms(layer: Rows, neurons: Neurons) -> FloatArray:
    """Columns ``s_j R (M u_j)_+``, shape (n, k)."""
    return layer.activations(neurons.directions) * neurons.signs


def atom_lengths(layer: Rows, neurons: Neurons, deadline: Deadline) -> FloatArray:
    """Lengths of the columns of :func:`atoms`, shape (k,)."""
    squares = np.zeros(len(neurons.sizes))
    for _, part in layer.tiles(len(squares)):
        deadline.check()
        squares += (atoms(part, neurons) ** 2).sum(axis=0)
    return np.asarray(np.sqrt(squares))


def residual(problem: Problem[Rows], neurons: Neurons) -> FloatArray:
    """``y - f``, shape (n,), without an (N, k) array."""
    return problem.y - problem.rows.forward(neurons.rays, neurons.signs)


def neuron_objective(problem: Problem[Rows], neurons: Neurons) -> float:
    """Objective (2) of the balanced network with these neurons."""
    left = residual(problem, neurons)
    return 0.5 * float(left @ left) + problem.beta * float(neurons.sizes.sum())


def reweigh(
    problem: Problem[Rows],
    neurons: Neurons,
    deadline: Deadline = UNLIMITED,
    *,
    precise: bool = False,
) -> Neurons:
    """The best weights for the given directions, without the neurons they drop.

    For all their digits, `precise`, the columns are used as they are: O(n k) memory. Raises
    OutOfTimeError if the deadline passes before the end, as all do here that take one.
    """
    if precise:
        columns, y = atoms(problem.rows, neurons), problem.y
        weights = nonnegative_lasso(columns, y, problem.beta, neurons.sizes, deadline, precise=True)
    else:
        weights = best_weights(problem, neurons, deadline)
    return neurons.sized(weights).select(weights > 0.0)


def best_weights(
    problem: Problem[Rows], neurons: Neurons, deadline: Deadline = UNLIMITED
) -> FloatArray:
    """The weights that minimise (2) for the given directions, many of them zero, shape (k,)."""
    k, y = len(neurons), problem.y
    if len(y) > 2 * (k + 1):
        # The same program in k + 1 rows: distances are all that counts.
        triangle = _triangle(problem, neurons, deadline)
        columns, target = triangle[:, :k], triangle[:, k]
    else:
        columns, target = atoms(problem.rows, neurons), y
    return nonnegative_lasso(columns, target, problem.beta, neurons.sizes, deadline)


def _triangle(problem: Problem[Rows], neurons: Neurons, deadline: Deadline) -> FloatArray:
    """The triangular factor of the activations and y, shape (k + 1, k + 1).

    The rows of a chunk join the factor of the rows before them: memory does not
    grow with n.
    """
    k, y = len(neurons), problem.y
    triangle = np.zeros((0, k + 1))
    for outputs, part in problem.rows.tiles(k + 1):
        deadline.check()
        tall = np.empty((len(triangle) + part.n_predictions, k + 1), order="F")
        tall[: len(triangle)] = triangle
        tall[len(triangle) :, :k] = atoms(part, neurons)
        tall[len(triangle) :, k] = y[outputs]
        triangle = scipy.linalg.qr(tall, mode="r", overwrite_a=True, check_finite=False)[0]
        triangle = triangle[: k + 1]
    return triangle


def merge_cells(X: FloatArray, neurons: Neurons, deadline: Deadline = UNLIMITED) -> Neurons:
    """Add up neurons of one sign that share a closed cell.

    The output stays and the penalty does not grow: on a closed cell the ReLU is
    linear, and ``||p + q|| <= ||p|| + ||q||``.
    """
    w = neurons.rays
    sides = sides_of(X, neurons.directions, deadline)
    probes = np.ascontiguousarray(sides[:, :: max(1, len(X) // _PROBES)])
    kept = np.zeros(0, dtype=np.int64)
    for j in range(len(w)):
        deadline.check()
        rivals = kept[neurons.signs[kept] == neurons.signs[j]]
        for part in (probes, sides):
            rivals = rivals[~(part[rivals] * part[j] < 0).any(axis=1)]
        if len(rivals) == 0:
            kept = np.append(kept, j)
            continue
        i = rivals[0]
        w[i] += w[j]
        # The sum lies on the side of whichever of the two is off the hyperplane.
        for part in (probes, sides):
            part[i] = np.where(part[i] == 0, part[j], part[i])
    return Neurons.of(w[kept], neurons.outputs[kept])


def sides_of(
    X: FloatArray, directions: FloatArray, deadline: Deadline = UNLIMITED
) -> NDArray[np.int8]:
    """-1, 0 (tight) or 1 for every neuron and row, shape (k, n)."""
    sides = np.empty((len(directions), len(X)), dtype=np.int8)
    for rows in row_chunks(len(X), len(directions)):
        deadline.check()
        products = directions @ X[rows].T
        size = np.abs(directions) @ np.abs(X[rows]).T
        sides[:, rows] = np.where(np.abs(products) <= TIGHT * size, 0.0, np.sign(products))
    return sides


def prune(
    layer: Rows, neurons: Neurons, deadline: Deadline = UNLIMITED, dependent: float = DEPENDENT
) -> Neurons:
    """The same function with linearly independent activations, and no larger a penalty.

    Sooner or later: a deadline leaves it on the way there.
    """
    columns = atoms(layer, neurons) * neurons.sizes
    active = np.abs(columns).max(axis=0, initial=0.0) > 0.0
    neurons, columns = neurons.select(active), columns[:, active]
    scales = np.ones(len(neurons.sizes))
    for moved in prune_scales(columns, neurons.sizes, dependent, deadline):
        scales = moved
    kept = scales > 0.0
    return neurons.sized(scales * neurons.sizes).select(kept)
