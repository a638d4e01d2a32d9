"""Squares in the place of a smooth loss, and the best weights of given neurons by them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.optimize import brentq

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.losses import SquaredLoss
from cvxnn.losses.base import Root
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import best_weights


@dataclass(frozen=True)
class Settings:
    """The numbers that squares go by.

    Attributes
    ----------
    least_share, share_at_rest, share_factor : float
        Share of the curvature of ``Loss.majorizer`` that every row has: some have none of their
        own. The first model has all of it, each further one a tenth of the last, down to the
        smaller share for rows that do not pull: only the square of a gradient over a small
        curvature is a large offset, in which the digits of the objective would drown.
    corrections, small_gain : int, float
        Steps on the weights of given neurons, and the relative gain at which they end.
    most_halvings : int
        Steps of a line search at most; where a loss grows exponentially, each may be a halving.
    """

    least_share: float = 1e-3
    share_at_rest: float = 1e-8
    share_factor: float = 0.1
    corrections: int = 40
    small_gain: float = 1e-9
    most_halvings: int = 1000


SETTINGS = Settings()


def squares(
    problem: Problem[Any], prediction: FloatArray, least: float
) -> tuple[Root[Any], FloatArray, float]:
    """The loss at a prediction as squares: root of its curvature, targets, offset.

    Every row has the share `least` of the curvature of a majorizer, or more.
    """
    loss, y = problem.loss, problem.y
    gradient = loss.gradient(prediction, y)
    size = np.abs(gradient)
    share = SETTINGS.least_share * size / max(float(size.max()), 1e-300)
    share = np.maximum(share, max(least, SETTINGS.share_at_rest))
    own = loss.curvature(prediction, y)
    root = loss.root(np.maximum(own, share * loss.majorizer(prediction, y)))
    pull = root.solved(gradient)
    return root, root.times(prediction) - pull, 0.5 * float(pull @ pull)


def model_problem(problem: Problem[Any], root: Root[Any], target: FloatArray) -> Problem[Any]:
    """The problem of these squares."""
    return Problem.of(root.applied(problem.rows), target, problem.beta, SquaredLoss())


def step_length(problem: Problem[Any], start: FloatArray, end: FloatArray, growth: float) -> float:
    """Where the objective is least between two predictions, with weights that grow so."""
    move = end - start

    # Asked twice for the ends, of which the signs must stay.
    @cache
    def slope(t: float) -> float:
        gradient = problem.loss.gradient(start + t * move, problem.y)
        return float(gradient @ move) + problem.beta * growth

    if slope(1.0) <= 0.0:
        return 1.0
    if slope(0.0) >= 0.0:
        return 0.0
    return float(brentq(slope, 0.0, 1.0, maxiter=SETTINGS.most_halvings))


def refitted(problem: Problem[Any], neurons: Neurons, deadline: Deadline = UNLIMITED) -> Neurons:
    """The best weights for the given directions, without the neurons they drop.

    Squares in the place of the loss, a small Lasso for each, and a step to the lowest objective
    on the way there, so that no step raises the objective. Raises OutOfTimeError if the deadline
    passes before the end.

    Examples
    --------
    >>> from cvxnn.layers import Layer
    >>> from cvxnn.losses import LogisticLoss
    >>> problem = Problem.of(Layer(np.eye(2)), np.array([1.0, -1.0]), 0.25, LogisticLoss())
    >>> both = Neurons(np.eye(2), np.zeros(2), np.array([[1.0], [-1.0]]))
    >>> refitted(problem, both).sizes.round(6)  # where 1 / (1 + exp(size)) is beta
    array([1.098612, 1.098612])
    """
    if problem.is_least_squares:
        sizes = best_weights(problem, neurons, deadline)
        return neurons.sized(sizes).select(sizes > 0.0)
    prediction = problem.rows.forward(neurons.rays, neurons.signs)
    value = problem.value(prediction, float(neurons.sizes.sum()))
    factor = share = SETTINGS.share_factor
    for _ in range(SETTINGS.corrections):
        root, target, _ = squares(problem, prediction, share)
        sizes = best_weights(model_problem(problem, root, target), neurons, deadline)
        ahead = neurons.sized(sizes)
        end = problem.rows.forward(ahead.rays, ahead.signs)
        t = step_length(problem, prediction, end, float(sizes.sum() - neurons.sizes.sum()))
        mixed = sizes if t == 1.0 else (1.0 - t) * neurons.sizes + t * sizes
        reached = end if t == 1.0 else (1.0 - t) * prediction + t * end
        before, moved = value, problem.value(reached, float(mixed.sum()))
        if not moved < value:
            break
        neurons, prediction, value = neurons.sized(mixed), reached, moved
        if before - value <= SETTINGS.small_gain * value:
            break
        share = share * factor if t > 0.5 else min(1.0, share / factor)
    return neurons.select(neurons.sizes > 0.0)
