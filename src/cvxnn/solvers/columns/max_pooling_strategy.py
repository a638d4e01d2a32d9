"""Max pooling: its own cells, priced by their own oracle."""

from __future__ import annotations

from typing import Any, final

from cvxnn.interrupts import Deadline
from cvxnn.losses.base import Root
from cvxnn.oracle import MaxCellOracle
from cvxnn.patterns.max_pooling import MaxArrangement, MaxPatterns
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.columns.max_search import MaxSearch
from cvxnn.solvers.proximal_newton import search_for
from cvxnn.solvers.rows_strategy import RowsStrategy
from cvxnn.solvers.search import Search


@final
class MaxPoolingStrategy(RowsStrategy):
    """The search over the cells of a :class:`MaxLayer`, by a method that lists patterns."""

    def open(self, deadline: Deadline) -> Search:
        layer = self._problem.rows
        arrangement = MaxArrangement(layer.rows, layer.n_patches)
        cells = self._method.list_patterns(arrangement, self._random_state, deadline)
        assert isinstance(cells, MaxPatterns)
        self.n_patterns = len(cells)
        oracle = MaxCellOracle(layer.patches, cells.winners(), cells.reach)

        def open_search(
            problem: Problem[Any], start: Neurons | None, root: Root[Any] | None, certifies: bool
        ) -> Search:
            return MaxSearch(problem, cells, oracle, deadline, start)

        return search_for(self._problem, open_search, deadline)
