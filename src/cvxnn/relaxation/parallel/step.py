"""The step of the loss for sub-networks, whose output is anything between two sums of neurons."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.losses import Loss
from cvxnn.losses.offset import beside
from cvxnn.relaxation.proximal import LossStep

# Steps to the best intercept, and the share of the moduli that a sum of v may be then: float32 has
# no more digits.
_STEPS, _NEAR = 60, 1e-8


@final
class SubNetworkStep:
    """Where a loss and four squares are least together.

    ``l(f - g + b, y)`` over ``(p - q)_+ <= f <= p``, ``(r - s)_+ <= g <= r``, with squares of
    the distances of p, q, r and s from four centres, each divided by ``2 theta``; b is 0, or an
    intercept.

    Parameters
    ----------
    loss : Loss
        A smooth one that is a sum over the rows.
    y : ndarray, shape (n,)
    reached : ndarray of bool, shape (n,)
        Of the other rows p, q, r and s are 0.
    intercept : bool
        Whether there is one.

    Attributes
    ----------
    v : ndarray, shape (n,)
        Minus the gradient of the loss at the last minimum.
    under : ndarray, shape (2, n)
        The multipliers ``>= 0`` of q and s, which are minus the coefficients of the leaves.

    Notes
    -----
    In a row the dual problem is to find v, ``a >= max(v, -z)``, ``z >= 0``, and the same for
    -v, with the least ``l*(-v) + a p' + z q' + theta (a^2 + z^2) / 2 + ...``. For a given v the
    best a and z have a formula, and f, the multiplier of ``a >= v``, is

        (p' + theta v)_+                               for v > 0,
        (p' + theta v - (q' - theta v)_+)_+            for v < 0,

    and anything between for v = 0. So ``v = -l'(f - g)`` is an equation in one variable with a
    function that increases, linear between four points at most; on each piece it is the proximal
    step of the loss.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> step = SubNetworkStep(SquaredLoss(), np.array([3.0]), np.array([True]))
    >>> step.dual(np.array([[1.0], [-2.0], [0.0], [3.0]]), 1.0).ravel() + 0.0, step.v
    (array([1., 2., 0., 0.]), array([1.]))
    """

    def __init__(
        self, loss: Loss, y: FloatArray, reached: BoolArray, *, intercept: bool = False
    ) -> None:
        self._loss, self._y, self._reached = loss, y, reached
        self._intercept, self._offset, self._stride = intercept, 0.0, 1.0
        self.v, self.under = np.zeros_like(y), np.zeros((2, len(y)))

    def dual(self, centre: FloatArray, theta: float) -> FloatArray:
        """The best a and z of both output signs, shape (4, n), in the order of the centres."""
        if not np.isfinite(centre).all():
            self.v = np.full_like(self._y, np.nan)
            return np.full_like(centre, np.nan)
        centre = centre * self._reached
        self.v = self._beside_best(centre, theta) if self._intercept else self._at(centre, theta)
        pairs = [
            _multipliers(centre[2 * k], centre[2 * k + 1], sign * self.v, theta)
            for k, sign in enumerate((1.0, -1.0))
        ]
        self.under = np.stack([z for _, z in pairs]) * self._reached
        return np.concatenate([np.stack(pair) for pair in pairs]) * self._reached

    def _beside_best(self, centre: FloatArray, theta: float) -> FloatArray:
        """The v of the sum 0, which falls as b rises: a bracket, and false positions in it."""
        ends: dict[bool, tuple[float, float]] = {}
        b = self._offset
        for _ in range(_STEPS):
            v = self._at(centre, theta, b)
            total = float(v.sum())
            if abs(total) <= _NEAR * float(np.abs(v).sum()):
                break
            kept = ends.get(total > 0.0)
            ends[total > 0.0] = b, total
            if len(ends) < 2:
                # From the last one, ever farther.
                b += np.copysign(self._stride, total)
                self._stride *= 2.0
                continue
            (low, above), (high, below) = ends[True], ends[False]
            if kept is not None and abs(kept[1]) < 2.0 * abs(total):
                # One end moves too slowly (Illinois).
                b = 0.5 * (low + high)
            else:
                b = low + (high - low) * above / (above - below)
            if not low < b < high:
                break
        self._stride = max(2.0 * abs(b - self._offset), 1e-6)
        self._offset = b
        return v

    def _at(self, centre: FloatArray, theta: float, offset: float = 0.0) -> FloatArray:
        """The v beside an intercept."""
        loss, y = (self._loss, self._y) if offset == 0.0 else beside(self._loss, self._y, offset)
        p, q, r, s = centre
        above, below = np.maximum(q, 0.0), np.maximum(s, 0.0)
        high = np.maximum(p, 0.0) - np.maximum(r - below, 0.0)
        low = np.maximum(p - above, 0.0) - np.maximum(r, 0.0)
        signs = np.where(loss.gradient(high, y) < 0.0, 1.0, 0.0)
        signs = np.where(loss.gradient(low, y) > 0.0, -1.0, signs)
        is_up = signs >= 0.0
        line = _Line(np.where(is_up, p, r), np.where(is_up, r, p), np.where(is_up, s, q), theta)
        left, right = np.zeros_like(p), np.full_like(p, np.inf)
        for end in line.ends:
            before = end + signs * loss.gradient(signs * line(end) * self._reached, y) <= 0.0
            left = np.where(before, np.maximum(left, end), left)
            right = np.where(before, right, np.minimum(right, end))
        start, slope = line.piece(left, right)
        start, slope = signs * start * self._reached, slope * self._reached
        t = signs * LossStep(loss, y).dual(start, slope)
        return np.asarray(signs * np.clip(t, left, right))


@final
class _Line:
    """``(p + theta t)_+ - (r - theta t - (s + theta t)_+)_+`` for t >= 0, row by row."""

    def __init__(self, p: FloatArray, r: FloatArray, s: FloatArray, theta: float) -> None:
        self._p, self._r, self._s, self._theta = p, r, s, theta
        self.ends = np.sort(np.maximum(np.stack([-p, -s, r, 0.5 * (r - s)]), 0.0), axis=0) / theta

    def __call__(self, t: FloatArray) -> FloatArray:
        moved = self._theta * t
        other = self._r - moved - np.maximum(self._s + moved, 0.0)
        return np.asarray(np.maximum(self._p + moved, 0.0) - np.maximum(other, 0.0))

    def piece(self, left: FloatArray, right: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The line between two ends: its value at 0, and its slope."""
        right = np.where(np.isfinite(right), right, 2.0 * left + 1.0)
        middle = 0.5 * (left + right)
        moved = self._theta * middle
        turned = np.where(self._s + moved > 0.0, 2.0, 1.0)
        other = self._r - moved - np.maximum(self._s + moved, 0.0)
        slope = self._theta * ((self._p + moved > 0.0) + turned * (other > 0.0))
        return self(middle) - slope * middle, slope


def _multipliers(
    p: FloatArray, q: FloatArray, t: FloatArray, theta: float
) -> tuple[FloatArray, FloatArray]:
    """The a and z with the least ``a p + z q + theta (a^2 + z^2) / 2``, ``a >= max(t, -z)``."""
    a, z = -p / theta, -q / theta
    is_tied = (t < 0.0) & (p + theta * t <= np.maximum(q - theta * t, 0.0))
    # Where t is below what a is anyway: the nearest of the cone a + z >= 0, z >= 0.
    edge = np.maximum(0.5 * (z - a), 0.0)
    is_inside, is_below = (z >= 0.0) & (a + z >= 0.0), (z < 0.0) & (a >= 0.0)
    free_z = np.where(is_inside, z, np.where(is_below, 0.0, edge))
    free_a = np.where(is_inside | is_below, a, -edge)
    bound_z = np.maximum(np.maximum(z, 0.0), -t)
    bound_a = np.where(t >= 0.0, np.maximum(t, a), t)
    return np.where(is_tied, free_a, bound_a), np.where(is_tied, free_z, bound_z)
