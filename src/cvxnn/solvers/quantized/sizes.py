"""The best sizes of given columns, for any smooth loss."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy.optimize import brentq

from cvxnn.array_types import FloatArray
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
_MOST_HALVINGS = 1000


def best_sizes(
    problem: Problem[Any], columns: FloatArray, start: FloatArray, deadline: Deadline = UNLIMITED
) -> FloatArray:
    """Minimise ``l(A c, y) + beta sum(c)`` over ``c >= 0``, of one output.

    Parameters
    ----------
    problem : Problem
        With a loss without kinks.
    columns : ndarray, shape (n, k)
    start : ndarray, shape (k,)
        It is not left for anything worse.
    deadline : Deadline, optional

    Returns
    -------
    ndarray, shape (k,)
        With linearly independent columns where it is above 0, unless the start was better.

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
    >>> best_sizes(problem, np.eye(2), np.zeros(2))
    array([2., 0.])
    """
    y, beta = problem.y, problem.beta
    if problem.is_least_squares:
        return nonnegative_lasso(columns, y, beta, start, deadline)
    sizes, prediction = start, columns @ start
    value, share, idle = problem.value(prediction, float(sizes.sum())), _FIRST, 0
    for _ in range(_STEPS):
        deadline.check()
        gradient = problem.loss.gradient(prediction, y)
        if _is_optimal(columns.T @ -gradient, sizes, beta):
            break
        root = np.sqrt(_curvature(problem, prediction, gradient, share))
        target = root * prediction - gradient / root
        ahead = nonnegative_lasso(root[:, None] * columns, target, beta, sizes, deadline)
        end = columns @ ahead
        t = _step(problem, prediction, end, float(ahead.sum() - sizes.sum()))
        moved = ahead if t == 1.0 else (1.0 - t) * sizes + t * ahead
        reached_at = end if t == 1.0 else (1.0 - t) * prediction + t * end
        reached = problem.value(reached_at, float(moved.sum()))
        gain = value - reached
        is_small = gain <= _GAIN * abs(value)
        # Where only rounding is left of values, slopes still come closer.
        if gain >= -_GAIN * abs(value):
            sizes, prediction, value = moved, reached_at, reached
        idle = idle + 1 if is_small else 0
        if idle == _PATIENCE:
            break
        share = max(share * _FACTOR, _LAST) if t > 0.5 else min(1.0, share / _FACTOR)
    return sizes


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
    shares = np.maximum(1e-3 * share * pull / max(float(pull.max(initial=0.0)), 1e-300), share)
    return np.maximum(own, np.maximum(shares, _LAST) * above)


def _step(problem: Problem[Any], start: FloatArray, end: FloatArray, growth: float) -> float:
    """Where the objective is least on the way between two predictions, sizes growing by so much."""
    move = end - start

    @cache
    def slope(t: float) -> float:
        gradient = problem.loss.gradient(start + t * move, problem.y)
        return float(gradient @ move) + problem.beta * growth

    if slope(1.0) <= 0.0:
        return 1.0
    if slope(0.0) >= 0.0:
        return 0.0
    return float(brentq(slope, 0.0, 1.0, maxiter=_MOST_HALVINGS))
