"""The step of the loss: where it and a square are least together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.losses import Loss

_STEPS = 100


@final
@dataclass
class LossStep:
    """``min_f l(f, y) + ||f - c||^2 / (2 theta)``, row by row, for any smooth loss.

    Attributes
    ----------
    loss : Loss
        A sum over the rows with a continuous gradient.
    y : ndarray, shape (n,)

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> LossStep(SquaredLoss(), np.array([3.0])).dual(np.array([1.0]), 1.0)
    array([1.])
    """

    loss: Loss
    y: FloatArray

    def dual(self, centre: FloatArray, theta: float) -> FloatArray:
        """Minus the gradient of the loss where the sum is least, shape (n,).

        Newton's method. The slope ``g(f) = f - c + theta l'(f)`` increases, and has its root
        between c and ``c - theta l'(c)``; a step that is not between the ends known so far goes
        to their middle instead.
        """
        far = centre - theta * self.loss.gradient(centre, self.y)
        low, high = np.minimum(centre, far), np.maximum(centre, far)
        point = 0.5 * (low + high)
        for _ in range(_STEPS):
            slope = point - centre + theta * self.loss.gradient(point, self.y)
            low, high = np.where(slope < 0.0, point, low), np.where(slope > 0.0, point, high)
            step = slope / (1.0 + theta * self.loss.curvature(point, self.y))
            moved = point - step
            # What rounding leaves of a step is not an end that was met.
            done = np.abs(step) <= 4.0 * EPS * (np.abs(point) + np.abs(centre))
            inside = (moved > low) & (moved < high) | done
            point = np.where(inside, moved, 0.5 * (low + high))
            if done.all():
                break
        return -self.loss.gradient(point, self.y)
