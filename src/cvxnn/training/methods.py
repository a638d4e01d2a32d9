"""Which search belongs to which method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.oracle import CellOracle, reduction_above_rank_two
from cvxnn.patterns import PatternSet, count_patterns_bound, enumerate_patterns, sample_patterns
from cvxnn.patterns.reduction import reduce_rows
from cvxnn.solvers.global_search import GlobalSearch
from cvxnn.solvers.neurons import Neurons
from cvxnn.solvers.proximal_newton import ProximalNewton
from cvxnn.solvers.rank_two_search import RankTwoSearch
from cvxnn.solvers.search import Search
from cvxnn.solvers.working_set import WorkingSet
from cvxnn.training.units import ScaledProblem

FloatArray = NDArray[np.float64]

METHODS = ("global", "exact", "sampled")

# Up to this many patterns, pricing them all is quicker than any search.
_FEW_PATTERNS = 50_000
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

    def list_patterns(self, X: FloatArray) -> PatternSet | None:
        """The patterns of the program; None for ``"global"``, which needs no list."""
        if self.patterns is not None or self.name == "global":
            return self.patterns
        if self.name == "exact":
            return enumerate_patterns(X)
        return sample_patterns(X, self.n_samples, self.random_state, scheme=self.scheme)

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
        if self.name != "global" or isinstance(first, GlobalSearch):
            return None
        if isinstance(first, RankTwoSearch):
            if not first.is_cheap or first.oracle.circle.n_classes > _FEW_LINES:
                return None
            return self._search(problem, enumerate_patterns(problem.layer.rows), deadline, True)
        return self._search(problem, None, deadline, by_cells=False)

    def _search(
        self,
        problem: ScaledProblem,
        patterns: PatternSet | None,
        deadline: Deadline,
        by_cells: bool,
    ) -> Search:
        rank_two, patterns = self._plan(problem.layer, patterns, by_cells)
        layer, loss, squared = problem.layer, problem.loss, SquaredLoss()
        if patterns is not None and patterns.is_complete and not isinstance(loss, SquaredLoss):
            # Weights go to the readout: all models have the same rows, and so one oracle.
            layer = layer.with_readout()
        previous: WorkingSet | None = None

        def open_search(
            layer: Layer, y: FloatArray, beta: float, start: Neurons | None, certifies: bool
        ) -> Search:
            nonlocal previous
            if rank_two:
                return RankTwoSearch(layer.rows, y, beta, squared, deadline)
            if patterns is not None:
                if previous is not None and previous.rows is layer.rows:
                    oracle = previous.oracle
                else:
                    oracle = CellOracle(layer.rows, patterns)
                previous = WorkingSet(
                    layer, y, beta, patterns, oracle, squared, self.random_state, deadline,
                    None if previous is None else start, previous,
                )  # fmt: skip
                return previous
            return GlobalSearch(
                layer, y, beta, squared, self.random_state, deadline=deadline,
                start=start, certifies=certifies and self.certifies,
            )  # fmt: skip

        if isinstance(loss, SquaredLoss):
            return open_search(layer, problem.y, problem.beta, self.start(problem), True)
        return ProximalNewton(
            layer, problem.y, problem.beta, loss, open_search, deadline, self.start(problem)
        )

    def _plan(
        self, layer: Layer, patterns: PatternSet | None, by_cells: bool
    ) -> tuple[bool, PatternSet | None]:
        """Whether the search is that of rank two, and the patterns of one over cells."""
        if patterns is not None:
            return False, patterns
        # Sums over arcs take every row for a prediction of its own.
        plain = layer.readout is None
        reduction = (reduction_above_rank_two if plain else reduce_rows)(layer.rows)
        if reduction is None:
            return True, None
        bound = count_patterns_bound(reduction.n_classes, reduction.rank)
        if by_cells and bound <= _FEW_PATTERNS:
            return False, enumerate_patterns(layer.rows)
        return False, None

    def start(self, problem: ScaledProblem) -> Neurons | None:
        """The network to start from, in the units of the problem; only "global" uses it."""
        if self.warm_start is None:
            return None
        return problem.neurons(self.warm_start)
