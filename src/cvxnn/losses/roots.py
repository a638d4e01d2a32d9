"""Roots of curvature: what turns a quadratic model of a loss into a squared loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.layers import Layer, Rows

R = TypeVar("R", bound=Rows)

_EPS = float(np.finfo(float).eps)


class Root(ABC, Generic[R]):
    """A matrix A with ``A'A = H``, the curvature of a model in the predictions f.

    The model ``g'(f - p) + 1/2 (f - p)'H(f - p)`` is ``1/2 ||A f - z||^2`` up to a
    constant, with ``z = A p - A^-T g``.

    Attributes
    ----------
    root : ndarray, shape (n,)
        Roots of the curvatures of the rows.
    """

    root: FloatArray

    @abstractmethod
    def times(self, prediction: FloatArray) -> FloatArray:
        """``A f``, shape (n,)."""

    @abstractmethod
    def transposed(self, dual: FloatArray) -> FloatArray:
        """``A'v``, shape (n,): a dual point of the model as one of the loss."""

    @abstractmethod
    def solved(self, gradient: FloatArray) -> FloatArray:
        """``A^-T g``, shape (n,)."""

    @abstractmethod
    def applied(self, rows: R) -> R:
        """The rows with predictions ``A f``."""

    @abstractmethod
    def error(self, dual: FloatArray, lengths: FloatArray) -> float:
        """Rounding of ``(A'v)'f - v'(A f)`` over ``|f| <= lengths``, both as computed."""


class DiagonalRoot(Root[R]):
    """The root of curvatures h > 0, one for each row."""

    def __init__(self, curvature: FloatArray) -> None:
        self.root = np.sqrt(curvature)

    def times(self, prediction: FloatArray) -> FloatArray:
        return self.root * prediction

    def transposed(self, dual: FloatArray) -> FloatArray:
        return self.root * dual

    def solved(self, gradient: FloatArray) -> FloatArray:
        return gradient / self.root

    def applied(self, rows: R) -> R:
        return rows.weighted(self.root)

    def error(self, dual: FloatArray, lengths: FloatArray) -> float:
        return 8.0 * _EPS * float(np.abs(self.root * dual) @ lengths)


class SkipRoot(Root[Layer]):
    """The curvature that is left of h when a ridge regression on S follows the predictions.

    ``min_w 1/2 ||r + B w||^2 + t/2 ||w||^2 = 1/2 r'(I - C)r`` with
    ``B = diag(sqrt(h)) S`` and ``C = B (B'B + t I)^-1 B'``, whose root is
    ``I - U diag(1 - sqrt(t / (s^2 + t))) U'`` for the singular value decomposition of
    B. O(n p^2 + n^2).

    Parameters
    ----------
    curvature : ndarray, shape (n,)
    skip : ndarray, shape (n, p)
        S.
    ridge : float
        t > 0.
    """

    def __init__(self, curvature: FloatArray, skip: FloatArray, ridge: float) -> None:
        self.root = np.sqrt(curvature)
        self._U, singular, _ = np.linalg.svd(self.root[:, None] * skip, full_matrices=False)
        self._kept = np.sqrt(ridge / (singular**2 + ridge))
        n = len(curvature)
        self.matrix = np.eye(n) - (self._U * (1.0 - self._kept)) @ self._U.T
        self.matrix *= self.root

    def times(self, prediction: FloatArray) -> FloatArray:
        return np.asarray(self.matrix @ prediction)

    def transposed(self, dual: FloatArray) -> FloatArray:
        return np.asarray(self.matrix.T @ dual)

    def solved(self, gradient: FloatArray) -> FloatArray:
        inner = gradient / self.root
        return np.asarray(inner + (self._U * (1.0 / self._kept - 1.0)) @ (self._U.T @ inner))

    def applied(self, rows: Layer) -> Layer:
        return rows.mixed(self.matrix)

    def error(self, dual: FloatArray, lengths: FloatArray) -> float:
        return mixing_error(self.matrix, dual, lengths)


def mixing_error(matrix: FloatArray, dual: FloatArray, lengths: FloatArray) -> float:
    """Rounding of ``(A'v)'f - v'(A f)`` over ``|f| <= lengths``, with ``A R`` formed before.

    A sum of n terms in ``A'v``, and one in every entry of A times a readout R.
    """
    terms = np.abs(matrix).T @ np.abs(dual)
    return 4.0 * (len(dual) + 16) * _EPS * float(terms @ lengths)
