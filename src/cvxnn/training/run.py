"""One training run: rounds, limits, and what it leaves behind. The only loop over rounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvxnn.blas import suitable_threads
from cvxnn.certificates import DualProof
from cvxnn.clocks import clock
from cvxnn.evaluation import Evaluation, evaluate
from cvxnn.interrupts import (
    Deadline,
    OutOfTimeError,
    deferred_interrupts,
    forget_interrupt,
    interrupt_pending,
)
from cvxnn.methods import Method
from cvxnn.models.base import Choices, Model
from cvxnn.networks.base import Network
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.memory import Memory
from cvxnn.results import Progress, Solution, Status, checked_status, relative_gap
from cvxnn.solvers.proof_time import ProofTime
from cvxnn.solvers.relaxed import (
    is_in_parts,
    may_need_relaxation,
    needs_relaxation,
    relaxation_prover,
    staged,
)
from cvxnn.solvers.search import Pursuit, Search
from cvxnn.training.advice import advice
from cvxnn.training.certificate import bound_certificate
from cvxnn.training.circumstances import Circumstances
from cvxnn.training.outlook import Outlook
from cvxnn.validation import check_callback, check_count, check_optional_positive, check_tolerance
from cvxnn.verification.certificate import BoundCertificate

# A gap of which an objective is not known to a tenth.
_WIDE = 0.1
# Of an objective of a search, what that of its weights cannot be beyond by rounding as usual.
_SPOILT = 1.001

Callback = Callable[[Progress], object]


@dataclass(frozen=True)
class Limits:
    """When a run ends; InputError if one is not as described.

    Attributes
    ----------
    tol : float
        Relative gap to reach.
    max_iter : int
        Rounds.
    time_limit : float or None
        Seconds.
    callback : callable or None
        Called after every round.
    """

    tol: float = 1e-6
    max_iter: int = 200
    time_limit: float | None = None
    callback: Callback | None = None

    def __post_init__(self) -> None:
        check_tolerance(self.tol)
        check_count(self.max_iter, "max_iter")
        check_optional_positive(self.time_limit, "time_limit")
        check_callback(self.callback)


class Run:
    """A search driven to the gap, a limit or an interrupt.

    Parameters
    ----------
    model : Model
    shape : tuple of int
        Of a sample of the data.
    problem : Problem
        On rows of the model.
    method : Method
    random_state : numpy.random.Generator
    warm_start : Network or None
    limits : Limits
    intercept : bool
        Whether there is one beside the neurons.
    fingerprint : str, optional
        Of the data, for the certificate of the solution; without it there is none.

    Attributes
    ----------
    outlook : Outlook or None
        On more time for the bound, where it depends on that.
    memory : Memory or None
        Of the relaxation of the run before along a path of beta, for this one and then of it.
    """

    def __init__(
        self,
        model: Model,
        shape: tuple[int, ...],
        problem: Problem[Any],
        method: Method,
        random_state: np.random.Generator,
        warm_start: Network | None,
        limits: Limits,
        intercept: bool = False,
        fingerprint: str | None = None,
    ) -> None:
        self._intercept, self._fingerprint = intercept, fingerprint
        self._deadline, self._start = Deadline(limits.time_limit), clock()
        self._model, self._shape, self._problem, self._method = model, shape, problem, method
        self._limits, self._warm_start = limits, warm_start
        self._scaled, self._units = problem.in_units(intercept=intercept)
        start = None if warm_start is None else self._units.reduced(model.neurons(warm_start))
        self._proof_time = ProofTime(method)
        choices = Choices(method, random_state, start, self._proof_time)
        self._strategy = model.strategy_of(self._scaled, choices, shape, intercept=intercept)
        self._search: Search | None = None
        self._proof: DualProof | None = None
        self.outlook: Outlook | None = None
        self.memory: Memory | None = None
        self._history: list[Progress] = []

    def execute(self) -> Solution[Any]:
        """Run to the end, a limit or an interrupt, and return the best there is."""
        with deferred_interrupts():
            with suitable_threads(self._problem.rows.n_predictions):
                try:
                    solution = self._solution(self._run())
                except KeyboardInterrupt:
                    self._finish_quickly()
                    solution = self._solution(Status.INTERRUPTED)
            forget_interrupt()
        return solution

    def _run(self) -> Status:
        """Search, and leave a minimal network."""
        try:
            self._search = self._strategy.open(self._search_deadline())
            status = self._drive(self._search)
        except OutOfTimeError:
            status = Status.TIME_LIMIT
        if self._search is not None:
            self._search.finish(self._limits.tol, quick=False)
        return status

    def _search_deadline(self) -> Deadline:
        """That of the run, before what a relaxation is to have of a limited time."""
        kept = 0.0
        if self._deadline.limited and self._method.covers_all:
            kept = ProofTime.kept(self._method, self._deadline.remaining)
        if kept == 0.0 or not needs_relaxation(self._scaled, self._deadline):
            return self._deadline
        prover = relaxation_prover(self._scaled, intercept=self._intercept)
        if prover is None or kept < prover.least_seconds:
            return self._deadline
        return Deadline(self._deadline.remaining - kept)

    def _finish_quickly(self) -> None:
        """The best network so far, without one more pricing: somebody is waiting."""
        try:
            if self._search is not None:
                self._search.finish(self._limits.tol, quick=True)
        except KeyboardInterrupt:
            # A second Ctrl-C: the network stays as it is.
            return

    def _drive(self, search: Search) -> Status:
        """Rounds until there is a reason to stop, and a few beyond the gap for the last digits."""
        pursuit = Pursuit(search)
        while len(self._history) < self._limits.max_iter and pursuit.advance(self._limits.tol):
            self._report(search)
        if search.reaches(self._limits.tol):
            return Status.OPTIMAL_FOR_PATTERNS
        if len(self._history) >= self._limits.max_iter:
            return Status.ITERATION_LIMIT
        if search.deadline.passed:
            return Status.TIME_LIMIT
        return Status.STATIONARY if search.stationary else Status.NUMERICAL_ERROR

    def _report(self, search: Search) -> None:
        unit = self._units.objective
        progress = Progress(
            iteration=len(self._history),
            elapsed=clock() - self._start,
            objective=search.objective * unit,
            dual_bound=search.bound * unit,
            n_blocks=search.n_blocks,
            n_neurons=len(search.neurons),
            method_bound=None if search.method_bound is None else search.method_bound * unit,
        )
        self._note(progress)

    def _note(self, progress: Progress) -> None:
        self._history.append(progress)
        if self._limits.callback is not None:
            self._limits.callback(progress)

    def _solution(self, status: Status) -> Solution[Any]:
        """Recompute everything from the weights of the network that is returned."""
        program, proof = self._proofs(status)
        program_bound, bound = self._bound(program), self._bound(proof)
        network, evaluation, was_searched = self._best_network(status)
        objective, error = evaluation.value, evaluation.error
        if self._proof is None or self._bound(self._proof) < bound:
            self._proof = proof
        if status is not Status.INTERRUPTED:
            status = self._relaxed(status, network, evaluation)
        bound = self._bound(self._proof)
        # The program is one of some of the networks.
        program_bound = max(program_bound, bound)
        if not was_searched:
            # It may not be of the program; a bound over all networks covers that, too.
            program_bound = bound
        tol = self._limits.tol
        floor = self._problem.floor
        status = checked_status(status, objective, program_bound, bound, tol, error, floor)
        limited, gap = self._deadline.passed, relative_gap(objective, bound, error, floor)
        return Solution(
            network=network,
            objective=objective,
            dual_bound=bound,
            status=status,
            method=self._method.name,
            beta=self._problem.beta,
            tol=tol,
            n_patterns=self._strategy.n_patterns,
            program_gap=relative_gap(objective, program_bound, error, floor),
            elapsed=clock() - self._start,
            history=tuple(self._history),
            objective_error=error,
            objective_floor=floor,
            certificate=self._certificate(bound, objective + error),
            advice=advice(
                status,
                self._method,
                self._model,
                self.outlook,
                limited=limited,
                circumstances=self._circumstances(status, gap),
            ),
        )

    def _circumstances(self, status: Status, gap: float) -> Circumstances | None:
        """What keeps a gap wide; the largest beta is that of one eigenvalue."""
        if gap <= _WIDE or status.is_success or status is Status.INTERRUPTED:
            return None
        largest = self._strategy.first_proof().oracle_bound * self._problem.beta / self._scaled.beta
        return Circumstances.of(self._problem, largest, intercept=self._intercept)

    def _relaxed(self, status: Status, network: Network, evaluation: Evaluation) -> Status:
        """A better bound by a relaxation, where no oracle has come to one; INTERRUPTED by Ctrl-C.

        Within the time that is left, and of that as much as the method says.
        """
        assert self._proof is not None
        objective, unit = evaluation.value, self._units.objective
        gap = relative_gap(
            objective, self._bound(self._proof), evaluation.error, self._problem.floor
        )
        deadline = Deadline(min(self._proof_time.relaxed(), self._deadline.remaining))
        if gap <= self._limits.tol or not self._method.covers_all:
            return status
        outlook = self._first_outlook(status, objective)
        if self._proof_time_helps:
            self.outlook = outlook
        if deadline.passed:
            return status

        def note(proof: DualProof) -> None:
            # A callback may raise: what is proven stays.
            self._proof = proof
            bound = proof.bound(self._scaled) * unit
            outlook.add(deadline.elapsed, bound)
            self._report_bound(objective, bound, network.n_neurons)

        prover = relaxation_prover(
            self._scaled, intercept=self._intercept, on_bound=note, memory=self.memory
        )
        if prover is None:
            return status
        if deadline.remaining < prover.least_seconds:
            outlook.least = prover.least_seconds
            return status
        prover = staged(prover, lambda is_last: outlook.begin(is_last=is_last))
        neurons = self._units.reduced(self._model.neurons(network))
        self._proof = prover.improve(neurons, self._proof, self._limits.tol, deadline)
        if interrupt_pending():
            return Status.INTERRUPTED
        # Parts end where their shares of the time do.
        outlook.at_rest = not is_in_parts(prover) and not deadline.passed
        return status

    @property
    def _proof_time_helps(self) -> bool:
        """Whether a proof may depend on the seconds that the method has for it."""
        may_help = self._proof_time.cut_short is not None or may_need_relaxation(self._scaled)
        return self._method.may_prove_longer and may_help

    def _first_outlook(self, status: Status, objective: float) -> Outlook:
        """Before the first bound of a relaxation."""
        time, timed_out = self._proof_time, status is Status.TIME_LIMIT
        return Outlook(
            objective, time.parameter(self._deadline, timed_out=timed_out), time.cut_short
        )

    def _report_bound(self, objective: float, bound: float, n_neurons: int) -> None:
        """A bound, after the last round."""
        last = self._history[-1].iteration if self._history else 0
        elapsed = clock() - self._start
        self._note(Progress(last, elapsed, objective, bound, 0, n_neurons, phase="proof"))

    def _certificate(self, bound: float, objective: float) -> BoundCertificate | None:
        """What it takes to recompute the bound, for data that have a fingerprint."""
        if self._fingerprint is None:
            return None
        return bound_certificate(
            self._model, self._problem, self.proof, self._strategy.arrays, bound=bound,
            objective=objective, intercept=self._intercept, fingerprint=self._fingerprint,
        )  # fmt: skip

    def _proofs(self, status: Status) -> tuple[DualProof, DualProof]:
        """On the problem that was searched, and over all networks."""
        if self._search is None:
            return (self._strategy.first_proof(),) * 2
        return self._search.final_proofs(quick=status is Status.INTERRUPTED)

    @property
    def proof(self) -> DualProof:
        """The best over all networks, once it has ended, in the units of the data."""
        assert self._proof is not None
        return self._proof.in_units(self._units.rows, self._units.targets)

    def _bound(self, proof: DualProof) -> float:
        return proof.bound(self._scaled) * self._units.objective

    def _best_network(self, status: Status) -> tuple[Network, Evaluation, bool]:
        """The best network that is known, its objective, and whether a search has found it.

        Where no search has ended a round, a few passes over the data make a first network.
        """
        found = [] if self._search is None else [self._search.incumbent()]
        networks = [(self._network(neurons), True) for neurons in found]
        if not status.is_success:
            if self._warm_start is not None:
                networks.append((self._warm_start, False))
            if not self._history or not any(len(neurons) for neurons in found):
                networks += [(self._network(first), False) for first in self._openings()]
        known = [(network, self._evaluate(network), searched) for network, searched in networks]
        best = min(known, key=lambda candidate: candidate[1].value)
        if self._is_spoilt(best[1]):
            others = [self._network(first) for first in self._openings()]
            known = [best, *((other, self._evaluate(other), False) for other in others)]
            best = min(known, key=lambda candidate: candidate[1].value)
        return best

    def _is_spoilt(self, evaluation: Evaluation) -> bool:
        """Whether rounding has made of huge weights what the search did not mean."""
        if self._search is None:
            return False
        return evaluation.value > _SPOILT * self._search.objective * self._units.objective

    def _openings(self) -> list[Neurons]:
        """The network 0, and one that is made now in a few passes over the data."""
        none = self._strategy.nothing()
        # One Ctrl-C is what has led here, or is meant for what is over anyway.
        for _ in range(2):
            try:
                return [none, self._strategy.opening()]
            except KeyboardInterrupt:
                continue
        return [none]

    def _network(self, neurons: Neurons) -> Network:
        """The network in the units of the data."""
        return self._model.network(self._units.restored(neurons), self._shape)

    def _evaluate(self, network: Network) -> Evaluation:
        """The objective, from the weights."""
        problem = self._problem
        prediction = network.predict_on(problem.rows)
        price, roundings = problem.beta * network.penalty(), network.penalty_roundings
        return evaluate(
            problem.loss, problem.target, prediction, price, roundings, self._limits.tol
        )
