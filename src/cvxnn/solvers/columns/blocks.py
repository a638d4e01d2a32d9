"""The blocks of a program as operators, in reduced coordinates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import row_chunks
from cvxnn.program import ConvexProgram

# Products between two looks at a deadline: some 0.1 s.
STEP_WORK = 1 << 32


@dataclass(frozen=True)
class Blocks(ABC):
    """The maps ``A_c`` and the cone rows ``G_c`` of C blocks.

    Attributes
    ----------
    cones : ndarray, shape (C, m, r)
        Rows of ``G_c``; a block with fewer than m rows is filled up with zeros.
    """

    cones: FloatArray

    @classmethod
    def of(cls, program: ConvexProgram, cones: FloatArray) -> Blocks:
        """The blocks of a program, with the cone rows that are to be kept."""
        masks = program.patterns.unpack(program.block_patterns)
        activity = np.ascontiguousarray(masks.T * program.block_signs)
        if program.layer.readout is None:
            return MaskedBlocks(cones, program.X, activity)
        (n_rows, r), C = program.X.shape, program.n_blocks
        columns = np.empty((program.layer.n_predictions, C * r))
        for part in row_chunks(C, n_rows * r):
            rows = activity[:, part, None] * program.X[:, None, :]
            columns[:, part.start * r : part.stop * r] = program.layer.read(
                rows.reshape(n_rows, -1)
            )
        return ReadBlocks(cones, columns)

    @property
    def shape(self) -> tuple[int, int]:
        """(C, r)."""
        return self.cones.shape[0], self.cones.shape[2]

    @property
    @abstractmethod
    def square(self) -> float:
        """``sum_c ||A_c||_F^2``."""

    @abstractmethod
    def predict(self, z: FloatArray) -> FloatArray:
        """``sum_c A_c z_c``, shape (n,)."""

    @abstractmethod
    def adjoint(self, g: FloatArray) -> FloatArray:
        """``A_c' g`` for every block, shape (C, r)."""

    @abstractmethod
    def times(self, roots: FloatArray) -> FloatArray:
        """``[A_1 R_1 ... A_C R_C]``, shape (n, C r), for R of shape (C, r, r)."""

    @abstractmethod
    def gram(self, curvature: FloatArray, deadline: Deadline = UNLIMITED) -> FloatArray:
        """``K' W K`` with ``K = [A_1 ... A_C]``, shape (C r, C r).

        Raises OutOfTimeError if the deadline passes before the end.
        """

    def cone_products(self, z: FloatArray) -> FloatArray:
        """``G_c z_c``, shape (C, m)."""
        return np.asarray((self.cones @ z[:, :, None])[:, :, 0])

    def cone_adjoint(self, multipliers: FloatArray) -> FloatArray:
        """``G_c' rho_c``, shape (C, r)."""
        return np.asarray((multipliers[:, None, :] @ self.cones)[:, 0, :])


@final
@dataclass(frozen=True)
class MaskedBlocks(Blocks):
    """``A_c = s_c D_c X``: a mask times the data, never stored.

    Attributes
    ----------
    X : ndarray, shape (n, r)
        Data in reduced coordinates.
    activity : ndarray, shape (n, C)
        ``s_c`` where pattern c is active, else 0.
    """

    X: FloatArray
    activity: FloatArray

    @property
    def square(self) -> float:
        """``sum_c ||A_c||_F^2``."""
        return float((np.einsum("nc,nc->n", self.activity, self.activity) @ self.X**2).sum())

    def predict(self, z: FloatArray) -> FloatArray:
        """``sum_c A_c z_c``, shape (n,)."""
        return np.asarray(np.einsum("nc,nc->n", self.activity, self.X @ z.T))

    def adjoint(self, g: FloatArray) -> FloatArray:
        """``A_c' g`` for every block, shape (C, r)."""
        return np.asarray((self.activity * g[:, None]).T @ self.X)

    def times(self, roots: FloatArray) -> FloatArray:
        """``[A_1 R_1 ... A_C R_C]``, shape (n, C r), for R of shape (C, r, r)."""
        c, r = self.shape
        product = self.X @ roots.transpose(1, 0, 2).reshape(r, c * r)
        product.reshape(len(self.X), c, r)[:] *= self.activity[:, :, None]
        return product

    def gram(self, curvature: FloatArray, deadline: Deadline = UNLIMITED) -> FloatArray:
        """``K' W K`` with ``K = [A_1 ... A_C]``, shape (C r, C r); rows in chunks."""
        c, r = self.shape
        total = np.zeros((c * r, c * r))
        step = max(1, (1 << 25) // max(8 * c * r, 1))
        if deadline.limited:
            step = min(step, STEP_WORK // max(c * r, 1) ** 2)
        for part in deadline.chunks(len(self.X), step):
            rows = (self.activity[part, :, None] * self.X[part, None, :]).reshape(-1, c * r)
            total += (rows * curvature[part, None]).T @ rows
        return total


@final
@dataclass(frozen=True)
class ReadBlocks(Blocks):
    """``A_c = s_c R D_c M``, stored: a readout makes many rows few.

    Attributes
    ----------
    columns : ndarray, shape (n, C r)
        ``[A_1 ... A_C]``.
    """

    columns: FloatArray

    @property
    def square(self) -> float:
        """``sum_c ||A_c||_F^2``."""
        return float(np.vdot(self.columns, self.columns))

    def predict(self, z: FloatArray) -> FloatArray:
        """``sum_c A_c z_c``, shape (n,)."""
        return np.asarray(self.columns @ z.ravel())

    def adjoint(self, g: FloatArray) -> FloatArray:
        """``A_c' g`` for every block, shape (C, r)."""
        return np.asarray((self.columns.T @ g).reshape(self.shape))

    def times(self, roots: FloatArray) -> FloatArray:
        """``[A_1 R_1 ... A_C R_C]``, shape (n, C r), for R of shape (C, r, r)."""
        c, r = self.shape
        each = self.columns.reshape(-1, c, r).transpose(1, 0, 2) @ roots
        return np.ascontiguousarray(each.transpose(1, 0, 2)).reshape(-1, c * r)

    def gram(self, curvature: FloatArray, deadline: Deadline = UNLIMITED) -> FloatArray:
        """``K' W K`` with ``K = [A_1 ... A_C]``, shape (C r, C r)."""
        return np.asarray((self.columns * curvature[:, None]).T @ self.columns)
