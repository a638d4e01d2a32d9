"""A first network within a few passes over the data, for a run that ends before it has one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.linalg

from cvxnn.array_types import FloatArray
from cvxnn.layers import Rows
from cvxnn.layers.costs import Costs
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.lasso.nonnegative_lasso import nonnegative_lasso

# Entries of the rows, and rows, times directions times steps of all ascents: some 50 ms.
_WORK, _ROW_WORK = 1 << 29, 1 << 24
_FEWEST_MOVES, _MOST_MOVES = 16, 512
_FEWEST_STARTS, _MOST_STARTS, _STEPS = 8, 64, 8
# Neurons at most, and entries of their outputs beyond which they are fewer.
_FEWEST, _MOST, _ENTRIES = 4, 16, 1 << 24
# Directions with a cosine above this are one.
_SAME = 1.0 - 1e-6
# Parabolas above the loss, one after the other; a squared loss needs one.
_PARABOLAS = 3
# Of a step, where they may be below the loss.
_HALVINGS = 20
_TINY = 1e-300


def opening(problem: Problem[Any], costs: Costs | None = None) -> Neurons:
    """Local maxima of ``|v'(Xu)_+|`` above beta at the network 0, with their best weights.

    Parameters
    ----------
    problem : Problem of Rows
    costs : Costs, optional
        What neurons must not do and what they pay: maxima are moved to where they may be.

    Returns
    -------
    Neurons
        In the coordinates of the rows; none if no such maximum was found, which for a
        beta close to the largest one may be bad luck.

    Notes
    -----
    Ascent by fixed-point steps ``u <- X'(v 1[Xu > 0])`` from a few directions: the pull of
    all rows and of those of one sign, and the rows that weigh most. O(N d) for each step.
    The weights minimise parabolas above the loss, so that the objective only falls.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.layers import Layer
    >>> from cvxnn.losses import SquaredLoss
    >>> problem = Problem.of(Layer(np.eye(2)), np.array([3.0, -4.0]), 1.0, SquaredLoss())
    >>> found = opening(problem)
    >>> found.directions.argmax(axis=1).tolist(), found.signs.tolist()
    ([1, 0], [-1.0, 1.0])
    """
    layer = problem.rows
    found = _peaks(layer, problem.residual_at_zero, problem.beta)
    if costs is not None:
        found = _within(found, costs)
    if len(found.signs) == 0:
        return found
    columns = layer.activations(found.directions) * found.signs
    weights = _weights(problem, columns)
    return found.sized(weights).select(weights > 0.0)


def _within(found: Neurons, costs: Costs) -> Neurons:
    """Those of the signs that there are, in their cones, of the norm that is paid."""
    directions = found.directions.copy()
    for sign in costs.signs:
        own = found.signs == sign
        directions[own] = costs.projected(directions[own], sign)
    alive = np.isin(found.signs, costs.signs) & directions.any(axis=1)
    return replace(found, directions=directions).select(alive)


def _peaks(layer: Rows, v: FloatArray, beta: float) -> Neurons:
    """Distinct directions of a value above beta, best first; their weights are 0."""
    n_rows = len(layer.rows)
    moves = min(_WORK // max(layer.rows.size, 1), _ROW_WORK // max(n_rows, 1))
    moves = min(max(moves, _FEWEST_MOVES), _MOST_MOVES)
    n_starts = min(max(moves // _STEPS, _FEWEST_STARTS), _MOST_STARTS)
    points, signs = _starts(layer, v, n_starts)
    best, largest = points, np.full(len(points), -np.inf)
    for _ in range(min(max(moves // n_starts, 2), _STEPS)):
        values, slopes = layer.scores(v, points)
        values, slopes = signs * values, signs[:, None] * slopes
        better = values > largest
        best, largest = np.where(better[:, None], points, best), np.maximum(values, largest)
        points = _units(slopes)
    kept: list[int] = []
    most = min(max(_ENTRIES // max(n_rows, 1), _FEWEST), _MOST)
    for k in np.argsort(-largest, kind="stable"):
        near = best[kept] @ best[k] > _SAME
        if largest[k] > beta and not (near & (signs[kept] == signs[k])).any():
            kept.append(int(k))
    kept = kept[:most]
    return Neurons(best[kept], np.zeros(len(kept)), signs[kept, None])


def _starts(layer: Rows, v: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
    """Unit directions to climb from, and the signs for which, about `count`."""
    weights = layer.attraction(v)
    pulls = [layer.rows.T @ part for part in (weights, np.maximum(weights, 0.0))]
    pulls.append(pulls[0] - pulls[1])
    both = _units(np.array([*pulls, *(-pull for pull in pulls)]))
    share = np.abs(weights) * np.linalg.norm(layer.rows, axis=1)
    n_rows = min(max(count - 2 * len(both), 1), len(share))
    heavy = np.argpartition(-share, n_rows - 1)[:n_rows]
    points = np.vstack([both, both, _units(layer.rows[heavy])])
    ones = np.ones(len(both))
    return points, np.concatenate([ones, -ones, np.where(weights[heavy] < 0.0, -1.0, 1.0)])


def _units(rows: FloatArray) -> FloatArray:
    """Rows of length 1; zero rows stay zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, _TINY))


def _weights(problem: Problem[Any], columns: FloatArray) -> FloatArray:
    """Weights c >= 0 that lower ``l(A c, y) + beta sum(c)`` as far as a few parabolas do."""
    loss, y, beta = problem.loss, problem.y, problem.beta
    weights, prediction = np.zeros(columns.shape[1]), np.zeros_like(y)
    value = problem.value(prediction)
    for _ in range(1 if loss.is_quadratic else _PARABOLAS):
        root = np.sqrt(loss.majorizer(prediction, y))
        target = root * prediction - loss.gradient(prediction, y) / root
        table = np.column_stack([columns * root[:, None], target])
        if len(table) > 2 * table.shape[1]:
            # The same program in few rows: distances are all that counts.
            table = scipy.linalg.qr(table, mode="r", overwrite_a=True, check_finite=False)[0]
            table = table[: table.shape[1]]
        moved = nonnegative_lasso(table[:, :-1], table[:, -1], beta, weights)
        ahead = columns @ moved
        reached = problem.value(ahead, float(moved.sum()))
        for _ in range(0 if loss.has_majorizer else _HALVINGS):
            if reached < value:
                break
            moved = 0.5 * (weights + moved)
            ahead = columns @ moved
            reached = problem.value(ahead, float(moved.sum()))
        if not reached < value:
            break
        weights, prediction, value = moved, ahead, reached
    return weights
