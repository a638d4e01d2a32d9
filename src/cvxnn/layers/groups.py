"""Rows of which every neuron sees some columns only: one feature, a pair, or a group."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from math import comb
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.errors import InputError
from cvxnn.layers.costs import Costs
from cvxnn.layers.relu import Layer
from cvxnn.layers.rows import Rows, row_chunks
from cvxnn.layers.spectral import PaidBound
from cvxnn.validation import check_count

Group = tuple[int, ...]
# Each has an oracle of its own, whose proof ends up to so many columns.
MOST_GROUPS, MOST_COLUMNS = 10_000, 6


def check_features(value: object) -> int | tuple[tuple[int, ...], ...]:
    """Return how many features there are to see, or groups of columns, or raise `InputError`.

    Examples
    --------
    >>> check_features([[0], [2, 1]])
    ((0,), (2, 1))
    """
    if isinstance(value, numbers.Integral) or not isinstance(value, Iterable):
        return check_count(value, "features")
    groups = [
        None if isinstance(group, str) or not isinstance(group, Iterable) else list(group)
        for group in value
    ]
    if not groups or any(group is None for group in groups):
        raise InputError(
            "features must be None, an integer, or a list of lists of columns such as [[0], "
            f"[1, 2]], got {value!r}."
        )
    found = tuple(
        tuple(check_count(column, "A column of features", 0) for column in group or ())
        for group in groups
    )
    if not all(found):
        raise InputError("features must have a column in each of its groups, got an empty one.")
    return found


def groups_of(features: int | Sequence[Sequence[int]], X: FloatArray) -> tuple[Group, ...]:
    """The columns that neurons see together, with the last column where that is of ones.

    Parameters
    ----------
    features : int or sequence of sequence of int
        So many columns each, all choices of them; or the groups.
    X : ndarray, shape (n, d)

    Raises
    ------
    InputError
        If X has no such columns, there are more than 10000 groups, or one of more than 6 columns.

    Examples
    --------
    >>> groups_of(1, np.array([[2.0, 3.0, 1.0], [4.0, 5.0, 1.0]]))
    ((0, 2), (1, 2))
    >>> groups_of(((0,), (1, 2)), np.ones((1, 4)))
    ((0, 3), (1, 2, 3))
    """
    d = X.shape[1]
    ones: Group = (d - 1,) if bool((X[:, -1] == 1.0).all()) else ()
    own = range(d - len(ones))
    if isinstance(features, int):
        size = min(features, len(own), MOST_COLUMNS + 1)
        if comb(len(own), size) > MOST_GROUPS:
            raise InputError(
                f"features={features} of {len(own)} columns is {comb(len(own), size)} groups, "
                f"and there may be {MOST_GROUPS}: give a list of groups."
            )
        groups = list(combinations(own, size))
    else:
        groups = [tuple(group) for group in features]
    largest = max(max(group, default=0) for group in groups)
    if largest >= d:
        raise InputError(f"features must be columns of X, 0 to {d - 1}, got {largest}.")
    found = tuple(dict.fromkeys(tuple(sorted({*group, *ones})) for group in groups))
    width = max(map(len, found))
    if width > MOST_COLUMNS:
        raise InputError(
            f"features must be groups of at most {MOST_COLUMNS} columns with that of ones, up to "
            f"which optima are proven, got one of {width}."
        )
    return found


@final
@dataclass(frozen=True)
class GroupedLayer(Rows):
    """The rows of ReLU whose directions are zero outside of one group of columns each.

    Attributes
    ----------
    rows : ndarray, shape (n, d)
    groups : tuple of tuple of int
    costs : Costs, optional
        Cones of directions and a norm other than the Euclidean one.

    Examples
    --------
    >>> layer = GroupedLayer(np.array([[3.0, 4.0]]), ((0,), (1,)))
    >>> layer.lengths, round(layer.bound(np.ones(1)), 6)
    (array([4.]), 4.0)
    """

    rows: FloatArray
    groups: tuple[Group, ...]
    costs: Costs | None = None

    @property
    def n_predictions(self) -> int:
        """Number of predictions n."""
        return len(self.rows)

    @property
    def width(self) -> int:
        """Columns of the largest group."""
        return max(map(len, self.groups))

    @cached_property
    def layer(self) -> Layer:
        """The rows, for neurons that see all columns."""
        return Layer(self.rows)

    def seen(self, group: int) -> FloatArray:
        """The columns of a group, shape (n, r)."""
        return np.ascontiguousarray(self._columns[:, self.groups[group]])

    def group_of(self, directions: FloatArray) -> IntArray:
        """The first group that a direction is in, shape (k,); -1 where there is none."""
        masks = np.zeros((len(self.groups), self.n_features), dtype=np.bool_)
        for mask, group in zip(masks, self.groups, strict=True):
            mask[list(group)] = True
        outside = (directions != 0.0).astype(np.float64) @ ~masks.T
        return np.where((outside == 0.0).any(axis=1), (outside == 0.0).argmax(axis=1), -1)

    def activations(self, directions: FloatArray) -> FloatArray:
        total = np.empty((len(self.rows), len(directions)))
        for columns, members in _alike(directions):
            seen = self._columns[:, columns] @ directions[members][:, columns].T
            total[:, members] = np.maximum(seen, 0.0)
        return total

    def forward(self, hidden: FloatArray, weights: FloatArray) -> FloatArray:
        total = np.zeros((len(self.rows), *weights.shape[1:]))
        for columns, members in _alike(hidden):
            rays, heads = hidden[members][:, columns].T, weights[members]
            for part in row_chunks(len(total), len(members)):
                seen = self._columns[part][:, columns] @ rays
                total[part] += np.maximum(seen, 0.0, out=seen) @ heads
        return total

    def scores(self, v: FloatArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self.layer.scores(v, directions)

    def attraction(self, v: FloatArray) -> FloatArray:
        return v

    def pull(self, v: FloatArray) -> FloatArray:
        return v

    def pull_error(self, v: FloatArray) -> float:
        return 0.0

    def bound(self, v: FloatArray, *, quick: bool = False) -> float:
        """The largest of the groups, from one eigenvalue for each sign of each.

        In a `quick` that of directions that see all columns.
        """
        if quick:
            return self.layer.bound(v, quick=True)
        groups = range(len(self.groups))
        if self.costs is None:
            return max(Layer(self.seen(group)).bound(v) for group in groups)
        signs = self.costs.signs
        return max(self._paid_bound(group, sign, v) for group in groups for sign in signs)

    def _paid_bound(self, group: int, sign: float, v: FloatArray) -> float:
        assert self.costs is not None
        cone = self.costs.of(self.groups[group]).cone(sign)
        return PaidBound.of(self.seen(group), sign * v, cone).largest(self.costs.l1_ratio)

    @cached_property
    def lengths(self) -> FloatArray:
        total = np.zeros(len(self.rows))
        for group in self.groups:
            length = np.zeros(len(self.rows))
            for column in group:
                length = np.hypot(length, self._columns[:, column])
            np.maximum(total, length, out=total)
        return total

    def moduli(self, size: FloatArray) -> FloatArray:
        return self.layer.moduli(size)

    @property
    def terms(self) -> int:
        return self.n_features

    def precisely(
        self, hidden: FloatArray, weights: FloatArray
    ) -> Callable[[], tuple[FloatArray, FloatArray]] | None:
        return self.layer.precisely(hidden, weights)

    def weighted(self, root: FloatArray) -> Self:
        return replace(self, rows=self.rows * root[:, None])

    def take(self, outputs: slice | NDArray[np.integer]) -> Self:
        return replace(self, rows=self.rows[outputs])

    @cached_property
    def _columns(self) -> FloatArray:
        """The rows, each column in one piece."""
        return np.asfortranarray(self.rows)


def _alike(directions: FloatArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Columns that are not zero, and the directions of which these are."""
    if len(directions) == 0:
        return
    patterns, which = np.unique(directions != 0.0, axis=0, return_inverse=True)
    which = which.reshape(-1)
    for place, pattern in enumerate(patterns):
        yield np.flatnonzero(pattern), np.flatnonzero(which == place)
