"""The best size of one more neuron."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from cvxnn.losses import Loss

FloatArray = NDArray[np.float64]


def best_size(
    loss: Loss, y: FloatArray, prediction: FloatArray, move: FloatArray, beta: float
) -> float:
    """The c > 0 with the least ``l(f + c move, y) + beta c``, convex in c; 0 if there is none.

    Parameters
    ----------
    loss : Loss
    y, prediction, move : ndarray, shape (n,)
        Targets, f, and what a neuron of size 1 adds to it.
    beta : float

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> y = np.array([3.0, 4.0])
    >>> round(best_size(SquaredLoss(), y, np.zeros(2), y / 5.0, 1.0), 12)
    4.0
    """
    slope_at_zero = float(loss.gradient(prediction, y) @ move) + beta
    weight = float(loss.majorizer(prediction, y) @ move**2)
    if slope_at_zero >= 0.0 or weight == 0.0:
        return 0.0
    # The minimum of the parabola that majorizes the loss: that of a quadratic loss.
    unit = -slope_at_zero / weight

    def slope(t: float) -> float:
        """Relative to that at 0, whose square might leave the range of float64."""
        moved = prediction + t * unit * move
        return (float(loss.gradient(moved, y) @ move) + beta) / -slope_at_zero

    end = 1.0
    while slope(end) < 0.0:
        end *= 2.0
    return unit * float(brentq(slope, 0.0, end))
