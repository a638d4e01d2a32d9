"""Neurons beside a linear skip connection with a price, by searches without one.

A penalised skip connection costs ``beta ||w||``, which is the least of
``beta/2 (||w||^2 / eta + eta)`` over eta. For a given eta the best w is a ridge
regression inside the loss, and the rest a search as always. The sum is convex in eta with
its minimum where ``||w|| = eta``: a scalar equation with a falling function, which
Brent's method solves in some ten searches, each from the network before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import check_interrupt
from cvxnn.layers.relu import SkipLayer
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.roots import RootSearch
from cvxnn.solvers.search import IncumbentSearch, Opener, Pursuit, Search
from cvxnn.solvers.skip.free import with_linear
from cvxnn.solvers.skip.priced_line import PricedLine

# The first step of log(eta) away from the start.
_FIRST_STEP = 0.3
# Share of a time limit after which the first search, without a w, has shown enough.
_FIRST_SHARE = 0.2
# Share of the tolerance that a search for one value of eta may use up: the slope of the
# skip connection errs by the root of its gap.
_INNER, _LEAST_TOLERANCE = 1e-3, 1e-12


@dataclass(frozen=True)
class _Inner:
    """A search under way: for the loss that a w at a given eta leaves, or at 0 without a w."""

    pursuit: Pursuit
    log_eta: float

    @property
    def eta(self) -> float:
        """The eta."""
        return float(np.exp(self.log_eta))


@final
class PenalisedSkipSearch(IncumbentSearch):
    """Search for ``min l(f + S w + b, y) + beta (sum of sizes) + beta ||w||``.

    Parameters
    ----------
    problem : Problem of SkipLayer
        With a constant b, or without.
    open_search : Opener
        Opens the search for neurons alone, of any loss.

    Attributes
    ----------
    linear : ndarray, shape (p,)
        The w beside `neurons`, and the b.

    Notes
    -----
    The first search is one without a skip connection: from its network eta is guessed.
    Searches far from the root may fall short of their fine tolerance, and still show
    the way. Between two of them `neurons` is the best network so far; the one under way
    adds its own when it has ended.
    """

    def __init__(self, problem: Problem[SkipLayer], open_search: Opener) -> None:
        self.rows = rows = problem.rows
        self._line, nothing = PricedLine(problem), Neurons.none(rows.n_features)
        self._open, self.basis = open_search, np.eye(rows.n_features)
        first = open_search(self._line.alone, None)
        super().__init__(problem, nothing, first.proof.kind, first.deadline)
        f = np.zeros_like(problem.y)
        self.linear = self._line.flat(f)
        self.objective = self._line.objective(f, 0.0, self.linear)
        self._first_end = first.deadline.share(_FIRST_SHARE)
        self._inner: _Inner | None = self._around(first, -np.inf)
        self.proof = self._line.proof(first.proof)
        self.bound = self.proof.bound(problem)
        self._space_proof = self._line.proof(spectral_proof(rows.layer, self.proof.v, quick=True))
        self._root: RootSearch | None = None
        self._was_stationary = False

    # Trial weights may have squares beyond float64 where units are far apart: such a
    # network is worse than any other, and that is all.
    @np.errstate(over="ignore", invalid="ignore")
    def step(self, tol: float) -> None:
        """One round of the search for an eta; of the next one, where that has come to its end."""
        check_interrupt()
        inner_tol = _inner_tolerance(tol)
        if self._inner is not None:
            if self._advance(self._inner, inner_tol):
                return
            self._end(self._inner, inner_tol, quick=False)
            if self.reaches(tol) or self.deadline.passed:
                return
        self._begin(inner_tol)

    @np.errstate(over="ignore", invalid="ignore")
    def finish(self, tol: float, *, quick: bool) -> None:
        """Take over what the search under way has reached, and its proofs."""
        if self._inner is not None:
            self._end(self._inner, _inner_tolerance(tol), quick=quick)

    def incumbent(self) -> Neurons:
        """The best neurons so far, and the linear part beside them."""
        return with_linear(self.rows, self.neurons, self.linear)

    def final_proofs(self, *, quick: bool) -> tuple[DualProof, DualProof]:
        """The best on the problem that was searched, and on that over all networks."""
        return self.proof, self._space_proof

    def _begin(self, tol: float) -> None:
        """The search for the next eta and its first round."""
        if self._root is None:
            self._root = RootSearch(float(np.log(self._first_guess())), _FIRST_STEP)
        log_eta = self._root.next_point
        if log_eta is None:
            # Where the last search could not exclude a neuron that is the reason, else rounding.
            self.stationary, self.stalled = self._was_stationary, np.inf
            return
        search = self._open(self._line.around(float(np.exp(log_eta))), self.neurons)
        self._inner = self._around(search, log_eta)
        self._advance(self._inner, tol)

    def _around(self, search: Search, log_eta: float) -> _Inner:
        self.deadline, self.rank = search.deadline, max(self.rank, search.rank)
        return _Inner(Pursuit(search), log_eta)

    def _advance(self, inner: _Inner, tol: float) -> bool:
        if inner.eta == 0.0 and self._first_end.passed:
            return False
        advanced = inner.pursuit.advance(tol)
        self.n_blocks = inner.pursuit.search.n_blocks
        return advanced

    def _end(self, inner: _Inner, tol: float, *, quick: bool) -> None:
        """Take over the network and the proofs of a search, and its ``log(||w|| / eta)``."""
        search = inner.pursuit.search
        search.finish(tol, quick=quick)
        neurons = search.incumbent()
        f = self.rows.layer.forward(neurons.rays, neurons.signs)
        w = self._line.weights(f, inner.eta) if inner.eta else self._line.best(f)
        self._offer(neurons, f, w)
        program, space = map(self._line.proof, search.final_proofs(quick=quick))
        self._take(program)
        proofs = (self._space_proof, space)
        self._space_proof = max(proofs, key=lambda proof: proof.bound(self.problem))
        if self._root is not None:
            norm = max(self._line.norm(w), 1e-300)
            self._root.note(inner.log_eta, float(np.log(norm)) - inner.log_eta)
        self._was_stationary = search.stationary
        self._inner = None

    def _offer(self, neurons: Neurons, f: FloatArray, w: FloatArray) -> None:
        """Keep these neurons with predictions f, and w, if they are the best so far."""
        objective = self._line.objective(f, float(neurons.sizes.sum()), w)
        if objective < self.objective:
            self.neurons, self.linear, self.objective = neurons, w, objective

    def _first_guess(self) -> float:
        """``||w||`` of the best w beside the present network, or beside none, roughly.

        Neurons may have taken over all that the skip connection is to do.
        """
        neurons = self.neurons
        f = self.rows.layer.forward(neurons.rays, neurons.signs)
        return max(self._line.guess(f), self._line.guess(np.zeros_like(f)))


def _inner_tolerance(tol: float) -> float:
    return max(_INNER * tol, _LEAST_TOLERANCE)
