"""A search with another one behind it, for when rounding stops the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from cvxnn.certificates import DualProof
from cvxnn.solvers.search import Search


@final
class WithFallback(Search):
    """A search, and once it is stuck a second one for the same problem.

    At any time its state is that of the one with the smaller gap.

    Parameters
    ----------
    first : Search
    open_second : callable
        Opens the second search; None where there is no other way to the optimum.
    """

    def __init__(self, first: Search, open_second: Callable[[], Search | None]) -> None:
        self._searches = [first]
        self._open_second: Callable[[], Search | None] | None = open_second
        self._show()

    def step(self, tol: float) -> None:
        """A round of the search under way; the second is opened where the first is stuck."""
        try:
            if self._searches[-1].is_stuck and self._open_second is not None:
                open_second, self._open_second = self._open_second, None
                second = open_second()
                if second is None:
                    return
                self._searches.append(second)
                if second.reaches(tol):
                    return
            self._searches[-1].step(tol)
        finally:
            self._show()

    def sharpen(self, tol: float) -> bool:
        """As of the search under way."""
        try:
            return self._searches[-1].sharpen(tol)
        finally:
            self._show()

    def finish(self, tol: float, *, quick: bool) -> None:
        """Finish the better search; where it falls short the best network of both is taken."""
        try:
            self._best.finish(tol, quick=quick)
        finally:
            self._show()
        if not self._best.reaches(tol):
            self._show_network(min(self._searches, key=lambda search: search.objective))

    def final_proofs(self, *, quick: bool) -> tuple[DualProof, DualProof]:
        """Those of the better search."""
        return self._best.final_proofs(quick=quick)

    @property
    def _best(self) -> Search:
        return min(self._searches, key=lambda search: search.gap)

    def _show(self) -> None:
        """Network and proof of the better search, and the progress of the one under way."""
        best, current = self._best, self._searches[-1]
        self._show_network(best)
        self.bound, self.proof = best.bound, best.proof
        self.n_blocks, self.deadline, self.is_cheap = (
            current.n_blocks, current.deadline, current.is_cheap
        )  # fmt: skip
        self.stationary, self.rank = current.stationary, max(self.rank, current.rank)
        # No reason to stop where another search is to follow.
        awaits = current.is_stuck and self._open_second is not None
        self.stalled = 0.0 if awaits else current.stalled

    def _show_network(self, search: Search) -> None:
        self.basis, self.neurons, self.objective = search.basis, search.neurons, search.objective
