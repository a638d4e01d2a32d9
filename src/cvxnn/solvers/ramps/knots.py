"""Piecewise linear functions on some knots of a line, in the basis of hats."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import scipy.linalg

from cvxnn.array_types import FloatArray, IntArray


@final
@dataclass(frozen=True)
class Knots:
    """Knots among the points of a line: functions are linear between them, constant outside.

    Attributes
    ----------
    points : ndarray, shape (m,)
        Of the line, in their order.
    index : ndarray of int, shape (k,)
        Which of them are knots, at least one; in their order.

    Examples
    --------
    >>> knots = Knots(np.arange(5.0), np.array([1, 3]))
    >>> knots.expand(np.array([2.0, 6.0]))
    array([2., 2., 4., 6., 6.])
    >>> knots.turns(np.array([2.0, 6.0]))
    array([ 2., -2.])
    """

    points: FloatArray
    index: IntArray

    @cached_property
    def places(self) -> FloatArray:
        """The knots, shape (k,)."""
        return self.points[self.index]

    @cached_property
    def _hats(self) -> tuple[IntArray, FloatArray]:
        """For each point the knot before it, and its share of the way to the next one."""
        k, x = len(self.index), self.points
        before = np.repeat(np.arange(-1, k), np.diff(self.index, prepend=0, append=len(x)))
        left = np.clip(before, 0, max(k - 2, 0))
        spans = np.diff(self.places)
        if k == 1:
            return left, np.zeros(len(x))
        share = (x - self.places[left]) / spans[left]
        return left, np.clip(share, 0.0, 1.0)

    def expand(self, values: FloatArray) -> FloatArray:
        """The function of values at the knots, at all points; O(m)."""
        if len(values) == 1:
            return np.full(len(self.points), values[0])
        left, share = self._hats
        return np.asarray(values[left] + share * (values[left + 1] - values[left]))

    def gathered(self, r: FloatArray) -> FloatArray:
        """The sums of r over all points, weighted by the hats: the adjoint of :meth:`expand`."""
        k = len(self.index)
        if k == 1:
            return np.array([r.sum()])
        left, share = self._hats
        upper = np.bincount(left + 1, share * r, k)
        return np.asarray(np.bincount(left, (1.0 - share) * r, k) + upper)

    def turns(self, values: FloatArray) -> FloatArray:
        """By how much the slope turns at each knot, from 0 to 0; a symmetric matrix of rank k - 1.

        So it is also the gradient of a sum of turns in the values at the knots.
        """
        slopes = np.diff(values) / np.diff(self.places)
        return np.diff(slopes, prepend=0.0, append=0.0)

    def solve(self, h: FloatArray, right: FloatArray) -> FloatArray:
        """The values g with ``sum_i h_i hat(x_i) hat(x_i)' g = right``, for h > 0; O(m + k)."""
        k = len(self.index)
        if k == 1:
            return np.array([right[0] / h.sum()])
        left, share = self._hats
        band = np.zeros((2, k))
        rest = 1.0 - share
        band[1] = np.bincount(left, rest * rest * h, k) + np.bincount(
            left + 1, share * share * h, k
        )
        band[0, 1:] = np.bincount(left, share * rest * h, k - 1)[: k - 1]
        return np.asarray(scipy.linalg.solveh_banded(band, right, check_finite=False))

    def keep(self, kept: IntArray) -> Knots:
        """Some of the knots, by their numbers."""
        return Knots(self.points, self.index[kept])
