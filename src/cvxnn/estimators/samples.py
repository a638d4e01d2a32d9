"""Samples of a training in canonical order."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.validation import check_weights

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Samples:
    """Data as a network reads them, targets and weights, in an order of their own.

    Equal samples are one with the sum of their weights, and those of weight zero are
    gone: so weights, repetition and order give the same numbers to the last digit.

    Attributes
    ----------
    X : ndarray, shape (k, ...)
    y : ndarray, shape (k,)
    weights : ndarray, shape (k,), or None where all are 1
    """

    X: FloatArray
    y: FloatArray
    weights: FloatArray | None

    @classmethod
    def of(cls, X: FloatArray, y: FloatArray, weights: FloatArray | None) -> Samples:
        """Merge and sort n samples of d numbers; O(n d log n)."""
        weights = np.ones(len(X)) if weights is None else weights
        counted = weights > 0.0
        table = np.column_stack([X.reshape(len(X), -1), y])[counted]
        unique, member = np.unique(table, axis=0, return_inverse=True)
        total = np.bincount(member.reshape(-1), weights[counted]).astype(np.float64)
        data = np.ascontiguousarray(unique[:, :-1]).reshape(-1, *X.shape[1:])
        return cls(data, unique[:, -1].copy(), None if (total == 1.0).all() else total)

    def weighted(self) -> tuple[FloatArray, FloatArray]:
        """Rows and y of an unweighted squared loss with the same value for every network."""
        if self.weights is None:
            return self.X, self.y
        root = np.sqrt(self.weights)
        return self.X * root[:, None], self.y * root


def weights_of(sample_weight: ArrayLike | None, n_samples: int) -> FloatArray | None:
    """Weights of samples from what scikit-learn allows: None, one number, or one for each."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, float(sample_weight))
    return check_weights(sample_weight, n_samples)
