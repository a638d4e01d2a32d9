"""The oracle of neurons that see one group of columns each: the maximum over the groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, TypeVar, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray, IntArray
from cvxnn.interrupts import UNLIMITED, Deadline, check_interrupt
from cvxnn.layers import spectral_bound
from cvxnn.layers.groups import GroupedLayer
from cvxnn.layers.rows import power_of_two
from cvxnn.oracle.branch_and_bound import ClimbAndBound
from cvxnn.oracle.choice import Effort, RowGeometry, tree_of
from cvxnn.oracle.price import Price, Proposals, VectorOracle, Wanted
from cvxnn.oracle.rank_two import RankTwoOracle
from cvxnn.oracle.tree_search import worker_map

# Of the ascent in a group of a higher rank than two: its tree finds what that misses.
_STARTS = 16
# Of a sum and a product, relative.
_ROUNDING = 1.0 + 8.0 * EPS
# More than the root of the smallest number.
_TINY = 1e-150

T = TypeVar("T")
S = TypeVar("S")


@final
@dataclass(frozen=True)
class GroupPrice(Price):
    """The largest bound of all groups, and what was found in each.

    Attributes
    ----------
    found : Proposals
        In the coordinates of all columns.
    groups : ndarray of int, shape (m,)
        The group of each.
    """

    kind: ClassVar[str] = "groups"
    is_exact: ClassVar[bool] = False

    found: Proposals
    groups: IntArray

    @property
    def proposals(self) -> Proposals:
        """What was found, best first."""
        return self.found


@final
@dataclass(frozen=True)
class GroupGeometry:
    """Order, rank and hyperplanes of the rows in each group, found out once.

    Attributes
    ----------
    layer : GroupedLayer
    parts : tuple of RowGeometry
        One for each group.
    """

    layer: GroupedLayer
    parts: tuple[RowGeometry, ...]

    @classmethod
    def of(cls, layer: GroupedLayer, deadline: Deadline = UNLIMITED) -> GroupGeometry:
        """Sort the rows of each group; O(n log n) each. Raises OutOfTimeError."""

        def found(group: int) -> RowGeometry:
            deadline.check()
            part = RowGeometry(layer.seen(group), deadline, lists_cells=False)
            if part.circle is None:
                part.reduction  # noqa: B018
            return part

        return cls(layer, tuple(side_by_side(found, range(len(layer.groups)))))

    @property
    def rank(self) -> int:
        """The largest of all groups."""
        return max(2 if part.circle is not None else part.reduction.rank for part in self.parts)

    def oracle(self, layer: GroupedLayer, scales: FloatArray | None, effort: Effort) -> GroupOracle:
        """The oracle of the same rows multiplied by `scales`, which are those of `layer`."""

        def one(group: int) -> RankTwoOracle | ClimbAndBound:
            part = self.parts[group]
            if part.circle is not None:
                circle = part.circle if scales is None else part.circle.weighted(scales)
                return RankTwoOracle(circle, most=effort.most, depth=effort.depth)
            rows = layer.seen(group)
            reduction = part.reduction if scales is None else part.reduction.weighted(scales)
            tree = tree_of(rows, reduction, effort.max_nodes)
            assert effort.random_state is not None
            return ClimbAndBound(
                rows, tree, effort.random_state, most=effort.most, n_starts=_STARTS
            )

        return GroupOracle(layer, [one(group) for group in range(len(layer.groups))])


@final
class GroupOracle(VectorOracle[GroupPrice]):
    """Prices all directions that are zero outside of one group of columns.

    Parameters
    ----------
    layer : GroupedLayer
    oracles : list of RankTwoOracle or ClimbAndBound
        One for each group, of its columns.

    Notes
    -----
    A direction is of one group, so that the largest value is that of one of the groups, and the
    largest of proven bounds is a proven bound: no rounding joins those of the oracles. Groups of
    rank two are priced side by side, O(n) each. One of a higher rank is searched, beyond the
    threshold or the largest value that is known of any group. A group is left out where
    something quicker shows that it is below the threshold: an eigenvalue, or the price of an
    earlier dual point w, from which the value of a neuron differs by ``||v - w|| ||X_g||``
    at most.

    Examples
    --------
    >>> layer = GroupedLayer(np.array([[3.0, 0.0], [4.0, 1.0]]), ((0,), (1,)))
    >>> price = GroupGeometry.of(layer).oracle(layer, None, Effort()).price(np.ones((2, 1)))
    >>> round(price.bound, 9), price.groups.tolist(), price.directions.tolist()
    (7.0, [0, 1], [[1.0, 0.0], [0.0, 1.0]])
    """

    def __init__(self, layer: GroupedLayer, oracles: list[RankTwoOracle | ClimbAndBound]) -> None:
        self.layer, self._oracles = layer, oracles
        self._flat: dict[int, RankTwoOracle] = {}
        self._deep: dict[int, ClimbAndBound] = {}
        for group, oracle in enumerate(oracles):
            if isinstance(oracle, RankTwoOracle):
                self._flat[group] = oracle
            else:
                self._deep[group] = oracle
        self._earlier: dict[int, tuple[FloatArray, float]] = {}

    @property
    def is_quick(self) -> bool:
        """Whether all groups are of rank two at most."""
        return not self._deep

    @cached_property
    def _lengths(self) -> list[float]:
        """Bounds on ``||X_g||``."""
        return [_norm(self.layer.seen(group)) for group in range(len(self._oracles))]

    def price_vector(self, v: FloatArray, wanted: Wanted) -> GroupPrice:
        """Price v, shape (n,); OutOfTimeError if the deadline passes before the planes are done."""
        drifts, bounds = _Drifts(v), np.zeros(2)
        flat: list[int] = []
        deep: list[int] = []
        for group in range(len(self._oracles)):
            quick = self._quick_bound(group, drifts)
            if quick <= wanted.threshold:
                bounds = np.maximum(bounds, quick)
            else:
                (flat if group in self._flat else deep).append(group)

        def priced(group: int) -> Price:
            wanted.deadline.check()
            return self._flat[group].price_vector(v, wanted)

        prices = dict(zip(flat, side_by_side(priced, flat), strict=True))
        known = max((price.bound for price in prices.values()), default=0.0)
        quick_bounds, deep_prices = self._searched(v, wanted, deep, known)
        prices |= deep_prices
        for group, price in prices.items():
            self._earlier[group] = (v, price.bound)
        all_bounds = [bounds, *quick_bounds, *(price.bounds for price in prices.values())]
        finished = all(price.finished for price in prices.values())
        return self._joined(np.max(all_bounds, axis=0), finished, prices)

    def _searched(
        self, v: FloatArray, wanted: Wanted, groups: list[int], known: float
    ) -> tuple[list[FloatArray], dict[int, Price]]:
        """Bounds without a search, and prices of groups of a higher rank.

        Neurons are looked for in all groups first: what they reach is what others have to be
        proven not to exceed.
        """
        quick = {group: spectral_bound(self.layer.seen(group), v) for group in groups}
        climbed = {}
        for group in groups:
            if quick[group] > wanted.threshold:
                check_interrupt()
                climbed[group] = self._deep[group].climbed(v, wanted)
                known = max(known, climbed[group].largest)
        wanted = replace(wanted, threshold=max(wanted.threshold, known))
        prices: dict[int, Price] = {}
        for group, found in climbed.items():
            check_interrupt()
            prices[group] = self._deep[group].bounded(v, wanted, found)
        left = [np.full(2, quick[group]) for group in groups if group not in climbed]
        return left, prices

    def _quick_bound(self, group: int, drifts: _Drifts) -> float:
        """From what was proven of another dual point; inf where there was none."""
        if group not in self._earlier:
            return np.inf
        w, bound = self._earlier[group]
        drift = drifts.to(w)
        return bound if drift == 0.0 else (bound + drift * self._lengths[group]) * _ROUNDING

    def _joined(self, bounds: FloatArray, finished: bool, prices: dict[int, Price]) -> GroupPrice:
        found, groups = Proposals.none(self.layer.n_features), np.zeros(0, dtype=np.int64)
        parts = [(group, price.proposals) for group, price in prices.items()]
        parts = [(group, part) for group, part in parts if len(part)]
        if parts:
            directions = [self._embedded(group, part.directions) for group, part in parts]
            found = Proposals(
                np.vstack(directions),
                np.vstack([part.outputs for _, part in parts]),
                np.concatenate([part.values for _, part in parts]),
            )
            groups = np.repeat([group for group, _ in parts], [len(part) for _, part in parts])
        order = np.argsort(-found.values, kind="stable")
        return GroupPrice(bounds, finished, found.select(order), groups[order])

    def _embedded(self, group: int, directions: FloatArray) -> FloatArray:
        whole = np.zeros((len(directions), self.layer.n_features))
        whole[:, self.layer.groups[group]] = directions
        return whole


class _Drifts:
    """Bounds on the distances of a dual point from others, each found once."""

    def __init__(self, v: FloatArray) -> None:
        self._v, self._known = v, list[tuple[FloatArray, float]]()

    def to(self, w: FloatArray) -> float:
        for known, distance in self._known:
            if known is w:
                return distance
        difference = self._v - w
        # A sum of n squares errs by n eps of it, each entry by eps of its own.
        rounding = 1.0 + 2.0 * (len(w) + 8) * EPS
        distance = float(np.sqrt(difference @ difference)) * rounding
        if difference.any():
            # Squares of the smallest differences are lost.
            distance += _TINY * len(w)
        self._known.append((w, distance))
        return distance


def _norm(X: FloatArray) -> float:
    """A bound on the largest singular value."""
    unit = power_of_two(X)
    gram = (X / unit).T @ (X / unit)
    rounding = 1.0 + 4.0 * (len(X) + 8) * X.shape[1] * EPS
    return float(np.sqrt(np.linalg.norm(gram))) * unit * rounding


def side_by_side(task: Callable[[S], T], each: Iterable[S]) -> list[T]:
    """The results of a task for each, on all cores: kernels let go of the interpreter's lock."""
    with worker_map() as map_on_cores:
        return list(map_on_cores(task, each))
