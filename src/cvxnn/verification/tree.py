"""A tree of cones: searched for a bound, and its splits followed again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.cones import Cones, Splits
from cvxnn.verification.deadline import FOREVER, Deadline
from cvxnn.verification.estimates import Estimates
from cvxnn.verification.kinks import KinkEstimates
from cvxnn.verification.rounding import power_of_two
from cvxnn.verification.workers import on_all_cores

LEAF = 255
# The dimension up to which orthants are few enough to begin with.
MOST_DIMENSIONS = 9
# Entries of (cones x generators x rows) that exist at a time.
_CHUNK = 1 << 20


class Bounded(Protocol):
    """What a tree asks of a function."""

    @property
    def rows(self) -> Array:
        """Of its kinks, shape (N, r)."""

    @property
    def rank(self) -> int:
        """The dimension r."""

    @property
    def mass(self) -> float:
        """What it cannot be above."""

    def exceeds(self, level: float, directions: FloatArray) -> bool:
        """Whether it is clearly above a level at one of some unit vectors, shape (k, r)."""


class Tree:
    """The largest value of a function of kinks on the unit ball, by cones that cover it.

    Parameters
    ----------
    function : Bounded
        For this class a :class:`Kinked`.
    target : float
        Cones with a bound of no more are not halved.
    deadline : Deadline
        After which no cone is looked at.

    Attributes
    ----------
    n_cones : int
        Looked at so far.

    Examples
    --------
    >>> from cvxnn.verification.kinked import Kinked
    >>> function = Kinked(np.eye(3), np.array([3.0, -4.0, 1.0]), np.zeros(3))
    >>> bound, splits = Tree(function, 3.1623).searched(1000)
    >>> round(bound, 4), len(splits)  # the root of 10
    (3.1623, 8)
    >>> Tree(function, 3.1623).followed(splits) == bound
    True
    """

    def __init__(self, function: Any, target: float, deadline: Deadline = FOREVER) -> None:
        self._function, self._target, self._deadline = function, target, deadline
        self.n_cones, self._is_beyond = 0, False
        self._units = np.array([power_of_two(column) for column in function.rows.T])

    def searched(self, most: int) -> tuple[float, Splits]:
        """A bound, and the splits that it takes, level after level; after so many cones, worse.

        It ends early where the function itself is above the target.

        One number for each cone of a level: the edge at which it is halved, or `LEAF`.
        """
        cones, levels, bound = Cones.orthants(self._units), [], 0.0
        known = np.full(len(cones), self._function.mass)
        while len(cones):
            bounds, splits = self._looked_at(cones, None)
            # What holds in a cone holds in its halves.
            bounds = np.minimum(bounds, known)
            if self.n_cones >= most or self._is_beyond or self._deadline.passed:
                splits[:] = LEAF
            halves, exact = cones.take(splits != LEAF).halved(splits[splits != LEAF])
            # Cones that have no exact halves are not halved.
            inner = np.flatnonzero(splits != LEAF)
            splits[inner[~exact]] = LEAF
            bound = max(bound, float(bounds[splits == LEAF].max(initial=0.0)))
            levels.append(splits)
            cones, known = halves.take(np.repeat(exact, 2)), np.repeat(bounds[splits != LEAF], 2)
        return bound, np.concatenate(levels)

    def followed(self, splits: Splits) -> float:
        """The bound that splits prove, the sum of all moduli where the time is up before.

        Raises
        ------
        InputError
            If they are no splits of a tree of this dimension.
        """
        cones, bound, at = Cones.orthants(self._units), 0.0, 0
        while len(cones):
            if self._deadline.passed:
                return self._function.mass
            level = splits[at : at + len(cones)]
            at += len(cones)
            leaves = level == LEAF
            if len(level) < len(cones) or not (leaves | (level < len(cones.edges))).all():
                raise InputError("The splits of the certificate are none of a tree.")
            bounds, _ = self._looked_at(cones.take(leaves), leaves)
            bound = max(bound, float(bounds.max(initial=0.0)))
            cones, exact = cones.take(~leaves).halved(level[~leaves])
            if not exact.all():
                raise InputError("The splits of the certificate are none of a tree.")
        if at != len(splits):
            raise InputError("The splits of the certificate are none of a tree.")
        return bound

    def _estimates(self, cones: Cones) -> Estimates:
        """Over-estimators of the function on cones."""
        return KinkEstimates(self._function, cones)

    def _looked_at(self, cones: Cones, leaves: object | None) -> tuple[FloatArray, Splits]:
        """Bounds of cones, and where they are to be halved: `LEAF` where they are not."""
        function: Bounded = self._function
        bounds, splits = np.full(len(cones), np.inf), np.full(len(cones), LEAF, dtype=np.uint8)

        def look(part: slice) -> bool:
            if self._deadline.passed:
                return False
            estimates = self._estimates(cones.take(part))
            bounds[part] = estimates.shortened(self._target)
            above = bounds[part] > self._target
            if leaves is None and above.any() and function.rank > 1:
                splits[part][above] = estimates.splits(above)
            return leaves is None and function.exceeds(self._target, cones.take(part).centres)

        self._is_beyond |= any(on_all_cores(look, list(self._parts(len(cones)))))
        self.n_cones += len(cones)
        # What nothing better is known of: no more than the sum of all moduli.
        return np.minimum(bounds, function.mass), splits

    def _parts(self, count: int) -> Iterator[slice]:
        each = max(1, _CHUNK // max(1, self._function.rows.size))
        for start in range(0, count, each):
            yield slice(start, min(start + each, count))
