"""Primal-dual Newton method for the group lasso: blocks without cones, any smooth loss.

    min_z  l(sum_c A_c z_c, y) + beta sum_c ||z_c||

A norm is smoothed to ``s_c = (||z_c||^2 + mu^2)^(1/2)``, and its gradient
``u_c = z_c / s_c`` is an unknown of its own: in ``s_c u_c = z_c`` and
``A_c'grad l + beta u_c = 0`` together Newton's method converges fast however small
mu is, which it does not in z alone. A step solves

    (K' W K + B) dz = -gradient,    B_c = beta / s_c (I - (u_c q_c' + q_c u_c') / 2),

with ``q_c = z_c / s_c`` and W the curvature of the loss, which may be zero. The
matrix is positive definite, so that dz is a direction of descent of the smoothed
objective and no loss needs more than that it is convex and has a gradient.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.problems import Problem
from cvxnn.solvers.columns.blocks import Blocks
from cvxnn.solvers.columns.newton_system import NewtonSystem, WeightedGram
from cvxnn.solvers.columns.second_order_cones import row_dots


@dataclass(frozen=True)
class Settings:
    """The numbers that Newton's method on the smoothed norms goes by.

    Attributes
    ----------
    damping : float
        Share of the identity in B: along a long block the curvature of its norm vanishes.
    least_curvature : float
        Of a row, relative: the system over the rows needs its inverse.
    reduction, enough : float
        mu falls by this factor once a step promises less than so many times what smoothing
        costs: beyond that another step at this mu gains nothing that counts.
    least_decrease, most_halvings : float, int
        Share of the promised decrease that a step has to bring, or be halved: 12 digits.
    """

    damping: float = 1e-8
    least_curvature: float = 1e-12
    reduction: float = 0.2
    enough: float = 3.0
    least_decrease: float = 1e-4
    most_halvings: int = 40


SETTINGS = Settings()


@dataclass(frozen=True)
class SmoothedPoint:
    """An iterate.

    Attributes
    ----------
    z : ndarray, shape (C, r)
        The blocks.
    u : ndarray, shape (C, r)
        Gradients of their norms, ``||u_c|| <= 1``.
    mu : float
        How far norms are smoothed, > 0.
    decrease : float
        What the last step promised in the smoothed objective; ``inf`` before the first.
    """

    z: FloatArray
    u: FloatArray
    mu: float
    decrease: float = np.inf

    @property
    def sizes(self) -> FloatArray:
        """The smoothed norms ``s_c``."""
        return np.sqrt(row_dots(self.z, self.z) + self.mu**2)

    @property
    def slack(self) -> float:
        """``sum_c ||z_c|| - u_c'z_c`` at ``u_c = z_c / s_c``: what smoothing costs over beta."""
        norms = np.linalg.norm(self.z, axis=1)
        return float((norms * (1.0 - norms / self.sizes)).sum())


class _SmoothedNorms:
    """The matrices ``B_c`` of an iterate, for :class:`NewtonSystem`."""

    def __init__(self, point: SmoothedPoint, beta: float) -> None:
        sizes = point.sizes
        cross = point.u[:, :, None] * (point.z / sizes[:, None])[:, None, :]
        shape = (1.0 + SETTINGS.damping) * np.eye(point.z.shape[1])
        shape = shape - 0.5 * (cross + cross.transpose(0, 2, 1))
        self._matrices = (beta / sizes)[:, None, None] * shape

    def reduced(self, z: FloatArray) -> FloatArray:
        """``B_c z_c``, shape (C, r)."""
        return np.asarray((self._matrices @ z[:, :, None])[:, :, 0])

    def reduced_inverse_root(self) -> FloatArray:
        """``R_c`` with ``R_c R_c' = B_c^-1``, shape (C, r, r)."""
        return np.linalg.inv(np.linalg.cholesky(self._matrices)).transpose(0, 2, 1)


@final
class GroupLasso:
    """Newton steps for one set of blocks.

    Parameters
    ----------
    blocks : Blocks
        Without cone rows.
    problem : Problem
        Of any rows: the blocks stand for them.
    deadline : Deadline, optional
        A step raises OutOfTimeError when it passes.

    Notes
    -----
    A step costs what :class:`NewtonSystem` does, the smaller of ``O(n^2 C r)`` and
    ``O(n (C r)^2)``; for a quadratic loss the latter once.

    References
    ----------
    K. D. Andersen, E. Christiansen, A. R. Conn and M. L. Overton, An efficient
    primal-dual interior-point method for minimizing a sum of Euclidean norms, SIAM J.
    Sci. Comput. 22(1), 2000.

    Examples
    --------
    One block, ``X = I``: the optimum is ``(1 - beta / ||y||) y``.

    >>> import numpy as np
    >>> from cvxnn.layers import Layer
    >>> from cvxnn.losses import SquaredLoss
    >>> from cvxnn.solvers.columns.blocks import MaskedBlocks
    >>> blocks = MaskedBlocks(np.zeros((1, 0, 2)), np.eye(2), np.ones((2, 1)))
    >>> problem = Problem.of(Layer(np.eye(2)), np.array([3.0, 4.0]), 1.0, SquaredLoss())
    >>> lasso = GroupLasso(blocks, problem)
    >>> point = SmoothedPoint(np.zeros((1, 2)), np.zeros((1, 2)), mu=1.0)
    >>> for _ in range(12):
    ...     point = lasso.step(point)
    >>> point.z.round(6)
    array([[2.4, 3.2]])
    """

    def __init__(
        self, blocks: Blocks, problem: Problem[Any], deadline: Deadline = UNLIMITED
    ) -> None:
        self.blocks, self._deadline = blocks, deadline
        self.y, self.beta, self.loss = problem.y, problem.beta, problem.loss
        self._gram = WeightedGram(blocks, problem.loss)
        self._no_rows = np.zeros((len(blocks.cones), 0))

    def is_solved(self, point: SmoothedPoint) -> bool:
        """Whether the blocks are optimal up to what smoothing costs."""
        return point.decrease < SETTINGS.enough * self.beta * point.slack

    def step(self, point: SmoothedPoint) -> SmoothedPoint:
        """One Newton step, after which mu falls if the smoothed problem is solved.

        Raises
        ------
        numpy.linalg.LinAlgError
            If rounding leaves the system without a solution.
        """
        if self.is_solved(point):
            point = replace(point, mu=SETTINGS.reduction * point.mu)
        prediction = self.blocks.predict(point.z)
        sizes = point.sizes
        unit = point.z / sizes[:, None]
        slope = self.blocks.adjoint(self.loss.gradient(prediction, self.y)) + self.beta * unit
        move = self._direction(point, prediction, slope)
        promised = -float(np.vdot(slope, move))
        length = self._length(point, prediction, move, promised)
        along = row_dots(point.z, move) / sizes
        u = unit + (move - point.u * along[:, None]) / sizes[:, None]
        u /= np.maximum(np.linalg.norm(u, axis=1), 1.0)[:, None]
        return SmoothedPoint(point.z + length * move, u, point.mu, promised)

    def _direction(
        self, point: SmoothedPoint, prediction: FloatArray, slope: FloatArray
    ) -> FloatArray:
        curvature = self.loss.curvature(prediction, self.y)
        floor = max(float(curvature.max()), float(np.finfo(float).tiny) / SETTINGS.least_curvature)
        curvature = np.maximum(curvature, SETTINGS.least_curvature * floor)
        norms = _SmoothedNorms(point, self.beta)
        gram = self._gram.at(curvature, self._deadline)
        system = partial(NewtonSystem, self.blocks, norms, self._no_rows, curvature)
        try:
            solver = system(gram, False, self._deadline)
        except np.linalg.LinAlgError:
            solver = system(None, True, self._deadline)
        return solver.solve(-slope, np.zeros_like(self.y), refined=True)[0]

    def _length(
        self, point: SmoothedPoint, prediction: FloatArray, move: FloatArray, promised: float
    ) -> float:
        """The longest of 1, 1/2, 1/4, ... with enough decrease; 0 where rounding hides it."""
        change = self.blocks.predict(move)

        def objective(length: float) -> float:
            moved = replace(point, z=point.z + length * move)
            value = self.loss.value(prediction + length * change, self.y)
            return value + self.beta * float(moved.sizes.sum())

        start, length = objective(0.0), 1.0
        for _ in range(SETTINGS.most_halvings):
            enough = start - SETTINGS.least_decrease * length * promised
            if objective(length) <= enough + 64.0 * EPS * abs(start):
                return length
            length *= 0.5
        return 0.0
