"""A readout that mixes all predictions by a matrix of low rank: ``R = B - L C'``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray


@final
@dataclass(frozen=True, eq=False)
class Mixture:
    """A sparse matrix less a product of two thin ones, never formed.

    What a linear part of p columns leaves of n predictions is such a matrix. A product with
    k columns takes O((nnz + (n + N) p) k), the matrix itself O(nnz + (n + N) p) memory.

    Attributes
    ----------
    sparse : sparse array, shape (n, N)
        B.
    left : ndarray, shape (n, p)
        L.
    right : ndarray, shape (N, p)
        C.

    Examples
    --------
    >>> means = Mixture.diagonal(np.ones(2), np.full((2, 1), 0.5), np.ones((2, 1)))
    >>> means @ np.array([3.0, 5.0])
    array([-1.,  1.])
    """

    sparse: Any
    left: FloatArray
    right: FloatArray

    @classmethod
    def diagonal(cls, scales: FloatArray, left: FloatArray, right: FloatArray) -> Mixture:
        """``diag(scales) - L C'``."""
        return cls(scipy.sparse.diags_array(scales, format="csr"), left, right)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, N)."""
        return len(self.left), len(self.right)

    @cached_property
    def T(self) -> Mixture:  # noqa: N802 - the name that arrays have for it
        """The transpose, shape (N, n)."""
        return Mixture(self.sparse.T, self.right, self.left)

    @property
    def scales(self) -> FloatArray | None:
        """The diagonal of B where it is one, above 0, shape (n,); else None."""
        diagonal = np.asarray(self.sparse.diagonal())
        n = len(self.left)
        is_diagonal = self.shape == (n, n) and self.sparse.count_nonzero() == n
        return diagonal if is_diagonal and (diagonal > 0.0).all() else None

    @property
    def terms(self) -> int:
        """Terms of the nested sums in an entry of a product with it, at most."""
        longest = int(np.diff(self.sparse.tocsr().indptr).max(initial=0))
        return longest + sum(self.right.shape) + 1

    def __matmul__(self, columns: FloatArray) -> FloatArray:
        """The product with columns, shape (N,) or (N, k)."""
        return np.asarray(self.sparse @ columns - self.left @ (self.right.T @ columns))

    def __abs__(self) -> Mixture:
        """``|B| + |L| |C|'``, which bounds the modulus of every entry.

        It bounds the terms of products, too: what rounding in them is relative to.
        """
        return Mixture(abs(self.sparse), -np.abs(self.left), np.abs(self.right))

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> Mixture:
        """Some of the rows."""
        return Mixture(self.sparse[rows], self.left[rows], self.right)

    def weighted(self, root: FloatArray) -> Mixture:
        """With rows multiplied by `root`, shape (n,)."""
        sparse = scipy.sparse.csr_array(self.sparse.multiply(root[:, None]))
        return Mixture(sparse, self.left * root[:, None], self.right)

    def beside(self, factor: float) -> Mixture:
        """``[R, factor R]``, shape (n, 2 N)."""
        sparse = scipy.sparse.hstack([self.sparse, factor * self.sparse], format="csr")
        return Mixture(sparse, self.left, np.vstack([self.right, factor * self.right]))

    def after(self, readout: Any) -> Mixture:
        """The product with another readout behind it: sparse, dense, a mixture, or None."""
        if readout is None:
            return self
        inner = _as_mixture(readout)
        left = np.hstack([self.sparse @ inner.left, self.left])
        right = np.hstack([inner.right, inner.T @ self.right])
        return Mixture(scipy.sparse.csr_array(self.sparse @ inner.sparse), left, right)

    def column_squares(self) -> FloatArray:
        """Squares of the lengths of its columns, shape (N,); up to rounding."""
        own = np.asarray(self.sparse.multiply(self.sparse).sum(axis=0)).ravel()
        mixed = np.asarray(self.sparse.T @ self.left) - 0.5 * self.right @ (self.left.T @ self.left)
        return np.maximum(own - 2.0 * np.einsum("ij,ij->i", mixed, self.right), 0.0)


def _as_mixture(readout: Any) -> Mixture:
    if isinstance(readout, Mixture):
        return readout
    n, N = readout.shape
    return Mixture(scipy.sparse.csr_array(readout), np.zeros((n, 0)), np.zeros((N, 0)))
