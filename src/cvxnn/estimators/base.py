"""What the estimators share: one training for each network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

from numpy.typing import ArrayLike

from cvxnn.errors import InputError
from cvxnn.estimators.inputs import Samples
from cvxnn.estimators.model_estimator import ModelEstimator
from cvxnn.losses import Loss, as_loss
from cvxnn.methods import as_method
from cvxnn.networks.base import Network
from cvxnn.progress import live_progress
from cvxnn.results import Progress, Solution, Status, relative_gap
from cvxnn.training.run import Limits
from cvxnn.training.solve import solve_quietly, warn_unless_successful
from cvxnn.validation import check_choice, check_flag, check_random_state

Weights = ArrayLike | None
Starts = Sequence[Network | None]
_OnRound = Callable[[Progress], None] | None
# Seconds after Ctrl-C for each network that is not trained yet.
_AT_ONCE = 1e-9

Method = TypeVar("Method", bound=Callable[..., Any])

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Older versions have no callbacks to support."""

    def with_callbacks(method: Method) -> Method:
        """Older versions have no callbacks to tear down."""
        return method


@contextmanager
def report_rounds(estimator: Any, X: Any, y: Any) -> Iterator[Callable[[Progress], None] | None]:
    """A task of its own for every round, inside the one of the fit.

    Parameters
    ----------
    estimator : estimator
    X, y : array-like
        As `fit` was given them.

    Yields
    ------
    callable or None
        To be called after every round; it raises KeyboardInterrupt, which ends a run
        with the best network so far, where a callback wants the fit to stop. None
        where there are no callbacks.
    """
    if not hasattr(estimator, "_init_callback_context"):
        yield None
        return
    fit = estimator._init_callback_context(max_subtasks=None)
    fit.call_on_fit_task_begin(estimator=estimator, X=X, y=y)

    def report(progress: Progress) -> None:
        task = fit.subcontext(task_name="round").call_on_fit_task_begin(estimator=estimator)
        if task.call_on_fit_task_end(estimator=estimator):
            raise KeyboardInterrupt

    yield report
    fit.call_on_fit_task_end(estimator=estimator, X=X, y=y)


@dataclass(kw_only=True, eq=False, repr=False)
class ConvexEstimator(CallbackSupportMixin, ModelEstimator):  # type: ignore[misc]
    """Base of the estimators: one training for each network; not for use by itself."""

    tol: float = 1e-6
    max_iter: int = 200
    time_limit: float | None = 60.0
    random_state: Any = 0
    verbose: bool | int = 0
    # What `loss` may be.
    _losses: ClassVar[tuple[str, ...]]

    def _check_parameters(self) -> None:
        """Raise InputError where a parameter is not as described; beta is left to the training."""
        check_choice(self.loss, "loss", self._losses)
        self._loss()
        check_flag(self.hidden_bias, "hidden_bias")
        check_random_state(self.random_state)
        Limits(self.tol, self.max_iter, self.time_limit, None)
        method = as_method(self.method)
        self._model().check_method(method)
        if method.patterns is not None:
            raise InputError(
                "method must list its own patterns here: estimators sort and merge the rows of X, "
                "so that patterns of X are none of theirs. solve takes patterns."
            )

    @with_callbacks  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: Weights = None) -> Self:
        """Train on X, with a sample for each entry of y.

        Parameters
        ----------
        X : array-like, shape (n, d), or (n, ...) for images and patches
            Dense.
        y : array-like, shape (n,)
            Numbers, or for a classifier labels.
        sample_weight : array-like, shape (n,), optional
            >= 0; a weight of 2 is a sample twice. Scores of folds do not use it.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or the data are not as described.
        KeyboardInterrupt
            On Ctrl-C while beta is chosen; in a training, the best network so far is kept.

        Notes
        -----
        A fit that fails leaves the estimator as it was, with the networks of the last one.
        """
        before = dict(self.__dict__)
        try:
            return self._fit(X, y, sample_weight)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _fit(self, X: ArrayLike, y: ArrayLike, sample_weight: Weights) -> Self:
        self._check_parameters()
        problems = self._problems(X, y, sample_weight)
        beta, starts = self._choose_beta(problems, X, y, sample_weight)
        with report_rounds(self, X, y) as report:
            self._keep(self._train_all(problems, beta, starts, report))
        # Of several networks some may rightly have none.
        n_neurons = max(int(network.penalty() > 0.0) for network in self._fitted_networks())
        advice = f"a proof takes {self._model().proof_advice}, or a larger time_limit"
        warn_unless_successful(self.status_, n_neurons, self.dual_gap_, self.tol, advice)
        return self

    def _choose_beta(
        self, problems: list[Samples], X: ArrayLike, y: ArrayLike, sample_weight: Weights
    ) -> tuple[float, Starts]:
        """The beta to train for, and a network for each problem to start from."""
        return self.beta, [None] * len(problems)

    @abstractmethod
    def _problems(self, X: ArrayLike, y: ArrayLike, sample_weight: Weights) -> list[Samples]:
        """Validated data, one problem for each network."""

    @abstractmethod
    def _keep_networks(self, networks: list[Network]) -> None:
        """The fitted attributes of one network, or of one for each class."""

    def _train_all(
        self, problems: list[Samples], beta: float, starts: Starts, report: _OnRound
    ) -> list[Solution[Any]]:
        """One network for each problem; after Ctrl-C the others are left where they start."""
        solutions: list[Solution[Any]] = []
        for samples, start in zip(problems, starts, strict=True):
            is_over = any(solution.status is Status.INTERRUPTED for solution in solutions)
            limits = {"time_limit": _AT_ONCE} if is_over else {}
            solutions.append(self._train(samples, beta, report, warm_start=start, **limits))
        return solutions

    def _train(
        self, samples: Samples, beta: float, report: _OnRound = None, **options: Any
    ) -> Solution[Any]:
        """One network, without a warning."""
        names = ("method", "tol", "max_iter", "time_limit", "random_state")
        arguments = {name: getattr(self, name) for name in names} | options
        with live_progress(bool(self.verbose)) as show:

            def call(progress: Progress) -> None:
                for callback in (show, report):
                    if callback is not None:
                        callback(progress)

            return solve_quietly(
                samples.X, samples.y, beta, callback=call, **self._program(samples), **arguments
            )

    def _program(self, samples: Samples) -> dict[str, Any]:
        """What to minimise, in the arguments that training and paths share."""
        return {"model": self._model(), "loss": self._loss(), "sample_weight": samples.weights}

    def _loss(self) -> Loss:
        return as_loss(self.loss)

    def _keep(self, solutions: Sequence[Solution[Any]]) -> None:
        """The fitted attributes, and what is known of them."""
        self._keep_networks([solution.network for solution in solutions])
        self.objective_ = float(sum(solution.objective for solution in solutions))
        self.dual_bound_ = float(sum(solution.dual_bound for solution in solutions))
        error = float(sum(solution.objective_error for solution in solutions))
        self.dual_gap_ = relative_gap(self.objective_, self.dual_bound_, error)
        self.status_ = max((solution.status for solution in solutions), key=list(Status).index)
        self.n_iter_ = max(max(solution.n_iter for solution in solutions), 1)
