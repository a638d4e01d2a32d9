"""The best number beside predictions, by Newton's method on sums over the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.losses.base import Loss

_STEPS = 200
# Of Newton's method on several: the fall that a step has to reach, as a share of what its slope
# promises, what is added to the curvature, as a share of parabolas above the loss, and the share of
# a value that its rounding may be.
_FALL, _RIDGE, _NOISE = 1e-4, 1e-10, 64.0 * EPS
# Share of a step at which it is none.
_SHORTEST = 1e-9


class OffsetSums(Protocol):
    """Sums over the rows of ``l(f + b, y)`` and its derivatives in b.

    b is a number, or one for each output of a loss that joins them, shape (c,).
    """

    def value(self, b: FloatArray) -> float:
        """The loss."""

    def slopes(self, b: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The gradient, and the sum of the moduli of the terms of each entry."""

    def curvature(self, b: FloatArray) -> FloatArray:
        """The second derivative, of several the matrix (c, c)."""

    def majorizer(self, b: FloatArray) -> FloatArray:
        """That of a parabola above the loss, of several its diagonal."""


@final
@dataclass(frozen=True)
class LossBeside:
    """The sums of rows in memory.

    Attributes
    ----------
    loss : Loss
    prediction, y : ndarray, shape (n,), or (n, c) for a loss that joins outputs
    """

    loss: Loss
    prediction: FloatArray
    y: FloatArray

    def value(self, b: FloatArray) -> float:
        return self.loss.value(self.prediction + b, self.y)

    def slopes(self, b: FloatArray) -> tuple[FloatArray, FloatArray]:
        gradient = self.loss.gradient(self.prediction + b, self.y)
        return gradient.sum(axis=0), np.abs(gradient).sum(axis=0)

    def curvature(self, b: FloatArray) -> FloatArray:
        f = self.prediction + b
        if f.ndim == 1:
            return np.asarray(self.loss.curvature(f, self.y).sum())
        return self.loss.summed_curvature(f, self.y)

    def majorizer(self, b: FloatArray) -> FloatArray:
        return np.asarray(self.loss.majorizer(self.prediction + b, self.y).sum(axis=0))


def least_offset(sums: OffsetSums, start: float) -> float:
    """The b with the least loss, to rounding.

    Newton's method on a convex function of one variable, kept inside the bracket that signs
    of slopes give.
    """
    low, high, b, length = -np.inf, np.inf, start, 0.0
    for _ in range(_STEPS):
        point = np.asarray(b)
        slope, moduli = (float(part) for part in sums.slopes(point))
        if abs(slope) <= EPS * moduli:
            break
        low, high = (low, b) if slope > 0.0 else (b, high)
        if high - low < np.inf:
            move = -slope / max(float(sums.curvature(point)), 1e-300)
        else:
            # Where nothing stops it Newton's step may lead to the end of the numbers; parabolas
            # above the loss do not, but on an exponential slope they would crawl.
            move = -slope / float(sums.majorizer(point))
            length = max(abs(move), 2.0 * length)
            move = float(np.copysign(length, move))
        if abs(move) <= 4.0 * EPS * abs(b):
            break
        b = b + move if low < b + move < high else 0.5 * (low + high)
    return b


def least_offsets(sums: OffsetSums, start: FloatArray) -> FloatArray:
    """The same for a loss that joins outputs, shape (c,): each step is halved until it is down."""
    b, value = np.array(start), sums.value(start)
    for _ in range(_STEPS):
        slopes, moduli = sums.slopes(b)
        if (np.abs(slopes) <= EPS * moduli).all():
            break
        # The curvature is singular where a number for all outputs changes nothing.
        hessian = sums.curvature(b) + _RIDGE * np.diag(sums.majorizer(b))
        move = -np.linalg.solve(hessian, slopes)
        fall, length = -float(slopes @ move), 1.0
        if fall <= _NOISE * abs(value):
            # Values do not tell any more whether it is a step down.
            return np.asarray(b + move)
        new = sums.value(b + move)
        while new > value - _FALL * length * fall and length * fall > _NOISE * abs(value):
            length *= 0.5
            if length < _SHORTEST:
                # Without curvature to speak of the model of the loss says nothing.
                return b
            new = sums.value(b + length * move)
        b, value = b + length * move, new
    return b
