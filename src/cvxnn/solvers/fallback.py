"""A search with another one behind it, for when rounding stops the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.problems import Neurons
from cvxnn.solvers.search import FloatArray, Search


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
        self._lowest: Search | None = None

    def step(self, tol: float) -> None:
        """A round of the search under way; the second is opened where the first is stuck."""
        if self._current.is_stuck and self._open_second is not None:
            open_second, self._open_second = self._open_second, None
            second = open_second()
            if second is None:
                return
            self._searches.append(second)
            if second.reaches(tol):
                return
        self._current.step(tol)

    def sharpen(self, tol: float) -> bool:
        """As of the search under way."""
        return self._current.sharpen(tol)

    def finish(self, tol: float, *, quick: bool) -> None:
        """Finish the better search; where it falls short the best network of both is taken."""
        self._best.finish(tol, quick=quick)
        if not self._best.reaches(tol):
            self._lowest = min(self._searches, key=lambda search: search.objective)

    def incumbent(self) -> Neurons:
        """Of the search whose state it shows."""
        return self._shown.incumbent()

    def final_proofs(self, *, quick: bool) -> tuple[DualProof, DualProof]:
        """Those of the better search."""
        return self._best.final_proofs(quick=quick)

    @property
    def _current(self) -> Search:
        return self._searches[-1]

    @property
    def _best(self) -> Search:
        return min(self._searches, key=lambda search: search.gap)

    @property
    def _shown(self) -> Search:
        return self._best if self._lowest is None else self._lowest

    @property
    def basis(self) -> FloatArray:  # type: ignore[override]
        """Reduced coordinates of `neurons`."""
        return self._shown.basis

    @property
    def neurons(self) -> Neurons:  # type: ignore[override]
        """Best network so far, in reduced coordinates."""
        return self._shown.neurons

    @property
    def objective(self) -> float:  # type: ignore[override]
        """Its objective (2)."""
        return self._shown.objective

    @property
    def bound(self) -> float:  # type: ignore[override]
        """The lower bound of the better search."""
        return self._best.bound

    @property
    def proof(self) -> DualProof:  # type: ignore[override]
        """What is behind it."""
        return self._best.proof

    @property
    def n_blocks(self) -> int:  # type: ignore[override]
        """Size of the last round."""
        return self._current.n_blocks

    @property
    def stalled(self) -> float:  # type: ignore[override]
        """Rounds without progress of the search under way; 0 where another is to follow."""
        awaits = self._current.is_stuck and self._open_second is not None
        return 0.0 if awaits else self._current.stalled

    @property
    def stationary(self) -> bool:  # type: ignore[override]
        """Whether the search under way knows no neuron that would help."""
        return self._current.stationary

    @property
    def is_cheap(self) -> bool:  # type: ignore[override]
        """Whether its rounds cost so little that some more do not matter."""
        return self._current.is_cheap

    @property
    def rank(self) -> int:  # type: ignore[override]
        """Of the rows."""
        return max(search.rank for search in self._searches)

    @property
    def deadline(self) -> Deadline:  # type: ignore[override]
        """When no further round should start."""
        return self._current.deadline
