"""Limits and Ctrl-C at any point of a run: a network with neurons, numbers that are true."""

from __future__ import annotations

import os
import signal
from functools import cache
from typing import Any

import numpy as np
import pytest
from problems import problem_named
from runs import quietly

import cvxnn
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.oracle import RankTwoOracle
from cvxnn.problems import Problem
from cvxnn.results import Solution, Status, described
from cvxnn.solvers.opening import opening
from cvxnn.training.solve import prepare

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

AT_ONCE = 1e-9


class Looks(Deadline):
    """Passes when it has been looked at so often; or Ctrl-C is pressed then, once."""

    def __init__(self, count: int, *, presses: bool = False) -> None:
        super().__init__(1e6)
        self._left, self._presses = count, presses

    @property
    def passed(self) -> bool:
        self._left -= 1
        if self._presses:
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGINT)
            return False
        return self._left < 0

    def share(self, fraction: float) -> Deadline:
        return self


def data(n: int, d: int, loss: str = "squared") -> tuple[FloatArray, FloatArray, float]:
    """A bend and noise, and a beta at a hundredth of what ``||X'v||`` says is the largest."""
    rng = np.random.default_rng(n + d)
    X = rng.standard_normal((n, d))
    X[:, -1] = 1.0
    y = np.maximum(X[:, 0], 0.0) + 0.3 * rng.standard_normal(n)
    if loss in ("logistic", "squared_hinge"):
        y = np.where(y > 0.3, 1.0, -1.0)
    v = cvxnn.losses.as_loss(loss).gradient(np.zeros(n), y)
    return X, y, 0.01 * float(np.linalg.norm(X.T @ v))


# ------------------------------------------------------------------ before the first round


def test_the_opening_of_many_shapes_lowers_the_objective() -> None:
    for n, d in ((50, 400), (300, 300), (3_000, 30), (20_000, 5)):
        X, y, beta = data(n, d)
        problem, units = Problem.of(Layer(X), y, beta, SquaredLoss()).in_units()
        found = opening(problem).scaled(units.sizes)
        network = cvxnn.ReLU().network(found, X.shape[1:])
        assert network.n_neurons > 0
        assert network.objective(X, y, beta) < 0.9 * 0.5 * float(y @ y)


@pytest.mark.parametrize("seed", range(8))
def test_the_opening_of_one_feature_finds_what_the_exact_oracle_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal(30), np.ones(30)])
    y = rng.standard_normal(30)
    largest = RankTwoOracle(X).price(y[:, None]).bound
    for factor, expected in ((0.95, True), (1.001, False)):
        problem = Problem.of(Layer(X), y, factor * largest, SquaredLoss())
        assert bool(len(opening(problem.in_units()[0]))) is expected


def test_an_empty_network_says_so() -> None:
    X, y, _ = data(30, 3)
    largest = float(np.linalg.norm(X, axis=1) @ np.abs(y))
    # Above the largest: the network 0 is optimal, and nobody is told to wait.
    solution = quietly(cvxnn.solve, X, y, 2.0 * largest, time_limit=AT_ONCE)
    assert solution.n_neurons == 0
    assert "no neurons yet" not in described(Status.OPTIMAL, 0)
    for status in (Status.TIME_LIMIT, Status.INTERRUPTED, Status.ITERATION_LIMIT):
        assert "no neurons yet" in described(status, 0)
        assert described(status, 3) == status.value


# ------------------------------------------------------------------ at any point


def cut(count: int, method: str, loss: str, *, presses: bool) -> tuple[Solution, float]:
    """A run that ends at the given look at its deadline; the optimum of its problem."""
    X, y, beta = data(40, 4, loss)
    chosen = cvxnn.Sampled(50) if method == "sampled" else method
    run = prepare(X, y, beta, method=chosen, loss=loss, tol=1e-2)
    run._deadline = Looks(count, presses=presses)
    solution = run.execute()
    objective = solution.network.objective(X, y, beta, cvxnn.losses.as_loss(loss))
    assert solution.objective == pytest.approx(objective, rel=1e-12)
    return solution, beta


@cache
def optimum(loss: str) -> Solution:
    X, y, beta = data(40, 4, loss)
    solution = cvxnn.solve(X, y, beta, loss=loss)
    assert solution.status is Status.OPTIMAL
    return solution


@pytest.mark.parametrize("presses", [False, True], ids=["limit", "ctrl-c"])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("method", ["global", "sampled"])
def test_a_run_may_end_at_any_look(method: str, loss: str, presses: bool) -> None:
    best = optimum(loss)
    for count in (1, 2, 3, 5, 8, 21, 55, 144):
        solution, _ = cut(count, method, loss, presses=presses)
        expected = Status.INTERRUPTED if presses else Status.TIME_LIMIT
        assert solution.status is expected or solution.status.is_success
        assert solution.n_neurons > 0
        assert solution.objective >= best.dual_bound * (1.0 - 1e-9)
        assert solution.dual_bound <= best.objective * (1.0 + 1e-9)
        if solution.history:
            assert solution.objective <= solution.history[-1].objective * (1.0 + 1e-12)


def test_a_run_on_many_rows_may_end_at_any_look() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((5_000, 3)), np.ones(5_000)])
    y = np.sin(2.0 * X[:, 0]) + 0.3 * rng.standard_normal(5_000)
    for count in (1, 4, 16, 64, 256, 400):
        run = prepare(X, y, 50.0)
        run._deadline = Looks(count)
        solution = run.execute()
        assert solution.n_neurons > 0
        assert solution.objective < 0.5 * float(y @ y)
        assert solution.dual_bound <= solution.objective


def test_the_program_gap_of_a_network_from_outside_is_that_over_all() -> None:
    problem = problem_named("d2_n50")
    few = cvxnn.Sampled(5)
    solution = quietly(cvxnn.solve, problem.X, problem.y, 1e-4, method=few, time_limit=AT_ONCE)
    assert solution.n_neurons > 0
    assert solution.program_gap == solution.gap
