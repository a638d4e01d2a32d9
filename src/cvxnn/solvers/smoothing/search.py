"""A search with smooth losses of falling width, for the optimum with a loss that has kinks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline, check_interrupt
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.search import IncumbentSearch, Search
from cvxnn.solvers.smoothing.interpolation import interpolated
from cvxnn.solvers.smoothing.problems import SmoothedProblem

# Share of the tolerance that a search with a smooth loss may leave, and that a width may cost.
_SEARCH, _WIDTH = 0.4, 0.4
# The first strip of residuals next to a kink, for targets of size one: what it may cost divided
# by so many rows in it, between these two.
_ROWS, _NARROW, _WIDE = 32.0, 2.0**-12, 2.0**-8
# The next one, in shares of the last; and one that is rounding.
_NARROWEST, _WIDEST, _NOTHING = 2.0**-10, 0.5, 2.0**-40
# Of searches by Newton's method, which is at a loss where hardly a row has a curvature: the first
# strip, the next one in shares of the last, and the gap that is enough, in shares of the strip.
_FIRST, _FALL, _ENOUGH = 2.0**-2, 2.0**-3, 2.0**-7
_LEAST_TOLERANCE = 1e-13
# Rounds of a search that are one round, where they take no time.
_AT_ONCE = 8


class SmoothOpener(Protocol):
    """Opens the search for a smooth problem, from neurons where there are some."""

    def __call__(self, smooth: Problem[Any], start: Neurons | None) -> Search: ...


# Predictions of neurons, of the shape of the targets, and what beta multiplies.
Evaluated = Callable[[Neurons], tuple[FloatArray, float]]


@dataclass
class _Stage:
    """A search under way."""

    smoothed: SmoothedProblem
    search: Search
    tol: float

    @property
    def is_done(self) -> bool:
        search = self.search
        return (
            search.reaches(self.tol)
            or search.stationary
            or search.is_stuck
            or search.deadline.passed
        )


@final
class SmoothingSearch(IncumbentSearch):
    """Search for ``min l(f, y) + beta (penalty)`` with a loss that has kinks.

    Parameters
    ----------
    problem : Problem
    nothing : Neurons
        The network without neurons.
    open_smooth : SmoothOpener
    evaluated : callable
    deadline : Deadline
    intercept : bool
        Whether there is one beside the neurons.
    gradual : bool
        Whether widths fall step by step, from one where all rows have a curvature.

    Notes
    -----
    The gap of a network and a dual point of a smooth loss is, for the loss itself, the gap of
    the search and what the width costs at the predictions: a sum over the rows within the width
    of their kink, which at an optimum are about as many as the network has parameters. That
    is the network's part: :func:`interpolated` makes it one of the second order, as that
    of the dual point is, so that one width is enough as a rule. Every network is judged by
    the loss itself, and every bound comes from its own conjugate.
    """

    def __init__(
        self,
        problem: Problem[Any],
        nothing: Neurons,
        open_smooth: SmoothOpener,
        evaluated: Evaluated,
        deadline: Deadline,
        *,
        intercept: bool,
        gradual: bool = False,
    ) -> None:
        super().__init__(problem, nothing, "spectral", deadline)
        self._gradual = gradual
        self.basis = np.eye(problem.rows.n_features)
        self._open, self._evaluated, self._intercept = open_smooth, evaluated, intercept
        self._strip: float | None = None
        self._stage: _Stage | None = None
        self._start: Neurons | None = None
        f, penalty = evaluated(nothing)
        self.objective = problem.value(f, penalty)

    def start_from(self, neurons: Neurons | None, proof: DualProof) -> None:
        """Neurons to begin with, if there are some, and what is proven without a search."""
        self.proof = self._space_proof = proof
        self.bound = proof.bound(self.problem)
        self._start = neurons

    def step(self, tol: float) -> None:
        """One round of a search; of the next, where that is at its end."""
        check_interrupt()
        stage = self._begin(tol) if self._stage is None else self._stage
        for _ in range(_AT_ONCE if stage.search.is_cheap else 1):
            if not stage.is_done:
                stage.search.step(stage.tol)
        self.n_blocks = stage.search.n_blocks
        self._offer(stage.search.incumbent())
        self._take(stage.smoothed.proof(stage.search.proof))
        if stage.is_done or self.reaches(tol):
            self._end(stage, tol)

    def finish(self, tol: float, *, quick: bool) -> None:
        """Take over what the search under way has reached, and its proofs."""
        if self._stage is not None:
            self._close(self._stage, quick=quick)

    def incumbent(self) -> Neurons:
        """The best neurons so far, and what is beside them."""
        return self.neurons

    def final_proofs(self, *, quick: bool) -> tuple[DualProof, DualProof]:
        """The best on the problem that was searched, and on that over all networks."""
        return self.proof, self._space_proof

    def _begin(self, tol: float) -> _Stage:
        if self._strip is None and self._gradual:
            self._strip = _FIRST
        elif self._strip is None:
            first = _WIDTH * tol * self.objective / (_ROWS * self.problem.loss.steepness)
            self._strip = min(max(first, _NARROW), _WIDE)
        smoothed = SmoothedProblem.over(self.problem, self._strip)
        start, self._start = self.neurons if self._start is None else self._start, None
        search = self._open(smoothed.problem, start if len(start) else None)
        self.deadline, self.rank = search.deadline, max(self.rank, search.rank)
        enough = max(_SEARCH * tol, _LEAST_TOLERANCE)
        if self._gradual:
            enough = max(enough, _ENOUGH * self._strip)
        self._stage = _Stage(smoothed, search, enough)
        return self._stage

    def _end(self, stage: _Stage, tol: float) -> None:
        """Take over a search, and choose the next width, or none where it is not the reason."""
        neurons = self._close(stage, quick=False)
        if self.reaches(tol) or self.deadline.passed:
            return
        before = self.objective
        self._interpolate(stage, neurons)
        allowed = _WIDTH * tol * self.objective
        left = self.objective - self.bound - stage.search.gap * self.objective
        if self.reaches(tol):
            return
        strip = stage.smoothed.strip
        if self._gradual and strip > _NOTHING and stage.tol > _SEARCH * tol:
            self._strip = _FALL * strip
            return
        if left <= allowed or strip <= _NOTHING:
            # A narrower one would not help.
            self.stationary = stage.search.stationary
            self.stalled = stage.search.stalled if self.stationary else np.inf
            return
        # Of the second order in the strip where predictions have been made right.
        order = 2.0 if self.objective < before else 1.0
        least = _FALL if self._gradual else _NARROWEST
        share = min(max((allowed / left) ** (1.0 / order), least), _WIDEST)
        self._strip = max(share * strip, _NOTHING)

    def _interpolate(self, stage: _Stage, neurons: Neurons) -> None:
        """Offer the neurons that are right in the rows next to their kinks."""
        moved = interpolated(stage.smoothed.problem, neurons, intercept=self._intercept)
        if moved is not None:
            self._offer(moved)

    def _close(self, stage: _Stage, *, quick: bool) -> Neurons:
        """Network and proofs of a search, which is over; its neurons."""
        self._stage = None
        search = stage.search
        search.finish(stage.tol, quick=quick)
        neurons = search.incumbent()
        self._offer(neurons)
        program, space = search.final_proofs(quick=quick)
        self._take(stage.smoothed.proof(program))
        proofs = (self._space_proof, stage.smoothed.proof(space))
        self._space_proof = max(proofs, key=lambda proof: proof.bound(self.problem))
        self.is_cheap = search.is_cheap
        return neurons

    def _offer(self, neurons: Neurons) -> None:
        """Keep neurons if they are the best."""
        f, penalty = self._evaluated(neurons)
        value = self.problem.value(f, penalty)
        if value <= self.objective:
            self.neurons, self.objective = neurons, value
