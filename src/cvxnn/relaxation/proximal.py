"""The step of the loss: where it and a square are least together."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.losses import Loss, SkipLoss
from cvxnn.losses.envelope import envelope

# Share of the first length of w below which it is nothing: it could not grow again from 0.
_NOTHING = 1e-4
# Share of what is free in a step that may be left of its slope: float32 has no more digits.
_NEAR = 1e-8


@final
class LossStep:
    """``min_f l(f, y) + sum_i (f_i - c_i)^2 / (2 theta_i)``, for any smooth loss.

    A loss beside a linear part has the best one for each step.

    Parameters
    ----------
    loss : Loss
    y : ndarray, shape (n,)
    price : float
        Where it is not 0, w of a :class:`~cvxnn.losses.SkipLoss` costs ``price ||w||``: its
        ridge, price over ``||w||``, follows w from step to step.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> LossStep(SquaredLoss(), np.array([3.0])).dual(np.array([1.0]), 1.0)
    array([1.])
    """

    def __init__(self, loss: Loss, y: FloatArray, price: float = 0.0) -> None:
        self._loss, self._y, self._price = loss, y, price
        self._theta: float | FloatArray | None = None
        self._envelope = loss
        self._least = _NOTHING * price / loss.ridge if isinstance(loss, SkipLoss) else 0.0

    def dual(self, centre: FloatArray, theta: float | FloatArray) -> FloatArray:
        """Minus the gradient of the loss where the sum is least, shape (n,)."""
        if not np.isfinite(centre).all():
            return np.full_like(self._y, np.nan)
        if self._theta is None or not np.array_equal(theta, self._theta):
            self._envelope, self._theta = envelope(self._loss, theta, _NEAR), theta
        v = -self._envelope.gradient(centre, self._y)
        if self._price > 0.0:
            self._follow()
        return v

    def _follow(self) -> None:
        """The ridge for the w of this step: ``||w|| = min over eta of (||w||^2 / eta + eta) / 2``.

        Only what the iteration comes to rest at solves the problem with the price.
        """
        loss, step = self._loss, self._envelope
        assert isinstance(loss, SkipLoss) and isinstance(step, SkipLoss)
        eta = max(float(np.linalg.norm(step.last[: len(step.last) - step.n_free])), self._least)
        self._loss = loss.of(loss.loss, self._price / eta)
        self._envelope = step.of(step.loss, self._price / eta, _NEAR)
