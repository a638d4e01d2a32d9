"""What the estimators share: one training for each network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from joblib import effective_n_jobs
from numpy.typing import ArrayLike
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from cvxnn.array_types import Array
from cvxnn.backends.namespaces import is_dask
from cvxnn.errors import InputError
from cvxnn.estimators.callbacks import CallbackSupportMixin, report_rounds, with_callbacks
from cvxnn.estimators.default_beta import Guess
from cvxnn.estimators.inputs import Samples, Table
from cvxnn.estimators.last_fit import LastFit
from cvxnn.estimators.model_estimator import ModelEstimator
from cvxnn.estimators.on_cluster import ClusterTable
from cvxnn.estimators.remarks import remark_on_empty
from cvxnn.estimators.seen_classes import SeenClasses
from cvxnn.estimators.tasks import Task
from cvxnn.estimators.time_limits import Budget
from cvxnn.estimators.training import AT_ONCE, OnRound, Training
from cvxnn.interrupts import Deadline, deferred_interrupts, forget_interrupt, interrupt_pending
from cvxnn.losses import Loss, as_loss
from cvxnn.methods import as_method
from cvxnn.networks.base import Network
from cvxnn.progress import live_progress
from cvxnn.results import Progress, Solution, Status, relative_gap
from cvxnn.training.run import Limits
from cvxnn.training.solve import warn_unless_successful
from cvxnn.validation import (
    check_choice,
    check_count,
    check_flag,
    check_proof_time,
    check_random_state,
)
from cvxnn.verification.certificate import BoundCertificate
from cvxnn.verification.report import Verification

Weights = ArrayLike | None
# For each network those that it may start from.
Starts = Sequence[Sequence[Network]]


@dataclass(frozen=True)
class Chosen:
    """A beta, networks to start from, and how the choice ended if it was cut short."""

    beta: float
    starts: Starts
    cut_short: Status | None = None


@dataclass(kw_only=True, eq=False, repr=False)
class ConvexEstimator(CallbackSupportMixin, ModelEstimator):  # type: ignore[misc]
    """Base of the estimators: one training for each network; not for use by itself."""

    fit_intercept: bool = True
    tol: float = 1e-6
    max_iter: int = 200
    time_limit: float | str | None = "auto"
    proof_time: float | str = "auto"
    warm_start: bool = False
    random_state: Any = 0
    verbose: bool | int = 0
    # What `loss` may be.
    _losses: ClassVar[tuple[str, ...]]

    def _check_parameters(self) -> None:
        """Raise InputError where a parameter is not as described."""
        check_choice(self.loss, "loss", self._losses)
        self._loss()
        for name in self._flags:
            check_flag(getattr(self, name), name)
        check_random_state(self.random_state)
        if not isinstance(self.verbose, bool):
            check_count(self.verbose, "verbose", 0)
        Budget.of(self.time_limit)
        check_proof_time(self.proof_time)
        Limits(self.tol, self.max_iter, None, None)
        method, model = as_method(self.method), self._model()
        model.check_method(method)
        if method.patterns is not None:
            raise InputError(
                "method must list its own patterns here: estimators sort, merge and scale the rows "
                "of X, so that patterns of X are none of theirs. solve takes patterns."
            )
        if self.warm_start and not model.capabilities.warm_start:
            raise InputError(f"{model.label} takes no warm_start.")

    @property
    def _flags(self) -> tuple[str, ...]:
        """Parameters that are True or False."""
        return "hidden_bias", "fit_intercept", "scale_X", "warm_start"

    @with_callbacks  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: Weights = None) -> Self:
        """Train on X, with a sample for each entry of y.

        Parameters
        ----------
        X : array-like, shape (n, d), or (n, ...) for images and patches
            Dense. Rows may be in dask where beta is not chosen by cross-validation: see
            :doc:`/guide/clusters`.
        y : array-like, shape (n,), or (n, c) for c targets of a regressor
            Numbers, or for a classifier labels.
        sample_weight : array-like, shape (n,), optional
            >= 0; a weight of 2 is a sample twice.

        Returns
        -------
        self
            After Ctrl-C with the best networks so far.

        Raises
        ------
        ValueError
            If a parameter or the data are not as described.

        Notes
        -----
        A fit that fails leaves the estimator as it was, with the networks of the last one.
        """
        return self._fit_or_restore(X, y, sample_weight, {})

    def verify(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: Weights = None,
        *,
        time_limit: float | None = 60.0,
    ) -> list[Verification]:
        """Recompute the lower bounds of the fit from its certificates and the data alone.

        By the checker of :meth:`cvxnn.BoundCertificate.verify`, which trusts nothing in a
        certificate, on the samples as the networks read them: merged, scaled, with labels as
        numbers.

        Parameters
        ----------
        X, y, sample_weight : array-like
            As they were given to `fit`.
        time_limit : float, optional
            Seconds for each network, as for the checker.

        Returns
        -------
        list of Verification
            One for each network, as in `solutions_`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If the data are not as those of the fit, by number or names of features, shape or
            labels, or there is no certificate: of one constant
            label, or of a kind that cannot be checked independently yet.

        Examples
        --------
        >>> from cvxnn import ConvexReLURegressor
        >>> X, y = [[-1.0], [0.0], [1.0], [2.0]], [1.0, 0.0, 1.0, 2.0]
        >>> [report] = ConvexReLURegressor(beta=0.1).fit(X, y).verify(X, y)
        >>> report.accepted, report.problem
        (True, 'relu, squared loss, beta 0.1, an intercept')
        """
        check_is_fitted(self, "solutions_")
        if is_dask(X) or is_dask(y):
            raise InputError(
                "verify does not take rows in dask: the certificates of cvxnn.solve do."
            )
        self._data_as_fitted(X)
        # Reading data leaves traces, which are not to be those of a fit.
        reader = copy(self)
        problems = reader._problems(reader._merged(reader._read(X, y, sample_weight)))
        if reader.sample_shape_ != self.sample_shape_ or len(problems) != len(self.solutions_):
            raise InputError("X and y must be those that it was fitted to.")
        reports, training = [], reader._training()
        for solution, samples in zip(self.solutions_, problems, strict=True):
            certificate = solution.certificate
            if not isinstance(certificate, BoundCertificate):
                raise InputError("The fit has a network without a certificate of its own.")
            # Of the outputs that were trained.
            seen = SeenClasses.of(training, samples)
            narrowed, (network,) = seen.narrowed(samples), seen.starts([solution.network])
            report = certificate.verify(
                narrowed.X, narrowed.y, narrowed.weights, network=network, time_limit=time_limit
            )
            reports.append(report)
        return reports

    def _fit_or_restore(
        self, X: ArrayLike, y: ArrayLike, sample_weight: Weights, params: dict[str, Any]
    ) -> Self:
        before = dict(self.__dict__)
        try:
            # A Ctrl-C is looked for where there is a model to hand over.
            with deferred_interrupts():
                self._fit(X, y, sample_weight, params)
                forget_interrupt()
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    def _fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: Weights, params: dict[str, Any]
    ) -> None:
        self._check_parameters()
        if is_dask(X) or is_dask(y):
            self._fit_on_cluster(X, y, sample_weight)
            return
        last = self._last_fit()
        table = self._read(X, y, sample_weight)
        merged = self._merged(table)
        self.scaling_, self._has_intercept = self._scaling_of(merged), self.fit_intercept
        problems = self._problems(merged)
        training = self._training().with_proof_time(self.proof_time, len(problems))
        training = replace(training, device=table.device)
        for beta in self._given_betas:
            training.check_beta(problems, beta)
        if last is not None:
            last.check(training, problems, self._as_last_fit([]))
        budget = Budget.of(self.time_limit, has_proof=training.has_proof(problems))
        chosen = self._choose_beta(training, table, problems, budget, params)
        self.beta_ = chosen.beta
        if last is not None:
            again = last.starts(training, problems, chosen.beta, self.scaling_)
            chosen = chosen if again is None else replace(chosen, starts=again)
        with report_rounds(self, X, y) as report:
            solutions = self._train_all(training, problems, chosen, budget, report)
            self._keep(self._proven(training, problems, budget, solutions))
        self._say(training, problems)

    def _fit_on_cluster(self, X: Any, y: Any, sample_weight: Any) -> None:
        """The same for rows in dask, where there is something for them."""
        raise InputError(
            f"{type(self).__name__} does not take rows in dask: choose a beta on some of them, and "
            "fit the estimator without CV, whose beta grows with the number of rows."
        )

    @abstractmethod
    def _choose_beta(
        self,
        training: Training,
        table: Table,
        problems: list[Samples],
        budget: Budget,
        params: dict[str, Any],
    ) -> Chosen:
        """The beta to train for, and a network for each problem to start from."""

    @abstractmethod
    def _read(self, X: ArrayLike, y: ArrayLike, sample_weight: Weights) -> Table:
        """The data of a fit, checked."""

    @abstractmethod
    def _merged(self, table: Table) -> Samples:
        """Data without repetitions, in an order of their own, and numbers for the labels."""

    @abstractmethod
    def _problems(self, merged: Samples) -> list[Samples]:
        """The samples of each network, as it reads them."""

    @abstractmethod
    def _automatic_beta(
        self, training: Training, problems: list[Samples], deadline: Deadline
    ) -> Guess:
        """The beta of a user who has none."""

    @abstractmethod
    def _keep_networks(self, networks: list[Network]) -> None:
        """The fitted attributes of one network, or of one for each class."""

    @property
    @abstractmethod
    def _beta_grows(self) -> bool:
        """Whether a beta that is guessed grows with the number of rows."""

    @property
    @abstractmethod
    def _scales_targets(self) -> bool:
        """Whether targets have units of their own."""

    @abstractmethod
    def _cluster_targets(self, table: ClusterTable) -> Any:
        """Targets in dask, or the numbers of classes, which become attributes."""

    @abstractmethod
    def _cluster_problems(self, targets: Any) -> list[Any]:
        """The targets of each network, as it is trained on them."""

    @property
    @abstractmethod
    def _given_betas(self) -> list[float]:
        """Those that the user has chosen."""

    @property
    @abstractmethod
    def _advice_on_empty(self) -> str:
        """What may help a model without neurons."""

    def _labels(self, target: Array) -> Array:
        """The targets of the user, of those of a table."""
        return target

    def _training(self) -> Training:
        return Training(
            model=self._model(),
            method=as_method(self.method),
            loss=self._loss(),
            intercept=self.fit_intercept,
            tol=self.tol,
            max_iter=self.max_iter,
            random_state=self.random_state,
        )

    def _last_fit(self) -> LastFit | None:
        """The last one, where this one is to go on from its networks."""
        is_fitted = hasattr(self, "networks_") or hasattr(self, "network_")
        if not (self.warm_start and is_fitted):
            return None
        return self._as_last_fit(self._fitted_networks())

    def _as_last_fit(self, networks: list[Network]) -> LastFit:
        has_ones = self._inputs["has_ones"]
        return LastFit(networks, self._scaling(), self.sample_shape_, has_ones)

    def _train_all(
        self,
        training: Training,
        problems: list[Samples],
        chosen: Chosen,
        budget: Budget,
        report: OnRound,
    ) -> list[Solution[Any]]:
        """One network for each problem; after Ctrl-C the others are left where they start."""
        solutions: list[Solution[Any]] = []
        is_over = chosen.cut_short is Status.INTERRUPTED
        at_once = min(effective_n_jobs(None), len(problems))
        if at_once > 1 and not is_over:
            return self._train_at_once(training, problems, chosen, budget, at_once)
        for samples, starts in zip(problems, chosen.starts, strict=True):
            left = len(problems) - len(solutions)
            deadline = Deadline(AT_ONCE) if is_over else budget.share_of(left)
            seen = SeenClasses.of(training, samples)
            with live_progress(bool(self.verbose), lines=True) as show:
                task = Task(
                    training, seen.narrowed(samples), chosen.beta, seen.starts(starts),
                    _both(show, report),
                )  # fmt: skip
                if budget.is_automatic and not is_over:
                    solution = task.settled(deadline, budget.proofs / len(problems))
                else:
                    solution = task.solve(deadline)
            is_over = is_over or solution.status is Status.INTERRUPTED
            solutions.append(seen.solution(solution))
        if chosen.cut_short is not None:
            solutions = [_cut_short(solution, chosen.cut_short) for solution in solutions]
        return solutions

    def _train_at_once(
        self,
        training: Training,
        problems: list[Samples],
        chosen: Chosen,
        budget: Budget,
        at_once: int,
    ) -> list[Solution[Any]]:
        """The same where a backend of joblib takes several networks at a time; none is shown."""
        seconds = budget.share_of(-(-len(problems) // at_once))
        proofs = budget.proofs / len(problems) if budget.is_automatic else None
        every = [SeenClasses.of(training, samples) for samples in problems]
        tasks = [
            Task(training, seen.narrowed(samples), chosen.beta, seen.starts(starts), None)
            for seen, samples, starts in zip(every, problems, chosen.starts, strict=True)
        ]
        found = Parallel(prefer="threads")(
            delayed(Task.run)(task, seconds, proofs) for task in tasks
        )
        return [seen.solution(solution) for seen, solution in zip(every, found, strict=True)]

    def _proven(
        self,
        training: Training,
        problems: list[Samples],
        budget: Budget,
        solutions: list[Solution[Any]],
    ) -> list[Solution[Any]]:
        """With closer bounds where they are far; none any more after Ctrl-C."""
        seconds, proven = budget.bounds(self.proof_time) / len(problems), []
        for solution, samples in zip(solutions, problems, strict=True):
            if solution.status is Status.INTERRUPTED or interrupt_pending():
                proven.append(solution)
                continue
            seen = SeenClasses.of(training, samples)
            (network,) = seen.starts([solution.network])
            found = training.proven(
                replace(solution, network=network), seen.narrowed(samples), self.beta_, seconds
            )
            proven.append(seen.solution(found))
        return proven

    def _loss(self) -> Loss:
        return as_loss(self.loss)

    def _keep(self, solutions: Sequence[Solution[Any]]) -> None:
        """The fitted attributes, and what is known of them."""
        self._keep_networks([solution.network for solution in solutions])
        self.solutions_ = list(solutions)
        if len(solutions) == 1:
            (self.solution_,) = solutions
        elif hasattr(self, "solution_"):
            del self.solution_
        self.objective_ = float(sum(solution.objective for solution in solutions))
        self.dual_bound_ = float(sum(solution.dual_bound for solution in solutions))
        error = float(sum(solution.objective_error for solution in solutions))
        floor = float(sum(solution.objective_floor for solution in solutions))
        self.dual_gap_ = relative_gap(self.objective_, self.dual_bound_, error, floor)
        self.status_ = max((solution.status for solution in solutions), key=list(Status).index)
        self.n_iter_ = max(max(solution.n_iter for solution in solutions), 1)

    def _say(self, training: Training, problems: list[Samples]) -> None:
        """Warn of what a user should know, with numbers."""
        # Of several networks some may rightly have none.
        n_neurons = max(int(network.penalty() > 0.0) for network in self._fitted_networks())
        is_settled = self.status_.is_success or self.status_ is Status.STATIONARY
        if n_neurons == 0 and is_settled:
            remark_on_empty(self.beta_, training, problems, self._advice_on_empty)
        # Who has asked for no proof is not told that there is none.
        if self.time_limit == "auto" and self.status_ is Status.STATIONARY:
            return
        # Of the network that has ended worst, or is farthest from a proof.
        worst = max(
            (one for one in self.solutions_ if one.status is self.status_), key=lambda one: one.gap
        )
        advice = worst.advice
        if self.status_ is Status.INTERRUPTED:
            advice = self._advice_on_interrupt
        warn_unless_successful(self.status_, n_neurons, self.dual_gap_, self.tol, advice)

    @property
    def _advice_on_interrupt(self) -> str:
        if not self._model().capabilities.warm_start:
            return "fit again to begin anew"
        return (
            "fit again to go on" if self.warm_start else "fit again, with warm_start=True, to go on"
        )


def _both(*callbacks: OnRound) -> OnRound:
    """Call what is there."""
    given = [callback for callback in callbacks if callback is not None]

    def call(progress: Progress) -> None:
        for callback in given:
            callback(progress)

    return call


def _cut_short(solution: Solution[Any], status: Status) -> Solution[Any]:
    """A solution for a beta whose choice was cut short, unless it ended worse."""
    return replace(solution, status=max(solution.status, status, key=list(Status).index))
