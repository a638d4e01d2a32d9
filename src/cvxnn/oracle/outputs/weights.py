"""A dual point of several outputs on the hyperplanes of the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.layers.rows import power_of_two
from cvxnn.patterns.reduction import HyperplaneWeights, Reduction


@dataclass(frozen=True)
class OutputWeights:
    """``V'(Xu)_+ = unit * sum_k a_k (n_k'w)_+ + b_k (-n_k'w)_+`` at ``w = basis'u``.

    Attributes
    ----------
    positive, negative : ndarray, shape (p, c)
        The weights ``a_k`` and ``b_k``, sums over the rows of a class.
    error : float
        For unit vectors u the two sides differ by `unit` times this at most, in the norm.
    unit : float
        A power of two.
    """

    positive: FloatArray
    negative: FloatArray
    error: float
    unit: float

    @classmethod
    def of(cls, reduction: Reduction, V: FloatArray) -> OutputWeights:
        """The weights of a dual point V, shape (n, c); O(n c).

        Columns are the weights of one output each, and their errors those of a vector.
        """
        scale = power_of_two(V)
        columns = [HyperplaneWeights.of(reduction, v) for v in (V / scale).T]
        positive = np.column_stack([column.positive * column.unit for column in columns])
        negative = np.column_stack([column.negative * column.unit for column in columns])
        errors = np.array([column.error * column.unit for column in columns])
        # Squares of small weights would vanish, where large dual points meet small rows.
        unit = power_of_two(np.stack([positive, negative]))
        error = float(np.linalg.norm(errors / unit)) * (1.0 + (len(errors) + 4) * EPS)
        return cls(positive / unit, negative / unit, error, unit * scale)
