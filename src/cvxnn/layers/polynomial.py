"""Rows under neurons whose activation is a polynomial of degree two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import EPS, FloatArray
from cvxnn.layers.rows import power_of_two

# Entries of the patches that are read at a time: sums over so few rows are rounded less, too.
_CHUNK = 1 << 19


@final
@dataclass(frozen=True)
class Lifted:
    """What a dual point v makes of a neuron: ``v'phi(u) = u'S u + t'u + z`` for unit u.

    Attributes
    ----------
    matrix : ndarray, shape (h, h)
    vector : ndarray, shape (h,)
    number : float
    """

    matrix: FloatArray
    vector: FloatArray
    number: float

    def values(self, directions: FloatArray) -> FloatArray:
        """``u'S u + t'u + z`` for the rows u of `directions`, shape (k,)."""
        return np.asarray(
            ((directions @ self.matrix + self.vector) * directions).sum(axis=1) + self.number
        )

    def turned(self, basis: FloatArray) -> Lifted:
        """In coordinates of orthonormal columns, shape (h, r)."""
        return Lifted(basis.T @ self.matrix @ basis, basis.T @ self.vector, self.number)


@final
@dataclass(frozen=True, eq=False)
class PolynomialRows:
    """Rows x under ``phi(u) = a (x'u)^2 + b x'u + c``, averaged over the patches of an image.

    Directions have the length 1: the activation is not homogeneous.

    Attributes
    ----------
    patches : ndarray, shape (n, K, h)
        Of rows K = 1.
    coefficients : tuple of float
        a, b and c.

    Examples
    --------
    >>> rows = PolynomialRows(np.array([[[1.0, 2.0]]]), (3.0, 2.0, 1.0))
    >>> rows.activations(np.array([[1.0, 0.0], [0.0, -1.0]]))
    array([[6., 9.]])
    """

    patches: FloatArray
    coefficients: tuple[float, float, float]

    @property
    def n_predictions(self) -> int:
        """Number of predictions n."""
        return len(self.patches)

    @property
    def n_patches(self) -> int:
        """Patches K of each."""
        return int(self.patches.shape[1])

    @property
    def n_features(self) -> int:
        """Length h of a direction."""
        return int(self.patches.shape[2])

    @property
    def unit(self) -> float:
        """The power of two next to the largest activation."""
        return power_of_two(self.lengths)

    @cached_property
    def lengths(self) -> FloatArray:
        """Bounds on the moduli of predictions over ``||u|| = 1``, shape (n,)."""
        a, b, c = (abs(part) for part in self.coefficients)
        norms = np.linalg.norm(self.patches, axis=2) * (1.0 + 2.0 * (self.n_features + 8) * EPS)
        sums = ((a * norms + b) * norms).mean(axis=1) + c
        return np.asarray(sums * (1.0 + 2.0 * (self.n_patches + 8) * EPS))

    def in_units(self, unit: float) -> Self:
        """Activations divided by a power of two, which rounds nothing.

        Rows get the size 1, and the coefficients what they were divided by.
        """
        size, (a, b, c) = power_of_two(self.patches), self.coefficients
        scaled = (a * size * (size / unit), b * (size / unit), c / unit)
        return replace(self, patches=self.patches / size, coefficients=scaled)

    def take(self, outputs: NDArray[np.intp]) -> Self:
        """Some of the predictions."""
        return replace(self, patches=self.patches[outputs])

    def turned(self, basis: FloatArray) -> Self:
        """In coordinates of orthonormal columns, shape (h, r)."""
        return replace(self, patches=self.patches @ basis)

    @property
    def table(self) -> FloatArray:
        """The patches below each other, shape (n K, h)."""
        return self.patches.reshape(-1, self.n_features)

    def activations(self, directions: FloatArray) -> FloatArray:
        """``phi(u)`` for the rows u of `directions`, shape (n, k)."""
        (a, b, c), found = self.coefficients, np.empty((self.n_predictions, len(directions)))
        for part, patches in self.chunks(len(directions)):
            sums = patches @ directions.T
            found[part] = self.pooled((a * sums + b) * sums) + c
        return found

    def forward(self, hidden: FloatArray, weights: FloatArray) -> FloatArray:
        """``sum_j alpha_j phi(u_j)``, shape (n,), or (n, c) for weights of shape (m, c)."""
        (a, b, c), shape = self.coefficients, weights.shape[1:]
        found = np.empty((self.n_predictions, *shape))
        for part, patches in self.chunks(len(hidden)):
            sums = patches @ hidden.T
            found[part] = self.pooled(((a * sums + b) * sums) @ weights)
        found += c * weights.sum(axis=0)
        return found

    def moduli(self, hidden: FloatArray, weights: FloatArray) -> FloatArray:
        """Sums of the moduli of all terms of :meth:`forward`, of its shape."""
        a, b, c = (abs(part) for part in self.coefficients)
        sizes = PolynomialRows(np.abs(self.patches), (a, b, c))
        return sizes.forward(np.abs(hidden), np.abs(weights))

    def adjoint(self, v: FloatArray) -> Lifted:
        """``v'phi(u)`` as a function of u, for v of shape (n,); O(n K h^2).

        Errs by :meth:`adjoint_error` over unit u at most.
        """
        a, b, c = self.coefficients
        matrix, vector = np.zeros((self.n_features,) * 2), np.zeros(self.n_features)
        for part, patches in self.chunks():
            weights = self.spread(v[part])
            matrix += patches.T @ (weights[:, None] * patches)
            vector += weights @ patches
        matrix = (0.5 * a) * (matrix + matrix.T)
        return Lifted(matrix, b * vector, c * float(v.sum()))

    def adjoint_error(self, v: FloatArray) -> float:
        """Bound on the rounding of :meth:`adjoint` over unit u.

        Sums over the rows of a chunk and over the chunks: relative to the sum of moduli, which
        is ``sum_i |v_i| lengths_i`` at most, also in the norm of Frobenius, as that of the moduli
        of ``x x'`` is ``||x||^2``. The number is a sum over all rows.
        """
        rows = self._chunk_rows()
        count = rows * self.n_patches + -(-self.n_predictions // rows) + 16
        moduli = np.abs(v)
        of_number = (self.n_predictions + 8) * abs(self.coefficients[2]) * float(moduli.sum())
        return 2.0 * EPS * (count * float(moduli @ self.lengths) + of_number) + 1e-290

    def chunks(self, width: int = 0) -> Iterator[tuple[slice, FloatArray]]:
        """Slices of the predictions and their patches, shape (m K, h)."""
        step = self._chunk_rows(width)
        for start in range(0, self.n_predictions, step):
            part = slice(start, min(start + step, self.n_predictions))
            yield part, self.patches[part].reshape(-1, self.n_features)

    def pooled(self, values: FloatArray) -> FloatArray:
        """Averages over the patches of each prediction, along the first axis."""
        if self.n_patches == 1:
            return values
        return np.asarray(values.reshape(-1, self.n_patches, *values.shape[1:]).mean(axis=1))

    def spread(self, values: FloatArray) -> FloatArray:
        """What predictions have along the first axis, shared out to their patches."""
        K = self.n_patches
        return values if K == 1 else np.repeat(values / K, K, axis=0)

    def _chunk_rows(self, width: int = 0) -> int:
        most = _CHUNK // (self.n_patches * max(self.n_features, width))
        return min(max(1, most), self.n_predictions)
