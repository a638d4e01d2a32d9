"""What one call of :func:`cvxnn.certify` does: the residual priced, then a bound by training."""

from __future__ import annotations

from typing import Any

import numpy as np

from cvxnn.certificates import DualProof, Prover, spectral_proof
from cvxnn.errors import InputError
from cvxnn.evaluation import Evaluation
from cvxnn.exchange.foreign import ReadNetwork
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.networks import TwoLayerNetwork
from cvxnn.oracle.choice import Effort, oracle_for
from cvxnn.problems import Problem
from cvxnn.results import (
    ImprovingNeuron,
    NetworkCertificate,
    Solution,
    Status,
    Verdict,
    relative_gap,
)
from cvxnn.training.improving_neuron import NeuronTrials
from cvxnn.training.run import Limits
from cvxnn.training.training_prover import TrainingProver

# Neurons of the oracle that are tried.
_CANDIDATES = 32
# Share of its excess over beta by which the function falls between two directions
# of rank two: noise gives every hill a thousand summits.
_DEPTH = 0.05
# Tolerance of the first look at the residual of the network, and the share of
# the time for it: a bound from training is usually better.
_COARSE = 1e-3
_RESIDUAL_SHARE = 0.3
# A gap that rescaling the neurons closes by this share of the objective is worth a note.
_UNBALANCED = 1e-6


class CertificationRun:
    """One call of :func:`cvxnn.certify`: what is known so far, at any time a valid answer."""

    def __init__(
        self,
        read: ReadNetwork,
        problem: Problem[Layer],
        limits: Limits,
        rng: np.random.Generator,
    ) -> None:
        self.read, self.network, self.problem = read, read.network, problem
        self.layer, self.y, self.beta, self.loss = (
            problem.rows, problem.y, problem.beta, problem.loss
        )  # fmt: skip
        self.tol, self.rng, self.deadline = limits.tol, rng, Deadline(limits.time_limit)
        self.trainer = TrainingProver(problem, rng, limits.callback)
        evaluation = self._evaluate(self.network)
        self.objective, self.objective_error = evaluation.value, evaluation.error
        self.balanced = self._evaluate(self.network.balance())
        self.prediction = self.network.forward(self.layer.rows)
        self.of_residual = spectral_proof(self.layer, problem.residual(self.prediction))
        self.proof = self.of_residual
        self.largest_value = 0.0
        self.neuron: ImprovingNeuron | None = None
        self.solution: Solution[Any] | None = None
        self.interrupted = False

    def execute(self) -> None:
        """Price the residual, then search for a better bound; Ctrl-C keeps what there is."""
        try:
            self._price_residual()
            if self._gap() > self.tol:
                self._ask(self.trainer)
        except KeyboardInterrupt:
            self.interrupted = True

    def certificate(self) -> NetworkCertificate:
        """What is known, with the verdict it allows."""
        return NetworkCertificate(
            objective=self.objective,
            dual_bound=self._bound_of(self.proof),
            oracle_bound=self.of_residual.oracle_bound,
            objective_error=self.objective_error,
            verdict=self._verdict(),
            network=self.network,
            has_ones=self.read.has_ones,
            balanced_objective=self.balanced.value,
            largest_value=self.largest_value,
            improving_neuron=self.neuron,
            better_network=self.solution,
            notes=self._notes(),
            beta=self.beta,
            tol=self.tol,
            interrupted=self.interrupted,
            elapsed=self.deadline.elapsed,
        )

    def _gap(self) -> float:
        return relative_gap(self.objective, self._bound_of(self.proof), self.objective_error)

    def _is_better(self, other: Evaluation) -> bool:
        """Whether an objective is lower by more than tol, whatever rounding hides of the two."""
        known = self.objective - self.objective_error - (other.value + other.error)
        return known > self.tol * self.objective

    def _verdict(self) -> Verdict:
        if self._gap() <= self.tol:
            return Verdict.OPTIMAL
        known = self.neuron is not None or self.solution is not None
        if known or self._is_better(self.balanced):
            return Verdict.IMPROVABLE
        return Verdict.UNDECIDED

    def _notes(self) -> tuple[str, ...]:
        notes = self.read.notes(self.layer.rows, self.beta)
        if self.balanced.value < self.objective * (1.0 - _UNBALANCED):
            notes += (
                "Balancing its neurons (TwoLayerNetwork.balance), which does not change the "
                f"function, lowers the objective to {self.balanced.value:.10g}.",
            )
        return notes

    def _bound_of(self, proof: DualProof) -> float:
        return proof.bound(self.loss, self.y, self.beta)

    def _evaluate(self, network: TwoLayerNetwork) -> Evaluation:
        with np.errstate(over="ignore", invalid="ignore"):
            evaluation = network.evaluate(self.layer.rows, self.y, self.beta, self.loss, self.tol)
        if not np.isfinite(evaluation.value + evaluation.error):
            raise InputError(
                "The objective of the network is beyond float64: its weights are too large for X."
            )
        return evaluation

    def _price_residual(self) -> None:
        """Coarsely, and to the end where the network turns out to be nearly optimal."""
        effort = Effort(most=_CANDIDATES, depth=_DEPTH, random_state=self.rng)
        oracle, V = oracle_for(self.layer, effort), self.of_residual.V
        trials = NeuronTrials(self.layer.rows, self.y, self.beta, self.loss, self.prediction)
        for tol in (_COARSE, 0.5 * self.tol):
            deadline = self.deadline.share(_RESIDUAL_SHARE)
            price = oracle.price(V, self.beta, tol=tol, deadline=deadline)
            self._take_residual(DualProof.priced(V, price))
            proposals = trials.valued(price.proposals)
            self.largest_value = max(self.largest_value, proposals.largest)
            neuron = trials.best(proposals)
            if neuron is not None and self._is_better(
                self._evaluate(neuron.added_to(self.network))
            ):
                self.neuron = neuron
            if price.is_exact or self._gap() > 10.0 * _COARSE or self.neuron is not None:
                return

    def _take_residual(self, proof: DualProof) -> None:
        """Keep what is proven of the residual, if it is closer than before."""
        self.of_residual = min(self.of_residual, proof, key=lambda p: p.oracle_bound)
        self.proof = max(self.proof, self.of_residual, key=self._bound_of)

    def _ask(self, prover: Prover[TwoLayerNetwork]) -> None:
        """For a better bound: it holds for every network, also for this one."""
        self.proof = prover.improve(self.network, self.proof, self.tol, self.deadline)
        solution = self.trainer.solution
        if solution is None:
            return
        self.interrupted = solution.status is Status.INTERRUPTED
        if self._is_better(Evaluation(solution.objective, solution.objective_error)):
            self.solution = solution
