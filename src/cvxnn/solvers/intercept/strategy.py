"""How the optimum beside an intercept is looked for: by searches beside given ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.losses.offset import best_offset
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.intercept.proof import beside_any_offset, intercept_reach
from cvxnn.solvers.intercept.search import BesideOffsets, Evaluated, InterceptSearch
from cvxnn.solvers.search import Search, WithFallback
from cvxnn.solvers.strategy import Join, Strategy

# Rounds beside intercepts after which neurons and an intercept are searched for at once, where
# that may be quicker.
_MOST_ROUNDS = 80


@final
class InterceptStrategy(Strategy):
    """Opens the search for neurons and an intercept beside them.

    Parameters
    ----------
    problem : Problem
    inner : callable
        The strategy for the neurons alone, of a problem on the same rows.
    evaluated : callable
        Predictions of neurons and what beta multiplies.
    start : Neurons, optional
        Where the search starts.
    """

    def __init__(
        self,
        problem: Problem[Any],
        inner: Callable[[Problem[Any]], Strategy],
        evaluated: Evaluated,
        start: Neurons | None = None,
    ) -> None:
        self._problem, self._evaluated, self._start = problem, evaluated, start
        none = np.zeros_like(problem.y)
        self._constant = best_offset(problem.loss, none, problem.y)
        self._inner = inner(problem.beside(self._constant))

    @property
    def n_patterns(self) -> int:  # type: ignore[override]
        """Patterns of the neurons."""
        return self._inner.n_patterns

    @property
    def arrays(self) -> dict[str, FloatArray]:
        """Those of the neurons."""
        return self._inner.arrays

    def open(self, deadline: Deadline) -> Search:
        """The search; OutOfTimeError if the deadline passes before it is ready."""
        return self.open_for(self._problem, self._start, deadline)

    def open_for(
        self,
        problem: Problem[Any],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> Search:
        """The same for another problem on the same rows."""
        join = self._inner.join(problem, deadline)
        joint = None
        if join is Join.FIRST:
            joint = self._inner.jointly(problem, start, deadline, certifies=certifies)
        if joint is not None:
            return joint

        def open_beside(offset: float, start: Neurons | None, certifies: bool) -> Search:
            return self._inner.open_for(
                problem.beside(offset), start, deadline, certifies=certifies
            )

        searches = BesideOffsets(
            open_beside, self._evaluated, self._inner.rough(problem, start, deadline),
            asks=self._inner.asks and certifies, polishes=self._inner.polishes,
        )  # fmt: skip
        proof = self._inner.first_proof()
        search = InterceptSearch(problem, self.nothing(), searches, proof, deadline, start)
        if join is not Join.AFTER:
            return search
        search.most_rounds = _MOST_ROUNDS

        def open_second() -> Search | None:
            found = search.incumbent()
            return self._inner.jointly(problem, found, deadline, certifies=certifies)

        return WithFallback(search, open_second)

    def opening(self) -> Neurons:
        """A first network beside the best constant, and then the best intercept beside it."""
        neurons, problem = self._inner.opening(), self._problem
        f, _ = self._evaluated(neurons)
        best = best_offset(problem.loss, f, problem.y, self._constant)
        return replace(neurons, intercept=best)

    def nothing(self) -> Neurons:
        """No neurons, and the best constant."""
        return replace(self._inner.nothing(), intercept=self._constant)

    def first_proof(self) -> DualProof:
        """What the residual of the best constant proves, in the same time."""
        return self._beside_any(self._inner.first_proof())

    def sharp_proof(self, deadline: Deadline = UNLIMITED) -> DualProof:
        """The same by the exact oracle of the rows."""
        return self._beside_any(self._inner.sharp_proof(deadline))

    def _beside_any(self, proof: DualProof) -> DualProof:
        f, penalty = self._evaluated(self.nothing())
        reached = self._problem.value(f + self._constant, penalty)
        reach = intercept_reach(self._problem, self._constant, reached)
        return beside_any_offset(proof, self._problem, reach)
