"""How the networks of an estimator are trained: to a proof where one is in reach, or roughly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cvxnn.backends.devices import Device
from cvxnn.certificates import DualProof
from cvxnn.estimators.inputs import Samples
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.layers.groups import GroupedLayer
from cvxnn.losses import Loss
from cvxnn.methods import Method
from cvxnn.models.base import Choices, Model
from cvxnn.networks.base import Network
from cvxnn.oracle.choice import proof_work
from cvxnn.patterns.reduction import reduce_rows
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.scale import KIND
from cvxnn.results import Progress, Solution, Status, checked_status, relative_gap
from cvxnn.solvers.descent.rough_path import rounding_of_zero
from cvxnn.solvers.relaxed import is_in_parts, may_need_relaxation, relaxation_prover, staged
from cvxnn.training.advice import advice
from cvxnn.training.certificate import bound_certificate
from cvxnn.training.circumstances import Circumstances
from cvxnn.training.outlook import Outlook
from cvxnn.training.path import largest_beta
from cvxnn.training.solve import solve_quietly
from cvxnn.validation import check_random_state
from cvxnn.verification.certificate import BoundCertificate

OnRound = Callable[[Progress], None] | None

# Work of the proofs of all networks up to which they take seconds. For labels more has to be tried
# until the best intercept is known, for several outputs each neuron is a search for its shares
# as well: five of 26 rows in rank five do not come to an end in a minute.
_PROVABLE, _PROVABLE_LABELS, _PROVABLE_OUTPUTS = 1_000, 300, 30
# A walk along falling beta ends when so many have not gained anything: where neurons see groups
# of columns errors rest for a while between two groups that come in.
_PATIENCE, _PATIENCE_OF_GROUPS = 3, 6
# Rounds and tolerance of a network whose only use is its score. A loss with kinks takes rounds of
# several smooth ones: after few of them a large beta looks worse than it is.
_ROUNDS, _ROUNDS_OF_KINKS, _TOLERANCE = 3, 40, 1e-2
# Seconds in which a relaxation comes to a first bound, at least, and for each row.
_LEAST_BOUND, _ROW_BOUND = 0.2, 1e-3
# Seconds for a network when time is over: its first one, and no more.
AT_ONCE = 1e-9
# A value that is as good as infinite: its logistic function is 1 to the last digit.
CERTAIN = 1e30


@dataclass(frozen=True)
class Training:
    """What to minimise and how, for all networks of a fit.

    Attributes
    ----------
    model : Model
    method : Method
    loss : Loss
    intercept : bool
    tol, max_iter, random_state
        As for :func:`cvxnn.solve`.
    device : Device or None
        Where a search computes.
    """

    model: Model
    method: Method
    loss: Loss
    intercept: bool
    tol: float
    max_iter: int
    random_state: Any
    device: Device | None = None

    def with_proof_time(self, seconds: float | str, n_networks: int) -> Training:
        """With seconds that are shared by the bounds of so many networks, unless it is "auto"."""
        if isinstance(seconds, str):
            return self
        return replace(self, method=self.method.with_proof_time(seconds / n_networks))

    @property
    def of_two_layers(self) -> Training:
        """With networks of two layers, for which a beta is found in less time."""
        return replace(self, model=self.model.of_two_layers)

    @property
    def takes_starts(self) -> bool:
        """Whether a training may go on from a network."""
        return self.model.capabilities.warm_start

    def problem(self, samples: Samples) -> Problem[Any]:
        """The problem on rows of the model, for a beta of 1."""
        problem = self.model.problem(samples.X, samples.y, 1.0, self.loss, samples.weights)
        return replace(problem, device=self.device)

    def check_intercept(self, samples: Samples) -> None:
        """Raise InputError where it has no best value, labels that are all the same apart."""
        if self.intercept and not self.loss.has_labels:
            weights = samples.weights
            self.loss.check_intercept(samples.y if weights is None else samples.y[weights > 0.0])

    def check_beta(self, problems: Sequence[Samples], beta: float) -> None:
        """Raise InputError if a beta is out of all proportion to the samples."""
        for samples in problems:
            replace(self.problem(samples), beta=beta).in_units(intercept=self.intercept)

    def has_proof(self, problems: Sequence[Samples]) -> bool:
        """Whether the best networks can be proven in seconds, one for each problem.

        Only the search among all directions of plain rows or patches cannot, in high rank;
        other methods, and models without such a search, come to an end of their own.
        """
        first = self.problem(problems[0])
        layer = getattr(first.rows, "layer", first.rows)
        if not (self.can_search and isinstance(layer, Layer)):
            return True
        most = (_PROVABLE_LABELS if self.loss.has_labels else _PROVABLE) / len(problems)
        if first.n_outputs > 1:
            most = min(most, _PROVABLE_OUTPUTS / (first.n_outputs - 1))
        # Two columns have rank two, for however many rows.
        n, d = layer.rows.shape
        return d <= 2 or proof_work(n, reduce_rows(layer.rows)) <= most

    def largest_beta(self, samples: Samples) -> float:
        """From it on the best network has no neurons; what rounding makes of zero is zero."""
        found = largest_beta(samples.X, samples.y, sample_weight=samples.weights, **self._program)
        lengths = np.linalg.norm(samples.X.reshape(len(samples.X), -1), axis=1)
        rounding = rounding_of_zero(self.problem(samples).residual_at_zero, lengths)
        return found if found > rounding else 0.0

    def solve(
        self,
        samples: Samples,
        beta: float,
        deadline: Deadline,
        start: Network | None = None,
        on_round: OnRound = None,
        **options: Any,
    ) -> Solution[Any]:
        """To the gap, or for as long as time allows; `options` as for :func:`cvxnn.solve`."""
        if self.is_settled(samples):
            return self._constant_solution(samples, beta)
        arguments = {"method": self.method, "tol": self.tol, "max_iter": self.max_iter} | options
        return solve_quietly(
            samples.X,
            samples.y,
            beta,
            sample_weight=samples.weights,
            time_limit=max(deadline.remaining, AT_ONCE) if deadline.limited else None,
            random_state=check_random_state(self.random_state),
            warm_start=start if self.takes_starts else None,
            callback=on_round,
            device=self.device,
            **self._program,
            **arguments,
        )

    def glance(
        self, samples: Samples, beta: float, deadline: Deadline, start: Network | None
    ) -> Solution[Any]:
        """A few rounds without a proof, for a score."""
        tol, method = max(_TOLERANCE, self.tol), self.method.uncertified()
        rounds = _ROUNDS_OF_KINKS if self.loss.is_kinked else _ROUNDS
        return self.solve(samples, beta, deadline, start, method=method, max_iter=rounds, tol=tol)

    def proven(
        self, solution: Solution[Any], samples: Samples, beta: float, seconds: float
    ) -> Solution[Any]:
        """With the bound of a relaxation that takes so long at most, where it is closer.

        And with what would narrow the gap, where nobody has said that.
        """
        problem = replace(self.problem(samples), beta=beta)
        if solution.gap <= self.tol:
            return solution
        outlook, deadline = Outlook(solution.objective), Deadline(seconds)
        if seconds < max(_LEAST_BOUND, _ROW_BOUND * len(problem.Y)):
            return self._advised(
                solution, problem, outlook if may_need_relaxation(problem) else None
            )

        def note(proof: DualProof) -> None:
            outlook.add(deadline.elapsed, proof.bound(problem))

        prover = relaxation_prover(problem, intercept=self.intercept, on_bound=note)
        if prover is None:
            return self._advised(solution, problem, None)
        prover = staged(prover, lambda is_last: outlook.begin(is_last=is_last))
        neurons = self.model.neurons(solution.network)
        nothing = DualProof(problem.Y, np.array([np.inf]), KIND)
        proof = prover.improve(neurons, nothing, self.tol, deadline)
        outlook.at_rest = not is_in_parts(prover) and not deadline.passed
        return self._advised(self._with_bound(solution, problem, proof), problem, outlook)

    def _advised(
        self, solution: Solution[Any], problem: Problem[Any], outlook: Outlook | None
    ) -> Solution[Any]:
        if solution.advice:
            return solution
        # Of a largest beta that nobody has computed; columns are in units of their deviations.
        known = Circumstances.of(problem, 0.0, intercept=self.intercept)
        found = advice(
            solution.status, self.method, self.model, outlook, limited=False, circumstances=known
        )
        return replace(solution, advice=found)

    def _with_bound(
        self, solution: Solution[Any], problem: Problem[Any], proof: DualProof
    ) -> Solution[Any]:
        """With the bound of a proof, where it is closer."""
        objective, error = solution.objective, solution.objective_error
        floor = solution.objective_floor
        bound, known = proof.bound(problem), solution.certificate
        if bound <= solution.dual_bound:
            return solution
        certificate = None
        if isinstance(known, BoundCertificate):
            certificate = bound_certificate(
                self.model, problem, proof, {}, bound=bound, objective=objective + error,
                intercept=self.intercept, fingerprint=known.fingerprint,
            )  # fmt: skip
        return replace(
            solution, dual_bound=bound, certificate=certificate,
            program_gap=relative_gap(objective, bound, error, floor),
            status=checked_status(solution.status, objective, bound, bound, self.tol, error, floor),
        )  # fmt: skip

    def helps(self, network: Network, samples: Samples, beta: float) -> bool:
        """Whether a network has a smaller objective than the one that predicts 0."""
        problem = self.problem(samples)
        values = network.predict_on(problem.rows).values
        return problem.value(values) + beta * network.penalty() < problem.value(
            np.zeros_like(values)
        )

    def is_settled(self, samples: Samples) -> bool:
        """Whether labels are all the same: an intercept then has no best value but infinity."""
        one_label = self.loss.has_labels and bool((samples.y == samples.y[0]).all())
        return one_label and self.intercept

    def constant(self, samples: Samples) -> Network:
        """What there is instead: certainty, in a number that every dtype has."""
        problem, _ = self.problem(samples).in_units()
        if problem.n_outputs > 1:
            nothing = Neurons.none(problem.rows.n_features, problem.n_outputs)
            certain = np.where(samples.y[0] > 0.0, 0.0, -CERTAIN)
            return self.model.network(nothing, samples.X.shape[1:]).with_intercept(certain)
        choices = Choices(self.method, check_random_state(0), None)
        nothing = self.model.strategy(problem, choices).nothing()
        network = self.model.network(nothing, samples.X.shape[1:])
        return network.with_intercept(CERTAIN * float(samples.y[0]))

    def _constant_solution(self, samples: Samples, beta: float) -> Solution[Any]:
        return Solution(
            network=self.constant(samples),
            objective=0.0,
            dual_bound=0.0,
            status=Status.OPTIMAL,
            method=self.method.name,
            beta=beta,
            tol=self.tol,
            n_patterns=0,
            program_gap=0.0,
            elapsed=0.0,
        )

    def solve_roughly(
        self,
        samples: Samples,
        beta: float,
        deadline: Deadline,
        start: Network | None,
        on_round: OnRound,
    ) -> Solution[Any]:
        """Until rounds gain little: no proof, and the same on a machine of any speed."""
        method = self.method.replaced(polish=False)
        return self.solve(samples, beta, deadline, start, on_round, method=method)

    @property
    def can_search(self) -> bool:
        """Whether the method is a search among all directions, which may end roughly."""
        return self.method.name == "global"

    def has_plain_rows(self, samples: Samples) -> bool:
        """Whether neurons look at rows one by one, by a search among all directions."""
        rows = self.model.rows(samples.X)
        return self.can_search and isinstance(rows, Layer) and rows.readout is None

    def patience(self, samples: Samples) -> int:
        """Betas on a falling path without a gain after which it ends."""
        return _PATIENCE_OF_GROUPS if self.is_grouped(samples) else _PATIENCE

    def is_grouped(self, samples: Samples) -> bool:
        """Whether each neuron sees one group of columns of plain rows."""
        return self.can_search and isinstance(self.model.rows(samples.X), GroupedLayer)

    @property
    def _program(self) -> dict[str, Any]:
        return {"model": self.model, "loss": self.loss, "intercept": self.intercept}
