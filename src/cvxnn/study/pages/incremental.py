"""Networks grown neuron by neuron, beside methods that train all neurons at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.preprocessing import scale

from cvxnn.baselines import LocalSearch
from cvxnn.methods import FrankWolfe, Global, Incremental, Method, Sampled
from cvxnn.networks import TwoLayerNetwork
from cvxnn.plotting.styles import BLACK, STYLES, new_figure
from cvxnn.results import Progress, Solution, relative_gap
from cvxnn.study.drawing import INCHES, StudyFigure, finish, slug
from cvxnn.study.outcomes import best_bound, check_bound
from cvxnn.study.pages.page import Page
from cvxnn.study.pages.result import PageResult, PageTable
from cvxnn.study.paper_data import Dataset, ring
from cvxnn.study.runner import Runner, train_once
from cvxnn.training.path import largest_beta

_METHODS: tuple[Method, ...] = (Global(), Incremental(), FrankWolfe(), Sampled(100))
_SHARE = 0.03
# Three features, so that the bounds come from an oracle that ends.
_ROWS, _FEATURES, _NEEDED = 200, 3, 5
_WIDTH = 50
_ROUNDS, _QUICK_ROUNDS = 300, 40
# The least excess that is drawn: the tolerance.
_LEAST = 1e-7
# The excess of networks that are good enough for most uses.
_NEAR = 0.01
# Rounds up to which each is marked.
_MARKED = 40

_TITLE = "Neuron by neuron"
_INTRODUCTION = (
    "One objective, 1/2 ||sum_j (X u_j)_+ a_j - y||^2 + beta/2 sum_j (||u_j||^2 + a_j^2), and four "
    "ways to add neurons: all that an oracle proposes, moved together (global); one a round, and "
    "then the best output weights of all (incremental, Bengio et al. 2005); one a round, and a "
    "step towards it (Frank-Wolfe, Bach 2017); those of random patterns at once (sampled). SGD "
    f"trains {_WIDTH} neurons from random weights. beta is {_SHARE} of the largest.",
)
_CERTIFICATE = (
    "Every bound is one for networks of any width. Those of Frank-Wolfe and of the incremental "
    "method come from an upper bound of the oracle, never from the ascent that proposes neurons, "
    "so their gaps are never below the true ones."
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Axis = Callable[[Progress], float]
Solutions = Mapping[str, Solution[TwoLayerNetwork]]


@dataclass(frozen=True, eq=False)
class _Case:
    """The runs on some data."""

    data: Dataset
    beta: float
    solutions: Solutions
    search: LocalSearch

    def __post_init__(self) -> None:
        """StudyError if a network is below the best bound."""
        for name, solution in self.solutions.items():
            check_bound(solution.objective, self.bound, f"{self.data.name}, {name}")
        for objective in self.search.objectives:
            check_bound(float(objective), self.bound, f"{self.data.name}, SGD")

    @property
    def bound(self) -> float:
        return best_bound(self.solutions)

    @property
    def records(self) -> list[Mapping[str, Any]]:
        records: list[Mapping[str, Any]] = [
            {
                "data": self.data.name,
                "method": STYLES[name].label,
                "rounds": solution.n_iter,
                "neurons": solution.n_neurons,
                "objective": solution.objective,
                "lower bound": solution.dual_bound,
                "gap": solution.gap,
                "excess": relative_gap(solution.objective, self.bound),
                "status": solution.status.name,
                "time (s)": solution.elapsed,
            }
            for name, solution in self.solutions.items()
        ]
        best = float(self.search.objectives.min())
        sgd = dict.fromkeys(records[0]) | {
            "data": self.data.name,
            "method": STYLES["sgd"].label,
            "rounds": int(self.search.iterations[-1]),
            "neurons": self.search.width,
            "objective": best,
            "excess": relative_gap(best, self.bound),
            "time (s)": self.search.elapsed,
        }
        return [*records, sgd]

    @property
    def sentence(self) -> str:
        parts = [
            f"{STYLES[name].label} {self._arrival(solution)}"
            for name, solution in self.solutions.items()
        ]
        return f"Within 1 % of the best bound on {self.data.name}: {'; '.join(parts)}."

    def _arrival(self, solution: Solution[TwoLayerNetwork]) -> str:
        """When the objective was near the bound first."""
        for line in solution.history:
            if relative_gap(line.objective, self.bound) <= _NEAR:
                rounds = line.iteration + 1
                return f"after {rounds} round{'s' * (rounds > 1)}, with {line.n_neurons} neurons"
        return f"never, with {solution.n_neurons} neurons at the end"


def run(runner: Runner) -> PageResult:
    """The page."""
    seed = runner.random_state
    cases = [_run(runner, data) for data in (ring(seed), _friedman(seed))]
    records = tuple(record for case in cases for record in case.records)
    columns = ("data", "method", "neurons", "objective", "gap", "excess", "time (s)")
    caption = "Objectives, proven gaps, and the excess over the best bound of all methods"
    return PageResult(
        name="incremental",
        title=_TITLE,
        introduction=(*_INTRODUCTION, *(case.data.source for case in cases)),
        tables=(PageTable("methods", caption, records, columns),),
        findings=tuple(case.sentence for case in cases),
        certificate=_CERTIFICATE,
        n_checked=sum(len(case.solutions) + case.search.n_trials for case in cases),
        figures=tuple(
            figure for case in cases for figure in (_by_neurons(case), _by_time(case), _gaps(case))
        ),
    )


def _friedman(seed: int) -> Dataset:
    X, y = make_friedman1(_ROWS, _NEEDED, noise=1.0, random_state=seed)
    rows = np.column_stack([scale(X[:, :_FEATURES]), np.ones(_ROWS)])
    source = (
        f"friedman1: {_ROWS} rows with the first {_FEATURES} features of the function and noise of "
        f"size 1, drawn with seed {seed}; standardised."
    )
    return Dataset("friedman1", rows, scale(y), source=source)


def _run(runner: Runner, data: Dataset) -> _Case:
    beta = _SHARE * largest_beta(data.X, data.y)
    rounds = _QUICK_ROUNDS if runner.is_quick else _ROUNDS
    solutions = {}
    for method in _METHODS:
        with runner.step(f"{data.name}: {method.name}"):
            # Kernels are compiled before the time that is shown.
            train_once(data.X, data.y, beta, method=method, max_iter=2)
            solutions[method.name] = train_once(
                data.X, data.y, beta, method=method, max_iter=rounds, tol=_LEAST
            )
    search = runner.descend(data, _WIDTH, beta=beta)
    return _Case(data, beta, solutions, search)


def _by_neurons(case: _Case) -> StudyFigure:
    ax = _axes(
        case.solutions, lambda line: line.n_neurons, lambda line: _excess(case, line.objective)
    )
    ax.set_xlabel("neurons")
    ax.set_ylabel("excess over the best bound")
    return _finish(
        ax,
        case,
        "neurons",
        "The excess of the objective over the best bound, and the neurons, round after round",
    )


def _by_time(case: _Case) -> StudyFigure:
    ax = _axes(
        case.solutions, lambda line: line.elapsed, lambda line: _excess(case, line.objective)
    )
    search, style = case.search, STYLES["sgd"]
    best = int(np.argmin(search.objectives))
    excess = [max(_excess(case, loss), _LEAST) for loss in search.losses[best]]
    ax.loglog(search.seconds[best], excess, **style.line, label=f"{style.label}, best trial")
    ax.set_xlabel("time (s)")
    ax.set_ylabel("excess over the best bound")
    return _finish(ax, case, "time", "The same excess by time, with the best trial of SGD")


def _gaps(case: _Case) -> StudyFigure:
    """What each method has proven itself, with the rate of Frank and Wolfe."""
    # Rounds on sampled patterns prove something of these patterns only.
    solutions = {name: each for name, each in case.solutions.items() if name != "sampled"}
    ax = _axes(solutions, lambda line: line.iteration + 1.0, lambda line: line.gap)
    rounds = case.solutions["frank_wolfe"].history
    first, last = rounds[len(rounds) // 10], rounds[-1]
    guide = np.array([first.iteration + 1.0, last.iteration + 1.0])
    ax.loglog(guide, first.gap * guide[0] / guide, color=BLACK, linestyle=":", label="$1/k$")
    ax.set_xlabel("rounds k")
    ax.set_ylabel("proven gap")
    return _finish(
        ax, case, "gap", "The gap that each method has proven by itself, and a rate of 1/k"
    )


def _axes(solutions: Solutions, axis: Axis, value: Axis) -> Axes:
    """A line for each method, on logarithmic axes."""
    ax = new_figure(INCHES).add_subplot()
    for method, solution in solutions.items():
        points = [(axis(line), max(value(line), _LEAST)) for line in solution.history]
        x, y = np.array([point for point in points if min(point) > 0.0]).T
        style = STYLES[method]
        marker = style.marker if len(x) < _MARKED else ""
        ax.loglog(x, y, **style.line, marker=marker, markersize=4.0, label=style.label)
    return ax


def _excess(case: _Case, objective: float) -> float:
    return relative_gap(objective, case.bound)


def _finish(ax: Axes, case: _Case, what: str, caption: str) -> StudyFigure:
    ends = "; ".join(
        f"{STYLES[name].label} ends {_excess(case, solution.objective):.1e} above the bound with a "
        f"gap of {solution.gap:.1e}"
        for name, solution in case.solutions.items()
    )
    name = f"incremental-{what}-{slug(case.data.name)}"
    alt = f"{caption}, on {case.data.name}, as lines on logarithmic axes: {ends}."
    return finish(ax, name, f"{caption}: {case.data.name}.", alt)


PAGE = Page(_TITLE, 2 * (len(_METHODS) + 1), run)
