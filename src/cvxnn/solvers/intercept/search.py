"""Neurons beside an intercept, by searches for neurons beside a given one.

The optimum beside a given intercept b is a convex function of b, whose derivative is minus
the sum of the dual point: a few values and slopes lead to the best b, each of a search from the
network before. That asks of the rows, the loss and the search only what they are without an
intercept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline, check_interrupt
from cvxnn.losses.offset import best_offset
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.tile_search import TileSearch
from cvxnn.solvers.intercept.proof import Mixing, beside_any_offset, intercept_reach
from cvxnn.solvers.intercept.valley import Valley
from cvxnn.solvers.line_search import best_size
from cvxnn.solvers.search import IncumbentSearch, Pursuit, Search

# Share of the tolerance that a search beside one intercept may use up, and the least that it
# may be asked for: sums of its dual point err by the root of its gap.
_INNER, _LEAST_TOLERANCE = 1e-2, 1e-13
# Share of the sum of a dual point up to which it may be wrong, where the next intercept is
# chosen from it.
_SURE = 0.03
# What a better intercept may gain at most, in shares of the tolerance, and the sum of a dual
# point, in shares of that of its moduli, that is rounding.
_BALANCED, _NOISE = 0.1, 1e-13
# First step on the way to the best intercept, in Newton's steps for given predictions: the
# neurons follow, and most of the sum of the dual point stays.
_FIRST_STEP = 8.0
# The least and the longest in deviations of the targets from the best constant: neurons may
# do nearly all that an intercept would, and then hardly anything tells where its best value is.
_LEAST_STEP, _LONGEST_STEP = 0.02, 2.0


class OffsetOpener(Protocol):
    """Opens the search beside an intercept, from neurons where there are some."""

    def __call__(self, offset: float, start: Neurons | None, certifies: bool) -> Search: ...


# Predictions of neurons, shape (n,), and what beta multiplies.
Evaluated = Callable[[Neurons], tuple[FloatArray, float]]


@dataclass(frozen=True)
class BesideOffsets:
    """What an :class:`InterceptSearch` is made of.

    Attributes
    ----------
    open : OffsetOpener
    evaluated : callable
        What neurons are on the rows.
    rough : TileSearch or None
        A search for neurons and an intercept at once, which comes first.
    asks : bool
        Whether those that ask an exact oracle are to come in the end.
    polishes : bool
        Whether others follow the rough one.
    """

    open: OffsetOpener
    evaluated: Evaluated
    rough: TileSearch | None
    asks: bool
    polishes: bool


@dataclass(frozen=True)
class _Inner:
    """A search under way, the intercept that it is beside, and whether it began with neurons."""

    pursuit: Pursuit
    offset: float
    has_start: bool


@final
class InterceptSearch(IncumbentSearch):
    """Search for ``min l(f + b, y) + beta (penalty of the neurons)`` over neurons and b.

    Parameters
    ----------
    problem : Problem
        Whose rows know the lengths of predictions.
    nothing : Neurons
        The network without neurons, and its intercept.
    searches : BesideOffsets
    proof : DualProof
        Of the best constant, for neurons alone.
    deadline : Deadline
    start : Neurons, optional
        Neurons to begin with, and the intercept beside them.

    Attributes
    ----------
    most_rounds : float
        After so many it says that it is stuck.

    Notes
    -----
    Exact oracles are asked only beside the intercept that is a root without them; where
    they find neurons that helped, the root is looked for again, with them.
    """

    def __init__(
        self,
        problem: Problem[Any],
        nothing: Neurons,
        searches: BesideOffsets,
        proof: DualProof,
        deadline: Deadline,
        start: Neurons | None = None,
    ) -> None:
        super().__init__(problem, nothing, proof.kind, deadline)
        self.most_rounds = np.inf
        self.basis = np.eye(problem.rows.n_features)
        self._searches, self._rough, self._start = searches, searches.rough, start
        # Where no oracle is asked there is nothing to add to the first searches.
        self._certifies, self._was_stationary = not searches.asks, False
        f, _ = searches.evaluated(nothing)
        self.objective = problem.value(f + nothing.intercept)
        reach = intercept_reach(problem, float(nothing.intercept), self.objective)
        self._of_program, self._of_space = (Mixing(problem, reach) for _ in range(2))
        # Of the constant alone: as a rule too far from the optimum to be mixed with others.
        self.proof = self._space_proof = beside_any_offset(proof, problem, reach)
        self.bound = self.proof.bound(problem)
        self._inner: _Inner | None = None
        self._valley: Valley | None = None
        moves = problem.loss.moves(np.full_like(problem.y, nothing.intercept), problem.y)
        self._deviation = float(np.sqrt(np.mean(moves**2)))
        self._is_balanced = False

    def step(self, tol: float) -> None:
        """One round of a search beside an intercept; of the next, where that is at its end."""
        check_interrupt()
        self.most_rounds -= 1.0
        if self.most_rounds < 0.0:
            self.stalled = np.inf
            return
        inner_tol = _inner_tolerance(tol)
        if self._rough is not None:
            self._advance_roughly(self._rough)
            return
        if self._inner is None:
            self._begin(tol)
            return
        search = self._inner.pursuit.search
        if self._inner.pursuit.advance(inner_tol):
            self.n_blocks = search.n_blocks
            f = self._offer(search.incumbent(), self._inner.offset)
            if not self._is_sure(f + self._inner.offset, search):
                return
        if not np.isfinite(search.objective):
            self._leave(self._inner)
            self._begin(tol)
            return
        if self._may_begin_anew(self._inner) and not search.reaches(inner_tol):
            # The start may be the reason.
            self._open(self._inner.offset, None, tol)
            return
        self._end(self._inner, tol, quick=False)
        if not (self.reaches(tol) or self.deadline.passed):
            self._begin(tol)

    def sharpen(self, tol: float) -> bool:
        """A search beside a closer intercept, where searches are cheap."""
        if not self.is_cheap or self.stalled or self.gap <= tol:
            return False
        self.step(tol)
        while self._inner is not None and not (self.reaches(tol) or self.deadline.passed):
            self.step(tol)
        return True

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
        start = self.neurons
        if self._valley is None:
            start, self._start = start if self._start is None else self._start, None
            offset: float | None = float(start.intercept)
        else:
            offset = None if self._is_balanced else self._valley.next_point
        if offset is None and self._certifies:
            # Where the last search could not exclude a neuron that is the reason, else rounding.
            self.stationary, self.stalled = self._was_stationary, np.inf
            return
        if offset is None:
            offset, self._certifies, self._valley = float(self.neurons.intercept), True, None
        # The first one starts from the parts of the rows, unless there are neurons.
        self._open(offset, start if len(start) else None, tol)

    def _open(self, offset: float, start: Neurons | None, tol: float) -> None:
        """The search beside an intercept, from neurons or anew, and its first round."""
        if start is not None and not self.problem.loss.has_majorizer:
            start = self._sized(start, offset)
        search = self._searches.open(offset, start, self._certifies)
        self.deadline, self.rank = search.deadline, max(self.rank, search.rank)
        self._inner = _Inner(Pursuit(search), offset, start is not None)
        self._inner.pursuit.advance(_inner_tolerance(tol))
        self.n_blocks = search.n_blocks

    def _may_begin_anew(self, inner: _Inner) -> bool:
        alone = self.problem.value(np.full_like(self.problem.y, inner.offset))
        return inner.has_start and inner.pursuit.search.is_stuck and bool(np.isfinite(alone))

    def _sized(self, neurons: Neurons, offset: float) -> Neurons:
        """Neurons that make up for another intercept, by one factor of all.

        Exponentials of predictions that are off by the step from one intercept to the next
        leave the numbers, or a search comes back from there by a step of 1 a round.
        """
        f, penalty = self._searches.evaluated(neurons)
        if not penalty > 0.0:
            return neurons
        problem = self.problem.beside(offset)
        factor = best_size(problem, np.zeros_like(f), f / penalty) / penalty
        return neurons.sized(factor * neurons.sizes) if factor > 0.0 else neurons

    def _leave(self, inner: _Inner) -> None:
        """Turn back from an intercept beside which the search is without numbers.

        It counts as the end of a rise: no sum of a dual point tells where to go from there.
        """
        self._inner, best = None, float(self.neurons.intercept)
        if self._valley is None:
            self._valley = Valley(best, self._deviation)
        else:
            self._valley.note(inner.offset, np.inf, float(np.copysign(np.inf, inner.offset - best)))

    def _advance_roughly(self, rough: TileSearch) -> None:
        """One round of the rough search, whose neurons are taken over when it ends."""
        try:
            if rough.advance():
                self._rough = None
                self.stationary = not self._searches.polishes
        finally:
            self.n_blocks, neurons = rough.n_new, rough.neurons
            self._offer(neurons, float(neurons.intercept))

    def _end(self, inner: _Inner, tol: float, *, quick: bool) -> None:
        """Take over the network and the proofs of a search, and the sum of its dual point."""
        search, self._inner = inner.pursuit.search, None
        search.finish(_inner_tolerance(tol), quick=quick)
        f = self._offer(search.incumbent(), inner.offset)
        program, space = search.final_proofs(quick=quick)
        # Of the point behind the bound, where it is near the optimum; then so is the residual.
        is_proven = search.reaches(_inner_tolerance(tol))
        v = program.v if is_proven else self.problem.residual(f + inner.offset)
        total = math.fsum(v)
        if self._valley is None:
            self._valley = Valley(inner.offset, self._first_step(f + inner.offset, total))
        self._valley.note(inner.offset, search.objective, -total)
        # What the intercept may still gain, as the objective beside it is convex.
        is_near = abs(total) * self._valley.width <= _BALANCED * tol * self.objective
        self._is_balanced = is_near or abs(total) <= _NOISE * float(np.abs(v).sum())
        for proof in self._of_program.carried_over(program):
            self._take(proof)
        proofs = [self._space_proof, *self._of_space.carried_over(space)]
        self._space_proof = max(proofs, key=lambda proof: proof.bound(self.problem))
        self._was_stationary, self.is_cheap = search.stationary, search.is_cheap

    def _is_sure(self, prediction: FloatArray, search: Search) -> bool:
        """Whether it is known well enough where from here a better intercept is.

        A loss whose curvatures are h at most has residuals that err by r, where the squares
        of r over h have a sum of twice the gap at most: so does the sum of the residuals, of
        twice the gap times the sum of h.
        """
        if search.gap >= 1.0 or (self._certifies and self._searches.asks):
            return False
        total = math.fsum(self.problem.residual(prediction))
        loss, y = self.problem.loss, self.problem.y
        if loss.has_majorizer:
            # It is largest where a prediction is right, or a margin is 0.
            prediction = np.zeros_like(y) if loss.has_labels else y
        curvature = float(loss.majorizer(prediction, y).sum())
        return 2.0 * search.gap * search.objective * curvature <= (_SURE * total) ** 2

    def _first_step(self, prediction: FloatArray, total: float) -> float:
        curvature = float(self.problem.loss.majorizer(prediction, self.problem.y).sum())
        least, longest = _LEAST_STEP * self._deviation, _LONGEST_STEP * self._deviation
        return max(float(np.clip(_FIRST_STEP * abs(total) / curvature, least, longest)), 1e-300)

    def _offer(self, neurons: Neurons, offset: float) -> FloatArray:
        """Keep neurons beside their best intercept, if they are the best; their predictions."""
        problem = self.problem
        f, penalty = self._searches.evaluated(neurons)
        best = best_offset(problem.loss, f, problem.y, offset)
        price = problem.beta * penalty
        value, b = min((problem.value(f + b) + price, b) for b in (offset, best))
        if value <= self.objective:
            self.neurons, self.objective = replace(neurons, intercept=b), value
        return f


def _inner_tolerance(tol: float) -> float:
    return max(_INNER * tol, _LEAST_TOLERANCE)
