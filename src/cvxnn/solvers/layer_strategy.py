"""Which search suits a layer: rank two, else cells where they are few, else the tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

import numpy as np

from cvxnn.certificates import DualProof
from cvxnn.errors import InputError
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer
from cvxnn.losses import SkipLoss
from cvxnn.losses.base import Root
from cvxnn.losses.offset import best_offset
from cvxnn.methods import Method
from cvxnn.oracle import CellOracle
from cvxnn.oracle.choice import RowGeometry
from cvxnn.patterns import PatternSet
from cvxnn.patterns.arrangements import RowArrangement
from cvxnn.patterns.enumeration import enumerate_until
from cvxnn.patterns.reduction import Reduction
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.columns.working_set import WorkingSet
from cvxnn.solvers.descent.tile_search import TileSearch, is_for_tiles
from cvxnn.solvers.devices.places import rows_of
from cvxnn.solvers.global_search import GlobalSearch
from cvxnn.solvers.intercept.free import FreeConstant
from cvxnn.solvers.planar.rank_two_search import RankTwoSearch
from cvxnn.solvers.proof_time import ProofTime
from cvxnn.solvers.proximal_newton import search_for
from cvxnn.solvers.search import Search, WithFallback
from cvxnn.solvers.skip.free import FreeSkipSearch
from cvxnn.solvers.strategy import Join, RowsStrategy, sharp_proof

# Share of the rows with a curvature up to which an intercept is looked for with the neurons.
_FEW_CURVED, _PLACES = 0.2, 5
# Rows up to which that is so in rank two as well, and beyond which it never is.
_FEW_ROWS, _MANY_ROWS = 150, 600


@final
class LayerStrategy(RowsStrategy):
    """The search for neurons on a layer, over cells or over all directions.

    Parameters
    ----------
    problem : Problem of Layer
    method : Method
    random_state : numpy.random.Generator
    start : Neurons, optional
        Where a search over all directions starts.
    proof_time : ProofTime, optional
        Of the run; its own by default.

    Raises
    ------
    InputError
        If the patterns of the method are not those of the rows.
    """

    def __init__(
        self,
        problem: Problem[Layer],
        method: Method,
        random_state: np.random.Generator,
        start: Neurons | None = None,
        proof_time: ProofTime | None = None,
    ) -> None:
        super().__init__(problem, method, random_state)
        self._start = start
        self._proof_time = ProofTime(method) if proof_time is None else proof_time
        self._patterns: PatternSet | None = None
        self._known: list[Searches] = []
        patterns = method.patterns
        if patterns is not None and not patterns.belongs_to(problem.rows.rows):
            raise InputError(
                "patterns must be those of the rows that neurons read: of X itself for plain ReLU, "
                "without its rows of weight 0. The directions of these give other masks there."
            )

    def open(self, deadline: Deadline) -> Search:
        """A search over the patterns of the method, or over all networks."""
        return self.open_for(self._problem, self._start, deadline)

    def open_for(
        self,
        problem: Problem[Layer],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> Search:
        """The same for another problem on the same rows: the patterns are listed once."""
        patterns = self._listed(problem, deadline)

        def search(patterns: PatternSet | None, by_cells: bool) -> Search:
            searches = self._searches(problem, patterns, deadline, by_cells=by_cells)
            return searches.search(problem, start, asks=certifies)

        first = search(patterns, True)
        return WithFallback(first, lambda: self._second(problem, first, deadline, search))

    def _listed(self, problem: Problem[Layer], deadline: Deadline) -> PatternSet | None:
        if self._patterns is None:
            arrangement = RowArrangement(problem.rows.rows)
            self._patterns = self._method.list_patterns(arrangement, self._random_state, deadline)
        self.n_patterns = 0 if self._patterns is None else len(self._patterns)
        return self._patterns

    def jointly(
        self,
        problem: Problem[Layer],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> Search | None:
        """A search for neurons alone whose loss follows the best intercept."""

        def open_alone(problem: Problem[Layer], start: Neurons | None) -> Search:
            return self.open_for(problem, start, deadline, certifies=certifies)

        return FreeSkipSearch(FreeConstant.of(problem), open_alone, start)

    def join(self, problem: Problem[Layer], deadline: Deadline) -> Join:
        """At once where few rows have a curvature.

        There a dual point tells where the intercept is to go only near its optimum, and searches
        beside given ones are too many. In rank two they take no time where rows are many, and a
        loss that joins the rows would take the sums over arcs away.
        """
        if not self._method.polish or _share_of_curved(problem) > _FEW_CURVED:
            return Join.NEVER
        patterns = self._listed(problem, deadline)
        searches = self._searches(problem, patterns, deadline, by_cells=True)
        n = len(problem.y)
        if n <= _FEW_ROWS or not searches.is_rank_two:
            return Join.FIRST
        return Join.AFTER if n <= _MANY_ROWS else Join.NEVER

    def rough(
        self, problem: Problem[Layer], start: Neurons | None, deadline: Deadline
    ) -> TileSearch | None:
        """A rough search for neurons and an intercept at once, where no exact method ends."""
        if not self._method.covers_all or self._method.name != "global":
            return None
        searches = self._searches(problem, None, deadline, by_cells=True)
        return searches.rough(problem, start, intercept=True)

    def sharp_proof(self, deadline: Deadline = UNLIMITED) -> DualProof:
        return sharp_proof(self._problem.rows, self._problem.residual_at_zero, deadline)

    def _second(
        self,
        problem: Problem[Layer],
        first: Search,
        deadline: Deadline,
        search: Callable[[PatternSet | None, bool], Search],
    ) -> Search | None:
        """Another way to the same optimum, for when the first is stuck; None if there is none.

        Rows that are nearly parallel make cells that are slivers, and masters on
        these lose their digits; neurons that move freely do not see them. It starts
        anew, because the network of the first search is stuck there, too. In rank two
        it is the other way round: where there are few cells, a master on each has digits
        that moments have not.
        """
        is_last = not self._method.covers_all or not self._method.polish
        if is_last or first.alternative is None:
            return None
        by_cells = first.alternative == "cells"
        patterns = enumerate_until(problem.rows.rows, deadline) if by_cells else None
        return search(patterns, by_cells)

    def _searches(
        self,
        problem: Problem[Layer],
        patterns: PatternSet | None,
        deadline: Deadline,
        *,
        by_cells: bool,
    ) -> Searches:
        """Those on the rows of a problem, of which everything is found out once."""
        layer = problem.rows
        for known in self._known:
            is_same = known.layer is layer and known.patterns is patterns
            if is_same and known.by_cells == by_cells:
                return known
        searches = Searches(
            layer, patterns, self._random_state, deadline,
            by_cells=by_cells, certifies=self._method.certify, polishes=self._method.polish,
            proof_time=self._proof_time,
        )  # fmt: skip
        self._known.append(searches)
        return searches


@final
@dataclass(eq=False)
class Searches:
    """Searches with squared loss for one layer and for every root of a curvature on it.

    What the data are - their rank, their hyperplanes - is found out once, from the rows
    without weights: weights change lengths of rows, never an arrangement, and a small one
    must not make a row dependent on others. Which search suits is decided anew for the
    layer that it is opened for: sums over arcs take every row for a prediction of its
    own, so that a root which mixes predictions excludes them.

    Parameters
    ----------
    layer : Layer
    patterns : PatternSet or None
        Of a search over these cells only.
    deadline : Deadline
    by_cells : bool
        Whether few patterns may be listed.
    certifies : bool
        Whether the exact oracle may be asked.
    polishes : bool
        Whether neurons come to rest to the last digits.
    proof_time : ProofTime, optional
        That all of them share.
    """

    layer: Layer
    patterns: PatternSet | None
    random_state: np.random.Generator
    deadline: Deadline
    by_cells: bool = field(kw_only=True)
    certifies: bool = field(kw_only=True)
    polishes: bool = field(default=True, kw_only=True)
    proof_time: ProofTime | None = field(default=None, kw_only=True)
    _previous: WorkingSet | None = field(default=None, init=False)

    @property
    def is_rank_two(self) -> bool:
        """Whether a search for plain predictions is one by sums over arcs."""
        is_read = self.layer.readout is not None
        return self._geometry.kind(is_read=is_read) == "rank two"

    @cached_property
    def _read(self) -> Layer:
        return self.layer.with_readout()

    @cached_property
    def _geometry(self) -> RowGeometry:
        # Free neurons come after cells where hyperplanes nearly meet.
        return RowGeometry(
            self.layer.rows, self.deadline, patterns=self.patterns,
            lists_cells=self.by_cells and self.polishes, turned=not self.by_cells,
        )  # fmt: skip

    def search(self, problem: Problem[Layer], start: Neurons | None, *, asks: bool) -> Search:
        """The search for a problem on the layer, of any loss; whether it `asks` the oracle."""
        if not problem.is_least_squares and self._geometry.kind() == "cells":
            # Weights go to the readout: all models have the same rows, and so one oracle.
            problem = problem.on(self._read)

        def open_model(
            problem: Problem[Any], start: Neurons | None, root: Root[Any] | None, certifies: bool
        ) -> Search:
            return self.open(problem, start, root, certifies and asks)

        return search_for(
            problem, open_model, self.deadline, start, self.opening(problem, start),
            polishes=self.polishes,
        )  # fmt: skip

    def open(
        self,
        problem: Problem[Layer],
        start: Neurons | None = None,
        root: Root[Layer] | None = None,
        certifies: bool = True,
    ) -> Search:
        """The search for predictions that a root has been applied to, or for plain ones."""
        self.deadline.check()
        data, is_read = self._geometry, problem.rows.readout is not None
        # Without a readout a root is diagonal, and its entries have multiplied the rows.
        scales = None if root is None or is_read else root.root
        kind = data.kind(is_read=is_read)
        if kind == "rank two":
            assert data.circle is not None
            circle = data.circle if scales is None else data.circle.weighted(scales)
            return RankTwoSearch(problem, circle, self.deadline)
        reduction = data.reduction if scales is None else data.reduction.weighted(scales)
        if kind == "cells":
            return self._over_cells(problem, reduction, start)
        certifies = certifies and self.certifies
        return GlobalSearch(
            problem, self.random_state, reduction, self.deadline,
            start=start, certifies=certifies, polishes=self.polishes, proof_time=self.proof_time,
        )  # fmt: skip

    def opening(self, problem: Problem[Layer], start: Neurons | None) -> TileSearch | None:
        """A rough search for a loss other than the squared one, which opens by itself."""
        return None if problem.is_least_squares else self.rough(problem, start)

    def rough(
        self, problem: Problem[Layer], start: Neurons | None, *, intercept: bool = False
    ) -> TileSearch | None:
        """A rough search for any loss, where no exact method ends.

        Without a polish that is the search, and goes on from the start; else a start is better
        than what it would find.
        """
        is_read = problem.rows.readout is not None
        if is_read or self._geometry.kind() != "tree" or (start is not None and self.polishes):
            return None
        reduction = self._geometry.reduction
        if self.polishes and not is_for_tiles(problem.rows, reduction.rank):
            return None
        if isinstance(problem.loss, SkipLoss):
            loss, y = problem.loss.beside_line(problem.y)
            problem = replace(problem, Y=y[:, None], loss=loss)
        search = TileSearch(
            rows_of(problem), problem.beta, reduction.to_direction if self.polishes else None,
            self.random_state, self.deadline, intercept=intercept,
        )  # fmt: skip
        if start is not None:
            search.start_from(start)
        return search

    def _over_cells(
        self, problem: Problem[Layer], reduction: Reduction, start: Neurons | None
    ) -> Search:
        """A search over cells; one on the same rows lends its oracle and its blocks."""
        patterns, rows, previous = self._geometry.patterns, problem.rows.rows, self._previous
        assert patterns is not None
        if previous is not None and previous.rows is rows:
            oracle = previous.oracle
        else:
            oracle = CellOracle(rows, patterns, reduction, self.deadline)
        self._previous = WorkingSet(
            problem, patterns, oracle, self.random_state, self.deadline,
            None if previous is None else start, previous,
        )  # fmt: skip
        return self._previous


def _share_of_curved(problem: Problem[Layer]) -> float:
    """Share of the rows that have a curvature of their own, beside constants around the best."""
    loss, y = problem.loss, problem.y
    if loss.is_quadratic:
        return 1.0
    constant = best_offset(loss, np.zeros_like(y), y)
    deviation = float(np.sqrt(np.mean((y - constant) ** 2)))
    # A constant may be at the kinks of many rows, as 1 and -1 are of labels.
    places = constant + deviation * np.linspace(-1.0, 1.0, _PLACES)
    return float(np.mean([loss.curvature(np.full_like(y, b), y) > 0.0 for b in places]))
