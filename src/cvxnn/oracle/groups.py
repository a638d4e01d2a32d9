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
from cvxnn.oracle.ascent import AscentOracle
from cvxnn.oracle.branch_and_bound import ClimbAndBound
from cvxnn.oracle.choice import SURE_RANK, Effort, RowGeometry, tree_of
from cvxnn.oracle.costs import PricedRows, Prices
from cvxnn.oracle.peaks import SearchPrice
from cvxnn.oracle.price import Price, Proposals, VectorOracle, Wanted
from cvxnn.oracle.rank_two import RankTwoOracle
from cvxnn.oracle.tree_search import worker_map

# Of the ascent in a group of a higher rank than two: its tree finds what that misses. In one
# group of all columns the tree is asked last.
_STARTS, _MANY_STARTS = 16, 128
# Of a sum and a product, relative.
_ROUNDING = 1.0 + 8.0 * EPS
# More than the root of the smallest number.
_TINY = 1e-150

# Levels of a largest quotient: it is superlinear.
_MOST_LEVELS = 30

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
            part = RowGeometry(_looked_at(layer, group), deadline, lists_cells=False)
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
        sides = []
        for group in range(len(layer.groups)):
            priced = priced_rows(layer, group)
            own = scales if priced is None or scales is None else priced.scaled(scales)
            oracle = self._oracle_of(layer, group, own, effort)
            if priced is None:
                sides.append(Side(group, oracle))
            else:
                signs = priced.costs.signs
                sides += [Side(group, oracle, Prices(priced, sign, 0.0)) for sign in signs]
        return GroupOracle(layer, sides)

    def _oracle_of(
        self, layer: GroupedLayer, group: int, scales: FloatArray | None, effort: Effort
    ) -> RankTwoOracle | ClimbAndBound:
        part = self.parts[group]
        if part.circle is not None:
            circle = part.circle if scales is None else part.circle.weighted(scales)
            return RankTwoOracle(circle, most=effort.most, depth=effort.depth)
        rows, priced = _looked_at(layer, group), priced_rows(layer, group)
        reduction = part.reduction if scales is None else part.reduction.weighted(scales)
        tree, state = tree_of(rows, reduction, effort.max_nodes), effort.random_state
        assert state is not None
        ascent = None
        if priced is not None:
            ascent = AscentOracle(priced.rows, reduction.to_direction, state)
        starts = _STARTS if len(layer.groups) > 1 or layer.costs is None else _MANY_STARTS
        return ClimbAndBound(rows, tree, state, most=effort.most, n_starts=starts, ascent=ascent)


@final
@dataclass(frozen=True)
class Side:
    """Neurons of a group, and of one sign where they pay prices, with the oracle for them.

    Attributes
    ----------
    group : int
    oracle : RankTwoOracle or ClimbAndBound
        Of its columns, or of the rows of `prices`.
    prices : Prices, optional
    """

    group: int
    oracle: RankTwoOracle | ClimbAndBound
    prices: Prices | None = None

    def at(self, level: float) -> Side:
        """With prices of a level."""
        return self if self.prices is None else replace(self, prices=self.prices.at(level))

    def dual(self, v: FloatArray) -> FloatArray:
        """The dual point that the oracle is asked about."""
        return v if self.prices is None else self.prices.dual(v)

    def asked(self, wanted: Wanted) -> Wanted:
        """What the oracle is asked."""
        return wanted if self.prices is None else self.prices.asked(wanted)

    @property
    def may_not_end(self) -> bool:
        """Whether a proof of the oracle may take for ever."""
        oracle = self.oracle
        return isinstance(oracle, ClimbAndBound) and oracle.reduction.rank > SURE_RANK

    def climbed(self, v: FloatArray, wanted: Wanted) -> Proposals:
        """What an ascent finds, as the oracle would have it; all of it, however close."""
        assert isinstance(self.oracle, ClimbAndBound)
        wanted = replace(wanted, tol=0.0)
        if self.prices is None:
            return self.oracle.climbed(v, wanted)
        prices = self.prices
        return self.oracle.climbed(prices.sign * v, self.asked(wanted), prices.paid)

    def bounded(self, v: FloatArray, wanted: Wanted, found: Proposals) -> Price:
        """The price by a search that starts from what an ascent has found."""
        assert isinstance(self.oracle, ClimbAndBound)
        return self.oracle.bounded(self.dual(v), self.asked(wanted), found)

    def bounds(self, bounds: FloatArray) -> FloatArray:
        """Bounds of the oracle as bounds for both signs, shape (2,); 0 for one that is not its."""
        return bounds if self.prices is None else self.prices.bounds(float(bounds[0]))

    def proposals(self, price: Price, v: FloatArray, threshold: float) -> Proposals:
        """What the oracle has found."""
        found = price.proposals
        return found if self.prices is None else self.prices.proposals(found, v, threshold)


@final
class GroupOracle(VectorOracle[GroupPrice]):
    """Prices all directions that are zero outside of one group of columns.

    Parameters
    ----------
    layer : GroupedLayer
    sides : list of Side
        Of each group one, or where neurons pay prices one of each sign that there is.

    Notes
    -----
    A direction is of one group, so that the largest value is that of one of the groups, and the
    largest of proven bounds is a proven bound: no rounding joins those of the oracles. Groups of
    rank two are priced side by side, O(n) each. One of a higher rank is searched, beyond the
    threshold or the largest value that is known of any group. A group is left out where
    something quicker shows that it is below the threshold: an eigenvalue, or the price of an
    earlier dual point w, from which the value of a neuron differs by ``||v - w|| ||X_g||``
    at most.

    The threshold is the level of a 1-norm, see :class:`~cvxnn.oracle.costs.PricedRows`. Without
    one the level rises from zero to the value of the best neuron that is found, until nothing
    is above it: W. Dinkelbach's method (Management Science 13, 1967) for the largest quotient
    ``v'(X u)_+ / N(u)``.

    Examples
    --------
    >>> layer = GroupedLayer(np.array([[3.0, 0.0], [4.0, 1.0]]), ((0,), (1,)))
    >>> price = GroupGeometry.of(layer).oracle(layer, None, Effort()).price(np.ones((2, 1)))
    >>> round(price.bound, 9), price.groups.tolist(), price.directions.tolist()
    (7.0, [0, 1], [[1.0, 0.0], [0.0, 1.0]])
    """

    def __init__(self, layer: GroupedLayer, sides: list[Side]) -> None:
        self.layer, self._sides = layer, sides
        self._ratio = 0.0 if layer.costs is None else layer.costs.l1_ratio
        # Of each side a dual point, the level it was priced at, and what was proven of it.
        self._earlier: dict[int, tuple[FloatArray, float, FloatArray]] = {}

    @property
    def is_quick(self) -> bool:
        """Whether all groups are of rank two at most."""
        return all(isinstance(side.oracle, RankTwoOracle) for side in self._sides)

    @property
    def is_lazy(self) -> bool:
        """Whether :meth:`price` only climbs in deep groups, and :meth:`prove` searches them.

        In one group of all columns a search takes longer than all else of a round.
        """
        is_one = self.layer.costs is not None and len(self.layer.groups) == 1
        return (is_one and not self.is_quick) or any(side.may_not_end for side in self._sides)

    @cached_property
    def _lengths(self) -> list[float]:
        """Bounds on ``||X_g||``."""
        return [_norm(self.layer.seen(group)) for group in range(len(self.layer.groups))]

    def price_vector(self, v: FloatArray, wanted: Wanted) -> GroupPrice:
        """Price v, shape (n,); OutOfTimeError if the deadline passes before the planes are done.

        Where that :attr:`is_lazy` the bounds of deep groups are those without a search.
        """
        return self._price(v, wanted, thorough=False)

    def prove(
        self,
        v: FloatArray,
        threshold: float = 0.0,
        *,
        tol: float = 1e-6,
        deadline: Deadline = UNLIMITED,
    ) -> GroupPrice:
        """The same with a search in all groups; not where it may never end and others help."""
        return self._price(v, Wanted(threshold, tol, None, deadline), thorough=True)

    def bound_at_once(self, v: FloatArray, level: float) -> GroupPrice:
        """What is proven of v, shape (n,), without a search or proposals."""
        bounds = np.zeros(2)
        for side in self._sides:
            own = side.at(level)
            found = np.full(2, self._bound_at_once(own, v))
            bounds = np.maximum(bounds, own.bounds(found))
        return self._joined(bounds, finished=False, parts=[])

    def _price(self, v: FloatArray, wanted: Wanted, *, thorough: bool) -> GroupPrice:
        if self._ratio == 0.0 or wanted.threshold > 0.0:
            return self._price_at(v, wanted, wanted.threshold, thorough=thorough)
        level, searches = 0.0, not self.is_lazy
        for _ in range(_MOST_LEVELS):
            asked = replace(wanted, threshold=level)
            price = self._price_at(v, asked, level, thorough=thorough and searches)
            best = price.proposals.largest
            if price.bound > best * (1.0 + wanted.tol) and best > level * (1.0 + 4.0 * EPS):
                level = best
            elif thorough and not searches:
                searches = True
            else:
                break
        return price

    def _price_at(
        self, v: FloatArray, wanted: Wanted, level: float, *, thorough: bool
    ) -> GroupPrice:
        sides = [side.at(level) for side in self._sides]
        drifts, bounds = _Drifts(v), np.zeros(2)
        flat: list[int] = []
        deep: list[int] = []
        for k, side in enumerate(sides):
            quick = self._quick_bounds(k, drifts, level)
            if quick[0] <= side.asked(wanted).threshold:
                bounds = np.maximum(bounds, side.bounds(quick))
            else:
                (flat if isinstance(side.oracle, RankTwoOracle) else deep).append(k)

        def priced(k: int) -> Price:
            wanted.deadline.check()
            side = sides[k]
            return side.oracle.price_vector(side.dual(v), side.asked(wanted))

        prices = dict(zip(flat, side_by_side(priced, flat), strict=True))
        known = max((sides[k].bounds(price.bounds).max() for k, price in prices.items()), default=0)
        quick_bounds, deep_prices = self._searched(
            v, wanted, {k: sides[k] for k in deep}, known, thorough
        )  # fmt: skip
        prices |= deep_prices
        for k, price in prices.items():
            self._earlier[k] = (v, level, price.bounds)
        all_bounds = [bounds, *quick_bounds]
        all_bounds += [sides[k].bounds(price.bounds) for k, price in prices.items()]
        finished = all(price.finished for price in prices.values())
        found = [
            (sides[k].group, sides[k].proposals(price, v, wanted.threshold))
            for k, price in prices.items()
        ]
        return self._joined(np.max(all_bounds, axis=0), finished, found)

    def _searched(
        self, v: FloatArray, wanted: Wanted, sides: dict[int, Side], known: float, thorough: bool
    ) -> tuple[list[FloatArray], dict[int, Price]]:
        """Bounds without a search, and prices of groups of a higher rank.

        Neurons are looked for in all groups first: what they reach is what others have to be
        proven not to exceed.
        """
        quick = {k: self._bound_at_once(side, v) for k, side in sides.items()}
        climbed = {}
        for k, side in sides.items():
            if quick[k] > side.asked(wanted).threshold:
                check_interrupt()
                climbed[k] = side.climbed(v, wanted)
                known = max(known, side.bounds(np.full(2, climbed[k].largest)).max())
        wanted = replace(wanted, threshold=max(wanted.threshold, known))
        prices: dict[int, Price] = {}
        for k, found in climbed.items():
            check_interrupt()
            if (not thorough and self.is_lazy) or (sides[k].may_not_end and len(found)):
                bounds = np.full(2, quick[k])
                prices[k] = SearchPrice(bounds, finished=False, found=found, n_nodes=0)
            else:
                price = sides[k].bounded(v, wanted, found)
                prices[k] = replace(price, bounds=np.minimum(price.bounds, quick[k]))
        left = [side.bounds(np.full(2, quick[k])) for k, side in sides.items() if k not in climbed]
        return left, prices

    def _bound_at_once(self, side: Side, v: FloatArray) -> float:
        if side.prices is None:
            return spectral_bound(self.layer.seen(side.group), v)
        return side.prices.bound_at_once(v)

    def _quick_bounds(self, k: int, drifts: _Drifts, level: float) -> FloatArray:
        """From what was proven of another dual point; inf where there was none."""
        if k not in self._earlier or (self._ratio > 0.0 and self._earlier[k][1] != level):
            return np.full(2, np.inf)
        w, _, bounds = self._earlier[k]
        drift = drifts.to(w)
        length = self._lengths[self._sides[k].group]
        return bounds if drift == 0.0 else (bounds + drift * length) * _ROUNDING

    def _joined(
        self, bounds: FloatArray, finished: bool, parts: list[tuple[int, Proposals]]
    ) -> GroupPrice:
        found, groups = Proposals.none(self.layer.n_features), np.zeros(0, dtype=np.int64)
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


def priced_rows(layer: GroupedLayer, group: int) -> PricedRows | None:
    """The rows of a group with those of prices; None where there are none."""
    if layer.costs is None:
        return None
    return PricedRows(layer.seen(group), layer.costs.of(layer.groups[group]))


def _looked_at(layer: GroupedLayer, group: int) -> FloatArray:
    """The rows that an oracle looks at."""
    priced = priced_rows(layer, group)
    return layer.seen(group) if priced is None else priced.augmented


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
