"""Cones of generators that cover all of space, halved exactly."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from typing import final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.verification.rounding import norms_up

Splits = NDArray[np.uint8]


@final
@dataclass(frozen=True)
class Cones:
    """Simplicial cones in R^r.

    Attributes
    ----------
    generators : ndarray, shape (L, r, r)
        Rows are generators w_j, those of a cone in one orthant.
    units : ndarray, shape (r,)
        Powers of two: the largest modulus of ``units w_j`` lies in [1, 2). Cones are halved in
        the middle as these coordinates have it, in which columns of rows are of one size.

    Examples
    --------
    >>> cones = Cones.orthants(np.ones(2))
    >>> halves, exact = cones.halved(np.zeros(4, dtype=np.uint8))
    >>> len(cones), len(halves), halves.generators[0].tolist()
    (4, 8, [[1.0, 1.0], [0.0, 1.0]])
    """

    generators: FloatArray
    units: FloatArray

    def __len__(self) -> int:
        return len(self.generators)

    @classmethod
    def orthants(cls, units: FloatArray) -> Cones:
        """All of space."""
        corners = np.array(list(product((1.0, -1.0), repeat=len(units))))
        return cls(corners[:, :, None] * np.diag(1.0 / units), units)

    def take(self, index: BoolArray | slice) -> Cones:
        """Some of them."""
        return Cones(self.generators[index], self.units)

    @property
    def centres(self) -> FloatArray:
        """A unit vector in the middle of each, shape (L, r)."""
        sums = self.generators.sum(axis=1)
        return np.asarray(sums / norms_up(sums)[:, None])

    @property
    def edges(self) -> list[tuple[int, int]]:
        """Pairs of generators: what the numbers of splits count."""
        return list(combinations(range(self.generators.shape[1]), 2))

    def halved(self, splits: Splits) -> tuple[Cones, BoolArray]:
        """Both halves of each at an edge, one after the other; whether they are exactly that.

        The cones of ``w_i + w_j, w_j, ...`` and of ``w_i, w_i + w_j, ...`` together are that of
        ``w_i, w_j, ...``. A sum of two generators is rounded only where their last digits are
        too far apart: what a two-sum leaves (D. Knuth 1969) tells.
        """
        pairs, every = np.array(self.edges).reshape(-1, 2)[splits], np.arange(len(self))
        left, right = (self.generators[every, pairs[:, k]] for k in (0, 1))
        new = left + right
        back = new - left
        exact = ((left - (new - back)) + (right - back) == 0.0).all(axis=1)
        scale = np.ldexp(1.0, 1 - np.frexp(np.abs(new * self.units).max(axis=1))[1])
        halves = np.repeat(self.generators, 2, axis=0)
        middle = new * scale[:, None]
        halves[2 * every, pairs[:, 0]] = halves[2 * every + 1, pairs[:, 1]] = middle
        return Cones(halves, self.units), exact
