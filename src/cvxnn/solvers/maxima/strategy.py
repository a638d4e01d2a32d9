"""Which search suits max pooling: over all cells where they are few, else without a list."""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

import numpy as np

from cvxnn.errors import InputError
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError
from cvxnn.layers.max_pooling import MaxLayer
from cvxnn.losses.base import Root
from cvxnn.methods import Method
from cvxnn.oracle import MaxCellOracle
from cvxnn.patterns.max_pooling import MaxArrangement, MaxPatterns
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.columns.max_search import MaxSearch
from cvxnn.solvers.maxima.search import MaximaSearch
from cvxnn.solvers.proof_time import ProofTime
from cvxnn.solvers.proximal_newton import search_for
from cvxnn.solvers.search import Search
from cvxnn.solvers.strategy import RowsStrategy

# Cells up to which they are listed rather than searched for: they take some milliseconds each.
_FEW_CELLS = 1_000
# Share of the time that they may take: the search has use for the rest.
_LIST_SHARE = 0.25
# Those up to which they are listed for a proof, once a search has ended.
_MANY_CELLS = 10_000

# Cells, and what prices them.
Cells = tuple[MaxPatterns, MaxCellOracle]


@final
class MaxPoolingStrategy(RowsStrategy):
    """The search for neurons on a :class:`MaxLayer`.

    Parameters
    ----------
    problem : Problem of MaxLayer
    method : Method
    random_state : numpy.random.Generator
    start : Neurons, optional
        Where the search starts.
    proof_time : ProofTime, optional
        Of the run, in which cells may be listed at the end; its own by default.
    """

    def __init__(
        self,
        problem: Problem[MaxLayer],
        method: Method,
        random_state: np.random.Generator,
        start: Neurons | None = None,
        proof_time: ProofTime | None = None,
    ) -> None:
        super().__init__(problem, method, random_state)
        self._start = start
        self._proof_time = ProofTime(method) if proof_time is None else proof_time
        self._listed: list[Cells | None] = []
        self._proofs: list[MaxCellOracle | None] = []

    def open(self, deadline: Deadline) -> Search:
        return self.open_for(self._problem, self._start, deadline)

    def open_for(
        self,
        problem: Problem[MaxLayer],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> Search:
        """The same for another problem on the same rows: the cells are listed once."""
        if not self._listed:
            self._listed.append(self._cells(deadline))
        (cells,) = self._listed
        if cells is not None:
            return _search_over(problem, cells, start, deadline)

        def on_cells(neurons: Neurons) -> Search:
            own = self._arrangement.cells_of(neurons.directions, deadline)
            return _search_over(problem, self._priced(own), neurons, deadline)

        def oracle() -> MaxCellOracle | None:
            asked = certifies and self._method.certify and self._method.polish
            return self._oracle(deadline) if asked else None

        return MaximaSearch(
            problem, self._random_state, deadline, on_cells, oracle, start,
            polishes=self._method.polish,
        )  # fmt: skip

    def _oracle(self, deadline: Deadline) -> MaxCellOracle | None:
        """That over all cells, listed once, or None where they are too many for the time."""
        if not self._proofs:
            seconds = Deadline(min(deadline.remaining, self._proof_time.relaxed()))
            try:
                found = self._arrangement.enumerate_few(_MANY_CELLS, seconds)
            except OutOfTimeError:
                deadline.check()
                found = None
            self._proofs.append(None if found is None else self._priced(found)[1])
        return self._proofs[0]

    @cached_property
    def _arrangement(self) -> MaxArrangement:
        layer = self._problem.rows
        return MaxArrangement(layer.rows, layer.n_patches)

    def _cells(self, deadline: Deadline) -> Cells | None:
        """The cells of the method; None where it lists none."""
        method = self._method
        if method.covers_all and method.name == "global":
            return self._few_cells(deadline) if method.polish else None
        cells = method.list_patterns(self._arrangement, self._random_state, deadline)
        if not isinstance(cells, MaxPatterns):
            raise InputError("patterns of rows are none of max pooling, which lists its own cells.")
        self.n_patterns = len(cells)
        return self._priced(cells)

    def _few_cells(self, deadline: Deadline) -> Cells | None:
        """All cells; None where they are many.

        Not for the proof alone: without a list an end is off by what climbs have missed, and
        beside an intercept or for a loss with kinks there are many searches to come to one.
        """
        try:
            found = self._arrangement.enumerate_few(_FEW_CELLS, deadline.share(_LIST_SHARE))
        except OutOfTimeError:
            deadline.check()
            return None
        return None if found is None else self._priced(found)

    def _priced(self, cells: MaxPatterns) -> Cells:
        patches = self._problem.rows.patches
        return cells, MaxCellOracle(patches, cells.winners(), cells.reach)


def _search_over(
    problem: Problem[MaxLayer], cells: Cells, start: Neurons | None, deadline: Deadline = UNLIMITED
) -> Search:
    def open_search(
        problem: Problem[Any], start: Neurons | None, root: Root[Any] | None, certifies: bool
    ) -> Search:
        return MaxSearch(problem, *cells, deadline, start)

    return search_for(problem, open_search, deadline, start)
