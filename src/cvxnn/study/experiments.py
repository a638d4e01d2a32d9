"""The experiments of section 4 of the seed paper, each as a function of its data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cvxnn.methods import Exact, Global, Sampled
from cvxnn.patterns import enumerate_patterns
from cvxnn.plotting.styles import STYLES
from cvxnn.study.outcomes import (
    BETA,
    DATA_SEED,
    OPTIMAL_OBJECTIVES,
    TABLE_BETA,
    DataResult,
    NormsRow,
    check_bound,
)
from cvxnn.study.paper_data import Dataset, five_points, line, ring
from cvxnn.study.runner import Runner, collect, train_once
from cvxnn.study.squared_norms import minimise_squared_norms

# Neurons of gradient descent: the paper's, except for the ring, where it gives none.
_FIVE_POINTS_WIDTHS = (5, 10, 100)
_LINE_WIDTHS = {50: 150, 100: 200}
_RING_WIDTH = 150
_CIFAR_WIDTH = 40
# The default step, five times as long, makes most trials diverge on the images.
_CIFAR_STEP = 5e-4


@dataclass(frozen=True)
class Experiment:
    """A section of the paper's experiments.

    Attributes
    ----------
    title : str
    n_steps : int
        Runs of methods that it takes.
    run : callable
        ``run(runner, cifar)`` with the data of section 4.4, None for the others.
    """

    title: str
    n_steps: int
    run: Callable[[Runner, Dataset | None], tuple[DataResult, ...]]


def small_line(runner: Runner, cifar: Dataset | None = None) -> tuple[DataResult, ...]:
    """4.1: five points of the line; gradient descent with 5, 10 and 100 neurons."""
    data = five_points()
    solutions = {"optimal": runner.train(data, Exact())}
    searches = {f"SGD, m = {m}": runner.descend(data, m) for m in _FIVE_POINTS_WIDTHS}
    return (collect("4.1", data, solutions, searches),)


def larger_line(runner: Runner, cifar: Dataset | None = None) -> tuple[DataResult, ...]:
    """4.2: 50 and 100 points of the line, table 2 and figure 4."""
    return tuple(
        _all_methods("4.2", line(n, runner.random_state), width, runner)
        for n, width in _LINE_WIDTHS.items()
    )


def plane(runner: Runner, cifar: Dataset | None = None) -> tuple[DataResult, ...]:
    """4.3: 50 points of the plane, the ring, figure 5."""
    return (_all_methods("4.3", ring(runner.random_state), _RING_WIDTH, runner),)


def images(runner: Runner, cifar: Dataset | None) -> tuple[DataResult, ...]:
    """4.4: airplanes and automobiles, whose patterns are too many to be listed."""
    assert cifar is not None, "run_study gives this experiment its data"
    settings = runner.settings
    solutions = {
        # As the paper draws them; the default scheme prefers hyperplanes between the points.
        "sampled": runner.train(cifar, Sampled(settings.n_samples, "gaussian"), tol=1e-3),
        "global": runner.train(cifar, Global(), max_iter=settings.max_iter),
    }
    searches = {
        "SGD": runner.descend(cifar, _CIFAR_WIDTH, step_size=_CIFAR_STEP),
        "L-BFGS": runner.descend(cifar, _CIFAR_WIDTH, "lbfgs"),
    }
    return (collect("4.4", cifar, solutions, searches),)


EXPERIMENTS = {
    "4.1": Experiment("Five points, d = 1", 4, small_line),
    "4.2": Experiment("50 and 100 points, d = 1", 8, larger_line),
    "4.3": Experiment("50 points in a ring, d = 2", 4, plane),
    "4.4": Experiment("Airplanes and automobiles of CIFAR-10, d = 100", 4, images),
}


def compare_norms(runner: Runner) -> tuple[NormsRow, ...]:
    """The program with squared norms, on the paper's data and on those of the study.

    Parameters
    ----------
    runner : Runner
        One step of it is taken.

    Returns
    -------
    tuple of NormsRow
        First the paper's own data with the beta that explains its table 2, then
        its data and those of the study with the beta that it states.

    Raises
    ------
    StudyError
        If the two programs contradict each other or their bounds.
    """
    sizes, random_state = tuple(OPTIMAL_OBJECTIVES), runner.random_state
    problems = [(n, DATA_SEED, beta) for beta in (TABLE_BETA, BETA) for n in sizes]
    if random_state != DATA_SEED:
        problems += [(n, random_state, BETA) for n in sizes if n in _LINE_WIDTHS]
    with runner.step("programs with squared norms"):
        return tuple(_norms_row(*problem) for problem in problems)


def _norms_row(n: int, seed: int, beta: float) -> NormsRow:
    data = line(n, seed)
    squared = minimise_squared_norms(data.X, data.y, beta, enumerate_patterns(data.X))
    solution = train_once(data.X, data.y, beta)
    # Its blocks are a network, though not the best one.
    check_bound(squared.network_objective, solution.dual_bound, f"{data.name}, squared norms")
    return NormsRow(
        data=data.name,
        seed=seed,
        beta=beta,
        squared_value=squared.value,
        squared_bound=squared.dual_value,
        optimum=solution.objective,
        lower_bound=solution.dual_bound,
        paper_objective=OPTIMAL_OBJECTIVES[n],
        is_paper_data=seed == DATA_SEED,
    )


def _all_methods(experiment: str, data: Dataset, width: int, runner: Runner) -> DataResult:
    solutions = {
        "optimal": runner.train(data, Exact()),
        "sampled": runner.train(data, Sampled()),
    }
    # L-BFGS, which the paper does not have: what gradients can do without a step to tune.
    searches = {STYLES[name].label: runner.descend(data, width, name) for name in ("sgd", "lbfgs")}
    return collect(experiment, data, solutions, searches)
