"""What a task proves of a segment of rows on a cluster, by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.certificates import DualProof
from cvxnn.distributed.blocks import Block
from cvxnn.distributed.cluster import given_up
from cvxnn.errors import InputError
from cvxnn.evaluation import evaluate
from cvxnn.interrupts import Deadline, Recall, interrupt_pending, leave_interrupt
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.methods import Global
from cvxnn.models.base import Choices, Model
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.outputs.prover import OutputsProver
from cvxnn.relaxation.prover import RelaxationProver
from cvxnn.solvers.proof_time import ProofTime
from cvxnn.solvers.relaxed import needs_relaxation, relaxation_prover
from cvxnn.solvers.residual_proof import residual_proof, searched_proof
from cvxnn.solvers.strategy import Strategy
from cvxnn.training.certificate import bound_certificate
from cvxnn.verification.certificate import BoundCertificate
from cvxnn.verification.data import fingerprint_of

# Rows of the first blocks of a part: of 4096 rows these are as many blocks.
_BLOCK = 64
# Share of the time of a part for a search that comes to its end, before a relaxation.
_SEARCH = 0.75


@final
@dataclass(frozen=True)
class Parts:
    """What every task has to know to bound a segment by itself.

    Of a segment with m of n rows the share of beta is ``beta m / n``: one network serves all
    rows, the loss is a sum, and so ``p*(all, beta) >= sum_k p*(segment k, beta m_k / n)``, beside
    an intercept, too. Rows that are alike lose little by that. A segment is of consecutive rows,
    so that none moves and the bound does not depend on chunks: who has sorted rows shuffles them
    before.

    Attributes
    ----------
    model : Model
    loss : Loss
        In the units of the data.
    beta : float
    n_rows : int
        Of all segments together.
    neurons : Neurons
        In the same units, to start from: the best known for all rows.
    intercept : bool
    tol : float
        Relative gap of a segment at which there is no more to do.
    keeps : bool
        Whether certificates are kept.
    """

    model: Model
    loss: Loss
    beta: float
    n_rows: int
    neurons: Neurons
    intercept: bool
    tol: float
    keeps: bool

    def problem(self, X: FloatArray, y: FloatArray, weights: FloatArray | None) -> Problem[Layer]:
        """That of a segment."""
        # The shares sum to beta at most, whatever is rounded.
        beta = self.beta * (len(X) / self.n_rows) * (1.0 - 8.0 * EPS)
        return self.model.problem(X, y, beta, self.loss, weights, self.intercept)

    def found(self, problem: Problem[Layer], proof: DualProof, data: Sequence[Any]) -> Proven:
        """What a proof comes to, with a certificate where they are kept."""
        bound = proof.bound(problem)
        if not self.keeps:
            return Proven(bound)
        network = self.model.network(self.neurons, (problem.rows.n_features,))
        # A checker may prove more than the bound, but no more than a network has.
        known = evaluate(
            problem.loss, problem.target, network.predict_on(problem.rows),
            problem.beta * network.penalty(), network.penalty_roundings, self.tol,
        )  # fmt: skip
        certificate = bound_certificate(
            self.model, problem, proof, {}, bound=bound, objective=known.value + known.error,
            intercept=self.intercept, fingerprint=fingerprint_of(*data),
        )  # fmt: skip
        return Proven(bound, certificate)


@dataclass(frozen=True)
class Proven:
    """What a task has proven of a segment.

    Attributes
    ----------
    bound : float
        On its optimum, at its share of beta.
    certificate : BoundCertificate or None
    """

    bound: float
    certificate: BoundCertificate | None = field(default=None, repr=False)


def first_proven(block: Block, numbers: Sequence[int], parts: Parts) -> list[Proven]:
    """Bounds of some segments in the time of a few passes over their rows."""
    return [_Part.of(block, number, parts).first() for number in numbers]


def proven(block: Block, number: int, parts: Parts, seconds: float | None) -> list[Proven]:
    """That of a segment after so many seconds, no limit if None; :func:`first_proven` at least."""
    return [_Part.of(block, number, parts).proven(Recall(seconds, given_up()))]


@final
@dataclass(frozen=True)
class _Part:
    """A segment with its share of beta.

    Attributes
    ----------
    parts : Parts
    data : tuple
        Rows, targets and weights as they were given.
    problem : Problem
        In the units of the data.
    is_free : bool
        Whether an intercept has no best value there: labels that are all the same, or one of
        several classes is missing. Then it is bounded by 0.
    """

    parts: Parts
    data: Sequence[Any]
    problem: Problem[Layer]
    is_free: bool

    @classmethod
    def of(cls, block: Block, number: int, parts: Parts) -> _Part:
        data = block.rows_of(number)
        try:
            return cls(parts, data, parts.problem(*data), is_free=False)
        except InputError:
            # Whatever else is wrong is raised again here, where there is no intercept.
            alone = replace(parts, intercept=False)
            return cls(parts, data, alone.problem(*data), is_free=True)

    def first(self) -> Proven:
        return self.parts.found(self.problem, self._first_proof(), self.data)

    def proven(self, deadline: Deadline) -> Proven:
        proof = self._first_proof()
        if not (self.is_free or deadline.passed or interrupt_pending()):
            proof = self._improved(proof, deadline)
        return self.parts.found(self.problem, proof, self.data)

    def _first_proof(self) -> DualProof:
        if self.is_free:
            # What is left is that no loss is below 0, which a dual point of zeros proves.
            return DualProof(np.zeros_like(self.problem.Y), np.zeros(1), "spectral")
        known = self.parts.neurons, self._strategy(self.problem, None).nothing()
        proofs = [
            residual_proof(self.problem, neurons, intercept=self.parts.intercept)
            for neurons in known
        ]
        return max(proofs, key=lambda proof: proof.bound(self.problem))

    def _improved(self, proof: DualProof, deadline: Deadline) -> DualProof:
        """By a search for the optimum of the segment where it ends, or else by the relaxation."""
        tol = self.parts.tol
        if not needs_relaxation(self.problem):
            found, is_over = self._searched(deadline.share(_SEARCH))
            proof = max([proof, *found], key=lambda one: one.bound(self.problem))
            if is_over:
                return proof
        prover = relaxation_prover(self.problem, intercept=self.parts.intercept)
        if deadline.passed or interrupt_pending() or prover is None:
            return proof
        if isinstance(prover, RelaxationProver):
            # Others work beside it; trees bring little of the gap of all rows.
            prover = replace(prover, threads=1, leaves=1, block=_BLOCK, largest=2 * _BLOCK)
        elif isinstance(prover, OutputsProver):
            prover = replace(prover, threads=1)
        return prover.improve(self.parts.neurons, proof, tol, deadline)

    def _searched(self, deadline: Deadline) -> tuple[list[DualProof], bool]:
        """What a search from the network proves, if anything, and whether it has ended."""
        scaled, units = self.problem.in_units(intercept=self.parts.intercept)
        strategy = self._strategy(scaled, units.reduced(self.parts.neurons))
        try:
            found = searched_proof(scaled, strategy, self.parts.tol, deadline)
        except KeyboardInterrupt:
            # In a thread of the process that was meant.
            leave_interrupt()
            found = None
        if found is None:
            return [], False
        proof, is_over = found
        return [proof.in_units(units.rows, units.targets)], is_over

    def _strategy(self, problem: Problem[Layer], start: Neurons | None) -> Strategy:
        method = Global(proof_time=0.0)
        choices = Choices(method, np.random.default_rng(0), start, ProofTime(method))
        shape = (problem.rows.n_features,)
        return self.parts.model.strategy_of(problem, choices, shape, intercept=self.parts.intercept)
