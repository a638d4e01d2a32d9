"""The parabola of a loss in sizes or output weights of given directions, up to float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.solvers.descent.settings import SETTINGS
from cvxnn.solvers.segments.reached import Reached
from cvxnn.solvers.segments.rows import Check, SegmentedRows
from cvxnn.solvers.segments.segment import Offset

# Of the diagonal: it is more than sums in float32 lose.
_RIDGE = 1e-6


@final
@dataclass(frozen=True)
class Parabola:
    """``1/2 tr M'GM - tr P'M`` of a move M of output weights, beside the best intercept for it.

    A column of ones without a penalty is eliminated: the other columns and the residual are
    taken from their means, with curvatures as weights.

    Attributes
    ----------
    gram : ndarray, shape (k, k)
        G, positive definite.
    pull : ndarray, shape (k,) or (k, c)
        P.
    sums : ndarray, shape (k,)
        Of activations, with curvatures as weights, over the sum of these.
    first : float, or ndarray of shape (c,)
        The move of the intercept where M is 0.
    """

    gram: FloatArray
    pull: FloatArray
    sums: FloatArray
    first: Offset

    @classmethod
    def at(
        cls, rows: SegmentedRows, reached: Reached, check: Check, *, intercept: bool
    ) -> Parabola:
        """That of the loss, with one curvature for all outputs of a row; O(n k^2), in float32."""
        neurons = reached.neurons
        arguments = neurons.intercept, neurons.directions, SETTINGS.straight
        kept = (reached.predictions,)
        gram, pull, sums, total, residual = rows.total("curved_sums", kept, *arguments, check=check)
        means = sums / total
        first = residual / total if intercept else np.zeros_like(residual)
        if intercept:
            gram = gram - np.outer(sums, means)
            pull = pull - (np.outer(sums, first) if pull.ndim == 2 else sums * first)
        gram[np.diag_indices_from(gram)] *= 1.0 + _RIDGE
        return cls(gram, pull, means, first)

    def offset(self, move: FloatArray) -> Offset:
        """The move of the intercept that goes with one of the output weights."""
        return self.first - self.sums @ move
