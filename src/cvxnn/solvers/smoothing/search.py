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
from cvxnn.solvers.smoothing.problems import SmoothedProblem, power_below

# Share of the tolerance that a width may cost, and that a search may leave.
_WIDTH, _SEARCH = 0.4, 0.4
# Of a width that is not the last: the share of its cost to which it is searched, and the least
# and the most of the next one, in shares of it.
_COARSE, _NARROWEST, _WIDEST = 0.3, 2.0**-10, 0.5
_FIRST_TOLERANCE, _LEAST_TOLERANCE = 1e-2, 1e-13
# Widths below this one, for targets of size one, are rounding.
_LEAST_WIDTH = 2.0**-45


class SmoothOpener(Protocol):
    """Opens the search for a smooth problem, from neurons where there are some."""

    def __call__(self, smooth: Problem[Any], start: Neurons | None, certified: bool) -> Search: ...


# Predictions of neurons, of the shape of the targets, and what beta multiplies.
Evaluated = Callable[[Neurons], tuple[FloatArray, float]]


@dataclass
class _Stage:
    """A search under way."""

    smoothed: SmoothedProblem
    search: Search
    tol: float
    is_last: bool

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
    width : float
        Of the first search.
    deadline : Deadline

    Notes
    -----
    The gap of a network and a dual point of a smooth loss is, for the loss itself, the gap of
    the search and what the width costs at the predictions: a sum over the rows within the width
    of their kink, which at an optimum are about as many as the network has parameters.
    So the next width follows from that cost, and a few are enough. Every network is judged by
    the loss itself, and every bound comes from its own conjugate.
    """

    def __init__(
        self,
        problem: Problem[Any],
        nothing: Neurons,
        open_smooth: SmoothOpener,
        evaluated: Evaluated,
        width: float,
        deadline: Deadline,
    ) -> None:
        super().__init__(problem, nothing, "spectral", deadline)
        self.basis = np.eye(problem.rows.n_features)
        self._open, self._evaluated, self._width = open_smooth, evaluated, width
        self._stage: _Stage | None = None
        self._start: Neurons | None = None
        self._is_last = False
        self._cost = np.inf
        f, penalty = evaluated(nothing)
        self.objective = problem.value(f, penalty)
        self._prediction = f

    def start_from(self, neurons: Neurons | None, proof: DualProof) -> None:
        """Neurons to begin with, if there are some, and what is proven without a search."""
        self.proof = self._space_proof = proof
        self.bound = proof.bound(self.problem)
        self._start = neurons

    def step(self, tol: float) -> None:
        """One round of a search; of the next, where that is at its end."""
        check_interrupt()
        stage = self._begin(tol) if self._stage is None else self._stage
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
        smoothed = SmoothedProblem(self.problem, self._width)
        left = min(_FIRST_TOLERANCE, _COARSE * self._cost / max(self.objective, 1e-300))
        stage_tol = _SEARCH * tol if self._is_last else max(left, _SEARCH * tol)
        start = self._start if self._start is not None else self.neurons
        self._start = None
        search = self._open(smoothed.problem, start if len(start) else None, self._is_last)
        self.deadline, self.rank = search.deadline, max(self.rank, search.rank)
        self._stage = _Stage(smoothed, search, max(stage_tol, _LEAST_TOLERANCE), self._is_last)
        return self._stage

    def _end(self, stage: _Stage, tol: float) -> None:
        """Take over a search, and choose the next width."""
        before = (self.objective, self.bound)
        search = stage.search
        f = self._close(stage, quick=not (stage.is_last or self.reaches(tol)))
        if self.reaches(tol) or self.deadline.passed:
            return
        allowed = _WIDTH * tol * self.objective
        self._cost = stage.smoothed.excess(f)
        self._log(stage, f)
        if stage.is_last and self._cost <= allowed and self._width_is_spent(stage, search):
            return
        share = min(max(allowed / max(self._cost, 1e-300), _NARROWEST), _WIDEST)
        if self._cost > allowed:
            self._width = power_below(share * self._width)
        # As much as the width is narrower costs fall.
        self._is_last = stage.smoothed.width * allowed >= self._width * self._cost
        better = self.objective < before[0] or self.bound > before[1]
        self.stalled = 0.0 if better else self.stalled + 1.0

    def _log(self, stage, f):
        import os
        if os.environ.get("KLOG"):
            import time
            print(f"   w {stage.smoothed.width:.2g} tol {stage.tol:.1e} last {stage.is_last} gap {stage.search.gap:.1e} {stage.search.stationary} {stage.search.stalled} true {self.gap:.2e} cost {self._cost/self.objective:.1e} n {len(self.neurons)} {time.time()%1000:.2f}")

    def _width_is_spent(self, stage: _Stage, search: Search) -> bool:
        """Whether no narrower width would help: the search itself has come to its end."""
        self.stationary = search.stationary
        self.stalled = search.stalled
        return True

    def _close(self, stage: _Stage, *, quick: bool) -> FloatArray:
        """Network and proofs of a search, which is over; its predictions."""
        self._stage = None
        search = stage.search
        search.finish(stage.tol, quick=quick)
        f = self._offer(search.incumbent())
        program, space = search.final_proofs(quick=quick)
        self._take(stage.smoothed.proof(program))
        proofs = (self._space_proof, stage.smoothed.proof(space))
        self._space_proof = max(proofs, key=lambda proof: proof.bound(self.problem))
        self.is_cheap = search.is_cheap
        return f

    def _offer(self, neurons: Neurons) -> FloatArray:
        """Keep neurons if they are the best; their predictions."""
        f, penalty = self._evaluated(neurons)
        value = self.problem.value(f, penalty)
        if value <= self.objective:
            self.neurons, self.objective = neurons, value
        return f
