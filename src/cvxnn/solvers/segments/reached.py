"""What neurons reach on rows in segments: predictions, the best intercept, and the loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.losses.offset_sums import least_offset, least_offsets
from cvxnn.problems import Neurons
from cvxnn.solvers.segments.rows import Check, Kept, SegmentedRows


@final
@dataclass(frozen=True)
class Reached:
    """Neurons, and what they make of the rows.

    Attributes
    ----------
    neurons : Neurons
        With the best intercept, where there is one.
    predictions : Kept
        Without it.
    loss : float
    """

    neurons: Neurons
    predictions: Kept
    loss: float

    @classmethod
    def by(cls, rows: SegmentedRows, neurons: Neurons, check: Check, *, intercept: bool) -> Reached:
        """What neurons reach, beside the best intercept where there may be one.

        O(n k (d + c)), and O(n c) for each step to the intercept.
        """
        predictions = rows.keep("predictions", (), neurons.rays, neurons.heads, check=check)
        if intercept:
            b = _best_offsets(rows, predictions, neurons.intercept, check)
            neurons = replace(neurons, intercept=b)
        (loss,) = rows.total("value", (predictions,), neurons.intercept, check=check)
        return cls(neurons, predictions, loss)

    def objective(self, beta: float) -> float:
        """Objective (2)."""
        return self.loss + beta * float(self.neurons.sizes.sum())


@final
@dataclass(frozen=True)
class _Sums:
    """:class:`~cvxnn.losses.offset_sums.OffsetSums` of rows in segments."""

    rows: SegmentedRows
    predictions: Kept
    output: int | None
    check: Check

    def value(self, b: FloatArray) -> float:
        return float(self._sums("value", b)[0])

    def slopes(self, b: FloatArray) -> tuple[FloatArray, FloatArray]:
        gradient, moduli = self._sums("slopes", b)
        return gradient, moduli

    def curvature(self, b: FloatArray) -> FloatArray:
        return np.asarray(self._sums("curvature", b)[0])

    def majorizer(self, b: FloatArray) -> FloatArray:
        return np.asarray(self._sums("majorizer", b)[0])

    def _sums(self, what: str, b: FloatArray) -> tuple[FloatArray, ...]:
        kept = (self.predictions,)
        return self.rows.total("beside", kept, what, b, self.output, check=self.check)


def _best_offsets(
    rows: SegmentedRows, predictions: Kept, start: float | FloatArray, check: Check
) -> float | FloatArray:
    """What :func:`~cvxnn.losses.offset.best_offsets` is for rows in memory."""
    c = rows.n_outputs
    first = np.broadcast_to(start, (c,))
    if c > 1 and rows.loss.joins_outputs:
        return least_offsets(_Sums(rows, predictions, None, check), first)
    outputs = [None] if c == 1 else range(c)
    sums = (_Sums(rows, predictions, output, check) for output in outputs)
    found = [least_offset(each, b) for each, b in zip(sums, first.tolist(), strict=True)]
    return found[0] if c == 1 else np.array(found)
