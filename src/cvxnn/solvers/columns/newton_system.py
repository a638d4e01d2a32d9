"""The linear system of one interior-point iteration, by the smaller of two factorisations."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import scipy.linalg

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.losses import Loss
from cvxnn.solvers.columns.blocks import STEP_WORK, Blocks


class BlockScaling(Protocol):
    """The positive definite matrices ``H_c`` of the blocks."""

    def reduced(self, z: FloatArray) -> FloatArray:
        """``H_c z_c``, shape (C, r)."""

    def reduced_inverse_root(self) -> FloatArray:
        """``R_c`` with ``R_c R_c' = H_c^-1``, shape (C, r, r)."""


class WeightedGram:
    """``K' W K`` where a system is solved over the blocks; formed once for a quadratic loss."""

    def __init__(self, blocks: Blocks, loss: Loss) -> None:
        self._blocks, self._loss = blocks, loss
        self._gram: FloatArray | None = None

    def at(self, curvature: FloatArray, deadline: Deadline) -> FloatArray | None:
        """At this curvature; None while rows are fewer than variables: solve over these then."""
        if len(curvature) < self._blocks.shape[0] * self._blocks.shape[1]:
            return None
        if self._gram is None or not self._loss.is_quadratic:
            self._gram = self._blocks.gram(curvature, deadline)
        return self._gram


class NewtonSystem:
    """Solves ``K'dg + B dz = rhs``, ``dg = W K dz + in_g`` for dz and dg.

    ``K = [A_1 ... A_C]``, ``W`` the curvature of the loss and ``B`` block
    diagonal, ``B_c = H_c + G_c' Theta_c G_c``. With ``B = R^-1 R^-T`` both
    ``I + R' K' W K R`` and ``W^-1 + K R R' K'`` are positive definite however
    small or large the blocks get: what vanishes are columns of ``K R``.
    Forming ``K' W K + B`` instead loses its last digits.

    Parameters
    ----------
    blocks : Blocks
    scaling : BlockScaling
        ``H_c``.
    theta : ndarray, shape (C, m)
        Multipliers over slacks of the cone rows.
    curvature : ndarray, shape (n,)
    gram : ndarray or None
        ``K' W K``, if the system is to be solved in the blocks.
    by_qr : bool
        Factor the root of the matrix over the rows by QR: more digits near
        interpolation, for about three times the work.
    deadline : Deadline, optional

    Raises
    ------
    OutOfTimeError
        If the deadline passes before the matrix is factored.
    numpy.linalg.LinAlgError
        If rounding has made a matrix indefinite.

    Notes
    -----
    Time per factorisation, with N = C r: O(n N r + n^2 N + n^3) over the rows,
    O(N^2 r + N^3) over the blocks.
    """

    def __init__(
        self,
        blocks: Blocks,
        scaling: BlockScaling,
        theta: FloatArray,
        curvature: FloatArray,
        gram: FloatArray | None,
        by_qr: bool,
        deadline: Deadline = UNLIMITED,
    ) -> None:
        self.blocks, self.scaling, self.theta = blocks, scaling, theta
        self.curvature = curvature
        root = scaling.reduced_inverse_root()
        scaled_cones = (blocks.cones @ root) * np.sqrt(theta)[:, :, None]
        inner = scaled_cones.transpose(0, 2, 1) @ scaled_cones
        inner[:, np.arange(root.shape[1]), np.arange(root.shape[1])] += 1.0
        lower = np.linalg.inv(np.linalg.cholesky(inner))
        self.root = root @ lower.transpose(0, 2, 1)
        self.over_rows = gram is None
        if gram is None:
            self.scaled = blocks.times(self.root)
            shift = 1.0 / np.sqrt(curvature)
            self.factor = _factor_shifted_gram(self.scaled, shift, by_qr, deadline)
        else:
            self.factor = scipy.linalg.cho_factor(
                self._scaled_gram(gram), lower=True, overwrite_a=True, check_finite=False
            )

    def _scaled_gram(self, gram: FloatArray) -> FloatArray:
        c, r = self.blocks.shape
        left = self.root.transpose(0, 2, 1) @ gram.reshape(c, r, c * r)
        right = left.reshape(c * r, c, r).transpose(1, 0, 2) @ self.root
        system = right.transpose(1, 0, 2).reshape(c * r, c * r)
        system[np.diag_indices(c * r)] += 1.0
        return system

    def solve(
        self, rhs: FloatArray, in_g: FloatArray, refined: bool
    ) -> tuple[FloatArray, FloatArray]:
        """``dz`` (C, r) and ``dg`` (n,), if wanted refined once.

        Both are unknowns of their own: recomputing the gradient from z would put
        the rounding of a large z into a small dual residual.
        """
        z, g = self._solve_once(rhs, in_g)
        if not refined:
            return z, g
        z_left = rhs - self.blocks.adjoint(g) - self._apply_diagonal(z)
        g_left = in_g + self.curvature * self.blocks.predict(z) - g
        dz, dg = self._solve_once(z_left, g_left)
        return z + dz, g + dg

    def _solve_once(self, rhs: FloatArray, in_g: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self.over_rows:
            half = (rhs[:, None, :] @ self.root).ravel()
            right = self.scaled @ half + in_g / self.curvature
            g = scipy.linalg.cho_solve(self.factor, right, check_finite=False)
            half = half - self.scaled.T @ g
            return (self.root @ half.reshape(*rhs.shape, 1))[:, :, 0], g
        left = rhs - self.blocks.adjoint(in_g)
        half = (left[:, None, :] @ self.root).ravel()
        half = scipy.linalg.cho_solve(self.factor, half, check_finite=False)
        z = (self.root @ half.reshape(*rhs.shape, 1))[:, :, 0]
        return z, self.curvature * self.blocks.predict(z) + in_g

    def _apply_diagonal(self, z: FloatArray) -> FloatArray:
        slack = self.theta * self.blocks.cone_products(z)
        return self.blocks.cone_adjoint(slack) + self.scaling.reduced(z)


def _factor_shifted_gram(
    wide: FloatArray, shift: FloatArray, by_qr: bool, deadline: Deadline
) -> tuple[FloatArray, bool]:
    """Triangular factor of ``wide wide' + diag(shift^2)``, for ``cho_solve``."""
    n, width = wide.shape
    # Pieces only where somebody waits: they change the last digits.
    step = max(n, STEP_WORK // max(n, 1) ** 2) if deadline.limited else max(width, 1)
    parts = [slice(start, start + step) for start in range(0, max(width, 1), step)]
    if by_qr:
        triangle = np.diag(shift)
        for part in parts:
            deadline.check()
            tall = np.vstack([wide[:, part].T, triangle])
            triangle = scipy.linalg.qr(tall, mode="r", overwrite_a=True, check_finite=False)[0]
            triangle = triangle[:n]
        return triangle, False
    gram = wide[:, parts[0]] @ wide[:, parts[0]].T
    for part in parts[1:]:
        deadline.check()
        gram += wide[:, part] @ wide[:, part].T
    gram[np.diag_indices(len(shift))] += shift**2
    factor: tuple[FloatArray, bool] = scipy.linalg.cho_factor(
        gram, lower=True, overwrite_a=True, check_finite=False
    )
    return factor
