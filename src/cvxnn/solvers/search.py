"""What the methods have in common: a search for the optimum, driven round by round."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError
from cvxnn.oracle.choice import Kind
from cvxnn.problems import Neurons, Problem
from cvxnn.results import relative_gap

# Share of the tolerance at which a search has done its work: the rest is for the rounding
# of the objective, which is not known before the end.
_AIM = 0.999
# Rounds without progress after which rounding is taken to be the reason.
_PATIENCE = 3
# Seconds after a limit or Ctrl-C in which neurons may still be pruned, and products
# of a factorisation of their activations up to which nobody counts them.
_GRACE, _QUICK_WORK = 0.1, 1 << 24
# A few more rounds for the last digits, where they are cheap: the same network, up to
# rounding, for every random state. Predictions err by the root of the gap, so that it
# takes many digits of that.
_SHARP, _SHARP_ROUNDS = 1e-3, 3


class Search(ABC):
    """A search for the optimum of (2) that can be stopped after every round.

    Attributes
    ----------
    basis : ndarray, shape (d, r)
        Reduced coordinates: ``w = basis' u``.
    neurons : Neurons
        Best network so far, in reduced coordinates.
    objective : float
        Its objective (2).
    bound : float
        Best lower bound so far on the problem that is searched.
    proof : DualProof
        What is behind it.
    n_blocks : int
        Size of the last round: blocks, or neurons proposed.
    stalled : float
        Rounds without progress, since the last that made some.
    stationary : bool
        Whether no neuron is known that would help, but none excluded either.
    is_cheap : bool
        Whether a round costs so little that some more do not matter.
    rank : int
        Of the rows; 0 where the search need not know.
    deadline : Deadline
        When no further round should start.
    method_bound : float, optional
        The best lower bound that the method itself comes with, where it has one.
    alternative : str, optional
        What may still reach the optimum where rounding stops this search: one over "cells",
        or neurons that move freely, with a "tree" for the proof.
    """

    basis: FloatArray
    neurons: Neurons
    objective: float
    bound: float
    proof: DualProof
    n_blocks: int
    stalled: float
    stationary: bool = False
    is_cheap: bool = False
    rank: int = 0
    deadline: Deadline
    method_bound: float | None = None
    alternative: Kind | None = None

    @abstractmethod
    def step(self, tol: float) -> None:
        """One round.

        Raises
        ------
        OutOfTimeError
            If the deadline passes within it; the best network so far is as good as before.
        """

    def sharpen(self, tol: float) -> bool:
        """One more round for the digits beyond the goal; False where there is nothing to gain."""
        if not self.is_cheap or self.stalled or self.gap <= tol:
            return False
        self.step(tol)
        return True

    @abstractmethod
    def finish(self, tol: float, *, quick: bool) -> None:
        """Leave a network that is minimal, and certify it if that is still to do.

        In a `quick` - somebody has pressed Ctrl-C - nothing is done that takes long, nor
        is it when the deadline has passed: then the network may stay as it is.
        """

    def _last_deadline(self, *, quick: bool) -> Deadline:
        """Until when :meth:`finish` may work on the network; never where that takes no time."""
        if self.proof.V.size * len(self.neurons) ** 2 <= _QUICK_WORK:
            return UNLIMITED
        return Deadline(_GRACE) if quick or self.deadline.passed else self.deadline

    def final_proofs(self, *, quick: bool) -> tuple[DualProof, DualProof]:
        """The best on the problem that was searched, and on (2) over all networks."""
        return self.proof, self.proof

    @property
    def dual_point(self) -> FloatArray:
        """Of one output: the v behind `bound`, shape (n,)."""
        return self.proof.v

    @property
    def gap(self) -> float:
        """Relative gap of the problem that is searched."""
        return relative_gap(self.objective, self.bound)

    def reaches(self, tol: float) -> bool:
        """Whether the gap is what was asked for."""
        return self.gap <= _AIM * tol

    @property
    def is_stuck(self) -> bool:
        """Whether rounding has stopped the progress."""
        return self.stalled >= _PATIENCE

    def incumbent(self) -> Neurons:
        """The best network so far, in the coordinates of the rows."""
        return self.neurons.turned(self.basis.T)


# Opens the search for a problem, from neurons to start with where there are some.
Opener = Callable[[Problem[Any], Neurons | None], Search]


class IncumbentSearch(Search):
    """A search that starts from the network without neurons, of which nothing is proven.

    Parameters
    ----------
    problem : Problem
        In the coordinates of `neurons`.
    nothing : Neurons
        None, of the kind that is searched for.
    kind : str
        Of the proofs to come.
    deadline : Deadline
    """

    def __init__(
        self, problem: Problem[Any], nothing: Neurons, kind: str, deadline: Deadline
    ) -> None:
        self.problem, self.deadline = problem, deadline
        self.neurons = nothing
        self.objective = problem.value(np.zeros_like(problem.target))
        # A dual point of which nothing is known scales to zero.
        self.bound, self.proof = -np.inf, DualProof(problem.Y, np.array([np.inf]), kind)
        self.n_blocks, self.stalled = 0, 0.0

    def _take(self, proof: DualProof) -> None:
        """Keep a proof if it gives the best bound so far."""
        bound = proof.bound(self.problem)
        if bound > self.bound:
            self.bound, self.proof = bound, proof


@final
class Pursuit:
    """The rounds of a search up to its gap, and a few beyond it for the last digits.

    Parameters
    ----------
    search : Search
    """

    def __init__(self, search: Search) -> None:
        self.search = search
        self._sharp_rounds = 0

    def advance(self, tol: float) -> bool:
        """One round on the way to the gap `tol`; False where none is left to do.

        Raises
        ------
        OutOfTimeError
            If the deadline passes before the gap is reached.
        """
        search = self.search
        if search.reaches(tol):
            return self._sharpen(_SHARP * tol)
        if search.stationary or search.is_stuck or search.deadline.passed:
            return False
        search.step(tol)
        return True

    def _sharpen(self, tol: float) -> bool:
        if self._sharp_rounds == _SHARP_ROUNDS or self.search.deadline.passed:
            return False
        self._sharp_rounds += 1
        try:
            return self.search.sharpen(tol)
        except OutOfTimeError:
            # What was asked for is there.
            return False


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

    def incumbent(self) -> Neurons:
        """That of the search whose network is shown, with what is beside its neurons."""
        return self._shown.incumbent()

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
        self._shown = search
        self.basis, self.neurons, self.objective = search.basis, search.neurons, search.objective
