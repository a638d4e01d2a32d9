"""Neurons beside a linear skip connection that costs nothing, by one search without it."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np

from cvxnn.certificates import DualProof
from cvxnn.problems import Neurons
from cvxnn.solvers.search import Opener, Search
from cvxnn.solvers.skip.projection import ProjectedProblem


@final
class FreeSkipSearch(Search):
    """Search for ``min l(f + S w, y) + beta (sum of sizes)`` with the squared loss.

    Every round is one of the search for the neurons on the projected problem, whose
    network is taken over with the best w beside it.

    Parameters
    ----------
    projected : ProjectedProblem
    open_search : Opener
        Opens the search for neurons alone.

    Attributes
    ----------
    linear : ndarray, shape (p,)
        The w beside `neurons`.
    """

    def __init__(self, projected: ProjectedProblem, open_search: Opener) -> None:
        self._projected = projected
        self.basis = np.eye(projected.problem.rows.n_features)
        self._inner = open_search(projected.inner, None)
        self._take_over()

    def step(self, tol: float) -> None:
        """One round of the search for the neurons."""
        self._inner.step(tol)
        self._take_over()

    def sharpen(self, tol: float) -> bool:
        """One more round for the digits beyond the goal; False where there is nothing to gain."""
        sharpened = self._inner.sharpen(tol)
        self._take_over()
        return sharpened

    def finish(self, tol: float, *, quick: bool) -> None:
        """Leave a minimal network, with the best w beside it."""
        self._inner.finish(tol, quick=quick)
        self._take_over()

    def incumbent(self) -> Neurons:
        """The best neurons so far, and the linear part beside them."""
        return replace(self.neurons, linear=self.linear)

    def final_proofs(self, *, quick: bool) -> tuple[DualProof, DualProof]:
        """The best on the problem that was searched, and on that over all networks."""
        program, space = self._inner.final_proofs(quick=quick)
        return self._carried_over(program), self._carried_over(space)

    # Trial weights may have squares beyond float64 where units are far apart.
    @np.errstate(over="ignore", invalid="ignore")
    def _take_over(self) -> None:
        """State, network and proof of the search for the neurons."""
        projected, inner = self._projected, self._inner
        self.n_blocks, self.rank, self.is_cheap = inner.n_blocks, inner.rank, inner.is_cheap
        self.stalled, self.stationary = inner.stalled, inner.stationary
        self.deadline = inner.deadline
        self.neurons = projected.neurons(inner.incumbent())
        self.linear = projected.linear(self.neurons)
        evaluation = projected.evaluate(self.neurons, self.linear)
        self.objective = evaluation.value
        self._reached = evaluation.value + evaluation.error
        self.proof = self._carried_over(inner.proof)
        self.bound = self.proof.bound(projected.problem)

    def _carried_over(self, proof: DualProof) -> DualProof:
        return self._projected.proof(proof, self._reached)
