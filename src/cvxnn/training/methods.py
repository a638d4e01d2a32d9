"""Which search belongs to which method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.losses.roots import Root
from cvxnn.networks import TwoLayerNetwork
from cvxnn.oracle import CellOracle
from cvxnn.oracle.choice import RowGeometry
from cvxnn.patterns import PatternSet
from cvxnn.patterns.enumeration import enumerate_until
from cvxnn.patterns.reduction import Reduction
from cvxnn.patterns.sampling import sample_until
from cvxnn.problems import Neurons
from cvxnn.solvers.columns.working_set import WorkingSet
from cvxnn.solvers.global_search import GlobalSearch
from cvxnn.solvers.planar.rank_two_search import RankTwoSearch
from cvxnn.solvers.proximal_newton import ProximalNewton
from cvxnn.solvers.search import Search
from cvxnn.training.units import ScaledProblem

FloatArray = NDArray[np.float64]

METHODS = ("global", "exact", "sampled")

# Up to this many hyperplanes of rank two, two patterns each, their cells take a second.
_FEW_LINES = 100


@dataclass(frozen=True)
class Method:
    """A method with its options: makes the search for a problem.

    Attributes
    ----------
    name : {"global", "exact", "sampled"}
    patterns : PatternSet or None
        For ``"exact"`` and ``"sampled"``: instead of enumerating or sampling.
    n_samples : int
    scheme : str
    random_state : numpy.random.Generator
    warm_start : TwoLayerNetwork or None
        Where ``"global"`` starts.
    certifies : bool
        Whether ``"global"`` asks the exact oracle.
    """

    name: str
    patterns: PatternSet | None
    n_samples: int
    scheme: str
    random_state: np.random.Generator
    warm_start: TwoLayerNetwork | None = None
    certifies: bool = True

    def list_patterns(self, X: FloatArray, deadline: Deadline) -> PatternSet | None:
        """The patterns of the program; None for ``"global"``, which needs no list.

        OutOfTimeError, here and below, if the deadline passes before the end.
        """
        if self.patterns is not None or self.name == "global":
            return self.patterns
        if self.name == "exact":
            return enumerate_until(X, deadline)
        return sample_until(X, deadline, self.n_samples, self.random_state, self.scheme)

    def search(
        self, problem: ScaledProblem, patterns: PatternSet | None, deadline: Deadline
    ) -> Search:
        """The search for the optimum over `patterns`, or over all networks."""
        return self._search(problem, patterns, deadline, by_cells=True)

    def second_search(
        self, problem: ScaledProblem, first: Search, deadline: Deadline
    ) -> Search | None:
        """Another way to the same optimum, for when the first is stuck; None if there is none.

        Rows that are nearly parallel make cells that are slivers, and masters on
        these lose their digits; neurons that move freely do not see them. It starts
        anew, because the network of the first search is stuck there, too. In rank two
        it is the other way round: where there are few cells, a master on each has digits
        that moments have not.
        """
        chosen = self.name == "sampled" or self.patterns is not None
        if chosen or isinstance(first, GlobalSearch):
            return None
        if isinstance(first, RankTwoSearch):
            if not first.is_cheap or first.oracle.circle.n_classes > _FEW_LINES:
                return None
            patterns = enumerate_until(problem.layer.rows, deadline)
            return self._search(problem, patterns, deadline, by_cells=True)
        return self._search(problem, None, deadline, by_cells=False)

    def _search(
        self,
        problem: ScaledProblem,
        patterns: PatternSet | None,
        deadline: Deadline,
        by_cells: bool,
    ) -> Search:
        layer, loss = problem.layer, problem.loss
        if patterns is not None and patterns.is_complete and not isinstance(loss, SquaredLoss):
            # Weights go to the readout: all models have the same rows, and so one oracle.
            layer = layer.with_readout()
        searches = Searches(self, layer, patterns, deadline, by_cells)
        if isinstance(loss, SquaredLoss):
            return searches.open(None, problem.y, problem.beta, self.start(problem))
        return ProximalNewton(
            layer, problem.y, problem.beta, loss, searches.open, deadline, self.start(problem)
        )

    def start(self, problem: ScaledProblem) -> Neurons | None:
        """The network to start from, in the units of the problem; only "global" uses it."""
        if self.warm_start is None:
            return None
        return problem.neurons(self.warm_start)


class Searches:
    """Searches with squared loss for one layer and for every root of a curvature on it.

    What the data are - their rank, their hyperplanes - is found out once, from the rows
    without weights: weights change lengths of rows, never an arrangement, and a small one
    must not make a row dependent on others. Which search suits is decided anew for the
    layer that it is opened for: sums over arcs take every row for a prediction of its
    own, so that a root which mixes predictions excludes them.

    Parameters
    ----------
    method : Method
    layer : Layer
    patterns : PatternSet or None
        Of a search over these cells only.
    deadline : Deadline
    by_cells : bool
        Whether few patterns may be listed.
    """

    def __init__(
        self,
        method: Method,
        layer: Layer,
        patterns: PatternSet | None,
        deadline: Deadline,
        by_cells: bool,
    ) -> None:
        self._method, self._layer, self._deadline = method, layer, deadline
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
            layer, y, beta, SquaredLoss(), self._method.random_state, reduction, self._deadline,
            start=start, certifies=certifies and self._method.certifies,
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
            layer, y, beta, patterns, oracle, SquaredLoss(), self._method.random_state,
            self._deadline, None if previous is None else start, previous,
        )  # fmt: skip
        return self._previous
