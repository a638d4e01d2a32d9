"""Estimators of one beta, given or guessed; also for rows in dask."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cvxnn.blas import suitable_threads
from cvxnn.errors import InputError
from cvxnn.estimators.base import Chosen, ConvexEstimator, Starts
from cvxnn.estimators.inputs import Samples, Table
from cvxnn.estimators.on_cluster import ClusterTable
from cvxnn.estimators.scaling import Scaling
from cvxnn.estimators.time_limits import Budget
from cvxnn.estimators.training import AT_ONCE, Training
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.methods import Global
from cvxnn.progress import live_progress
from cvxnn.results import Solution, Status
from cvxnn.training.arguments import refuse_device
from cvxnn.training.solve import solve_quietly
from cvxnn.validation import check_positive, check_random_state


@dataclass(kw_only=True, eq=False, repr=False)
class GivenBeta(ConvexEstimator):
    """What the estimators of one beta share; not for use by itself."""

    beta: float | str = field(default="auto", kw_only=False)

    @property
    def _advice_on_empty(self) -> str:
        return "Take a smaller beta, or the estimator with CV, which chooses one."

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not self._is_automatic:
            check_positive(self.beta, "beta")

    @property
    def _given_betas(self) -> list[float]:
        return [] if self._is_automatic else [float(self.beta)]

    @property
    def _is_automatic(self) -> bool:
        return isinstance(self.beta, str) and self.beta == "auto"

    def _fit_on_cluster(self, X: Any, y: Any, sample_weight: Any) -> None:
        """By the rough search on the rows as networks read them; scaling and labels by sums.

        Attributes of the fit come from some of the rows, and so does a beta that is not given.
        """
        if self.warm_start:
            raise InputError("warm_start is not for rows in dask.")
        refuse_device(self.device)
        budget = Budget.of(None if self.time_limit == "auto" else self.time_limit)
        table = ClusterTable.of(X, y, sample_weight)
        try:
            some = self._read(*table.sample())
        except InputError:
            # Of all rows, by their own numbers, if it is in one of them.
            table.check()
            raise
        numbers = self._cluster_targets(table)
        is_scaled = self.scale_X, self._scales_targets
        self.scaling_ = Scaling()
        if any(is_scaled):
            self.scaling_ = table.scaling(numbers, rows=is_scaled[0], targets=is_scaled[1])
        self._has_intercept, training = self.fit_intercept, self._training()
        problems = self._problems(self._merged(some))
        share = len(table) / len(some)
        if self._is_automatic:
            self.beta_ = self._automatic_beta(training, problems, UNLIMITED).beta
            self.beta_ *= share if self._beta_grows else 1.0
        else:
            self.beta_ = float(self.beta)
        rows = table.rows_as_read(self.scaling_, has_ones=self._inputs["has_ones"])
        targets = self._cluster_problems(numbers)
        solutions: list[Solution[Any]] = []
        for target in targets:
            deadline = budget.share_of(len(targets) - len(solutions))
            if any(one.status is Status.INTERRUPTED for one in solutions):
                deadline = Deadline(AT_ONCE)
            solutions.append(self._trained(training, rows, target, table.weights, deadline))
        self._keep(solutions)
        self._say(training, problems)

    def _trained(
        self, training: Training, X: Any, y: Any, weights: Any, deadline: Deadline
    ) -> Solution[Any]:
        """The network of one problem."""
        method = training.method
        if isinstance(method, Global):
            seconds = 0.0 if isinstance(self.proof_time, str) else float(self.proof_time)
            method = method.replaced(polish=False, proof_time=seconds)
        limit = max(deadline.remaining, AT_ONCE) if deadline.limited else None
        with live_progress(bool(self.verbose), lines=True) as show:
            return solve_quietly(
                X, y, self.beta_, model=training.model, method=method, loss=training.loss,
                intercept=training.intercept, sample_weight=weights, tol=self.tol,
                max_iter=self.max_iter, time_limit=limit,
                random_state=check_random_state(self.random_state), callback=show,
            )  # fmt: skip

    def _choose_beta(
        self,
        training: Training,
        table: Table,
        problems: list[Samples],
        budget: Budget,
        params: dict[str, Any],
    ) -> Chosen:
        nothing: Starts = [()] * len(problems)
        if not self._is_automatic:
            return Chosen(float(self.beta), nothing)
        with suitable_threads(len(table)):
            guess = self._automatic_beta(training, problems, budget.deadline)
        return Chosen(guess.beta, nothing, Status.INTERRUPTED if guess.is_interrupted else None)
