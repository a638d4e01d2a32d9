"""What a dual point of several outputs makes of a neuron, in as few dimensions as the rows have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.verification.evidence import Pieces
from cvxnn.verification.kinked import in_few_dimensions
from cvxnn.verification.rounding import TINY, U, gamma, norms_up, power_of_two, sum_up


@final
@dataclass(frozen=True)
class OutputsKinked:
    """``F(u) = base'u + sum_i (rows_i'u)_+ weights_i`` in R^c for ``||u|| <= 1``.

    What is to be bounded, the largest ``||V'phi(u)||`` over ``||u|| <= 1``, is at most
    ``unit (stretch max ||F|| + error)``.

    Attributes
    ----------
    rows : ndarray, shape (N, r)
        Of size one.
    weights : ndarray, shape (N, c)
        Of size one.
    base : ndarray, shape (r, c)
    error, stretch, unit : float
    """

    rows: FloatArray
    weights: FloatArray
    base: FloatArray
    error: float = 0.0
    stretch: float = 1.0
    unit: float = 1.0

    @classmethod
    def of(cls, pieces: Pieces, *, merged: bool = True) -> OutputsKinked:
        """Scaled to size one by powers of two, and reduced to the rank of the rows.

        Parameters
        ----------
        pieces : Pieces
            Of several outputs.
        merged : bool
            Whether rows that are the same, or the negatives of each other, become one, where that
            is worth a rounding: weights of theirs may nearly cancel.

        Notes
        -----
        As for one output, see :func:`in_few_dimensions`: norms take the place of moduli, and a sum
        of vectors is not longer than they are together.
        """
        rows, weights, base = pieces.rows, pieces.weights, pieces.base
        unit, weight_unit = power_of_two(rows), power_of_two(np.concatenate([weights, base]))
        rows, weights, base = rows / unit, weights / weight_unit, base / weight_unit
        alive = (weights.any(axis=1) | base.any(axis=1)) & rows.any(axis=1)
        rows, weights, base = rows[alive], weights[alive], base[alive]
        sizes, lengths = norms_up(weights) + norms_up(base), norms_up(rows)
        error = gamma(pieces.roundings) * sum_up(sizes * lengths)
        if merged and len(rows):
            count, rows, weights, base = _merged(rows, weights, base)
            # Of each output a sum of so many, of moduli that are below their norms.
            error += gamma(2 * count) * 2.0 * sum_up(sizes * lengths)
            sizes, lengths = norms_up(weights) + norms_up(base), norms_up(rows)
        if base.any():
            error += gamma(len(rows) + 2) * sum_up(norms_up(base) * lengths)
        reduced, left, stretch = in_few_dimensions(rows, sizes)
        error = (error + left) * (1.0 + 1e-12) + len(rows) * TINY
        return cls(reduced, weights, reduced.T @ base, error, stretch, unit * weight_unit)

    @property
    def rank(self) -> int:
        """The dimension r."""
        return int(self.rows.shape[1])

    @cached_property
    def sizes(self) -> FloatArray:
        """``||weights_i||``, rounded up, shape (N,)."""
        return norms_up(self.weights)

    @cached_property
    def mass(self) -> float:
        """The norm of the base and ``sum_i ||weights_i|| ||rows_i||``, rounded up."""
        return float(norms_up(self.base.ravel())) + sum_up(self.sizes * norms_up(self.rows))

    @cached_property
    def moduli(self) -> FloatArray:
        """Norms of the base and ``sum_i ||weights_i|| |rows_i|``, rounded up, shape (r,)."""
        total = norms_up(self.base) + self.sizes @ np.abs(self.rows)
        return np.asarray(total * (1.0 + gamma(len(self.rows) + 8)) + TINY)

    def exceeds(self, level: float, directions: FloatArray) -> bool:
        """Whether ||F|| is clearly above a level at one of some unit vectors, shape (k, r)."""
        values = np.maximum(directions @ self.rows.T, 0.0) @ self.weights + directions @ self.base
        return bool(((values * values).sum(axis=1) > (level * (1.0 + 1e-6)) ** 2).any())

    def total(self, largest: float) -> float:
        """The bound on ``||V'phi(u)||`` from one on ``max ||F||``."""
        bound = (self.stretch * largest + self.error) * (1.0 + 8.0 * U)
        return float(np.nextafter(bound * self.unit, np.inf)) if bound > 0.0 else 0.0

    def needed(self, total: float) -> float:
        """The bound on ``max ||F||`` that gives one on ``||V'phi(u)||``, about."""
        return (total / self.unit - self.error) / self.stretch


def _merged(
    rows: FloatArray, weights: FloatArray, base: FloatArray
) -> tuple[int, FloatArray, FloatArray, FloatArray]:
    """One row in the place of several, and the most that it stands for.

    ``(-t)_+ w + (-t) b = (t)_+ w + t (-w - b)``.
    """
    first = rows[np.arange(len(rows)), (rows != 0.0).argmax(axis=1)]
    turned = (first < 0.0)[:, None]
    # Zeros of both signs are the same number.
    rows, base = np.where(turned, -rows, rows) + 0.0, np.where(turned, -weights - base, base)
    kept, group, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    if len(kept) == len(rows):
        return 2, rows, weights, base
    total = np.zeros((2, len(kept), weights.shape[1]))
    for part, sums in zip((weights, base), total, strict=True):
        np.add.at(sums, group.ravel(), part)
    return int(counts.max()) + 2, kept, *total
