"""The blocks of a program as operators, in reduced coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxnn.program import ConvexProgram

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """``A_c = s_c D_c X`` and the cone rows ``G_c`` of C blocks.

    Attributes
    ----------
    X : ndarray, shape (n, r)
        Data in reduced coordinates.
    activity : ndarray, shape (n, C)
        ``s_c`` where pattern c is active, else 0; the ``A_c`` themselves are
        never stored.
    cones : ndarray, shape (C, m, r)
        Rows of ``G_c``; a block with fewer than m rows is filled up with zeros.
    """

    X: FloatArray
    activity: FloatArray
    cones: FloatArray

    @classmethod
    def of(cls, program: ConvexProgram, cones: FloatArray) -> Blocks:
        """The blocks of a program, with the cone rows that are to be kept."""
        masks = program.patterns.unpack(program.block_patterns)
        activity = np.ascontiguousarray(masks.T * program.block_signs)
        return cls(program.X, activity, cones)

    @property
    def shape(self) -> tuple[int, int]:
        """(C, r)."""
        return self.cones.shape[0], self.cones.shape[2]

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

    def gram(self, curvature: FloatArray) -> FloatArray:
        """``K' W K`` with ``K = [A_1 ... A_C]``, shape (C r, C r); rows in chunks."""
        c, r = self.shape
        total = np.zeros((c * r, c * r))
        step = max(1, (1 << 25) // max(8 * c * r, 1))
        for start in range(0, len(self.X), step):
            part = slice(start, start + step)
            rows = (self.activity[part, :, None] * self.X[part, None, :]).reshape(-1, c * r)
            total += (rows * curvature[part, None]).T @ rows
        return total

    def cone_products(self, z: FloatArray) -> FloatArray:
        """``G_c z_c``, shape (C, m)."""
        return np.asarray((self.cones @ z[:, :, None])[:, :, 0])

    def cone_adjoint(self, multipliers: FloatArray) -> FloatArray:
        """``G_c' rho_c``, shape (C, r)."""
        return np.asarray((multipliers[:, None, :] @ self.cones)[:, 0, :])
