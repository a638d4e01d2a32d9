"""What one call of :func:`cvxnn.certify` does: the residual priced, then a bound by training."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

import numpy as np

from cvxnn.certificates import DualProof, Prover
from cvxnn.errors import InputError
from cvxnn.evaluation import Evaluation
from cvxnn.exchange.foreign import ReadNetwork
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses.offset import best_offsets
from cvxnn.methods import Global
from cvxnn.models.relu import ReLU
from cvxnn.networks import TwoLayerNetwork
from cvxnn.oracle.branch_and_bound import MAX_RANK
from cvxnn.oracle.choice import Effort
from cvxnn.patterns.reduction import reduce_rows
from cvxnn.problems import Problem
from cvxnn.results import (
    ImprovingNeuron,
    NetworkCertificate,
    Solution,
    Status,
    Verdict,
    relative_gap,
)
from cvxnn.solvers.intercept.proof import intercept_reach
from cvxnn.training.certificate import bound_certificate
from cvxnn.training.outlook import Outlook
from cvxnn.training.residual import NeuronTrials, OneResidual, OutputsResidual, Residual
from cvxnn.training.run import Callback, Limits, Run

# Enough for a training that is ended by its tolerance or a clock.
_ROUNDS = 100
# Neurons of the oracle that are tried.
_CANDIDATES = 32
# Share of its excess over beta by which the function falls between two directions
# of rank two: noise gives every hill a thousand summits.
_DEPTH = 0.05
# Tolerance of the first look at the residual of the network, and the share of
# the time for it: a bound from training is usually better.
_COARSE = 1e-3
_RESIDUAL_SHARE = 0.3
# Seconds of a search over signs in high rank.
_SIGNS_TIME = 1.0
# A gap that rescaling the neurons closes by this share of the objective is worth a note.
_UNBALANCED = 1e-6


@final
@dataclass(eq=False)
class TrainingProver:
    """A :class:`~cvxnn.certificates.Prover` that trains with ``method="global"``.

    Parameters
    ----------
    problem : Problem of Layer
    random_state : numpy.random.Generator
    callback, intercept
        As for :func:`cvxnn.solve`.
    proof_time : float or "auto"
        As for :class:`~cvxnn.methods.Global`.

    Attributes
    ----------
    solution : Solution or None
        Of the training, once there has been one.
    outlook : Outlook or None
        On more time for its bound, where no oracle has come to an end.
    """

    problem: Problem[Layer]
    random_state: np.random.Generator
    callback: Callback | None = None
    intercept: bool = False
    proof_time: float | str = "auto"
    solution: Solution[Any] | None = field(default=None, init=False)
    outlook: Outlook | None = field(default=None, init=False)

    def improve(
        self, incumbent: TwoLayerNetwork, proof: DualProof, tol: float, deadline: Deadline
    ) -> DualProof:
        """The better of a proof and that of the training, which starts anew."""
        if deadline.passed:
            return proof
        problem = self.problem
        seconds = deadline.remaining if deadline.limited else None
        # The incumbent may use up tol by itself: the bound must be closer.
        limits = Limits(tol / 4.0, _ROUNDS, seconds, self.callback)
        shape = (problem.rows.n_features,)
        method = Global(proof_time=self.proof_time)
        run = Run(ReLU(), shape, problem, method, self.random_state, None, limits, self.intercept)
        self.solution, self.outlook = run.execute(), run.outlook
        return max(proof, run.proof, key=lambda p: p.bound(problem))


class CertificationRun:
    """One call of :func:`cvxnn.certify`: what is known so far, at any time a valid answer."""

    def __init__(
        self,
        read: ReadNetwork,
        problem: Problem[Layer],
        limits: Limits,
        rng: np.random.Generator,
        proof_time: float | str = "auto",
    ) -> None:
        self.read, self.network, self.problem = read, read.network, problem
        self.layer, self.y, self.beta, self.loss = (
            problem.rows, problem.target, problem.beta, problem.loss
        )  # fmt: skip
        self.tol, self.rng, self.deadline = limits.tol, rng, Deadline(limits.time_limit)
        self.trainer = TrainingProver(problem, rng, limits.callback, read.has_intercept, proof_time)
        evaluation = self._evaluate(self.network)
        self.objective, self.objective_error = evaluation.value, evaluation.error
        self.balanced = self._evaluate(self.network.balance())
        self.prediction = self.network.forward(self.layer.rows)
        self.recentred = self._with_best_intercept()
        self.residual = self._residual()
        self.of_residual = self.residual.first
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

    def certificate(self, fingerprint: str) -> NetworkCertificate:
        """What is known, with the verdict it allows, for data of this fingerprint."""
        bound = self._bound_of(self.proof)
        checkable = bound_certificate(
            ReLU(), self.problem, self.proof, {}, bound=bound,
            objective=self.objective + self.objective_error,
            intercept=self.read.has_intercept, fingerprint=fingerprint,
            has_ones=self.read.has_ones,
        )  # fmt: skip
        return NetworkCertificate(
            objective=self.objective,
            dual_bound=bound,
            oracle_bound=self.of_residual.oracle_bound,
            objective_error=self.objective_error,
            objective_floor=self.problem.floor,
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
            certificate=checkable,
        )

    def _gap(self) -> float:
        bound, floor = self._bound_of(self.proof), self.problem.floor
        return relative_gap(self.objective, bound, self.objective_error, floor)

    def _is_better(self, other: Evaluation) -> bool:
        """Whether an objective is lower by more than tol, whatever rounding hides of the two."""
        known = self.objective - self.objective_error - (other.value + other.error)
        return known > self.tol * self.objective

    def _verdict(self) -> Verdict:
        if self._gap() <= self.tol:
            return Verdict.OPTIMAL
        known = self.neuron is not None or self.solution is not None
        if known or self._is_better(self.balanced) or self._is_better(self.recentred):
            return Verdict.IMPROVABLE
        return Verdict.UNDECIDED

    def _notes(self) -> tuple[str, ...]:
        notes = self.read.notes(self.layer.rows, self.beta)
        if self.balanced.value < self.objective * (1.0 - _UNBALANCED):
            notes += (
                "Balancing its neurons (TwoLayerNetwork.balance), which does not change the "
                f"function, lowers the objective to {self.balanced.value:.10g}.",
            )
        if self.recentred.value < self.objective * (1.0 - _UNBALANCED):
            notes += (f"Another intercept lowers the objective to {self.recentred.value:.10g}.",)
        without = self.loss.value(np.zeros_like(self.prediction), self.y)
        if without < self.objective * (1.0 - _UNBALANCED):
            notes += (
                f"A network without neurons has a lower objective, {without:.10g}: look whether X, "
                "y, the loss and beta are those of the training, in its units.",
            )
        outlook = self.trainer.outlook
        if outlook is not None and self._gap() > self.tol:
            notes += (outlook.sentence("The gap"),)
        return notes

    def _bound_of(self, proof: DualProof) -> float:
        return proof.bound(self.problem)

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
        oracle, V = self.residual.oracle(effort), self.residual.first.V
        trials = NeuronTrials(self.problem, self.prediction)
        for tol in (_COARSE, 0.5 * self.tol):
            deadline = self._residual_deadline()
            price = oracle.price(V, self.beta, tol=tol, deadline=deadline)
            self._take_residual(self.residual.proof(price))
            proposals = trials.valued(price.proposals)
            self.largest_value = max(self.largest_value, proposals.largest)
            neuron = trials.best(proposals)
            if neuron is not None and self._is_better(
                self._evaluate(neuron.added_to(self.network))
            ):
                self.neuron = neuron
            if price.is_exact or self._gap() > 10.0 * _COARSE or self.neuron is not None:
                return

    def _residual_deadline(self) -> Deadline:
        """Beyond the rank of cones a search over signs is for residuals that it ends with soon."""
        deadline = self.deadline.share(_RESIDUAL_SHARE)
        if self._rank <= MAX_RANK:
            return deadline
        return Deadline(min(deadline.remaining, _SIGNS_TIME))

    @cached_property
    def _rank(self) -> int:
        return reduce_rows(self.layer.rows).rank

    def _with_best_intercept(self) -> Evaluation:
        """The objective of the network beside the best intercept, where it may have one."""
        if not self.read.has_intercept:
            return Evaluation(self.objective, self.objective_error)
        start = self.network.intercept
        f = self.prediction - start
        return self._evaluate(
            self.network.with_intercept(best_offsets(self.loss, f, self.y, start))
        )

    def _residual(self) -> Residual:
        """The dual point of the network, beside any intercept where it may have one."""
        V, intercept = self.problem.residual(self.prediction), self.read.has_intercept
        if self.problem.n_outputs > 1:
            return OutputsResidual(self.problem, V, intercept=intercept)
        reach = None
        if intercept:
            reach = intercept_reach(self.problem, self.network.intercept, self.objective)
        return OneResidual(self.problem, V, reach)

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
