"""Descent of neurons in groups of many columns: all weights at once, by a quasi-Newton method."""

from __future__ import annotations

from contextlib import suppress
from typing import final

import numpy as np
from scipy.optimize import minimize

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError, check_interrupt
from cvxnn.solvers.additive.members import Members
from cvxnn.solvers.additive.objective import GroupedObjective

# Pairs of steps and gradients that L-BFGS keeps, and the relative gain at which it ends.
_MEMORY, _GAIN = 20, 1e-9


def slide(
    objective: GroupedObjective, members: Members, steps: int, deadline: Deadline = UNLIMITED
) -> Members:
    """The neurons after L-BFGS-B on their rays, at most so many steps.

    Notes
    -----
    The objective is smooth but for kinks, on which it does not come to rest: Newton's method on
    faces does. Cones are bounds on variables, and a 1-norm is the sum of both parts ``w = p -
    q``, p and q >= 0, so that entries come to be zero. O(n k r) an evaluation.

    References
    ----------
    R. Byrd, P. Lu, J. Nocedal and C. Zhu, A limited memory algorithm for bound constrained
    optimization, SIAM J. Sci. Comput. 16 (1995), 1190-1208.
    """
    if len(members) == 0 or deadline.passed:
        return members
    weights = _Weights(objective, members, deadline)
    # What it has reached at the deadline is as good.
    with suppress(OutOfTimeError):
        minimize(
            weights.value_and_gradient, weights.start, jac=True, method="L-BFGS-B",
            bounds=weights.bounds, options={"maxiter": steps, "maxcor": _MEMORY, "ftol": _GAIN},
        )  # fmt: skip
    check_interrupt()
    return members.moved(weights.best)


@final
class _Weights:
    """All rays as one vector: both parts of entries with a price, else the entries themselves.

    Attributes
    ----------
    best : ndarray, shape (k, r)
        The rays of the least value so far.
    """

    def __init__(self, objective: GroupedObjective, members: Members, deadline: Deadline) -> None:
        self._objective, self._members, self._deadline = objective, members, deadline
        self.best, self._least = members.rays, np.inf
        costs, cones = members.costs, members.cones
        self._ratio = 0.0 if costs is None else costs.l1_ratio
        self._splits = self._ratio > 0.0
        widths = np.array([len(objective.layer.groups[group]) for group in members.groups])
        inside = np.arange(self.best.shape[1]) < widths[:, None]
        above = np.where(inside & (cones >= 0.0), np.inf, 0.0).ravel()
        below = np.where(inside & (cones <= 0.0), np.inf, 0.0).ravel()
        none = np.zeros_like(above)
        # Of whole entries, or of their parts above and below zero.
        self.bounds = np.column_stack([-below, above])
        if self._splits:
            self.bounds = np.column_stack([np.tile(none, 2), np.concatenate([above, below])])

    @property
    def start(self) -> FloatArray:
        """The vector of the neurons as they were."""
        rays = self._members.rays
        parts = [np.maximum(rays, 0.0), np.maximum(-rays, 0.0)] if self._splits else [rays]
        return np.concatenate([part.ravel() for part in parts])

    def value_and_gradient(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Of the objective with the price of both parts."""
        if self._deadline.passed:
            raise OutOfTimeError
        members, ratio = self._members, self._ratio
        parts = x.reshape(2 if self._splits else 1, *members.units.shape)
        rays = parts[0] - parts[1] if self._splits else parts[0]
        left, gradient = self._loss(rays)
        lengths = np.linalg.norm(rays, axis=1)
        along = rays / np.where(lengths > 0.0, lengths, 1.0)[:, None]
        beta = self._objective.problem.beta
        price = (1.0 - ratio) * float(lengths.sum()) + ratio * float(x.sum() if ratio else 0.0)
        value = 0.5 * float(left @ left) + beta * price
        gradient += beta * (1.0 - ratio) * along
        if value < self._least:
            self.best, self._least = rays, value
        if not self._splits:
            return value, gradient.ravel()
        return value, np.concatenate([gradient.ravel(), -gradient.ravel()]) + beta * ratio

    def _loss(self, rays: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The residual, and the gradient of half its square in the rays."""
        members, left = self._members, self._objective.problem.y.copy()
        gradient, active = np.zeros_like(rays), {}
        for group in np.unique(members.groups):
            own = np.flatnonzero(members.groups == group)
            products = np.maximum(rays[own] @ self._objective.seen(int(group)), 0.0)
            left -= members.signs[own] @ products
            active[int(group)] = own, products > 0.0
        for group, (own, on) in active.items():
            pulls = (on * left) @ self._objective.seen(group).T
            gradient[own] = -members.signs[own, None] * pulls
        return left, gradient
