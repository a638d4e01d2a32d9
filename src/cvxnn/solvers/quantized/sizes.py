"""The best sizes of given columns, for any smooth loss, and the best intercept beside them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, final

import numpy as np
from scipy.optimize import brentq

from cvxnn.array_types import EPS, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.problems import Problem
from cvxnn.solvers.lasso.nonnegative_lasso import nonnegative_lasso

# Steps at most, the gain of one, relative, at which the rest is rounding, and how many such.
_STEPS, _GAIN, _PATIENCE = 100, 1e-15, 3
# Distance of the slopes from what an optimum has, in shares of beta, at which sizes are right.
_SLOPE = 1e-11
# Shares of the curvature of the parabolas above the loss that are taken where it has less: the
# first, the last, and from one step to the next.
_FIRST, _LAST, _FACTOR = 0.1, 1e-9, 0.01
# The same in the row that pulls the most, at least.
_PULL = 1e-4
_MOST_HALVINGS = 1000


@final
@dataclass(frozen=True)
class Sizes:
    """Sizes of columns, and what is added to all predictions.

    Attributes
    ----------
    values : ndarray, shape (k,)
    intercept : float
        0 where there is none.
    """

    values: FloatArray
    intercept: float = 0.0

    def prediction(self, columns: FloatArray) -> FloatArray:
        """Shape (n,)."""
        return columns @ self.values + self.intercept

    @property
    def total(self) -> float:
        """What beta multiplies."""
        return float(self.values.sum())

    def towards(self, other: Sizes, t: float) -> Sizes:
        """A share t of the way to others."""
        if t == 1.0:
            return other
        values = (1.0 - t) * self.values + t * other.values
        return Sizes(values, (1.0 - t) * self.intercept + t * other.intercept)


def best_sizes(
    problem: Problem[Any],
    columns: FloatArray,
    start: Sizes,
    deadline: Deadline = UNLIMITED,
    *,
    intercept: bool = False,
) -> Sizes:
    """Minimise ``l(A c + b, y) + beta sum(c)`` over ``c >= 0``, of one output.

    Parameters
    ----------
    problem : Problem
        With a loss without kinks.
    columns : ndarray, shape (n, k)
    start : Sizes
        It is not left for anything worse.
    deadline : Deadline, optional
    intercept : bool
        Whether b is free, too; else it is 0.

    Returns
    -------
    Sizes
        Of linearly independent columns where they are above 0, unless the start was better.

    Raises
    ------
    OutOfTimeError
        If the deadline passes before the end.

    Notes
    -----
    Newton's method: each step is a non-negative Lasso in the metric of the curvatures, and goes to
    the minimum on the segment (J. Lee, Y. Sun and M. Saunders, SIAM J. Optim. 24, 2014). Where a
    loss has next to no curvature, that of a parabola above it takes its place, less of it from
    step to step.

    Examples
    --------
    >>> from cvxnn.layers.quantized import QuantizedRows
    >>> from cvxnn.losses import SquaredLoss
    >>> problem = Problem.of(QuantizedRows(np.eye(2)), np.array([3.0, 0.5]), 1.0, SquaredLoss())
    >>> best_sizes(problem, np.eye(2), Sizes(np.zeros(2)))
    Sizes(values=array([2., 0.]), intercept=0.0)
    """
    loss, y, beta = problem.loss, problem.y, problem.beta
    if problem.is_least_squares:
        return _lasso(columns, y, np.ones_like(y), beta, start, deadline, intercept)
    sizes, prediction = start, start.prediction(columns)
    value, share, idle = problem.value(prediction, sizes.total), _FIRST, 0
    for _ in range(_STEPS):
        deadline.check()
        gradient = loss.gradient(prediction, y)
        if _is_optimal(columns.T @ -gradient, sizes.values, beta) and not (
            intercept and abs(gradient.sum()) > _SLOPE * float(np.abs(gradient).sum())
        ):
            break
        root = np.sqrt(_curvature(problem, prediction, gradient, share))
        target = root * prediction - gradient / root
        ahead = _lasso(root[:, None] * columns, target, root, beta, sizes, deadline, intercept)
        end = ahead.prediction(columns)
        t = _step(problem, prediction, end, sizes.total, ahead.total)
        moved = sizes.towards(ahead, t)
        reached_at = end if t == 1.0 else (1.0 - t) * prediction + t * end
        reached = problem.value(reached_at, moved.total)
        gain = value - reached
        # Where only rounding is left of values, slopes still come closer.
        if gain >= -_GAIN * abs(value):
            sizes, prediction, value = moved, reached_at, reached
        idle = idle + 1 if gain <= _GAIN * abs(value) else 0
        if idle == _PATIENCE:
            break
        share = max(share * _FACTOR, _LAST) if t > 0.5 else min(1.0, share / _FACTOR)
    return sizes


def sharp_residual(
    problem: Problem[Any], columns: FloatArray, sizes: Sizes, *, intercept: bool = False
) -> FloatArray:
    """Minus the gradient of the loss at the best sizes, less rounded than that of a prediction.

    A loss that bends sharply, as a smoothed kink does, multiplies the rounding of predictions. One
    more step of Newton's method moves the residual by what is left of its optimality conditions:
    values of beta on the columns of a size, and beside an intercept the sum 0.

    Parameters
    ----------
    problem : Problem
    columns : ndarray, shape (n, k)
    sizes : Sizes
        As :func:`best_sizes` returns them.
    intercept : bool
        As there.

    Returns
    -------
    ndarray, shape (n,)
        In the domain of the conjugate.
    """
    prediction = sizes.prediction(columns)
    v = problem.residual(prediction)
    active = columns[:, sizes.values > 0.0]
    wanted = np.full(active.shape[1], problem.beta)
    if intercept:
        active = np.column_stack([active, np.ones(len(active))])
        wanted = np.append(wanted, 0.0)
    bends = problem.loss.curvature(prediction, problem.y)
    bent = bends[:, None] * active
    missing = wanted - active.T @ v
    step = bent @ np.linalg.lstsq(active.T @ bent, missing, rcond=None)[0]
    moved = problem.loss.project(v + step, problem.y)
    left = np.abs(wanted - active.T @ moved).max(initial=0.0)
    is_better = left < np.abs(missing).max(initial=0.0)
    return moved if is_better and np.isfinite(moved).all() else v


def _lasso(
    columns: FloatArray, target: FloatArray, ones: FloatArray, beta: float, start: Sizes,
    deadline: Deadline, intercept: bool,
) -> Sizes:  # fmt: skip
    """The Lasso beside a multiple of a column `ones`, which costs nothing, where there is one."""
    if not intercept:
        return Sizes(nonnegative_lasso(columns, target, beta, start.values, deadline))
    length = float(np.linalg.norm(ones))
    unit = ones / length
    means = unit @ columns
    values = nonnegative_lasso(
        columns - unit[:, None] * means, target - unit * float(unit @ target), beta, start.values,
        deadline,
    )  # fmt: skip
    return Sizes(values, (float(unit @ target) - float(means @ values)) / length)


def _is_optimal(values: FloatArray, sizes: FloatArray, beta: float) -> bool:
    """Whether no column is above beta, and those of a size are at it."""
    above = float(values.max(initial=beta)) - beta
    below = beta - float(values[sizes > 0.0].min(initial=beta))
    return max(above, below) <= _SLOPE * beta


def _curvature(
    problem: Problem[Any], prediction: FloatArray, gradient: FloatArray, share: float
) -> FloatArray:
    own = problem.loss.curvature(prediction, problem.y)
    above = problem.loss.majorizer(prediction, problem.y)
    if problem.loss.is_quadratic:
        return np.maximum(own, _LAST * above)
    # Rows that pull the most are those that a step without a curvature would throw far away.
    pull = np.abs(gradient)
    shares = _PULL * pull / max(float(pull.max(initial=0.0)), 1e-300)
    return np.maximum(own, np.maximum(shares, max(share, _LAST)) * above)


def _step(
    problem: Problem[Any], start: FloatArray, end: FloatArray, before: float, after: float
) -> float:
    """Where the objective is least on the way between two predictions of these total sizes."""
    move, growth, totals = end - start, after - before, before + after

    @cache
    def slope(t: float) -> float:
        gradient = problem.loss.gradient(start + t * move, problem.y)
        return float(gradient @ move) + problem.beta * growth

    # What the slope is a difference of: its sign is none where it is the rounding of that.
    size = float(np.abs(problem.loss.gradient(end, problem.y)) @ (np.abs(start) + np.abs(end)))
    if slope(1.0) <= 8.0 * EPS * (size + problem.beta * totals):
        return 1.0
    if slope(0.0) >= 0.0:
        return 0.0
    return float(brentq(slope, 0.0, 1.0, maxiter=_MOST_HALVINGS))
