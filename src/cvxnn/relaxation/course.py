"""The bounds of an iteration on the way, and whether it is worth going on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

from cvxnn.certificates import DualProof
from cvxnn.problems import Problem

# Iterations between two bounds, at least, and their share of all on the same blocks.
FIRST, _GROWTH = 20, 0.1
# Not before so many iterations an iteration is said to bring little, for once.
_SETTLED = 80


@final
class Course:
    """The best proof so far, and how the bounds have come closer to the objective.

    Parameters
    ----------
    problem : Problem
        That proofs are about.
    objective : float
        Of the best network known.
    proof : DualProof
        What is proven so far.
    on_bound : callable, optional
        Called with the best proof, whenever a bound has been computed.

    Attributes
    ----------
    proof : DualProof
        The best.
    begun : int
        The iteration from which on bounds are compared.
    """

    def __init__(
        self,
        problem: Problem[Any],
        objective: float,
        proof: DualProof,
        on_bound: Callable[[DualProof], object] | None,
    ) -> None:
        self._problem, self._objective, self._on_bound = problem, objective, on_bound
        self.proof, self._best = proof, proof.bound(problem)
        self.begun, self._next = 0, FIRST
        self._history: list[tuple[int, float]] = []

    def note(self, iteration: int, found: DualProof) -> None:
        """A proof, which is kept if it is the best."""
        value = found.bound(self._problem)
        if value > self._best:
            self.proof, self._best = found, value
        self._history.append((iteration, value))
        if self._on_bound is not None:
            self._on_bound(self.proof)

    def is_due(self, iteration: int) -> bool:
        """Whether it is time for a bound; then the time of the next one is set."""
        if iteration < self._next:
            return False
        self._next = iteration + max(FIRST, int(_GROWTH * (iteration - self.begun)))
        return True

    def closed(self, tol: float) -> bool:
        """Whether the gap is no more than tol."""
        return self._objective - self._best <= tol * abs(self._objective)

    def gains_less_than(
        self, iteration: int, share: float, times: int, settled: int = _SETTLED
    ) -> bool:
        """Whether so many times the iterations from the start have brought less of the gap."""
        count = iteration - self.begun
        # From there only: the first iterations on new blocks lose some of the best bound.
        before = [value for k, value in self._history if times * (k - self.begun) <= count]
        if count < settled * times or not before or len(before) == len(self._history):
            return False
        value = max(value for _, value in self._history)
        return value - max(before) < share * (self._objective - value)

    def begin(self, iteration: int, *, soon: bool = False) -> None:
        """Compare from here on; `soon` is for a bound after the first iterations."""
        self.begun, self._history = iteration, []
        if soon:
            self._next = iteration + FIRST
