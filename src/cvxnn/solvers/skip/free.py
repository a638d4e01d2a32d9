"""Neurons beside a free linear part, by a search for the neurons alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.evaluation import Evaluation, evaluate, predict
from cvxnn.layers import Layer
from cvxnn.layers.relu import SkipLayer
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.search import Opener, Search


class FreeProblem(Protocol):
    """A problem with a free linear part, and the one that it leaves for the neurons alone.

    Columns of S that depend on others up to rounding, whatever the weights of rows and
    the units of columns, have the weight 0: bound and optimum are those of networks for
    which that is so.
    """

    @property
    def problem(self) -> Problem[SkipLayer]:
        """The problem."""

    @property
    def inner(self) -> Problem[Layer]:
        """That for the neurons alone."""

    def neurons(self, found: Neurons) -> Neurons:
        """Neurons of the inner problem as neurons of the problem."""

    def linear(self, neurons: Neurons) -> FloatArray:
        """The best w beside neurons, shape (p,)."""

    def proof(self, found: DualProof, reached: float) -> DualProof:
        """A proof for the inner problem, carried over.

        A dual point has to vanish on S; what rounding leaves of it there costs, for any
        network of an objective below the one that is `reached`.
        """


def evaluated(problem: Problem[SkipLayer], neurons: Neurons, w: FloatArray) -> Evaluation:
    """The objective of neurons and a free w."""
    rows, rays = problem.rows, neurons.rays
    price = problem.beta * float(neurons.sizes.sum())
    prediction = predict(rows.layer, rays, neurons.signs, (rows.columns, w))
    return evaluate(problem.loss, problem.y, prediction, price, rays.size + len(rays))


def with_linear(rows: SkipLayer, neurons: Neurons, w: FloatArray) -> Neurons:
    """The neurons with a linear part beside them, and an intercept where there is one."""
    if rows.has_constant:
        linear = w[:-1] if rows.linear.size else None
        return replace(neurons, linear=linear, intercept=float(w[-1]))
    return replace(neurons, linear=w)


@final
class FreeSkipSearch(Search):
    """Search for ``min l(f + S w, y) + beta (sum of sizes)``.

    Every round is one of the search for the neurons on the inner problem, whose
    network is taken over with the best w beside it.

    Parameters
    ----------
    free : FreeProblem
    open_search : Opener
        Opens the search for neurons alone.
    start : Neurons, optional
        Where that starts.

    Attributes
    ----------
    linear : ndarray, shape (p,)
        The w beside `neurons`.
    """

    def __init__(
        self, free: FreeProblem, open_search: Opener, start: Neurons | None = None
    ) -> None:
        self._free = free
        self.basis = np.eye(free.problem.rows.n_features)
        self._inner = open_search(free.inner, start)
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
        return with_linear(self._free.problem.rows, self.neurons, self.linear)

    def final_proofs(self, *, quick: bool) -> tuple[DualProof, DualProof]:
        """The best on the problem that was searched, and on that over all networks."""
        program, space = self._inner.final_proofs(quick=quick)
        return self._carried_over(program), self._carried_over(space)

    # Trial weights may have squares beyond float64 where units are far apart.
    @np.errstate(over="ignore", invalid="ignore")
    def _take_over(self) -> None:
        """State, network and proof of the search for the neurons."""
        free, inner = self._free, self._inner
        self.n_blocks, self.rank, self.is_cheap = inner.n_blocks, inner.rank, inner.is_cheap
        self.stalled, self.stationary = inner.stalled, inner.stationary
        self.deadline = inner.deadline
        self.neurons = free.neurons(inner.incumbent())
        self.linear = free.linear(self.neurons)
        evaluation = evaluated(free.problem, self.neurons, self.linear)
        self.objective = evaluation.value
        self._reached = evaluation.value + evaluation.error
        self.proof = self._carried_over(inner.proof)
        self.bound = self.proof.bound(free.problem)

    def _carried_over(self, proof: DualProof) -> DualProof:
        """The proof, or what the dual point 0 proves, where rounding has left less of it."""
        carried, problem = self._free.proof(proof, self._reached), self._free.problem
        nothing = replace(
            carried, V=np.zeros_like(carried.V), bounds=np.zeros_like(carried.bounds), slack=0.0
        )
        return max((carried, nothing), key=lambda proof: proof.bound(problem))
