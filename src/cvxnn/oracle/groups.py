"""The oracle of neurons that see one group of columns each: the maximum over the groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, TypeVar, final

import numpy as np

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.interrupts import UNLIMITED, Deadline, check_interrupt
from cvxnn.layers import spectral_bound
from cvxnn.layers.groups import GroupedLayer
from cvxnn.oracle.branch_and_bound import ClimbAndBound
from cvxnn.oracle.choice import Effort, RowGeometry, tree_of
from cvxnn.oracle.price import Price, Proposals, VectorOracle, Wanted
from cvxnn.oracle.rank_two import RankTwoOracle
from cvxnn.oracle.tree_search import worker_map

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
    is_exact: ClassVar[bool] = True

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

        def one(group: int) -> VectorOracle[Price]:
            part = self.parts[group]
            if part.circle is not None:
                circle = part.circle if scales is None else part.circle.weighted(scales)
                return RankTwoOracle(circle, most=effort.most, depth=effort.depth)
            rows = layer.seen(group)
            reduction = part.reduction if scales is None else part.reduction.weighted(scales)
            tree = tree_of(rows, reduction, effort.max_nodes)
            assert effort.random_state is not None
            return ClimbAndBound(rows, tree, effort.random_state, most=effort.most)

        return GroupOracle(layer, [one(group) for group in range(len(layer.groups))])


@final
class GroupOracle(VectorOracle[GroupPrice]):
    """Prices all directions that are zero outside of one group of columns.

    Parameters
    ----------
    layer : GroupedLayer
    oracles : list of VectorOracle
        One for each group, of its columns.

    Notes
    -----
    A direction is of one group, so that the largest value is that of one of the groups, and the
    largest of proven bounds is a proven bound: no rounding joins those of the oracles. Groups of
    rank two are priced side by side, O(n) each; one of a higher rank is searched only
    where an eigenvalue does not show that it is below the threshold.

    Examples
    --------
    >>> layer = GroupedLayer(np.array([[3.0, 0.0], [4.0, 1.0]]), ((0,), (1,)))
    >>> price = GroupGeometry.of(layer).oracle(layer, None, Effort()).price(np.ones((2, 1)))
    >>> round(price.bound, 9), price.groups.tolist(), price.directions.tolist()
    (7.0, [0, 1], [[1.0, 0.0], [0.0, 1.0]])
    """

    def __init__(self, layer: GroupedLayer, oracles: list[VectorOracle[Price]]) -> None:
        self.layer, self._oracles = layer, oracles
        flat = [isinstance(oracle, RankTwoOracle) for oracle in oracles]
        self._flat = [group for group, is_flat in enumerate(flat) if is_flat]
        self._deep = [group for group, is_flat in enumerate(flat) if not is_flat]

    @property
    def is_quick(self) -> bool:
        """Whether all groups are of rank two at most."""
        return not self._deep

    def price_vector(self, v: FloatArray, wanted: Wanted) -> GroupPrice:
        """Price v, shape (n,)."""

        def priced(group: int) -> Price:
            return self._oracles[group].price_vector(v, wanted)

        prices = dict(zip(self._flat, side_by_side(priced, self._flat), strict=True))
        bounds = np.max([price.bounds for price in prices.values()], axis=0, initial=0.0)
        bounds = np.broadcast_to(bounds, (2,)).copy()
        for group in self._deep:
            check_interrupt()
            quick = spectral_bound(self.layer.seen(group), v)
            if quick <= wanted.threshold:
                bounds = np.maximum(bounds, quick)
                continue
            prices[group] = priced(group)
            bounds = np.maximum(bounds, prices[group].bounds)
        finished = all(price.finished for price in prices.values())
        return self._joined(bounds, finished, prices)

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


def side_by_side(task: Callable[[S], T], each: Iterable[S]) -> list[T]:
    """The results of a task for each, on all cores: kernels let go of the interpreter's lock."""
    with worker_map() as map_on_cores:
        return list(map_on_cores(task, each))
