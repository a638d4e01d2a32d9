"""Ramps: what a sub-network of three layers with free biases is on one feature."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.problems import Neurons


@final
@dataclass(frozen=True)
class Ramps(Neurons):
    """``sum_k size_k s_k clip(x - start_k, 0, end_k - start_k)`` and an intercept.

    A ramp of slope 1 is ``((end - start) - (end - x)_+)_+``, a sub-network of one hidden unit
    whose weights are of the modulus 1.

    Attributes
    ----------
    directions : ndarray, shape (K, 1)
        Ones.
    sizes : ndarray, shape (K,)
        The slopes, without their signs.
    outputs : ndarray, shape (K, 1)
        The signs ``s_k``.
    starts, ends : ndarray, shape (K,)

    Examples
    --------
    >>> ramps = Ramps.between(np.array([0.0]), np.array([2.0]), np.array([-3.0]), intercept=1.0)
    >>> ramps.predict(np.array([-1.0, 1.0, 5.0]))
    array([ 1., -2., -5.])
    """

    starts: FloatArray = field(kw_only=True)
    ends: FloatArray = field(kw_only=True)

    @classmethod
    def between(
        cls, starts: FloatArray, ends: FloatArray, slopes: FloatArray, intercept: float = 0.0
    ) -> Ramps:
        """From slopes that are not zero, shape (K,)."""
        ones, signs = np.ones((len(slopes), 1)), np.sign(slopes)[:, None]
        return cls(ones, np.abs(slopes), signs, None, intercept, starts=starts, ends=ends)

    @classmethod
    def of_function(cls, points: FloatArray, values: FloatArray) -> Ramps:
        """The cheapest ramps of a function that is linear between points and constant outside.

        The turns of its slope, from 0 to 0, have the sum 0. On a stack, every turn is matched
        with earlier ones of the other sign: each pair is a ramp, and their slopes add up to
        half of ``sum_j |turn_j|``, below which no sum of ramps can be. O(k).

        Examples
        --------
        >>> bump = Ramps.of_function(np.arange(4.0), np.array([0.0, 1.0, 1.0, 0.0]))
        >>> bump.starts, bump.ends, bump.sizes * bump.signs
        (array([0., 2.]), array([1., 3.]), array([ 1., -1.]))
        """
        slopes = np.diff(values) / np.diff(points)
        turns = np.diff(slopes, prepend=0.0, append=0.0)
        waiting: list[tuple[float, float]] = []
        found: list[tuple[float, float, float]] = []
        for point, turn in zip(points.tolist(), turns.tolist(), strict=True):
            left = turn
            while waiting and left * waiting[-1][1] < 0.0:
                start, open_turn = waiting.pop()
                matched = min(abs(open_turn), abs(left))
                found.append((start, point, float(np.copysign(matched, open_turn))))
                if abs(open_turn) > matched:
                    waiting.append((start, open_turn - float(np.copysign(matched, open_turn))))
                left -= float(np.copysign(matched, left))
            if left != 0.0:
                waiting.append((point, left))
        # What is left on the stack is rounding.
        table = np.array(found).reshape(-1, 3)
        return cls.between(table[:, 0], table[:, 1], table[:, 2], float(values[0]))

    def rescaled(self, rows: float, targets: float) -> Self:
        moved = super().rescaled(rows, targets)
        return replace(moved, starts=self.starts * rows, ends=self.ends * rows)

    def predict(self, x: FloatArray) -> FloatArray:
        """The values at points, shape (n,); O(n log K + K log K)."""
        knots = np.unique(np.concatenate([self.starts, self.ends]))
        if len(knots) == 0:
            return np.full(len(x), float(self.intercept))
        turns = np.zeros(len(knots))
        slopes = self.sizes * self.signs
        np.add.at(turns, np.searchsorted(knots, self.starts), slopes)
        np.add.at(turns, np.searchsorted(knots, self.ends), -slopes)
        rises = np.cumsum(turns)[:-1] * np.diff(knots)
        values = np.concatenate([[0.0], np.cumsum(rises)])
        return np.asarray(np.interp(x, knots, values) + self.intercept)

    def layers(self) -> dict[str, FloatArray]:
        """Balanced weights and biases of the sub-networks, as a network takes them.

        ``t (t (t (end - start) - (t (end - x))_+)_+)`` with t the cube root of the size: the
        hidden unit has the weight ``-t`` and the bias ``t end``.
        """
        root = np.cbrt(self.sizes)
        return {
            "hidden_weights": -root[:, None, None],
            "inner_weights": -root[:, None],
            "output_weights": self.signs * root,
            "hidden_biases": (root * self.ends)[:, None],
            "inner_biases": root**2 * (self.ends - self.starts),
        }
