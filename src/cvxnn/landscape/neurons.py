"""The neurons that optimal networks can have, and the networks of weights on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.landscape.functions import dimension_of_functions
from cvxnn.networks import TwoLayerNetwork


@dataclass(frozen=True)
class OptimalNeurons:
    """Unit hidden and output weights; the intercept is what weights on them leave of a level.

    Attributes
    ----------
    directions : ndarray, shape (k, d)
    heads : ndarray, shape (k,), or (k, c) for c outputs
        Signs, or unit output weights.
    level : float, or ndarray of shape (c,)
        The mean of what all optimal networks predict; 0 without an intercept.
    shifts : ndarray, shape (k,) or (c, k)
        The means of the activations; 0 without an intercept.
    """

    directions: FloatArray
    heads: FloatArray
    level: float | FloatArray
    shifts: FloatArray

    @classmethod
    def of(
        cls, directions: FloatArray, heads: FloatArray, beside: tuple[FloatArray, FloatArray] | None
    ) -> OptimalNeurons:
        """Those of networks without an intercept, or beside data and their fit."""
        shape = heads.shape[:0:-1]
        without = cls(directions, heads, np.zeros(shape)[()], np.zeros((*shape, len(heads))))
        if beside is None:
            return without
        rows, fit = beside
        shifts = without.activations(rows).mean(axis=0)
        return cls(directions, heads, fit.mean(axis=0), shifts)

    @property
    def outputs(self) -> FloatArray:
        """The heads in a table, shape (k, c)."""
        return self.heads[:, None] if self.heads.ndim == 1 else self.heads

    def activations(self, rows: FloatArray) -> FloatArray:
        """``a_j (x'u_j)_+`` for each row x, shape (q, k), or (q, c, k) for c outputs."""
        activations = np.maximum(rows @ self.directions.T, 0.0)
        if self.heads.ndim == 1:
            return activations * self.heads
        return activations[:, None, :] * self.heads.T

    def contributions(self, rows: FloatArray) -> FloatArray:
        """What a unit of each weight adds to each prediction, shape (q c, k), all outputs told.

        The intercept moves with it.
        """
        values = self.activations(rows) - self.shifts
        return values.reshape(len(rows) * self.outputs.shape[1], len(self.heads))

    def network(self, weights: FloatArray) -> TwoLayerNetwork:
        """The balanced network of weights >= 0, shape (k,); zeros are left out."""
        used = weights > 0.0
        roots = np.sqrt(weights[used])
        return TwoLayerNetwork(
            roots[:, None] * self.directions[used],
            (self.heads[used].T * roots).T,
            intercept=self.level - self.shifts @ weights,
        )

    def function_dimension(self, moves: FloatArray) -> int:
        """How many of the moves of the weights, shape (k, q), change the function on R^d."""
        return dimension_of_functions(self.directions, self.outputs, moves)
