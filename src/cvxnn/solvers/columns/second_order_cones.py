"""Second-order cones in batches: Nesterov-Todd scaling and longest steps.

A cone is ``{(x0, x1) : x0 >= ||x1||}``; arrays hold C of them, ``x0`` of shape
(C,) and ``x1`` of shape (C, r).

References
----------
Y. E. Nesterov and M. J. Todd, SIAM J. Optim. 8(2), 1998; L. Vandenberghe, The
CVXOPT linear and quadratic cone program solvers, 2010.
"""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray


def row_dots(a: FloatArray, b: FloatArray) -> FloatArray:
    """Inner products of the rows of two (C, r) arrays."""
    # Reducing over a short last axis is slow with sum; einsum is not.
    return np.asarray(np.einsum("cr,cr->c", a, b))


class NesterovToddScaling:
    """Nesterov-Todd scaling of the second-order cones, one per block."""

    def __init__(self, t: FloatArray, z: FloatArray, u0: FloatArray, u1: FloatArray) -> None:
        s_det = cone_determinant(t, z)
        u_det = cone_determinant(u0, u1)
        s_root, u_root = np.sqrt(s_det), np.sqrt(u_det)
        sb0, sb1 = t / s_root, z / s_root[:, None]
        ub0, ub1 = u0 / u_root, u1 / u_root[:, None]
        gamma = np.sqrt(0.5 * (1.0 + sb0 * ub0 + row_dots(sb1, ub1)))
        self.w1 = (sb1 - ub1) / (2.0 * gamma)[:, None]
        # w lies on the unit hyperbola: taking w0 from w1 keeps it there exactly.
        self.w0 = np.sqrt(1.0 + row_dots(self.w1, self.w1))
        self.eta = np.sqrt(s_root / u_root)
        self.lambda0, self.lambda1 = self.apply(u0, u1)

    def apply(self, x0: FloatArray, x1: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``W x``."""
        inner = row_dots(self.w1, x1)
        y0 = self.w0 * x0 + inner
        y1 = x1 + self.w1 * (x0 + inner / (1.0 + self.w0))[:, None]
        return self.eta * y0, self.eta[:, None] * y1

    def apply_inverse(self, x0: FloatArray, x1: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``W^-1 x``."""
        inner = row_dots(self.w1, x1)
        y0 = self.w0 * x0 - inner
        y1 = x1 + self.w1 * (-x0 + inner / (1.0 + self.w0))[:, None]
        return y0 / self.eta, y1 / self.eta[:, None]

    def inverse_squared(self, x0: FloatArray, x1: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``W^-2 x``."""
        return self.apply_inverse(*self.apply_inverse(x0, x1))

    def divide(self, x0: FloatArray, x1: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Solve ``lambda o y = x`` in the Jordan algebra of the cone."""
        det = cone_determinant(self.lambda0, self.lambda1)
        y0 = (self.lambda0 * x0 - row_dots(self.lambda1, x1)) / det
        y1 = (x1 - y0[:, None] * self.lambda1) / self.lambda0[:, None]
        return y0, y1

    def reduced(self, z: FloatArray) -> FloatArray:
        """``W^-2`` with t eliminated: ``(I - 2 w1 w1' / (1 + 2 |w1|^2)) / eta^2``."""
        inner = row_dots(self.w1, z)
        square = row_dots(self.w1, self.w1)
        return (z - (2.0 * inner / (1.0 + 2.0 * square))[:, None] * self.w1) / (self.eta**2)[
            :, None
        ]

    def reduced_inverse_root(self) -> FloatArray:
        """Symmetric root of the inverse of :meth:`reduced`, (C, r, r)."""
        square = row_dots(self.w1, self.w1)
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


def cone_determinant(x0: FloatArray, x1: FloatArray) -> FloatArray:
    # As a product: the difference of squares cancels near the boundary.
    norm = np.sqrt(row_dots(x1, x1))
    return (x0 - norm) * (x0 + norm)


def cone_step(x0: FloatArray, x1: FloatArray, d0: FloatArray, d1: FloatArray) -> float:
    """The largest step that keeps ``x + step d`` in the second-order cones."""
    a = d0 * d0 - row_dots(d1, d1)
    b = 2.0 * (x0 * d0 - row_dots(x1, d1))
    c = cone_determinant(x0, x1)
    square = b * b - 4.0 * a * c
    q = -0.5 * (b + np.copysign(np.sqrt(np.maximum(square, 0.0)), b))
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second, apex = q / a, c / q, -x0 / d0
    real = square >= 0.0
    # Comparisons with nan are false, and drop the degenerate cases.
    steps = [
        first[real & (first > 0.0)],
        second[real & (second > 0.0)],
        apex[(d0 < 0.0) & (apex > 0.0)],
    ]
    return float(min(step.min(initial=np.inf) for step in steps))


def ray_step(x: FloatArray, d: FloatArray) -> float:
    """The largest step that keeps ``x + step d`` non-negative."""
    falling = d < 0
    return float((-x[falling] / d[falling]).min(initial=np.inf))
