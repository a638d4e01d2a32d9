"""A loss and a square, where they are least together: the Moreau envelope and its gradient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import EPS, FloatArray
from cvxnn.losses.base import Loss
from cvxnn.losses.skip import SkipLoss

_STEPS = 100
# Of several outputs at once: the fall that a step has to reach, as a share of what its slope
# promises, the share of a value that rounding may be, and the shortest step.
_FALL, _NOISE, _SHORTEST = 1e-4, 64.0 * EPS, 1e-12


class MoreauEnvelope(Loss):
    """``sum_i min_e l_i(e, y_i) + (e - f_i)^2 / (2 theta_i)``, for any smooth loss.

    Its gradient is that of l where the sum is least, and its conjugate at -v is
    ``l*(-v) + theta v^2 / 2``, row by row (J. J. Moreau, Bull. Soc. Math. France 93, 1965).

    Parameters
    ----------
    loss : Loss
        A sum over the rows with a continuous gradient.
    theta : float or ndarray, shape (n,), or (n, 1) for several outputs
        Not negative; where it is 0 the envelope is the loss.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> MoreauEnvelope(SquaredLoss(), 1.0).gradient(np.array([1.0]), np.array([3.0]))
    array([-1.])
    """

    def __init__(self, loss: Loss, theta: float | FloatArray) -> None:
        self.loss, self.theta = loss, theta
        self._last: tuple[FloatArray, FloatArray, FloatArray] | None = None
        self.is_quadratic, self.has_labels = loss.is_quadratic, loss.has_labels
        self.joins_outputs = loss.joins_outputs
        self.has_log_link, self.has_majorizer = loss.has_log_link, loss.has_majorizer

    def nearest(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        """The e where the sum is least, shape (n,).

        Newton's method. The slope ``g(e) = e - f + theta l'(e)`` increases, and has its root
        between f and ``f - theta l'(f)``; a step that is not between the ends known so far goes
        to their middle instead. The last one is kept, as value, slope and curvature are asked
        for one after the other. Where a loss joins outputs, see :func:`nearest_jointly`.
        """
        known = self._last
        if known is not None and np.array_equal(known[:2], (prediction, y)):
            return known[2]
        formula = self.loss.proximal(prediction, y, self.theta)
        if formula is not None:
            self._last = prediction.copy(), y.copy(), formula
            return formula
        if self.joins_outputs:
            point = nearest_jointly(self.loss, self.theta, prediction, y)
            self._last = prediction.copy(), y.copy(), point
            return point
        far = prediction - self.theta * self.loss.gradient(prediction, y)
        low, high = np.minimum(prediction, far), np.maximum(prediction, far)
        point = 0.5 * (low + high) if known is None else known[2].clip(low, high)
        for _ in range(_STEPS):
            slope = point - prediction + self.theta * self.loss.gradient(point, y)
            low, high = np.where(slope < 0.0, point, low), np.where(slope > 0.0, point, high)
            step = slope / (1.0 + self.theta * self.loss.curvature(point, y))
            moved = point - step
            # What rounding leaves of a step is not an end that was met.
            done = np.abs(step) <= 4.0 * EPS * (np.abs(point) + np.abs(prediction))
            inside = (moved > low) & (moved < high) | done
            point = np.where(inside, moved, 0.5 * (low + high))
            if done.all():
                break
        self._last = prediction.copy(), y.copy(), point
        return point

    def values(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        point = self.nearest(prediction, y)
        # The move is theta times the slope, with digits where the difference has none.
        moved = self.theta * self.loss.gradient(point, y) ** 2
        return self.loss.values(point, y) + 0.5 * self._of_rows(moved)

    def gradient(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.gradient(self.nearest(prediction, y), y)

    def curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self._flattened(self.loss.curvature(self.nearest(prediction, y), y))

    def factors(
        self, prediction: FloatArray, y: FloatArray
    ) -> tuple[FloatArray, FloatArray | None]:
        # (I - (I + theta H)^-1) / theta for H = diag(h) - g g' (Sherman and Morrison).
        h, g = self.loss.factors(self.nearest(prediction, y), y)
        if g is None:
            return self._flattened(h), None
        pulled = g / (1.0 + self.theta * h)
        rest = 1.0 - self.theta * (g * pulled).sum(axis=1, keepdims=True)
        return self._flattened(h), pulled / np.sqrt(np.maximum(rest, EPS))

    def majorizer(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        """The envelope of a parabola above the loss: it touches the loss at the same point."""
        return self._flattened(self.loss.majorizer(self.nearest(prediction, y), y))

    def moves(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.moves(prediction, y)

    def conjugates(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.conjugates(dual, y) + 0.5 * self._of_rows(self.theta * dual**2)

    def conjugate_moduli(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        moduli = self.loss.conjugate_moduli(dual, y)
        return moduli + 0.5 * self._of_rows(self.theta * dual**2)

    def prediction(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.prediction(dual, y) - self.theta * dual

    def project(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.project(dual, y)

    def longest(self, direction: FloatArray, y: FloatArray) -> float:
        return self.loss.longest(direction, y)

    def take(self, rows: slice | NDArray[np.intp]) -> MoreauEnvelope:
        theta = self.theta[rows] if isinstance(self.theta, np.ndarray) else self.theta
        return MoreauEnvelope(self.loss.take(rows), theta)

    def moved(self, y: FloatArray, offset: float | FloatArray) -> FloatArray | None:
        return self.loss.moved(y, offset)

    def unit(self, y: FloatArray) -> float:
        return self.loss.unit(y)

    def in_units(self, unit: float) -> MoreauEnvelope:
        return MoreauEnvelope(self.loss.in_units(unit), self.theta)

    def _flattened(self, curvature: FloatArray) -> FloatArray:
        return np.asarray(curvature / (1.0 + self.theta * curvature))

    def _of_rows(self, array: FloatArray) -> FloatArray:
        """One number for each row, where the loss has one."""
        return array.sum(axis=1) if self.joins_outputs else array


def nearest_jointly(
    loss: Loss, theta: float | FloatArray, prediction: FloatArray, y: FloatArray
) -> FloatArray:
    """The e with the least ``l(e, y) + ||e - f||^2 / (2 theta)`` for a loss that joins outputs.

    Parameters
    ----------
    loss : Loss
    theta : float or ndarray, shape (n, 1)
    prediction, y : ndarray, shape (n, c)

    Notes
    -----
    Newton's method in each row, a step halved until it is one down; the Hessian, times theta,
    is ``I + theta (diag(h) - g g')``. O(n c) a step.

    Examples
    --------
    >>> from cvxnn.losses import SoftmaxLoss
    >>> f, y = np.array([[1.0, -2.0, 0.0]]), np.array([[0.0, 1.0, 0.0]])
    >>> e = nearest_jointly(SoftmaxLoss(), 10.0, f, y)
    >>> np.abs(e - f + 10.0 * SoftmaxLoss().gradient(e, y)).max() < 1e-12
    np.True_
    """

    def value(point: FloatArray) -> FloatArray:
        return theta_of_rows * loss.values(point, y) + 0.5 * ((point - prediction) ** 2).sum(axis=1)

    theta_of_rows = np.broadcast_to(theta, (len(y), 1))[:, 0]
    point = prediction
    reached = value(point)
    for _ in range(_STEPS):
        slope = point - prediction + theta * loss.gradient(point, y)
        h, g = loss.factors(point, y)
        step = slope / (1.0 + theta * h)
        if g is not None:
            pulled = g / (1.0 + theta * h)
            rest = 1.0 - theta * (g * pulled).sum(axis=1, keepdims=True)
            along = (g * step).sum(axis=1, keepdims=True)
            step = step + theta * pulled * (along / np.maximum(rest, EPS))
        fall, length = (slope * step).sum(axis=1), np.ones((len(y), 1))
        # Where values do not tell any more, the step is the last one.
        noise = _NOISE * np.abs(reached)
        while True:
            tried = point - length * step
            new = value(tried)
            rises = new > reached - _FALL * length[:, 0] * fall + noise
            if not rises.any() or length.min() < _SHORTEST:
                break
            length[rises] *= 0.5
        point, reached = tried, new
        if (fall <= noise).all():
            break
    return point


def envelope(loss: Loss, theta: float | FloatArray, near: float = 0.0) -> Loss:
    """The Moreau envelope of any loss here; beside a linear part the order does not matter.

    ``min_{f, w} l(f + S w) + t/2 ||w||^2 + ||f - c||^2 / (2 theta)`` is the least over w of the
    envelope of l at ``c + S w``. That w is looked for until the share `near` of the sums in the
    slope is left, see :meth:`~cvxnn.losses.SkipLoss.of`.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> loss = SkipLoss(SquaredLoss(), np.ones((2, 1)), ridge=1.0, n_free=1)
    >>> envelope(loss, 1.0).gradient(np.zeros(2), np.array([1.0, 3.0]))
    array([ 0.5, -0.5])
    """
    if isinstance(loss, SkipLoss):
        return loss.of(MoreauEnvelope(loss.loss, theta), near=near)
    return MoreauEnvelope(loss, theta)
