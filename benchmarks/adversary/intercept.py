"""The best intercept of a network, without rounding but for the logistic loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
from scipy.optimize import brentq

from adversary import deviances
from adversary.dyadic import nearest
from adversary.problem import Problem, Weights, kink_sides, predictions

Vector = list[Fraction]

# Margins beyond which the logistic loss is flat in float64.
_FLAT = 800.0


def with_best_intercept(problem: Problem, network: Weights) -> Weights:
    """The network with the best intercept for its neurons; as it is where there is none."""
    f = predictions(problem, replace(network, intercept=0.0))
    best = _best_of(problem)(problem, f)
    return network if best is None else replace(network, intercept=best)


def _best_of(problem: Problem) -> Callable[[Problem, Vector], Fraction | None]:
    if problem.has_log_link:
        return _best_deviance
    return _best_logistic if problem.loss == "logistic" else _best


def _best_deviance(problem: Problem, f: Vector) -> Fraction | None:
    """In float64, as the next."""
    values = np.array([nearest(value) for value in f])
    if not np.isfinite(values).all() or not problem.weights @ problem.y > 0.0:
        return None
    return Fraction(deviances.best_intercept(problem.loss, values, problem.y, problem.weights))


def _best(problem: Problem, f: Vector) -> Fraction | None:
    """The root of the slope of the loss in b: a falling function that is linear in pieces."""
    y = [Fraction(float(target)) for target in problem.y]
    distances = [target - value for target, value in zip(y, f, strict=True)]
    # Where the slope bends, and a point on either side of all of them.
    moves = {"squared": (), "huber": (-1, 1)}.get(problem.loss, (0,))
    bends = {d + s * Fraction(problem.delta) for d in distances for s in moves}
    most = 2 * max(map(abs, [*distances, *bends])) + 1
    points = [-most, *sorted(bends), most]
    low, high = 0, len(points) - 1
    slopes = [_slope(problem, distances, points[k]) for k in (low, high)]
    if not slopes[0] >= 0 >= slopes[1]:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        slope = _slope(problem, distances, points[middle])
        if slope >= 0:
            low, slopes[0] = middle, slope
        else:
            high, slopes[1] = middle, slope
    fall = slopes[0] - slopes[1]
    return points[low] + (slopes[0] / fall if fall else 0) * (points[high] - points[low])


def _slope(problem: Problem, distances: Vector, b: Fraction) -> Fraction:
    """Minus the derivative of the loss in b; distances are targets less predictions."""
    total, delta = Fraction(0), Fraction(problem.delta)
    for distance, y, weight in zip(distances, problem.y, problem.weights, strict=True):
        pull = distance - b
        sides = kink_sides(problem.loss, Fraction(float(y)))
        if sides is not None:
            pull = sides[pull > 0] if pull else Fraction(0)
        elif problem.loss == "huber":
            pull = max(-delta, min(delta, pull))
        elif problem.loss == "squared_hinge":
            # 1 - y (f + b) is y (distance - b), as y^2 = 1.
            pull = pull if pull * Fraction(float(y)) > 0 else Fraction(0)
        total += Fraction(float(weight)) * pull
    return total


def _best_logistic(problem: Problem, f: Vector) -> Fraction | None:
    """In float64, which the exact objective of the network forgives."""
    values = np.array([nearest(value) for value in f])
    if not np.isfinite(values).all() or len(set(problem.y)) < 2:
        return None
    end = float(np.abs(values).max()) + _FLAT

    def slope(b: float) -> float:
        margin = problem.y * (values + b)
        pull = problem.weights * problem.y / (1.0 + np.exp(np.minimum(margin, 700.0)))
        return float(pull.sum())

    if not slope(-end) > 0.0 > slope(end):
        return None
    return Fraction(brentq(slope, -end, end, xtol=1e-300, rtol=1e-15, maxiter=1000))
