"""Running the methods for the experiments: settings, progress, rows of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cvxnn.baselines import LocalSearch, local_search
from cvxnn.methods import Method
from cvxnn.networks import TwoLayerNetwork
from cvxnn.plotting.curves import sign_accuracy
from cvxnn.plotting.styles import STYLES
from cvxnn.results import Solution, Status
from cvxnn.study.outcomes import BETA, DataResult, Row, best_bound, check_bound, paper_figures
from cvxnn.study.paper_data import Dataset
from cvxnn.training.solve import solve_quietly

Progress = Callable[[float, str], object]


@dataclass(frozen=True)
class Settings:
    """How much is computed.

    Attributes
    ----------
    iterations : mapping of str to int
        Of ``"sgd"`` and ``"lbfgs"``.
    n_trials, n_records : int
        Of both.
    n_samples : int
        Directions that ``"sampled"`` draws where patterns cannot be listed. With a
        block of each sign, 20 allow for as many neurons as gradient descent has
        there; time grows with the third power.
    max_iter : int
        Rounds of ``"global"`` there. Not seconds: the tables of two runs shall
        be the same.
    """

    iterations: Mapping[str, int]
    n_trials: int
    n_records: int
    n_samples: int
    max_iter: int


FULL = Settings({"sgd": 30_000, "lbfgs": 2_000}, 10, 200, n_samples=20, max_iter=5)
QUICK = Settings({"sgd": 1_000, "lbfgs": 100}, 3, 50, n_samples=3, max_iter=1)


@dataclass
class Runner:
    """Runs methods on data and says how far the study is.

    Parameters
    ----------
    settings : Settings
    random_state : int
        Seed of the sampled patterns and of the initial weights.
    n_steps : int
        Calls of :meth:`train`, :meth:`descend` and :meth:`step` that there will be.
    progress : callable, optional
        Called with the fraction of the steps that are done and what runs now.
    """

    settings: Settings
    random_state: int
    n_steps: int
    progress: Progress | None
    _done: int = field(default=0, init=False)

    def train(self, data: Dataset, method: Method, **options: Any) -> Solution[Any]:
        """Convex training, timed without the compilation of kernels."""
        few = slice(0, min(8, data.n))
        with self.step(f"{data.name}: {method.name}"):
            train_once(data.X[few], data.y[few], 1.0, method=method)
            return train_once(
                data.X, data.y, BETA, method=method, random_state=self.random_state, **options
            )

    def descend(
        self,
        data: Dataset,
        width: int,
        optimizer: str = "sgd",
        *,
        beta: float = BETA,
        step_size: float | None = None,
    ) -> LocalSearch:
        """A gradient method, all trials, timed without the start of PyTorch."""
        what = f"{data.name}: {STYLES[optimizer].label}, m = {width}"
        settings = self.settings
        with self.step(what):
            # The first step of an optimiser loads what PyTorch puts off until then.
            local_search(
                data.X, data.y, beta, width=1, optimizer=optimizer, iterations=1, n_trials=1
            )
            return local_search(
                data.X, data.y, beta, width=width, optimizer=optimizer, step_size=step_size,
                iterations=settings.iterations[optimizer], n_trials=settings.n_trials,
                n_records=settings.n_records, random_state=self.random_state,
                X_monitor=data.X_test, callback=lambda fraction: self._say(fraction, what),
            )  # fmt: skip

    @property
    def is_quick(self) -> bool:
        """Whether all shall only be seen to work."""
        return self.settings is QUICK

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """One more step, which the block does."""
        self._say(0.0, what)
        yield
        self._done += 1
        self._say(0.0, "")

    def _say(self, fraction: float, what: str) -> None:
        if self.progress is not None:
            self.progress(min((self._done + fraction) / self.n_steps, 1.0), what)


def collect(
    experiment: str,
    data: Dataset,
    solutions: Mapping[str, Solution[Any]],
    searches: Mapping[str, LocalSearch],
) -> DataResult:
    """The runs on a data set with their rows, each objective checked against the bound.

    Raises
    ------
    StudyError
        If an objective is below a certified lower bound.
    """
    bound = best_bound(solutions)
    for method, solution in solutions.items():
        check_bound(solution.objective, bound, f"{data.name}, {method}")
    for label, search in searches.items():
        for trial, objective in enumerate(search.objectives):
            check_bound(float(objective), bound, f"{data.name}, {label}, trial {trial}")
    rows = [
        _solution_row(experiment, data, method, solution, bound)
        for method, solution in solutions.items()
    ]
    rows += [_search_row(experiment, data, search, bound) for search in searches.values()]
    return DataResult(data, dict(solutions), dict(searches), tuple(rows))


def train_once(X: Any, y: Any, beta: float, **options: Any) -> Solution[Any]:
    """:func:`cvxnn.solve` without its warning: the table has the status, which says the same.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C was pressed: a solution that is not finished is none here.
    """
    solution = solve_quietly(X, y, beta, **options)
    if solution.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    return solution


def _solution_row(
    experiment: str, data: Dataset, method: str, solution: Solution[Any], bound: float
) -> Row:
    return Row(
        parameters=_solution_parameters(solution),
        n_neurons=solution.n_neurons,
        n_patterns=solution.n_patterns or None,
        objective=solution.objective,
        median=None,
        worst=None,
        lower_bound=bound,
        status=solution.status.name,
        seconds=solution.elapsed,
        **_common(experiment, data, method, solution.network),
    )


def _solution_parameters(solution: Solution[Any]) -> str:
    if solution.method == "global":
        return f"tolerance {solution.tol:g}, {solution.n_iter} rounds"
    kind = "all patterns" if solution.method == "exact" else "patterns of random directions"
    return f"tolerance {solution.tol:g}, {kind}"


def _search_row(experiment: str, data: Dataset, search: LocalSearch, bound: float) -> Row:
    finals = np.where(np.isinf(search.losses[:, -1]), np.inf, search.objectives)
    diverged = f", {search.n_diverged} diverged" if search.n_diverged else ""
    return Row(
        parameters=_search_parameters(search),
        n_neurons=search.width,
        n_patterns=None,
        objective=float(search.objectives.min()),
        median=float(np.median(finals)),
        worst=float(finals.max()),
        lower_bound=bound,
        status=f"all steps{diverged}",
        seconds=search.elapsed,
        **_common(experiment, data, search.optimizer, search.best),
    )


def _search_parameters(search: LocalSearch) -> str:
    trials = f"{search.n_trials} trials of {search.iterations[-1]} steps"
    if search.optimizer == "lbfgs":
        return f"{trials} at most"
    return f"{trials} of {search.step_size:.2g}, momentum {search.momentum:g}"


def _common(
    experiment: str, data: Dataset, method: str, network: TwoLayerNetwork
) -> dict[str, Any]:
    """What a row says of every method on some data, with its best network."""
    test_accuracy = None
    if data.X_test is not None and data.y_test is not None:
        test_accuracy = sign_accuracy(data.y_test, network.forward(data.X_test))
    return {
        "data": data.name,
        "method": STYLES[method].label,
        "accuracy": sign_accuracy(data.y, network.forward(data.X)),
        "test_accuracy": test_accuracy,
        "paper": paper_figures(experiment, data.n, method),
    }
