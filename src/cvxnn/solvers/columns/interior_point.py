"""Structured primal-dual interior-point method for program (5) on given blocks.

In the scaled variables of Nesterov and Todd everything but the blocks z
eliminates, and each iteration solves

    (K' W K + B) dz = rhs,    K = [A_1 ... A_C]  (n x C r),  B block diagonal,

with ``W`` the curvature of the loss. ``B`` is C small matrices, so the system
has rank n on top of something trivial: with n < C r it is solved through the
n x n matrix ``W^-1 + K B^-1 K'``, otherwise through the C r x C r one. A general
conic solver carries the C n cone rows through a sparse factorisation instead.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError, check_interrupt
from cvxnn.problems import Problem
from cvxnn.solvers.columns.blocks import Blocks
from cvxnn.solvers.columns.newton_system import NewtonSystem, WeightedGram
from cvxnn.solvers.columns.second_order_cones import (
    NesterovToddScaling,
    cone_determinant,
    cone_step,
    ray_step,
    row_dots,
)


@dataclass(frozen=True)
class InteriorPointResult:
    """Solution of the restricted program.

    Attributes
    ----------
    z : ndarray, shape (C, r)
    multipliers : ndarray, shape (C, m)
        Multipliers of the cone rows, >= 0.
    slacks : ndarray, shape (C, m)
        ``G_c z_c``.
    tension : ndarray, shape (C,)
        Dual norms: beta for a block that is alive, less for one that vanishes.
    v : ndarray, shape (n,)
        Dual point; feasible for the blocks to the accuracy reached, and a far
        better one than the residual of z at the same gap.
    gap : float
        Largest of complementarity and scaled residuals.
    """

    z: FloatArray
    multipliers: FloatArray
    slacks: FloatArray
    tension: FloatArray
    v: FloatArray
    gap: float


@dataclass
class _Point:
    """An iterate, or a step: gradient, (t, z) and its dual (u0, u1), slacks, multipliers."""

    g: FloatArray
    t: FloatArray
    z: FloatArray
    u0: FloatArray
    u1: FloatArray
    slack: FloatArray
    lam: FloatArray

    def moved(self, step: _Point, length: float) -> _Point:
        names = (field.name for field in fields(self))
        return _Point(*(getattr(self, name) + length * getattr(step, name) for name in names))

    @property
    def is_interior(self) -> bool:
        """Whether rounding has left the point strictly inside its cones."""
        return bool(
            (cone_determinant(self.t, self.z) > 0.0).all()
            and (cone_determinant(self.u0, self.u1) > 0.0).all()
            and min(self.t.min(), self.u0.min(), self.slack.min(), self.lam.min()) > 0.0
        )

    @property
    def complementarity(self) -> float:
        cone = self.t @ self.u0 + (self.z * self.u1).sum()
        return float(cone + (self.slack * self.lam).sum())


_Residuals = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


@final
class InteriorPoint:
    """Mehrotra's predictor-corrector method for one set of blocks.

    Parameters
    ----------
    blocks : Blocks
    problem : Problem
        Of any rows: the blocks stand for them.
    """

    def __init__(self, blocks: Blocks, problem: Problem[Any]) -> None:
        self.blocks = blocks
        self.y, self.beta, self.loss = problem.y, problem.beta, problem.loss
        # A row that only fills up the array is the harmless constraint 1 >= 0.
        self.offset = np.where((blocks.cones**2).sum(2) > 0.0, 0.0, 1.0)
        self.degree = 2 * len(blocks.cones) + blocks.cones[..., 0].size
        self._gram = WeightedGram(blocks, problem.loss)

    def solve(
        self,
        tol: float = 1e-9,
        max_iter: int = 100,
        v: FloatArray | None = None,
        deadline: Deadline = UNLIMITED,
    ) -> InteriorPointResult:
        """Iterate to a relative gap of `tol`; the best iterate comes back in any case.

        Parameters
        ----------
        tol : float
        max_iter : int
        v : ndarray, shape (n,), optional
            A dual point of a similar program; a good one saves iterations.
        deadline : Deadline, optional
            Also looked at within an iteration, which is given up then.
        """
        point = self._start(v)
        best, best_gap, stalled, iterations = point, np.inf, 0, 0
        by_qr = False
        while iterations < max_iter and not deadline.passed:
            check_interrupt()
            prediction = self.blocks.predict(point.z)
            residuals = self._residuals(point, prediction)
            gap = self._merit(point, prediction, residuals)
            stalled = 0 if gap < 0.9 * best_gap else stalled + 1
            if gap < best_gap:
                best, best_gap = point, gap
            if gap <= tol:
                break
            if stalled > 3 and best_gap < 1e-2:
                if by_qr:
                    break
                by_qr, stalled = True, 0
                point, prediction = best, self.blocks.predict(best.z)
                residuals = self._residuals(point, prediction)
            # On the boundary, which rounding may reach, a step has no numbers: no interior either.
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                try:
                    advanced = self._advance(point, prediction, residuals, by_qr, deadline)
                except OutOfTimeError:
                    break
            if advanced is None:
                stalled = 4
                if by_qr or best_gap >= 1e-2:
                    break
            else:
                point = advanced
            iterations += 1
        return InteriorPointResult(
            best.z,
            best.lam,
            self.blocks.cone_products(best.z),
            np.linalg.norm(best.u1, axis=1),
            -best.g,
            best_gap,
        )

    def _start(self, v: FloatArray | None) -> _Point:
        c, m, r = self.blocks.cones.shape
        # A start on the scale of the answer: z that would fit y, and duals that
        # balance the gradient; a good v makes them smaller by its quality.
        g = self.loss.gradient(np.zeros_like(self.y), self.y) if v is None else -v
        pull = self.beta + float(np.linalg.norm(self.blocks.adjoint(g), axis=1).max(initial=0.0))
        size = max(float(np.linalg.norm(self.y)), 1e-300)
        reach = float(np.sqrt(self.blocks.square / c))
        unit = size / max(reach, 1e-300)
        return _Point(
            g=g,
            t=np.full(c, unit),
            z=np.zeros((c, r)),
            u0=np.full(c, pull),
            u1=np.zeros((c, r)),
            slack=np.full((c, m), unit),
            lam=np.full((c, m), pull),
        )

    def _residuals(self, point: _Point, prediction: FloatArray) -> _Residuals:
        """Residuals of the gradient, of stationarity in z and t, and of the cone slacks."""
        in_g = self.loss.gradient(prediction, self.y) - point.g
        in_z = self.blocks.adjoint(point.g) - point.u1 - self.blocks.cone_adjoint(point.lam)
        in_t = self.beta - point.u0
        in_slack = point.slack - self.blocks.cone_products(point.z) - self.offset
        return in_g, in_z, in_t, in_slack

    def _merit(self, point: _Point, prediction: FloatArray, residuals: _Residuals) -> float:
        objective = self.loss.value(prediction, self.y) + self.beta * float(point.t.sum())
        in_g, in_z, in_t, in_slack = (float(np.abs(part).max(initial=0.0)) for part in residuals)
        scale = max(float(np.abs(point.z).max(initial=0.0)), 1e-300)
        return max(
            point.complementarity / max(objective, 1e-300),
            0.1 * max(in_z, in_t) / self.beta,
            0.1 * in_slack / scale,
            in_g / max(float(np.abs(point.g).max(initial=0.0)), 1e-300),
        )

    def _advance(
        self,
        point: _Point,
        prediction: FloatArray,
        residuals: _Residuals,
        by_qr: bool,
        deadline: Deadline,
    ) -> _Point | None:
        """The next iterate; None where rounding leaves no interior to move in."""
        scaling = NesterovToddScaling(point.t, point.z, point.u0, point.u1)
        theta = point.lam / point.slack
        curvature = self.loss.curvature(prediction, self.y)
        try:
            gram = self._gram.at(curvature, deadline)
            system = NewtonSystem(self.blocks, scaling, theta, curvature, gram, by_qr, deadline)
        except np.linalg.LinAlgError:
            return None
        mu = point.complementarity / self.degree

        square0 = scaling.lambda0**2 + row_dots(scaling.lambda1, scaling.lambda1)
        square1 = 2.0 * scaling.lambda0[:, None] * scaling.lambda1
        target = (-square0, -square1, -point.slack * point.lam)
        # The predictor only sets the centring: it needs no last digits.
        affine = self._direction(point, scaling, system, theta, target, residuals, refined=False)
        length = min(1.0, self._step_length(point, affine))
        reached = point.moved(affine, length).complementarity / self.degree
        sigma = min(1.0, max(0.0, reached / mu)) ** 3

        a0, a1 = scaling.apply_inverse(affine.t, affine.z)
        b0, b1 = scaling.apply(affine.u0, affine.u1)
        cross0 = a0 * b0 + row_dots(a1, b1)
        cross1 = a0[:, None] * b1 + b0[:, None] * a1
        target = (
            -square0 - cross0 + sigma * mu,
            -square1 - cross1,
            -point.slack * point.lam - affine.slack * affine.lam + sigma * mu,
        )
        damped = tuple((1.0 - sigma) * part for part in residuals)
        step = self._direction(point, scaling, system, theta, target, damped, refined=True)  # type: ignore[arg-type]
        moved = point.moved(step, min(1.0, 0.99 * self._step_length(point, step)))
        return moved if moved.is_interior else None

    def _direction(
        self,
        point: _Point,
        scaling: NesterovToddScaling,
        system: NewtonSystem,
        theta: FloatArray,
        target: tuple[FloatArray, FloatArray, FloatArray],
        residuals: _Residuals,
        refined: bool,
    ) -> _Point:
        in_g, in_z, in_t, in_slack = residuals
        p0, p1 = scaling.apply_inverse(*scaling.divide(target[0], target[1]))
        ratio = target[2] / point.slack + theta * in_slack
        corner, edge = scaling.corner, scaling.edge
        rhs = -in_z + p1 + self.blocks.cone_adjoint(ratio) - edge * ((p0 - in_t) / corner)[:, None]
        z, g = system.solve(rhs, in_g, refined)
        t = (p0 - in_t - row_dots(edge, z)) / corner
        back0, back1 = scaling.inverse_squared(t, z)
        slack = self.blocks.cone_products(z) - in_slack
        return _Point(
            g=g,
            t=t,
            z=z,
            u0=p0 - back0,
            u1=p1 - back1,
            slack=slack,
            lam=target[2] / point.slack - theta * slack,
        )

    @staticmethod
    def _step_length(point: _Point, step: _Point) -> float:
        both = np.concatenate
        return min(
            cone_step(
                both([point.t, point.u0]),
                both([point.z, point.u1]),
                both([step.t, step.u0]),
                both([step.z, step.u1]),
            ),
            ray_step(point.slack, step.slack),
            ray_step(point.lam, step.lam),
        )
