"""Rows as neurons of two vectors of signs see them: a product of two sums."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import EPS, FloatArray
from cvxnn.layers.rows import power_of_two


@final
@dataclass(frozen=True)
class QuantizedRows:
    """Rows X, of which a neuron of signs u and v makes ``phi = (X u) (X v)``, entry by entry.

    Attributes
    ----------
    X : ndarray, shape (n, d)

    Examples
    --------
    >>> rows = QuantizedRows(np.array([[1.0, 2.0], [3.0, -1.0]]))
    >>> rows.activations(np.array([[1.0, 1.0]]), np.array([[1.0, -1.0]]))
    array([[-3.],
           [ 8.]])
    >>> rows.lengths
    array([ 9., 16.])
    """

    X: FloatArray

    @property
    def n_predictions(self) -> int:
        """Number of predictions n."""
        return len(self.X)

    @property
    def n_features(self) -> int:
        """Length d of each vector of signs."""
        return int(self.X.shape[1])

    @property
    def unit(self) -> float:
        """The square of the power of two next to the largest entry of X, as neurons are squares."""
        return power_of_two(self.X) ** 2

    def in_units(self, unit: float) -> QuantizedRows:
        """The rows divided by the root of an even power of two, so without rounding."""
        return QuantizedRows(self.X / np.sqrt(unit))

    def take(self, outputs: NDArray[np.intp]) -> QuantizedRows:
        """Some of the rows."""
        return QuantizedRows(self.X[outputs])

    @cached_property
    def lengths(self) -> FloatArray:
        """``||x_i||_1^2``, the largest modulus of a prediction of one neuron, shape (n,)."""
        return np.asarray(np.abs(self.X).sum(axis=1) ** 2)

    def activations(self, left: FloatArray, right: FloatArray) -> FloatArray:
        """``(X u_j) (X v_j)`` for rows of signs, shape (n, k)."""
        return np.asarray((self.X @ left.T) * (self.X @ right.T))

    def pull(self, v: FloatArray) -> FloatArray:
        """``N = X'diag(v) X`` with ``v'phi = u'N v``, symmetric, shape (d, d); O(n d^2)."""
        matrix = (self.X * v[:, None]).T @ self.X
        return 0.5 * (matrix + matrix.T)

    def pull_error(self, v: FloatArray) -> float:
        """By how much ``u'N v`` may err for vectors of signs, because :meth:`pull` rounds.

        An entry is a sum of n products of three numbers, and of two such sums a mean; it errs by
        ``(n + 4) eps`` of their moduli, and all entries by that share of
        ``sum_i |v_i| ||x_i||_1^2``. What may vanish of a product is charged beside it.
        """
        n, d = self.X.shape
        moduli = float(np.abs(v) @ self.lengths)
        return 2.0 * (n + d + 16) * EPS * moduli + n * d * d * 1e-300
