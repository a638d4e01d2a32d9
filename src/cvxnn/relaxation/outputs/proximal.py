"""The step of the loss for several outputs: where it and a square are least together."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.losses import Loss
from cvxnn.losses.envelope import MoreauEnvelope
from cvxnn.losses.offset import best_offset, best_offsets


@final
class OutputsStep:
    """``min_f l(f + 1 b', Y) + sum_i ||f_i - c_i||^2 / (2 theta_i)``, b an intercept or 0.

    Parameters
    ----------
    loss : Loss
    Y : ndarray, shape (n, c)
    intercept : bool
        Whether the best b is looked for, too: the dual point then has columns of the sum 0.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> Y = np.array([[3.0, 4.0], [1.0, 2.0]])
    >>> OutputsStep(SquaredLoss(), Y, intercept=False).dual(np.zeros((2, 2)), np.ones(2))
    array([[1.5, 2. ],
           [0.5, 1. ]])
    >>> OutputsStep(SquaredLoss(), Y, intercept=True).dual(np.zeros((2, 2)), np.ones(2))
    array([[ 0.5,  0.5],
           [-0.5, -0.5]])
    """

    def __init__(self, loss: Loss, Y: FloatArray, *, intercept: bool) -> None:
        self._loss, self._Y, self._intercept = loss, Y, intercept
        self._b = np.zeros(Y.shape[1])

    def dual(self, centre: FloatArray, theta: FloatArray) -> FloatArray:
        """Minus the gradient of the loss where the sum is least, shape (n, c)."""
        if not np.isfinite(centre).all():
            return np.full_like(self._Y, np.nan)
        envelope = MoreauEnvelope(self._loss, theta[:, None])
        if self._intercept:
            self._b = self._best(envelope, centre, theta)
        return -envelope.gradient(centre + self._b, self._Y)

    def _best(self, envelope: MoreauEnvelope, centre: FloatArray, theta: FloatArray) -> FloatArray:
        """The intercept of the least envelope, from the last one."""
        if envelope.joins_outputs:
            return np.asarray(best_offsets(envelope, centre, self._Y, self._b))
        each = zip(centre.T, self._Y.T, self._b.tolist(), strict=True)
        own = MoreauEnvelope(self._loss, theta)
        return np.array([best_offset(own, c, y, start) for c, y, start in each])
