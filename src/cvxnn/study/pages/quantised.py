"""Weights of -1 and 1: a bound from a semidefinite program, and networks rounded from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED
from cvxnn.layers.quantized import QuantizedRows
from cvxnn.models.quantized import Quantized, QuantizedNetwork
from cvxnn.plotting.styles import BLACK, BLUE, new_figure
from cvxnn.problems import Problem
from cvxnn.results import Solution, Status
from cvxnn.solvers.quantized.krivine import GAMMA, krivine_draws
from cvxnn.solvers.quantized.program import SemidefiniteProgram
from cvxnn.study.drawing import INCHES, StudyFigure, finish
from cvxnn.study.outcomes import check_bound
from cvxnn.study.pages.page import Page
from cvxnn.study.pages.result import PageResult, PageTable
from cvxnn.study.runner import Runner, train_once
from cvxnn.training.path import largest_beta

_MODEL = Quantized()
# Rows and features; pairs of vectors of signs are 4^d.
_SIZES = ((30, 4), (100, 10), (200, 20), (200, 50))
_SHARE = 0.1
# Seconds for the largest, whose proof may not come to an end.
_SECONDS, _QUICK_SECONDS = 60.0, 4.0
_STEPS = 2_000
# Networks of the figure: draws in each, and how many of each size.
_DRAWS, _REPEATS = tuple(2**k for k in range(4, 15, 2)), 20

_TITLE = "Quantised networks"
_INTRODUCTION = (
    "Networks f(x) = sum_j (x'u_j)(x'v_j) a_j whose hidden weights are all -1 or 1, with the "
    "penalty beta sum_j |a_j| (Bartan and Pilanci 2021). A semidefinite program bounds the "
    "optimum from below, and draws of signs round its solution to a network; where a search over "
    "signs comes to an end, the optimum itself is proven.",
    f"Data: normal features, targets of a network with three neurons and noise of a fifth of their "
    f"size, beta at {_SHARE} of the largest. A neuron takes d - 1 bits for each of its two vectors "
    "of signs, and 64 for a_j.",
)
_CERTIFICATE = (
    "The lower bound holds for all networks of this form, with any number of neurons. OPTIMAL says "
    "that none is better; any other status promises the gap and no more. The bound of the "
    "semidefinite program alone is never above the optimum, and has a gap of its own."
)


@dataclass(frozen=True, eq=False)
class _Case:
    """A problem, its solution, and its relaxation."""

    problem: Problem[QuantizedRows]
    beta: float
    solution: Solution[QuantizedNetwork]
    relaxed: SemidefiniteProgram

    @cached_property
    def relaxed_bound(self) -> float:
        return self.relaxed.proof().bound(self.problem)

    @property
    def shape(self) -> tuple[int, int]:
        n, d = self.problem.rows.X.shape
        return n, d

    @property
    def record(self) -> Mapping[str, Any]:
        n, d = self.shape
        solution = self.solution
        return {
            "rows": n,
            "features": d,
            "beta": self.beta,
            "neurons": solution.n_neurons,
            "objective": solution.objective,
            "lower bound": solution.dual_bound,
            "gap": solution.gap,
            "semidefinite bound": self.relaxed_bound,
            "bits": solution.network.n_bits,
            "status": solution.status.name,
            "time (s)": solution.elapsed,
        }

    @property
    def sentence(self) -> str:
        solution = self.solution
        share = 100.0 * (1.0 - self.relaxed_bound / solution.objective)
        proven = f"proven to be within {100.0 * solution.gap:.2g} % of the best"
        if solution.status is Status.OPTIMAL:
            proven = "proven to be the best"
        return (
            f"With {self.shape[1]} features the network is {proven}; the bound of the "
            f"semidefinite program alone is {share:.2g} % below its objective."
        )


def run(runner: Runner) -> PageResult:
    """The page."""
    cases = [_solve(runner, n, d) for n, d in _SIZES]
    with runner.step("quantised: draws of signs"):
        figure = _rate(cases[0], np.random.default_rng(runner.random_state))
    columns = ("rows", "features", "objective", "lower bound", "gap", "status", "time (s)")
    caption = "The best network, what is proven of it, and what the semidefinite program proves"
    table = PageTable("optima", caption, tuple(case.record for case in cases), columns)
    return PageResult(
        name="quantised",
        title=_TITLE,
        introduction=_INTRODUCTION,
        tables=(table,),
        findings=tuple(case.sentence for case in cases),
        certificate=_CERTIFICATE,
        n_checked=len(cases),
        figures=(figure,),
    )


def _solve(runner: Runner, n: int, d: int) -> _Case:
    rng = np.random.default_rng(runner.random_state)
    X = rng.standard_normal((n, d))
    left, right = np.sign(rng.standard_normal((2, 3, d)))
    y = ((X @ left.T) * (X @ right.T)) @ np.array([1.0, -1.0, 0.5]) / d
    y += 0.2 * y.std() * rng.standard_normal(n)
    beta = _SHARE * largest_beta(X, y, model=_MODEL)
    with runner.step(f"quantised: {d} features"):
        seconds = _QUICK_SECONDS if runner.is_quick else _SECONDS
        solution = train_once(X, y, beta, model=_MODEL, time_limit=seconds)
    with runner.step(f"quantised: semidefinite program, {d} features"):
        problem = _MODEL.problem(X, y, beta, "squared")
        relaxed = SemidefiniteProgram(problem, rng)
        relaxed.advance(_STEPS, UNLIMITED)
    case = _Case(problem, beta, solution, relaxed)
    what = f"quantised, {d} features"
    check_bound(solution.objective, max(solution.dual_bound, case.relaxed_bound), what)
    return case


def _rate(case: _Case, rng: np.random.Generator) -> StudyFigure:
    """How far networks of draws are from the fit of the relaxation."""
    X, fit, rho = case.problem.rows.X, case.relaxed.prediction, case.relaxed.rho
    distances = [
        [_distance(X, fit, rho, case.relaxed.vectors, count, rng) for _ in range(_REPEATS)]
        for count in _DRAWS
    ]
    means = np.mean(distances, axis=1)
    ax = new_figure(INCHES).add_subplot()
    ax.loglog(_DRAWS, means, color=BLUE, marker="o", label="networks of m draws")
    guide = means[0] * np.sqrt(_DRAWS[0] / np.array(_DRAWS))
    ax.loglog(_DRAWS, guide, color=BLACK, linestyle=":", label="$1/\\sqrt{m}$")
    ax.set_xlabel("draws m")
    ax.set_ylabel("relative distance from the fit of the program")
    slope = float(np.polyfit(np.log(_DRAWS), np.log(means), 1)[0])
    return finish(
        ax,
        "quantised-draws",
        "Networks of m random draws of signs, before any Lasso: their distance from the fit of the "
        f"semidefinite program falls as m to the power {slope:.2f}.",
        f"Two lines on logarithmic axes, of draws from {_DRAWS[0]} to {_DRAWS[-1]}: the mean "
        f"distance over {_REPEATS} networks falls from {means[0]:.2g} to {means[-1]:.2g}, beside "
        "a dotted line of one over the root of the draws.",
    )


def _distance(
    X: FloatArray,
    fit: FloatArray,
    rho: float,
    vectors: tuple[FloatArray, FloatArray],
    count: int,
    rng: np.random.Generator,
) -> float:
    left, right = krivine_draws(*vectors, count, rng)
    weight = rho * np.pi / (2.0 * GAMMA * count)
    values = weight * ((X @ left.T) * (X @ right.T)).sum(axis=1)
    return float(np.linalg.norm(values - fit) / np.linalg.norm(fit))


PAGE = Page(_TITLE, 2 * len(_SIZES) + 1, run)
