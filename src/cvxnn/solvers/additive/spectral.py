"""A dual point for groups whose oracle does not end: the best one for a bound at once."""

from __future__ import annotations

from contextlib import suppress
from typing import final

import numpy as np
from scipy.optimize import minimize

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline, OutOfTimeError, check_interrupt
from cvxnn.layers.costs import Costs
from cvxnn.layers.groups import GroupedLayer
from cvxnn.problems import Problem

# Of the largest of all bounds: where others count in a smooth maximum.
_WIDTH = 2e-3
# Products of all eigenvalues, and steps.
_WORK, _FEWEST, _MOST = 4e9, 20, 300
_MEMORY, _BISECTIONS = 20, 50
_TINY = 1e-300


def spectral_dual_point(
    problem: Problem[GroupedLayer], v: FloatArray, deadline: Deadline
) -> FloatArray:
    """A dual point of which a bound without a search proves more than of v, shape (n,).

    Parameters
    ----------
    problem : Problem of GroupedLayer
        With the squared loss.
    v : ndarray, shape (n,)
        Such as the residual of a network, which is the best one for an exact oracle.
    deadline : Deadline

    Notes
    -----
    Any dual point proves a bound: ``t v'y - t^2/2 ||v||^2`` for ``t M(v) <= beta``. Here M is
    that of :class:`~cvxnn.layers.spectral.PaidBound`, a convex function, and L-BFGS raises the
    bound with a smooth maximum over groups and signs. O(n r^2) a step for each of these.
    """
    sides = _sides(problem.rows)
    work = sum(side.X.size * side.X.shape[1] for side in sides)
    steps = int(min(max(_WORK / max(work, 1), _FEWEST), _MOST))
    function = _Proven(problem, sides, deadline)
    # What it has reached at the deadline is as good.
    with suppress(OutOfTimeError):
        options = {"maxiter": steps, "maxcor": _MEMORY}
        minimize(function.value_and_gradient, v, jac=True, method="L-BFGS-B", options=options)
    check_interrupt()
    return v if function.best is None else function.best


def _sides(layer: GroupedLayer) -> list[_Side]:
    costs = layer.costs or Costs((0,) * layer.n_features)
    return [
        _Side(layer.seen(group), sign, costs.of(columns).cone(sign), costs.l1_ratio)
        for group, columns in enumerate(layer.groups)
        for sign in costs.signs
    ]


@final
class _Side:
    """The bound for the neurons of a group and a sign, and its gradient in v."""

    def __init__(self, X: FloatArray, sign: float, cone: FloatArray, ratio: float) -> None:
        self.X, self._sign, self._cone, self._ratio = X, sign, cone, ratio
        self._lengths = np.linalg.norm(X, axis=1)
        self._units = X / np.where(self._lengths > 0.0, self._lengths, 1.0)[:, None]

    def value_and_gradient(self, v: FloatArray) -> tuple[float, FloatArray]:
        """The level L at which ``1/2 ||h|| + 1/2 root = L (1 - r)``, see PaidBound."""
        s, r = self._sign, self._ratio
        weights = np.maximum(s * v, 0.0) * self._lengths
        total = float(weights.sum())
        values, vectors = np.linalg.eigh((self._units * weights[:, None]).T @ self._units)
        top, axis = max(float(values[-1]), 0.0), vectors[:, -1]
        root = np.sqrt(total * top)
        pull = s * (v @ self.X)
        pull[self._cone * pull < 0.0] = 0.0
        level, r = self._level(np.abs(pull), root)
        h = np.sign(pull) * np.maximum(np.abs(pull) - 2.0 * r * level, 0.0)
        length = float(np.linalg.norm(h))
        slope = 0.5 * s * (self.X @ h) / max(length, _TINY)
        own = (s * v > 0.0) * s * self._lengths
        slope += 0.25 * own * (top + total * (self._units @ axis) ** 2) / max(root, _TINY)
        # By the implicit function: the level is on both sides.
        return level, slope / ((1.0 - r) + r * float(np.abs(h).sum()) / max(length, _TINY))

    def _level(self, sizes: FloatArray, root: float) -> tuple[float, float]:
        """The level, and the share r by which it is one: 0 where the Euclidean norm is as good."""
        r = self._ratio

        def is_above(level: float) -> bool:
            h = np.maximum(sizes - 2.0 * r * level, 0.0)
            return bool(0.5 * np.linalg.norm(h) + 0.5 * root > level * (1.0 - r))

        low, high = 0.0, 0.5 * float(np.linalg.norm(sizes)) + 0.5 * root
        if r == 0.0 or is_above(high):
            return high, 0.0
        for _ in range(_BISECTIONS):
            level = 0.5 * (low + high)
            low, high = (level, high) if is_above(level) else (low, level)
        return high, r


@final
class _Proven:
    """Minus what a dual point proves by a smooth maximum, and its gradient."""

    def __init__(
        self, problem: Problem[GroupedLayer], sides: list[_Side], deadline: Deadline
    ) -> None:
        self._problem, self._sides, self._deadline = problem, sides, deadline
        self.best: FloatArray | None = None
        self._least = np.inf

    def value_and_gradient(self, v: FloatArray) -> tuple[float, FloatArray]:
        """The best t is at ``M(v) = beta / t``, or where it is largest without M."""
        self._deadline.check()
        y, beta = self._problem.y, self._problem.beta
        bounds, slopes = zip(*(side.value_and_gradient(v) for side in self._sides), strict=True)
        largest = max(bounds)
        width = max(_WIDTH * largest, _TINY)
        shares = np.exp((np.array(bounds) - largest) / width)
        bound = largest + width * float(np.log(shares.sum()))
        a, b = float(v @ y), max(float(v @ v), _TINY)
        t = max(min(beta / max(bound, _TINY), a / b), 0.0)
        value, gradient = t * a - 0.5 * t * t * b, t * y - t * t * v
        if 0.0 < t < a / b:
            slope = (shares / shares.sum()) @ np.array(slopes)
            gradient -= (a - t * b) * t / bound * slope
        if -value < self._least:
            self.best, self._least = v.copy(), -value
        return -value, -gradient
