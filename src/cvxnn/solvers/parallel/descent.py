"""All weights of sub-networks of three layers at once: local descent, and ascent for one."""

from __future__ import annotations

from functools import cache
from typing import final

import numpy as np
from scipy.optimize import brentq

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers.parallel import ParallelRows
from cvxnn.problems import Problem
from cvxnn.solvers.descent.lbfgs import minimise
from cvxnn.solvers.lasso.nonnegative_lasso import nonnegative_lasso
from cvxnn.solvers.parallel.goals import curvature_at
from cvxnn.solvers.parallel.neurons import SubNetworks

# Steps at most, the share of the value that so many of them have to gain, and pairs kept.
_STEPS, _ENOUGH, _STRETCH, _MEMORY = 400, 1e-9, 20, 20
# Weighted squares for sizes, and the relative gain that ends them.
_SQUARES, _SMALL = 20, 1e-12


@final
class _Weights:
    """The weights of K sub-networks as one vector, and the objective as its function."""

    def __init__(self, problem: Problem[ParallelRows], start: SubNetworks) -> None:
        self._problem, self._X = problem, problem.rows.X
        self.signs = start.signs
        self._shape = start.directions.shape
        self.start = np.concatenate([part.ravel() for part in start.balanced()])

    def split(self, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """W, b and a."""
        count, width, d = self._shape
        hidden, inner, outer = np.split(weights, [count * width * d, count * width * (d + 1)])
        return hidden.reshape(self._shape), inner.reshape(count, width), outer

    def __call__(self, weights: FloatArray) -> tuple[float, FloatArray]:
        """The objective with ``beta/3 sum (||W||^3 + ||b||^3 + |a|^3)``, and its gradient."""
        hidden, inner, outer = self.split(weights)
        problem, X = self._problem, self._X
        # Hidden units of all sub-networks side by side, one after the other: few pass the cache.
        units = [np.maximum(X @ hidden[:, j].T, 0.0) for j in range(inner.shape[1])]
        second = np.zeros((len(X), len(outer)))
        for unit, b in zip(units, inner.T, strict=True):
            second += unit * b
        np.maximum(second, 0.0, out=second)
        prediction = second @ outer
        norms = [
            np.linalg.norm(hidden.reshape(len(outer), -1), axis=1),
            np.linalg.norm(inner, axis=1),
            np.abs(outer),
        ]
        penalty = sum(float((norm**3).sum()) for norm in norms) / 3.0
        left = -problem.residual(prediction)
        pull = (second > 0.0) * left[:, None]
        of_inner, of_hidden = np.empty_like(inner), np.empty_like(hidden)
        for j, unit in enumerate(units):
            of_inner[:, j] = outer * np.einsum("nk,nk->k", pull, unit)
            back = np.multiply(pull, unit > 0.0, out=unit)
            of_hidden[:, j] = (outer * inner[:, j])[:, None] * (back.T @ X)
        beta = problem.beta
        gradient = np.concatenate([
            (of_hidden + beta * norms[0][:, None, None] * hidden).ravel(),
            (of_inner + beta * norms[1][:, None] * inner).ravel(),
            second.T @ left + beta * norms[2] * outer,
        ])  # fmt: skip
        return problem.value(prediction, penalty), gradient


def descend(
    problem: Problem[ParallelRows],
    start: SubNetworks,
    *,
    steps: int = _STEPS,
    deadline: Deadline = UNLIMITED,
) -> SubNetworks:
    """Local descent of all weights from a network, whose objective does not rise.

    Parameters
    ----------
    problem : Problem of ParallelRows
        With a smooth loss.
    start : SubNetworks
    steps : int
    deadline : Deadline
        When to hand over what there is.

    Notes
    -----
    L-BFGS on the balanced weights of the penalty ``1/3 sum (||W_k||_F^3 + ||b_k||^3 + |a_k|^3)``;
    O(n K m1 d) a step. Hidden units of zero stay zero.
    """
    if len(start) == 0:
        return start
    function = _Weights(problem, start)

    def timed(weights: FloatArray) -> tuple[float, FloatArray]:
        deadline.check()
        return function(weights)

    best = minimise(
        timed, function.start, steps=steps, enough=_ENOUGH, stretch=_STRETCH, memory=_MEMORY
    )
    return SubNetworks.of_layers(*function.split(best)).shortened().trimmed()


def weighed(
    problem: Problem[ParallelRows], pool: SubNetworks, deadline: Deadline = UNLIMITED
) -> tuple[SubNetworks, float]:
    """The best sizes of given sub-networks, without those of size zero; with the objective.

    At most n are left. A loss that is not quadratic has a sequence of weighted squares, each step
    to the least objective on the way.

    Parameters
    ----------
    problem : Problem of ParallelRows
        With a loss without kinks.
    pool : SubNetworks
        Their sizes are where it starts.
    deadline : Deadline
        OutOfTimeError is raised if it passes before the end.
    """
    columns = pool.activations(problem.rows.X) * pool.signs
    sizes, beta = pool.sizes, problem.beta
    value = problem.value(columns @ sizes, float(sizes.sum()))
    for _ in range(1 if problem.loss.is_quadratic else _SQUARES):
        prediction = columns @ sizes
        root = np.sqrt(curvature_at(problem, prediction))
        target = root * prediction + problem.residual(prediction) / root
        found = nonnegative_lasso(columns * root[:, None], target, beta, sizes, deadline)
        move = found - sizes
        t = _step_length(problem, prediction, columns @ move, float(move.sum()))
        ahead = found if t == 1.0 else sizes + t * move
        reached = problem.value(columns @ ahead, float(ahead.sum()))
        if not reached < value:
            break
        gained, value, sizes = value - reached, reached, ahead
        if gained <= _SMALL * abs(value):
            break
    return pool.sized(sizes).select(sizes > 0.0).trimmed(), value


def _step_length(
    problem: Problem[ParallelRows], prediction: FloatArray, move: FloatArray, growth: float
) -> float:
    """Where the objective is least on the way to sizes that move predictions so."""
    if problem.loss.is_quadratic:
        return 1.0

    @cache
    def slope(t: float) -> float:
        pull = problem.residual(prediction + t * move)
        return problem.beta * growth - float(pull @ move)

    if slope(1.0) <= 0.0:
        return 1.0
    if slope(0.0) >= 0.0:
        return 0.0
    return float(brentq(slope, 0.0, 1.0))


def climb(
    X: FloatArray,
    v: FloatArray,
    hidden: FloatArray,
    inner: FloatArray,
    steps: int = 200,
    deadline: Deadline = UNLIMITED,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Ascent on ``v'((X W)_+ b)_+`` over ``||W||_F ||b|| <= 1`` from several starts.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    v : ndarray, shape (n,)
    hidden : ndarray, shape (K, m1, d)
    inner : ndarray, shape (K, m1)
    steps : int
    deadline : Deadline
        When to hand over what there is.

    Returns
    -------
    values, hidden, inner : ndarray
        The best that each has met, of norms one, and its value, shape (K,), up to rounding.

    Notes
    -----
    Projected gradient with a step that grows by what works and is halved otherwise, for all
    starts side by side; O(n K m1 d) a step.
    """
    hidden, inner = _unit(hidden), _unit(inner)
    values, *slopes = _slopes(X, v, hidden, inner)
    rate = np.full(len(inner), 1.0)
    for _ in range(steps):
        size = np.sqrt(sum((slope**2).reshape(len(inner), -1).sum(axis=1) for slope in slopes))
        factor = rate / np.where(size > 0.0, size, 1.0)
        moved = (
            _unit(hidden + factor[:, None, None] * slopes[0]),
            _unit(inner + factor[:, None] * slopes[1]),
        )
        found, *ahead = _slopes(X, v, *moved)
        better = found > values
        hidden = np.where(better[:, None, None], moved[0], hidden)
        inner = np.where(better[:, None], moved[1], inner)
        slopes = [
            np.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)
            for new, old in zip(ahead, slopes, strict=True)
        ]
        values = np.where(better, found, values)
        rate = np.where(better, 1.3 * rate, 0.5 * rate)
        if rate.max() < 1e-10 or deadline.passed:
            break
    return values, hidden, inner


def _slopes(
    X: FloatArray, v: FloatArray, hidden: FloatArray, inner: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Values, and gradients in W and b."""
    count, width, d = hidden.shape
    first = np.maximum(X @ hidden.reshape(-1, d).T, 0.0).reshape(-1, count, width)
    second = (first * inner).sum(axis=2)
    pull = v[:, None] * (second > 0.0)
    back = pull[:, :, None] * inner * (first > 0.0)
    of_hidden = (X.T @ back.reshape(len(X), -1)).T.reshape(hidden.shape)
    return (pull * second).sum(axis=0), of_hidden, (pull[:, :, None] * first).sum(axis=0)


def _unit(weights: FloatArray) -> FloatArray:
    """Of norm one, each."""
    norms = np.linalg.norm(weights.reshape(len(weights), -1), axis=1)
    norms = np.where(norms > 0.0, norms, 1.0)
    return np.asarray(weights / norms.reshape(-1, *[1] * (weights.ndim - 1)))
