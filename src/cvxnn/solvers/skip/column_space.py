"""The span of the columns of a matrix whose rows have weights, on a basis that is proven."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from cvxnn.array_types import EPS, FloatArray, IntArray
from cvxnn.compensated import matrix_product, pair_error
from cvxnn.layers.rows import power_of_two

# Passes of QR: each divides the condition number by 1e15, as far as pairs have digits.
_PASSES = 4
# What is left of a column that depends on others, as a share of the terms in each row.
_DEPENDENT = 32.0 * EPS
# Least entry on the diagonal of the triangle of columns of about unit length.
_INDEPENDENT = 1e-3
# Entries beyond it overflow in exact products.
_LARGEST = 1e250


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
    transform, turn : ndarray, shape (k, k)
        R and T with orthonormal ``D S R T``: as far as rounding lets R make it so, and the
        rest, next to the identity.
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
    turn: FloatArray
    basis: FloatArray
    error: FloatArray
    least: float

    @classmethod
    def of(cls, S: FloatArray, scales: FloatArray) -> ColumnSpace:
        """The space of S, shape (n, p), with rows times `scales`; O(n p^2)."""
        kept = _independent(S)
        columns = np.ascontiguousarray(S[:, kept])
        transform, turn, basis, error = _orthonormal(columns, scales)
        least = _least(basis, error)
        if least == 0.0 and len(kept):
            # Beyond the digits of pairs: a basis to search with, of which nothing is proven.
            with np.errstate(over="ignore", invalid="ignore"):
                basis, triangle = np.linalg.qr(scales[:, None] * columns)
            transform, turn = np.linalg.pinv(triangle), np.eye(len(kept))
        return cls(kept, scales, columns, transform, turn, basis, error, least)

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
        rounding = (len(z) + 8) * EPS * (np.abs(self.basis).T @ size) + self.error.T @ size
        products = np.abs(self.basis.T @ z) + rounding
        return float(np.linalg.norm(products)) / self.least * (1.0 + 1e-9)

    def solve(self, z: FloatArray) -> FloatArray:
        """The w, shape (k,), of the nearest ``D S w`` to z, with digits of its residual."""
        transform = self.transform @ self.turn
        return _solved(self.columns, self.scales, transform, self.basis, z)


def _independent(S: FloatArray) -> IntArray:
    """Columns none of which depends on the others up to rounding, in their order.

    A column depends on others if what they leave of it is rounding in every row. QR says
    which columns that may be, and sums in twice the precision decide.
    """
    # Powers of two change units without rounding.
    equal = S / np.array([power_of_two(column) for column in S.T])
    equal = equal / np.array([power_of_two(row) for row in equal])[:, None]
    _, triangle, order = scipy.linalg.qr(equal, mode="economic", pivoting=True)
    diagonal = np.abs(np.diag(triangle))
    floor = 64.0 * max(S.shape) * EPS * diagonal.max(initial=0.0)
    rank = int((diagonal > floor).sum())
    kept = [int(j) for j in order[:rank]]
    for j in order[rank : len(S)] if diagonal.any() else []:
        if not _is_dependent(equal[:, j], equal[:, kept]):
            kept.append(int(j))
    return np.sort(np.array(kept, dtype=np.intp))


def _is_dependent(column: FloatArray, others: FloatArray) -> bool:
    """Whether a combination of the others is the column, up to rounding in every row."""
    ones = np.ones(len(column))
    transform, turn, basis, _ = _orthonormal(np.ascontiguousarray(others), ones)
    share = _solved(others, ones, transform @ turn, basis, column)
    high, low = matrix_product(others, share[:, None])
    left = np.abs((column - high[:, 0]) - low[:, 0])
    return bool((left <= _DEPENDENT * (np.abs(column) + np.abs(others) @ np.abs(share))).all())


def _orthonormal(
    columns: FloatArray, scales: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """R and T, orthonormal ``D S R T`` and a bound on its error, by repeated QR."""
    transform = np.diag([1.0 / power_of_two(column) for column in columns.T])
    basis, error = _scaled_product(columns, transform, scales)
    # The longest rows first: then QR is stable in every row (Powell and Reid 1969).
    rows = np.argsort(-np.abs(basis).max(axis=1, initial=0.0), kind="stable")
    for _ in range(_PASSES):
        triangle, pivots = scipy.linalg.qr(basis[rows], mode="r", pivoting=True)
        triangle = triangle[: columns.shape[1]]
        if not np.diag(triangle).all():
            break
        with np.errstate(over="ignore", invalid="ignore"):
            moved = scipy.linalg.solve_triangular(triangle.T, transform[:, pivots].T, lower=True).T
        if not np.isfinite(moved).all() or np.abs(moved).max(initial=0.0) > _LARGEST:
            break
        transform = moved
        basis, error = _scaled_product(columns, transform, scales)
    return transform, *_turned(basis, error)


def _turned(basis: FloatArray, error: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """T, orthonormal ``B T`` and its error, for B with independent columns; else B itself."""
    k = basis.shape[1]
    triangle = np.linalg.qr(basis, mode="r")
    if not np.abs(np.diag(triangle)).min(initial=1.0) > _INDEPENDENT:
        return np.eye(k), basis, error
    turn = scipy.linalg.solve_triangular(triangle, np.eye(k))
    size = np.abs(turn)
    return turn, basis @ turn, error @ size + (k + 8) * EPS * (np.abs(basis) @ size)


def _solved(
    columns: FloatArray, scales: FloatArray, R: FloatArray, basis: FloatArray, z: FloatArray
) -> FloatArray:
    """The w of the nearest ``D S w`` to z, with digits of its residual, shape (k,)."""
    w = np.zeros(columns.shape[1])
    for _ in range(3):
        high, low = matrix_product(columns, w[:, None])
        left = (z - scales * high[:, 0]) - scales * low[:, 0]
        w = w + R @ (basis.T @ left)
    return w


def _scaled_product(
    S: FloatArray, R: FloatArray, scales: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """``D S R`` from sums in twice the precision, and a bound on its error."""
    product = scales[:, None] * matrix_product(S, R)[0]
    sums = pair_error(S.shape[1]) * (np.abs(S) @ np.abs(R)) * scales[:, None]
    return product, 4.0 * EPS * np.abs(product) + 2.0 * sums


def _least(basis: FloatArray, error: FloatArray) -> float:
    """A lower bound on the least singular value of a matrix next to `basis`."""
    n, k = basis.shape
    squares = float((basis**2).sum())
    defect = float(np.linalg.norm(np.eye(k) - basis.T @ basis)) + 2.0 * (n + 8) * EPS * squares
    proven = np.sqrt(max(1.0 - defect, 0.0)) * (1.0 - 8.0 * EPS) - float(np.linalg.norm(error))
    return float(max(proven * (1.0 - 1e-9), 0.0))
