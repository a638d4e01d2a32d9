"""The function behind the oracle as a sum over hyperplanes instead of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.patterns.reduction import Reduction


@dataclass(frozen=True)
class HyperplaneWeights:
    """``v'(Xu)_+ = unit * sum_k a_k (n_k'w)_+ + b_k (-n_k'w)_+`` at ``w = basis'u``.

    Attributes
    ----------
    positive, negative : ndarray, shape (p,)
        The weights ``a_k`` and ``b_k``, sums over the rows of a class.
    error : float
        For unit vectors u the two sides differ by `unit` times this at most:
        rows that are not exactly parallel, and the rounding of the sums.
    unit : float
        A power of two, so exact; without it squares of a small v would vanish.
    """

    positive: FloatArray
    negative: FloatArray
    error: float
    unit: float

    @classmethod
    def of(cls, reduction: Reduction, v: FloatArray) -> HyperplaneWeights:
        """The weights of a dual point v; O(n)."""
        largest = float(np.abs(v).max(initial=0.0))
        unit = float(np.exp2(np.floor(np.log2(largest)))) if largest > 0.0 else 1.0
        v = v / unit
        scale, row_error = reduction.scale, reduction.row_error
        weights = v * scale
        # A row may err by its distance from the reduced row, in its value and
        # once more where its sign differs from that of its hyperplane.
        error = 2.0 * float(np.abs(v) @ row_error) * (1.0 + 1e-12)
        # The sums over a class err by a rounding for each of its rows.
        most = int(np.bincount(reduction.class_of_row + 1)[1:].max(initial=0))
        error += 2.0 * (most + 2) * float(np.finfo(float).eps) * float(np.abs(weights).sum())
        return cls(
            _sum_by_class(reduction, np.where(scale > 0, weights, 0.0)),
            _sum_by_class(reduction, np.where(scale < 0, -weights, 0.0)),
            error,
            unit,
        )


def _sum_by_class(reduction: Reduction, weights: FloatArray) -> FloatArray:
    alive = reduction.class_of_row >= 0
    return np.bincount(
        reduction.class_of_row[alive], weights=weights[alive], minlength=reduction.n_classes
    ).astype(np.float64)
