"""The best constant beside given predictions."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.losses import Loss

_STEPS = 200


def best_constant(loss: Loss, prediction: FloatArray, y: FloatArray, start: float = 0.0) -> float:
    """The b with the least ``l(f + b, y)``.

    Parameters
    ----------
    loss : Loss
        A sum over the rows, with a minimum in b: not of labels that are all the same.
    prediction : ndarray, shape (n,)
        f.
    y : ndarray, shape (n,)
    start : float
        A guess.

    Notes
    -----
    Newton's method on a convex function of one variable, kept inside the bracket that signs
    of slopes give; O(n) a step.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> best_constant(SquaredLoss(), np.array([0.0, 1.0]), np.array([2.0, 5.0]))
    3.0
    """
    low, high, b, length = -np.inf, np.inf, start, 0.0
    for _ in range(_STEPS):
        gradient = loss.gradient(prediction + b, y)
        slope = float(gradient.sum())
        if abs(slope) <= EPS * float(np.abs(gradient).sum()):
            break
        low, high = (low, b) if slope > 0.0 else (b, high)
        total = prediction + b
        if high - low < np.inf:
            move = -slope / max(float(loss.curvature(total, y).sum()), 1e-300)
        else:
            # Where nothing stops it Newton's step may lead to the end of the numbers; parabolas
            # above the loss do not, but on an exponential slope they would crawl.
            move = -slope / float(loss.majorizer(total, y).sum())
            length = max(abs(move), 2.0 * length)
            move = float(np.copysign(length, move))
        if abs(move) <= 4.0 * EPS * abs(b):
            break
        b = b + move if low < b + move < high else 0.5 * (low + high)
    return b
