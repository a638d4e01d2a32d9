"""Which search suits a layer: rank two, else cells where they are few, else the tree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.errors import InputError
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.losses.roots import Root
from cvxnn.methods import Method
from cvxnn.oracle import CellOracle
from cvxnn.oracle.choice import RowGeometry
from cvxnn.patterns import PatternSet
from cvxnn.patterns.arrangements import RowArrangement
from cvxnn.patterns.enumeration import enumerate_until
from cvxnn.patterns.reduction import Reduction
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.columns.working_set import WorkingSet
from cvxnn.solvers.fallback import WithFallback
from cvxnn.solvers.global_search import GlobalSearch
from cvxnn.solvers.opening import opening
from cvxnn.solvers.planar.rank_two_search import RankTwoSearch
from cvxnn.solvers.proximal_newton import ProximalNewton
from cvxnn.solvers.search import Search
from cvxnn.solvers.sharp_proof import sharp_proof
from cvxnn.solvers.strategy import Strategy

FloatArray = NDArray[np.float64]

# Up to this many hyperplanes of rank two, two patterns each, their cells take a second.
_FEW_LINES = 100


class LayerStrategy(Strategy):
    """The search for neurons on a layer, over cells or over all directions.

    Parameters
    ----------
    problem : Problem of Layer
    method : Method
    random_state : numpy.random.Generator
    start : Neurons, optional
        Where a search over all directions starts.

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
    ) -> None:
        self._problem, self._method = problem, method
        self._random_state, self._start = random_state, start
        self._patterns: PatternSet | None = None
        patterns = method.patterns
        if patterns is not None and not patterns.belongs_to(problem.rows.rows):
            raise InputError(
                "patterns do not belong to X: their directions give other masks on it."
            )

    def open(self, deadline: Deadline) -> Search:
        """A search over the patterns of the method, or over all networks."""
        return self.open_for(self._problem, self._start, deadline)

    def open_for(
        self, problem: Problem[Layer], start: Neurons | None, deadline: Deadline
    ) -> Search:
        """The same for another problem on the same rows: the patterns are listed once."""
        if self._patterns is None:
            arrangement = RowArrangement(problem.rows.rows)
            self._patterns = self._method.list_patterns(arrangement, self._random_state, deadline)
        patterns = self._patterns
        self.n_patterns = 0 if patterns is None else len(patterns)
        first = self._search(problem, patterns, start, deadline)
        return WithFallback(first, lambda: self._second(problem, start, first, deadline))

    def opening(self) -> Neurons:
        return opening(self._problem)

    def nothing(self) -> Neurons:
        return Neurons.none(self._problem.rows.n_features)

    def first_proof(self) -> DualProof:
        v = self._problem.residual(np.zeros_like(self._problem.y))
        return spectral_proof(self._problem.rows, v, quick=True)

    def sharp_proof(self) -> DualProof:
        v = self._problem.residual(np.zeros_like(self._problem.y))
        return sharp_proof(self._problem.rows, v)

    def _second(
        self,
        problem: Problem[Layer],
        start: Neurons | None,
        first: Search,
        deadline: Deadline,
    ) -> Search | None:
        """Another way to the same optimum, for when the first is stuck; None if there is none.

        Rows that are nearly parallel make cells that are slivers, and masters on
        these lose their digits; neurons that move freely do not see them. It starts
        anew, because the network of the first search is stuck there, too. In rank two
        it is the other way round: where there are few cells, a master on each has digits
        that moments have not.
        """
        if not self._method.covers_all or isinstance(first, GlobalSearch):
            return None
        if isinstance(first, RankTwoSearch):
            if not first.is_cheap or first.oracle.circle.n_classes > _FEW_LINES:
                return None
            patterns = enumerate_until(problem.rows.rows, deadline)
            return self._search(problem, patterns, start, deadline)
        return self._search(problem, None, start, deadline, by_cells=False)

    def _search(
        self,
        problem: Problem[Layer],
        patterns: PatternSet | None,
        start: Neurons | None,
        deadline: Deadline,
        *,
        by_cells: bool = True,
    ) -> Search:
        layer, loss = problem.rows, problem.loss
        if patterns is not None and patterns.is_complete and not isinstance(loss, SquaredLoss):
            # Weights go to the readout: all models have the same rows, and so one oracle.
            layer = layer.with_readout()
        searches = Searches(
            layer, patterns, self._random_state, deadline,
            by_cells=by_cells, certifies=self._method.certify,
        )  # fmt: skip
        if isinstance(loss, SquaredLoss):
            return searches.open(None, problem.y, problem.beta, start)
        return ProximalNewton(layer, problem.y, problem.beta, loss, searches.open, deadline, start)


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
    """

    def __init__(
        self,
        layer: Layer,
        patterns: PatternSet | None,
        random_state: np.random.Generator,
        deadline: Deadline,
        *,
        by_cells: bool,
        certifies: bool,
    ) -> None:
        self._layer, self._deadline = layer, deadline
        self._random_state, self._certifies = random_state, certifies
        # Free neurons come after cells where hyperplanes nearly meet.
        self._geometry = RowGeometry(
            layer.rows, deadline, patterns=patterns, lists_cells=by_cells, turned=not by_cells
        )
        self._previous: WorkingSet | None = None

    def open(
        self,
        root: Root[Layer] | None,
        y: FloatArray,
        beta: float,
        start: Neurons | None,
        certifies: bool = True,
    ) -> Search:
        """The search for predictions that a root has been applied to, or for plain ones."""
        self._deadline.check()
        layer = self._layer if root is None else root.applied(self._layer)
        # Without a readout a root is diagonal, and its entries have multiplied the rows.
        scales = root.root if root is not None and layer.readout is None else None
        data = self._geometry
        if data.kind(is_read=layer.readout is not None) == "rank two":
            assert data.circle is not None
            circle = data.circle if scales is None else data.circle.weighted(scales)
            return RankTwoSearch(circle, y, beta, SquaredLoss(), self._deadline)
        reduction = data.reduction if scales is None else data.reduction.weighted(scales)
        if data.patterns is not None:
            return self._over_cells(layer, y, beta, data.patterns, reduction, start)
        return GlobalSearch(
            layer, y, beta, SquaredLoss(), self._random_state, reduction, self._deadline,
            start=start, certifies=certifies and self._certifies,
        )  # fmt: skip

    def _over_cells(
        self,
        layer: Layer,
        y: FloatArray,
        beta: float,
        patterns: PatternSet,
        reduction: Reduction,
        start: Neurons | None,
    ) -> Search:
        """A search over cells; one on the same rows lends its oracle and its blocks."""
        previous = self._previous
        if previous is not None and previous.rows is layer.rows:
            oracle = previous.oracle
        else:
            oracle = CellOracle(layer.rows, patterns, reduction, self._deadline)
        self._previous = WorkingSet(
            layer, y, beta, patterns, oracle, SquaredLoss(), self._random_state,
            self._deadline, None if previous is None else start, previous,
        )  # fmt: skip
        return self._previous
