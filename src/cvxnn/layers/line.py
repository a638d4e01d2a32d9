"""One feature as neurons with free biases see it: points of a line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.layers.line_kernels import turns_along
from cvxnn.layers.rows import power_of_two


@final
@dataclass(frozen=True)
class Line:
    """Points of a line, in any order and with repetitions.

    Attributes
    ----------
    x : ndarray, shape (n,)

    Examples
    --------
    >>> line = Line(np.array([3.0, 1.0, 3.0]))
    >>> line.points, line.places
    (array([1., 3.]), array([1, 0, 1]))
    >>> line.turns(np.array([1.0, -3.0, 2.0]))
    array([6., 0.])
    """

    x: FloatArray

    @property
    def n_predictions(self) -> int:
        """Number of predictions n."""
        return len(self.x)

    @property
    def n_features(self) -> int:
        """1."""
        return 1

    @property
    def unit(self) -> float:
        """The power of two next to the largest entry."""
        return power_of_two(self.x)

    def in_units(self, unit: float) -> Line:
        """The line divided by a power of two, so without rounding."""
        return replace(self, x=self.x / unit)

    def take(self, outputs: NDArray[np.intp]) -> Line:
        """Some of the points."""
        return replace(self, x=self.x[outputs])

    @cached_property
    def _distinct(self) -> tuple[FloatArray, IntArray]:
        points, places = np.unique(self.x, return_inverse=True)
        return points, places.reshape(-1)

    @property
    def points(self) -> FloatArray:
        """The distinct points in their order, shape (m,)."""
        return self._distinct[0]

    @property
    def places(self) -> IntArray:
        """For each row its place among the points, shape (n,)."""
        return self._distinct[1]

    def gathered(self, values: FloatArray) -> FloatArray:
        """Sums over the rows at each point, shape (m,)."""
        return np.asarray(np.bincount(self.places, values, len(self.points)), dtype=np.float64)

    def turns(self, v: FloatArray) -> FloatArray:
        """``D_j = sum_{x_i > t_j} v_i (x_i - t_j)`` for every point ``t_j``, shape (m,); O(n).

        For a v of the sum 0 a ramp that rises from ``t_a`` to ``t_b`` has ``v'f = D_a - D_b``.
        Each is rounded but for ``16 n eps^2 (t_m - t_1) ||v||_1`` once.
        """
        x, order, first = self._in_order
        return np.asarray(turns_along(x, v[order])[first])

    def turns_of(self, sums: FloatArray) -> FloatArray:
        """The same of sums of v over the rows at each point, shape (m,)."""
        return np.asarray(turns_along(self.points, sums))

    @cached_property
    def _in_order(self) -> tuple[FloatArray, IntArray, IntArray]:
        """The rows in their order, how they are brought into it, and the first of each point."""
        order = np.argsort(self.x, kind="stable")
        x = self.x[order]
        return x, order, np.searchsorted(x, self.points)
