"""Neurons beside an intercept, by searches for neurons beside a given one.

The optimum beside a given intercept b is a convex function of b, whose derivative is minus
the sum of the dual point: the best b is the root of a falling function, which Brent's method
finds in a few searches, each from the network before. That asks of the rows, the loss and the
search only what they are without an intercept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import check_interrupt
from cvxnn.losses.offset import best_offset
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.intercept.proof import beside_any_offset, intercept_reach
from cvxnn.solvers.roots import RootSearch
from cvxnn.solvers.search import IncumbentSearch, Pursuit, Search

# Share of the tolerance that a search beside one intercept may use up, and the least that it
# may be asked for: sums of its dual point err by the root of its gap.
_INNER, _LEAST_TOLERANCE = 1e-3, 1e-13
# Sum of a dual point, in shares of that of its moduli and of the tolerance, that is none.
_BALANCED = 1e-4
# First step on the way to the root, in Newton's steps for given predictions: those of the
# neurons follow.
_FIRST_STEP = 2.0


class OffsetOpener(Protocol):
    """Opens the search beside an intercept, from neurons where there are some."""

    def __call__(self, offset: float, start: Neurons | None, certifies: bool) -> Search: ...


# Predictions of neurons, shape (n,), and what beta multiplies.
Evaluated = Callable[[Neurons], tuple[FloatArray, float]]


@dataclass(frozen=True)
class _Inner:
    """A search under way, and the intercept that it is beside."""

    pursuit: Pursuit
    offset: float


@final
class InterceptSearch(IncumbentSearch):
    """Search for ``min l(f + b, y) + beta (penalty of the neurons)`` over neurons and b.

    Parameters
    ----------
    problem : Problem
        Whose rows know the lengths of predictions.
    nothing : Neurons
        The network without neurons, and its intercept.
    open_search : OffsetOpener
    evaluated : callable
        What neurons are on the rows.
    start : Neurons, optional
        Neurons to begin with, and the intercept beside them.

    Notes
    -----
    Exact oracles are asked only beside the intercept that is a root without them; where
    they find neurons that helped, the root is looked for again, with them.
    """

    def __init__(
        self,
        problem: Problem[Any],
        nothing: Neurons,
        open_search: OffsetOpener,
        evaluated: Evaluated,
        start: Neurons | None = None,
    ) -> None:
        self._open, self._evaluated = open_search, evaluated
        self._certifies = self._was_stationary = False
        offset = nothing.intercept if start is None else start.intercept
        first = open_search(offset, start, False)
        super().__init__(problem, nothing, first.proof.kind, first.deadline)
        self.basis = np.eye(problem.rows.n_features)
        f, _ = evaluated(nothing)
        self.objective = problem.value(f + nothing.intercept)
        self._reach = intercept_reach(problem, nothing.intercept, self.objective)
        self._inner: _Inner | None = self._around(first, offset)
        self._space_proof = self.proof = self._carried_over(first.proof)
        self.bound = self.proof.bound(problem)
        self._root: RootSearch | None = None
        self._is_balanced = False

    def step(self, tol: float) -> None:
        """One round of a search beside an intercept; of the next, where that is at its end."""
        check_interrupt()
        inner_tol = _inner_tolerance(tol)
        if self._inner is None:
            self._begin(tol)
            return
        if self._inner.pursuit.advance(inner_tol):
            self.n_blocks = self._inner.pursuit.search.n_blocks
            return
        self._end(self._inner, tol, quick=False)
        if not (self.reaches(tol) or self.deadline.passed):
            self._begin(tol)

    def finish(self, tol: float, *, quick: bool) -> None:
        """Take over what the search under way has reached, and its proofs."""
        if self._inner is not None:
            self._end(self._inner, tol, quick=quick)

    def incumbent(self) -> Neurons:
        """The best neurons so far, and the intercept beside them."""
        return self.neurons

    def final_proofs(self, *, quick: bool) -> tuple[DualProof, DualProof]:
        """The best on the problem that was searched, and on that over all networks."""
        return self.proof, self._space_proof

    def _begin(self, tol: float) -> None:
        """The search beside the next intercept, and its first round."""
        assert self._root is not None
        offset = None if self._is_balanced else self._root.next_point
        if offset is None and self._certifies:
            # Where the last search could not exclude a neuron that is the reason, else rounding.
            self.stationary, self.stalled = self._was_stationary, np.inf
            return
        if offset is None:
            offset, self._certifies, self._root = self.neurons.intercept, True, None
        search = self._open(offset, self.neurons, self._certifies)
        self._inner = self._around(search, offset)
        self._inner.pursuit.advance(_inner_tolerance(tol))
        self.n_blocks = search.n_blocks

    def _around(self, search: Search, offset: float) -> _Inner:
        self.deadline, self.rank = search.deadline, max(self.rank, search.rank)
        return _Inner(Pursuit(search), offset)

    def _end(self, inner: _Inner, tol: float, *, quick: bool) -> None:
        """Take over the network and the proofs of a search, and the sum of its dual point."""
        search, self._inner = inner.pursuit.search, None
        search.finish(_inner_tolerance(tol), quick=quick)
        neurons = search.incumbent()
        f, penalty = self._evaluated(neurons)
        v = self.problem.residual(f + inner.offset)
        total, size = math.fsum(v), float(np.abs(v).sum())
        self._is_balanced = abs(total) <= _BALANCED * tol * size
        if self._root is None:
            curvature = self.problem.loss.majorizer(f + inner.offset, self.problem.y)
            first_step = max(_FIRST_STEP * abs(total) / float(curvature.sum()), 1e-300)
            self._root = RootSearch(inner.offset, first_step)
        self._root.note(inner.offset, total)
        self._offer(neurons, f, penalty, inner.offset)
        program, space = map(self._carried_over, search.final_proofs(quick=quick))
        self._take(program)
        proofs = (self._space_proof, space)
        self._space_proof = max(proofs, key=lambda proof: proof.bound(self.problem))
        self._was_stationary = search.stationary

    def _offer(self, neurons: Neurons, f: FloatArray, penalty: float, offset: float) -> None:
        """Keep neurons of predictions f beside their best intercept, if they are the best."""
        problem = self.problem
        best = best_offset(problem.loss, problem.y, f, offset)
        price = problem.beta * penalty
        value, b = min((problem.value(f + b) + price, b) for b in (offset, best))
        if value <= self.objective:
            self.neurons, self.objective = replace(neurons, intercept=b), value

    def _carried_over(self, proof: DualProof) -> DualProof:
        return beside_any_offset(proof, self.problem, self._reach)


def _inner_tolerance(tol: float) -> float:
    return max(_INNER * tol, _LEAST_TOLERANCE)
