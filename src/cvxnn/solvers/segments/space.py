"""What segments say of the space of their rows, in sums of a kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray


@final
@dataclass(frozen=True, eq=False)
class Moduli:
    """The largest moduli of columns: the sum of two are those of both.

    Attributes
    ----------
    values : ndarray, shape (d,)
    """

    values: FloatArray

    def __add__(self, other: Moduli) -> Moduli:
        return Moduli(np.maximum(self.values, other.values))


@final
@dataclass(frozen=True, eq=False)
class Triangle:
    """The triangle R of ``M = Q R``: the sum of two is that of both matrices, one on the other.

    No digits are lost, as they are in ``M'M`` (J. Demmel, L. Grigori, M. Hoemmen and
    J. Langou, SIAM J. Sci. Comput. 34, 2012).

    Attributes
    ----------
    R : ndarray, shape (min(m, d), d)
    """

    R: FloatArray

    @classmethod
    def of(cls, matrix: FloatArray) -> Triangle:
        """That of a matrix, shape (m, d)."""
        return cls(np.asarray(np.linalg.qr(matrix, mode="r")))

    def __add__(self, other: Triangle) -> Triangle:
        return Triangle.of(np.concatenate([self.R, other.R]))


def scaled_units(X: FloatArray, scale: FloatArray) -> FloatArray:
    """Rows over the scales of columns, of length one; those that are zero stay zero."""
    rows = X / scale
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0.0, lengths, 1.0))
