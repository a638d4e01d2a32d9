"""The span of the columns of a matrix whose rows have weights, on a basis that is proven."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxnn.compensated import matrix_product, pair_error
from cvxnn.losses.base import power_of_two

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

_EPS = float(np.finfo(float).eps)
# Passes of QR: each divides the condition number by 1e15, as far as pairs have digits.
_PASSES = 4


@dataclass(frozen=True)
class ColumnSpace:
    """``{D S w}`` for a diagonal D > 0 and those columns of S that are independent.

    Columns that depend on others up to rounding are left out. Neither D nor the units of
    columns and rows decide which: rows of a tiny weight may be all that tells two
    columns apart.

    Attributes
    ----------
    kept : ndarray of int, shape (k,)
        The columns that are left.
    scales : ndarray, shape (n,)
        The diagonal of D.
    columns : ndarray, shape (n, k)
        S without the others.
    transform : ndarray, shape (k, k)
        R with nearly orthonormal ``D S R``.
    basis : ndarray, shape (n, k)
        That product, rounded.
    error : ndarray, shape (n, k)
        Bounds on what it differs from the product by.
    least : float
        Lower bound on the least singular value of the product; 0 where there is no proof
        that it is above 0.

    Examples
    --------
    >>> S = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 4.0]])  # twice the first, and one apart
    >>> space = ColumnSpace.of(S, np.array([1.0, 1e-9]))
    >>> len(space.kept), bool(space.least > 0.999)
    (2, True)
    """

    kept: IntArray
    scales: FloatArray
    columns: FloatArray
    transform: FloatArray
    basis: FloatArray
    error: FloatArray
    least: float

    @classmethod
    def of(cls, S: FloatArray, scales: FloatArray) -> ColumnSpace:
        """The space of S, shape (n, p), with rows times `scales`; O(n p^2)."""
        kept = _independent(S)
        columns = np.ascontiguousarray(S[:, kept])
        transform = np.diag([1.0 / power_of_two(column) for column in columns.T])
        basis, error = _scaled_product(columns, transform, scales)
        for _ in range(_PASSES):
            triangle = scipy.linalg.qr(basis, mode="r")[0][: len(kept)]
            if not np.diag(triangle).all():
                break
            transform = scipy.linalg.solve_triangular(triangle.T, transform.T, lower=True).T
            basis, error = _scaled_product(columns, transform, scales)
        return cls(kept, scales, columns, transform, basis, error, _least(basis, error))

    def project(self, z: FloatArray) -> FloatArray:
        """z without its part in the space, shape (n,); twice, because once leaves rounding."""
        for _ in range(2):
            z = z - self.basis @ (self.basis.T @ z)
        return z

    def share(self, z: FloatArray) -> float:
        """Upper bound on the length of the part of z in the space; inf without a proof."""
        if not len(self.kept):
            return 0.0
        if self.least <= 0.0:
            return np.inf
        size = np.abs(z)
        rounding = (len(z) + 8) * _EPS * (np.abs(self.basis).T @ size) + self.error.T @ size
        products = np.abs(self.basis.T @ z) + rounding
        return float(np.linalg.norm(products)) / self.least * (1.0 + 1e-9)

    def solve(self, z: FloatArray) -> FloatArray:
        """The w, shape (k,), of the nearest ``D S w`` to z, with digits of its residual."""
        w = np.zeros(len(self.kept))
        for _ in range(3):
            high, low = matrix_product(self.columns, w[:, None])
            left = (z - self.scales * high[:, 0]) - self.scales * low[:, 0]
            w = w + self.transform @ (self.basis.T @ left)
        return w


def _independent(S: FloatArray) -> IntArray:
    """Columns none of which depends on the others up to rounding, in their order."""
    # Powers of two change units without rounding.
    equal = S / np.array([power_of_two(column) for column in S.T])
    equal = equal / np.array([power_of_two(row) for row in equal])[:, None]
    _, triangle, order = scipy.linalg.qr(equal, mode="economic", pivoting=True)
    diagonal = np.abs(np.diag(triangle))
    floor = 64.0 * max(S.shape) * _EPS * diagonal.max(initial=0.0)
    return np.sort(order[: int((diagonal > floor).sum())])


def _scaled_product(
    S: FloatArray, R: FloatArray, scales: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """``D S R`` from sums in twice the precision, and a bound on its error."""
    product = scales[:, None] * matrix_product(S, R)[0]
    sums = pair_error(S.shape[1]) * (np.abs(S) @ np.abs(R)) * scales[:, None]
    return product, 4.0 * _EPS * np.abs(product) + 2.0 * sums


def _least(basis: FloatArray, error: FloatArray) -> float:
    """A lower bound on the least singular value of a matrix next to `basis`."""
    n, k = basis.shape
    squares = float((basis**2).sum())
    defect = float(np.linalg.norm(np.eye(k) - basis.T @ basis)) + 2.0 * (n + 8) * _EPS * squares
    proven = np.sqrt(max(1.0 - defect, 0.0)) * (1.0 - 8.0 * _EPS) - float(np.linalg.norm(error))
    return float(max(proven * (1.0 - 1e-9), 0.0))
