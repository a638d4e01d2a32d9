"""Which search belongs to which method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxnn.interrupts import Deadline
from cvxnn.losses import Loss
from cvxnn.oracle import CellOracle
from cvxnn.patterns import PatternSet, count_patterns_bound, enumerate_patterns, sample_patterns
from cvxnn.patterns.reduction import reduce_rows
from cvxnn.solvers.global_search import GlobalSearch
from cvxnn.solvers.rank_two_search import RankTwoSearch
from cvxnn.solvers.search import Search
from cvxnn.solvers.working_set import WorkingSet
from cvxnn.training.units import ScaledProblem

METHODS = ("global", "exact", "sampled")

# Up to this many patterns, pricing them all is quicker than any search.
_FEW_PATTERNS = 50_000


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
    """

    name: str
    patterns: PatternSet | None
    n_samples: int
    scheme: str
    random_state: np.random.Generator

    def list_patterns(self, X: NDArray[np.float64]) -> PatternSet | None:
        """The patterns of the program; None for ``"global"``, which needs no list."""
        if self.patterns is not None or self.name == "global":
            return self.patterns
        if self.name == "exact":
            return enumerate_patterns(X)
        return sample_patterns(X, self.n_samples, self.random_state, scheme=self.scheme)

    def search(
        self, problem: ScaledProblem, patterns: PatternSet | None, loss: Loss, deadline: Deadline
    ) -> Search:
        """The search for the optimum over `patterns`, or over all networks."""
        X, y, beta = problem.X, problem.y, problem.beta
        if patterns is None:
            if X.shape[1] <= 2:
                return RankTwoSearch(X, y, beta, loss, deadline)
            reduction = reduce_rows(X)
            if reduction.rank <= 2:
                return RankTwoSearch(X, y, beta, loss, deadline)
            bound = count_patterns_bound(reduction.n_classes, reduction.rank)
            if bound > _FEW_PATTERNS:
                return GlobalSearch(X, y, beta, loss, self.random_state, reduction, deadline)
            patterns = enumerate_patterns(X)
        oracle = CellOracle(X, patterns)
        return WorkingSet(X, y, beta, patterns, oracle, loss, self.random_state, deadline)

    def second_search(
        self, problem: ScaledProblem, first: Search, loss: Loss, deadline: Deadline
    ) -> Search | None:
        """Another way to the same optimum, for when the first is stuck; None if there is none.

        Rows that are nearly parallel make cells that are slivers, and masters on
        these lose their digits; neurons that move freely do not see them. It starts
        anew, because the network of the first search is stuck there, too.
        """
        if self.name != "global" or not isinstance(first, WorkingSet):
            return None
        X, y, beta = problem.X, problem.y, problem.beta
        return GlobalSearch(X, y, beta, loss, self.random_state, deadline=deadline)
