"""The best size of one more neuron."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import brentq

from cvxnn.array_types import FloatArray
from cvxnn.losses.offset import least_along
from cvxnn.problems import Problem

# Halves of an interval, at most: where a loss grows exponentially, other steps bring little.
_MOST_STEPS = 1000


def best_size(problem: Problem[Any], prediction: FloatArray, move: FloatArray) -> float:
    """The c > 0 with the least ``l(f + c move, y) + beta c``, convex in c; 0 if there is none.

    Parameters
    ----------
    problem : Problem
        Of any rows.
    prediction, move : ndarray, shape (n,), or (n, c) for several outputs
        f, and what a neuron of size 1 adds to it.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.layers import Layer
    >>> from cvxnn.losses import SquaredLoss
    >>> problem = Problem.of(Layer(np.eye(2)), np.array([3.0, 4.0]), 1.0, SquaredLoss())
    >>> round(best_size(problem, np.zeros(2), problem.y / 5.0), 12)
    4.0
    """
    loss, y, beta = problem.loss, problem.target, problem.beta
    slope_at_zero = float(np.vdot(loss.gradient(prediction, y), move)) + beta
    if loss.is_kinked:
        return (
            0.0 if slope_at_zero >= 0.0 else max(least_along(loss, prediction, move, y, beta), 0.0)
        )
    weight = float(np.vdot(loss.majorizer(prediction, y), move**2))
    if slope_at_zero >= 0.0 or weight == 0.0:
        return 0.0
    # The minimum of the parabola that majorizes the loss, where it has one: that of a quadratic
    # loss. Further on it is not asked for more than a sign.
    unit = -slope_at_zero / weight

    def slope(t: float) -> float:
        """Relative to that at 0, whose square might leave the range of float64."""
        moved = prediction + t * unit * move
        return (float(np.vdot(loss.gradient(moved, y), move)) + beta) / -slope_at_zero

    end = 1.0
    while slope(end) < 0.0:
        end *= 2.0
    return unit * float(brentq(slope, 0.0, end, maxiter=_MOST_STEPS))
