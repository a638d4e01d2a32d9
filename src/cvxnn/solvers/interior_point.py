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

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxnn.losses import Loss

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """The blocks of a program, ready for the interior-point method.

    Attributes
    ----------
    matrices : ndarray, shape (C, n, r)
        ``A_c``: what block c adds to the prediction is ``A_c z_c``.
    cones : ndarray, shape (C, m, r)
        Rows of ``G_c``; a block with fewer than m rows is filled with zeros.
    """

    matrices: FloatArray
    cones: FloatArray


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
    v : ndarray, shape (n,)
        Dual point; feasible for the blocks to the accuracy reached, and a far
        better one than the residual of z at the same gap.
    gap : float
        Largest of complementarity and scaled residuals.
    iterations : int
    converged : bool
    """

    z: FloatArray
    multipliers: FloatArray
    slacks: FloatArray
    v: FloatArray
    gap: float
    iterations: int
    converged: bool


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
        return _Point(
            *(
                getattr(self, name) + length * getattr(step, name)
                for name in ("g", "t", "z", "u0", "u1", "slack", "lam")
            )
        )

    @property
    def is_interior(self) -> bool:
        """Whether rounding has left the point strictly inside its cones."""
        return bool(
            (_cone_determinant(self.t, self.z) > 0.0).all()
            and (_cone_determinant(self.u0, self.u1) > 0.0).all()
            and min(self.t.min(), self.u0.min(), self.slack.min(), self.lam.min()) > 0.0
        )

    @property
    def complementarity(self) -> float:
        cone = self.t @ self.u0 + (self.z * self.u1).sum()
        return float(cone + (self.slack * self.lam).sum())


class _Scaling:
    """Nesterov-Todd scaling of the second-order cones, one per block."""

    def __init__(self, point: _Point) -> None:
        s_det = _cone_determinant(point.t, point.z)
        u_det = _cone_determinant(point.u0, point.u1)
        s_root, u_root = np.sqrt(s_det), np.sqrt(u_det)
        sb0, sb1 = point.t / s_root, point.z / s_root[:, None]
        ub0, ub1 = point.u0 / u_root, point.u1 / u_root[:, None]
        gamma = np.sqrt(0.5 * (1.0 + sb0 * ub0 + (sb1 * ub1).sum(1)))
        self.w1 = (sb1 - ub1) / (2.0 * gamma)[:, None]
        # w lies on the unit hyperbola: taking w0 from w1 keeps it there exactly.
        self.w0 = np.sqrt(1.0 + (self.w1**2).sum(1))
        self.eta = np.sqrt(s_root / u_root)
        self.lambda0, self.lambda1 = self.apply(point.u0, point.u1)

    def apply(self, x0: FloatArray, x1: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``W x``."""
        inner = (self.w1 * x1).sum(1)
        y0 = self.w0 * x0 + inner
        y1 = x1 + self.w1 * (x0 + inner / (1.0 + self.w0))[:, None]
        return self.eta * y0, self.eta[:, None] * y1

    def apply_inverse(self, x0: FloatArray, x1: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``W^-1 x``."""
        inner = (self.w1 * x1).sum(1)
        y0 = self.w0 * x0 - inner
        y1 = x1 + self.w1 * (-x0 + inner / (1.0 + self.w0))[:, None]
        return y0 / self.eta, y1 / self.eta[:, None]

    def inverse_squared(self, x0: FloatArray, x1: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``W^-2 x``."""
        return self.apply_inverse(*self.apply_inverse(x0, x1))

    def divide(self, x0: FloatArray, x1: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Solve ``lambda o y = x`` in the Jordan algebra of the cone."""
        det = _cone_determinant(self.lambda0, self.lambda1)
        y0 = (self.lambda0 * x0 - (self.lambda1 * x1).sum(1)) / det
        y1 = (x1 - y0[:, None] * self.lambda1) / self.lambda0[:, None]
        return y0, y1

    def reduced(self, z: FloatArray) -> FloatArray:
        """``W^-2`` with t eliminated: ``(I - 2 w1 w1' / (1 + 2 |w1|^2)) / eta^2``."""
        inner = (self.w1 * z).sum(1)
        square = (self.w1**2).sum(1)
        return (z - (2.0 * inner / (1.0 + 2.0 * square))[:, None] * self.w1) / (self.eta**2)[
            :, None
        ]

    def reduced_inverse_root(self) -> FloatArray:
        """Symmetric root of the inverse of :meth:`reduced`, (C, r, r)."""
        square = (self.w1**2).sum(1)
        factor = 2.0 / (1.0 + np.sqrt(1.0 + 2.0 * square))
        outer = self.w1[:, :, None] * self.w1[:, None, :]
        root = np.eye(self.w1.shape[1]) + factor[:, None, None] * outer
        return self.eta[:, None, None] * root

    @property
    def corner(self) -> FloatArray:
        """Entry (0, 0) of ``W^-2``."""
        return (2.0 * self.w0**2 - 1.0) / self.eta**2

    @property
    def edge(self) -> FloatArray:
        """Entries (0, 1:) of ``W^-2``, shape (C, r)."""
        return -(2.0 * self.w0 / self.eta**2)[:, None] * self.w1


def _cone_determinant(x0: FloatArray, x1: FloatArray) -> FloatArray:
    # As a product: the difference of squares cancels near the boundary.
    norm = np.sqrt((x1**2).sum(1))
    return (x0 - norm) * (x0 + norm)


def _cone_step(x0: FloatArray, x1: FloatArray, d0: FloatArray, d1: FloatArray) -> float:
    """The largest step that keeps ``x + step d`` in the second-order cones."""
    a = d0**2 - (d1**2).sum(1)
    b = 2.0 * (x0 * d0 - (x1 * d1).sum(1))
    c = _cone_determinant(x0, x1)
    root = np.sqrt(np.maximum(b * b - 4.0 * a * c, 0.0))
    q = -0.5 * (b + np.where(b >= 0, root, -root))
    with np.errstate(divide="ignore", invalid="ignore"):
        candidates = np.stack([q / a, c / q, -x0 / d0])
    real = np.broadcast_to(b * b - 4.0 * a * c >= 0.0, candidates.shape).copy()
    real[2] = d0 < 0
    valid = real & np.isfinite(candidates) & (candidates > 0.0)
    return float(np.where(valid, candidates, np.inf).min(initial=np.inf))


def _ray_step(x: FloatArray, d: FloatArray) -> float:
    """The largest step that keeps ``x + step d`` non-negative."""
    falling = d < 0
    return float((-x[falling] / d[falling]).min(initial=np.inf))


_Residuals = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


class _NewtonSystem:
    """Solves ``(K' W K + B) dz = rhs`` by the smaller of two dense systems.

    With ``B = R^-1 R^-T`` both ``I + R' K' W K R`` and ``W^-1 + K R R' K'`` are
    positive definite however small or large the blocks get: what vanishes are
    columns of ``K R``. Forming ``K' W K + B`` instead loses its last digits.
    """

    def __init__(
        self, matrices: FloatArray, cones: FloatArray, theta: FloatArray,
        curvature: FloatArray, scaling: _Scaling, by_qr: bool,
    ) -> None:  # fmt: skip
        c, n, r = matrices.shape
        self.matrices, self.cones, self.theta = matrices, cones, theta
        self.curvature, self.scaling = curvature, scaling
        root = scaling.reduced_inverse_root()
        scaled_cones = (cones @ root) * np.sqrt(theta)[:, :, None]
        inner = np.eye(r) + scaled_cones.transpose(0, 2, 1) @ scaled_cones
        self.root = root @ np.linalg.inv(np.linalg.cholesky(inner)).transpose(0, 2, 1)
        self.scaled = (matrices @ self.root).transpose(1, 0, 2).reshape(n, c * r)
        self.through_rows = n < c * r
        weight = np.sqrt(curvature)
        if self.through_rows:
            wide, shift = self.scaled, 1.0 / weight
        else:
            wide, shift = (weight[:, None] * self.scaled).T, np.ones(c * r)
        self.factor = _factor_shifted_gram(wide, shift, by_qr)

    def solve(self, rhs: FloatArray, in_g: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``dz`` (C, r) and ``dg`` (n,) with ``K'dg + B dz = rhs``, ``dg = W K dz + in_g``.

        Both are unknowns of their own: recomputing the gradient from z would put
        the rounding of a large z into a small dual residual.
        """
        z, g = self._solve_once(rhs, in_g)
        z_left = rhs - g @ self.matrices - self._apply_blocks(z)
        g_left = in_g + self.curvature * self._predict(z) - g
        dz, dg = self._solve_once(z_left, g_left)
        return z + dz, g + dg

    def _solve_once(self, rhs: FloatArray, in_g: FloatArray) -> tuple[FloatArray, FloatArray]:
        half = (rhs[:, None, :] @ self.root).ravel()
        if self.through_rows:
            right = self.scaled @ half + in_g / self.curvature
            g = scipy.linalg.cho_solve(self.factor, right, check_finite=False)
            half = half - self.scaled.T @ g
        else:
            half = half - self.scaled.T @ in_g
            half = scipy.linalg.cho_solve(self.factor, half, check_finite=False)
            g = self.curvature * (self.scaled @ half) + in_g
        return (self.root @ half.reshape(*rhs.shape, 1))[:, :, 0], g

    def _predict(self, z: FloatArray) -> FloatArray:
        return np.einsum("cnr,cr->n", self.matrices, z, optimize=True)

    def _apply_blocks(self, z: FloatArray) -> FloatArray:
        slack = self.theta * (self.cones @ z[:, :, None])[:, :, 0]
        return (slack[:, None, :] @ self.cones)[:, 0, :] + self.scaling.reduced(z)


def _factor_shifted_gram(
    wide: FloatArray, shift: FloatArray, by_qr: bool
) -> tuple[FloatArray, bool]:
    """Triangular factor of ``wide wide' + diag(shift^2)``, for ``cho_solve``.

    Near interpolation this matrix spans twenty orders of magnitude; by QR of
    its root the factor sees ten of them, for about three times the work.
    """
    if by_qr:
        tall = np.vstack([wide.T, np.diag(shift)])
        triangle = scipy.linalg.qr(tall, mode="r", overwrite_a=True, check_finite=False)[0]
        return triangle[: len(shift)], False
    gram = wide @ wide.T
    gram[np.diag_indices(len(shift))] += shift**2
    factor: tuple[FloatArray, bool] = scipy.linalg.cho_factor(gram, lower=True, check_finite=False)
    return factor


class InteriorPoint:
    """Mehrotra's predictor-corrector method for one set of blocks.

    Parameters
    ----------
    blocks : Blocks
    y : ndarray, shape (n,)
    beta : float
    loss : Loss
    """

    def __init__(self, blocks: Blocks, y: FloatArray, beta: float, loss: Loss) -> None:
        self.matrices = blocks.matrices
        self.cones = blocks.cones
        self.y, self.beta, self.loss = y, beta, loss
        # A row that only fills up the array is the harmless constraint 1 >= 0.
        self.offset = np.where((self.cones**2).sum(2) > 0.0, 0.0, 1.0)
        self.degree = 2 * len(self.cones) + self.cones[..., 0].size

    def solve(self, tol: float = 1e-9, max_iter: int = 100) -> InteriorPointResult:
        """Iterate to a relative gap of `tol`; the best iterate comes back in any case."""
        point = self._start()
        best, best_gap, stalled, iteration = point, np.inf, 0, 0
        by_qr = False
        for iteration in range(max_iter):
            prediction = self._predict(point.z)
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
                point, prediction = best, self._predict(best.z)
                residuals = self._residuals(point, prediction)
            advanced = self._advance(point, prediction, residuals, by_qr)
            if advanced is None:
                stalled = 4
                if by_qr or best_gap >= 1e-2:
                    break
            else:
                point = advanced
        return InteriorPointResult(
            best.z,
            best.lam,
            self._cone_products(best.z),
            -best.g,
            best_gap,
            iteration,
            best_gap <= tol,
        )

    def _start(self) -> _Point:
        c, m, r = self.cones.shape
        # A start on the scale of the answer: z that would fit y, a dual that
        # balances the gradient at zero.
        gradient = self.loss.gradient(np.zeros_like(self.y), self.y) @ self.matrices
        pull = self.beta + float(np.linalg.norm(gradient, axis=1).max(initial=0.0))
        size = max(float(np.linalg.norm(self.y)), 1e-300)
        unit = size / max(np.sqrt((self.matrices**2).sum() / c), 1e-300)
        return _Point(
            g=self.loss.gradient(np.zeros_like(self.y), self.y),
            t=np.full(c, unit),
            z=np.zeros((c, r)),
            u0=np.full(c, pull),
            u1=np.zeros((c, r)),
            slack=np.full((c, m), unit),
            lam=np.full((c, m), pull),
        )

    def _predict(self, z: FloatArray) -> FloatArray:
        return np.einsum("cnr,cr->n", self.matrices, z, optimize=True)

    def _cone_products(self, z: FloatArray) -> FloatArray:
        return (self.cones @ z[:, :, None])[:, :, 0]

    def _cone_adjoint(self, lam: FloatArray) -> FloatArray:
        return (lam[:, None, :] @ self.cones)[:, 0, :]

    def _residuals(self, point: _Point, prediction: FloatArray) -> _Residuals:
        """Residuals of the gradient, of stationarity in z and t, and of the cone slacks."""
        in_g = self.loss.gradient(prediction, self.y) - point.g
        in_z = (point.g @ self.matrices) - point.u1 - self._cone_adjoint(point.lam)
        in_t = self.beta - point.u0
        in_slack = point.slack - self._cone_products(point.z) - self.offset
        return in_g, in_z, in_t, in_slack

    def _merit(
        self,
        point: _Point,
        prediction: FloatArray,
        residuals: _Residuals,
    ) -> float:
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
    ) -> _Point | None:
        """The next iterate; None where rounding leaves no interior to move in."""
        scaling = _Scaling(point)
        theta = point.lam / point.slack
        curvature = self.loss.curvature(prediction, self.y)
        try:
            system = _NewtonSystem(self.matrices, self.cones, theta, curvature, scaling, by_qr)
        except np.linalg.LinAlgError:
            return None
        mu = point.complementarity / self.degree

        square0 = scaling.lambda0**2 + (scaling.lambda1**2).sum(1)
        square1 = 2.0 * scaling.lambda0[:, None] * scaling.lambda1
        target = (-square0, -square1, -point.slack * point.lam)
        affine = self._direction(point, scaling, system, theta, target, residuals)
        length = min(1.0, self._step_length(point, affine))
        reached = point.moved(affine, length).complementarity / self.degree
        sigma = min(1.0, max(0.0, reached / mu)) ** 3

        a0, a1 = scaling.apply_inverse(affine.t, affine.z)
        b0, b1 = scaling.apply(affine.u0, affine.u1)
        cross0 = a0 * b0 + (a1 * b1).sum(1)
        cross1 = a0[:, None] * b1 + b0[:, None] * a1
        target = (
            -square0 - cross0 + sigma * mu,
            -square1 - cross1,
            -point.slack * point.lam - affine.slack * affine.lam + sigma * mu,
        )
        damped = tuple((1.0 - sigma) * part for part in residuals)
        step = self._direction(point, scaling, system, theta, target, damped)  # type: ignore[arg-type]
        moved = point.moved(step, min(1.0, 0.99 * self._step_length(point, step)))
        return moved if moved.is_interior else None

    def _direction(
        self,
        point: _Point,
        scaling: _Scaling,
        system: _NewtonSystem,
        theta: FloatArray,
        target: tuple[FloatArray, FloatArray, FloatArray],
        residuals: _Residuals,
    ) -> _Point:
        in_g, in_z, in_t, in_slack = residuals
        p0, p1 = scaling.apply_inverse(*scaling.divide(target[0], target[1]))
        ratio = target[2] / point.slack + theta * in_slack
        corner, edge = scaling.corner, scaling.edge
        rhs = -in_z + p1 + self._cone_adjoint(ratio) - edge * ((p0 - in_t) / corner)[:, None]
        z, g = system.solve(rhs, in_g)
        t = (p0 - in_t - (edge * z).sum(1)) / corner
        back0, back1 = scaling.inverse_squared(t, z)
        slack = self._cone_products(z) - in_slack
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
        return min(
            _cone_step(point.t, point.z, step.t, step.z),
            _cone_step(point.u0, point.u1, step.u0, step.u1),
            _ray_step(point.slack, step.slack),
            _ray_step(point.lam, step.lam),
        )
