"""Leaky activations and skip connections: cvxpy on all patterns, random starts, PyTorch."""

from __future__ import annotations

import os
import signal
from functools import cache
from typing import Any

import numpy as np
import pytest
from architectures.cnn_problems import search
from cvxnn.architectures import solve_leaky
from skip_problems import BETA, data, reference

import cvxnn
from cvxnn.errors import InputError
from cvxnn.losses import WeightedLoss, as_loss
from cvxnn.oracle import choice
from cvxnn.results import Status
from cvxnn.solvers.skip.penalised import PenalisedSkipSearch

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

SLOPES = (0.0, 0.2, -1.0, 1.0, 1.7)


@cache
def trained(slope: float, skip: str | None, loss: str, method: str = "global") -> Any:
    X, y = data(loss)
    return solve_leaky(X, y, BETA, slope, skip=skip, loss=loss, method=method, tol=1e-7)


def check(solution: Any, X: FloatArray, y: FloatArray, beta: float, loss: str) -> None:
    assert solution.status is Status.OPTIMAL and solution.gap <= 1e-7
    value = solution.network.objective(X, y, beta, as_loss(loss))
    assert value == pytest.approx(solution.objective, rel=1e-12)
    assert solution.dual_bound <= solution.objective * (1.0 + 1e-12)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("method", ["global", "exact"])
def test_the_optimum_is_that_of_cvxpy(slope: float, loss: str, method: str) -> None:
    solution = trained(slope, None, loss, method)
    check(solution, *data(loss), BETA, loss)
    assert solution.objective == pytest.approx(reference(slope, None, loss), rel=1e-6)


@pytest.mark.parametrize("slope", [0.2, -1.0])
@pytest.mark.parametrize(
    ("skip", "loss"),
    [("penalised", "squared"), ("free", "squared"), ("penalised", "logistic"),
     ("penalised", "huber"), ("penalised", "squared_hinge")],
)  # fmt: skip
def test_skip_connections_against_cvxpy(slope: float, skip: str, loss: str) -> None:
    solution = trained(slope, skip, loss)
    check(solution, *data(loss), BETA, loss)
    assert solution.objective == pytest.approx(reference(slope, skip, loss), rel=2e-6)
    assert solution.network.skip_weights.shape == (3,)
    assert solution.network.skip_is_free == (skip == "free")


@pytest.mark.parametrize("slope", [0.2, -1.0])
@pytest.mark.parametrize("skip", [None, "penalised", "free"])
def test_random_starts_are_not_below(slope: float, skip: str | None) -> None:
    X, y = data()
    solution, m, d = trained(slope, skip, "squared"), 8, X.shape[1]

    def objective(weights: FloatArray) -> tuple[float, FloatArray]:
        U, a, rest = weights[: m * d].reshape(m, d), weights[m * d :][:m], weights[m * (d + 1) :]
        products = X @ U.T
        scales = np.where(products > 0.0, 1.0, slope)
        # A penalised skip connection is a linear neuron with weights of its own.
        u, c = (rest[:d], rest[d]) if skip is not None else (np.zeros(d), 0.0)
        left = (scales * products) @ a + c * (X @ u) - y
        penalised = np.ones(len(weights))
        penalised[m * (d + 1) :] = skip == "penalised"
        slopes = BETA * penalised * weights
        slopes[: m * d] += (a[:, None] * ((scales * left[:, None]).T @ X)).ravel()
        slopes[m * d :][:m] += left @ (scales * products)
        if skip is not None:
            slopes[m * (d + 1) :] += np.append(c * (X.T @ left), left @ (X @ u))
        return 0.5 * float(left @ left + BETA * penalised @ weights**2), slopes

    best = search(objective, m * (d + 1) + (0 if skip is None else d + 1), jac=True)
    assert best >= solution.dual_bound * (1.0 - 1e-9)
    assert solution.objective <= best * (1.0 + 1e-6)


@pytest.mark.parametrize(
    ("slope", "loss"), [(0.1, "squared"), (-1.0, "squared"), (0.1, "logistic")]
)
def test_the_search_without_cells_finds_the_same(
    slope: float, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = data(loss, 16)
    by_cells = solve_leaky(X, y, BETA, slope, loss=loss)
    monkeypatch.setattr(choice, "_FEW_PATTERNS", 0)
    moved = solve_leaky(X, y, BETA, slope, loss=loss)
    assert moved.status is by_cells.status is Status.OPTIMAL
    assert moved.objective == pytest.approx(by_cells.objective, rel=2e-6)


def test_slope_zero_is_the_network_of_solve() -> None:
    X, y = cvxnn.load_ring()
    leaky, relu = solve_leaky(X, y, 1.0, 0.0), cvxnn.solve(X, y, 1.0)
    assert leaky.objective == pytest.approx(relu.objective, rel=1e-6)
    np.testing.assert_allclose(leaky.network.forward(X), relu.network.forward(X), atol=1e-4)


def test_linear_neurons_are_one() -> None:
    """Slope 1: ``min 1/2 ||Xw - y||^2 + beta ||w||``, stationary in w."""
    X, y = data()
    solution = solve_leaky(X, y, BETA, 1.0, tol=1e-9)
    w = solution.network.output_weights @ solution.network.hidden_weights
    slope = X.T @ (y - X @ w)
    np.testing.assert_allclose(slope, BETA * w / np.linalg.norm(w), atol=1e-5)
    value = 0.5 * np.sum((X @ w - y) ** 2) + BETA * np.linalg.norm(w)
    assert value == pytest.approx(solution.objective, rel=1e-8)


def test_a_skip_connection_that_does_not_pay_is_zero() -> None:
    X, y = data()
    solution = solve_leaky(X, np.abs(y), 5.0, 0.0, skip="penalised")
    plain = solve_leaky(X, np.abs(y), 5.0, 0.0)
    assert solution.objective == pytest.approx(plain.objective, rel=1e-6)
    assert solution.network.skip_weights.tolist() == [0.0, 0.0, 0.0]


def test_a_free_skip_connection_is_least_squares_where_neurons_are_too_dear() -> None:
    X, y = data()
    solution = solve_leaky(X, y, 1e3, skip="free")
    assert solution.status is Status.OPTIMAL and solution.network.n_neurons == 0
    expected = np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_allclose(solution.network.skip_weights, expected, atol=1e-10)


@pytest.mark.parametrize("skip", ["penalised", "free"])
def test_dependent_columns_and_units(skip: str) -> None:
    """Columns twice, and data in other units: the same network but for its units."""
    X, y = data()
    plain = solve_leaky(X, y, BETA, 0.1, skip=skip)
    wide = np.column_stack([X, X[:, 1]]) / np.sqrt([1.0, 2.0, 1.0, 2.0])
    twice = solve_leaky(wide, y, BETA, 0.1, skip=skip)
    assert twice.status is Status.OPTIMAL
    assert twice.objective == pytest.approx(plain.objective, rel=3e-6)
    scaled = solve_leaky(1e3 * X, 1e6 * y, BETA * 1e9, 0.1, skip=skip)
    assert scaled.objective == pytest.approx(1e12 * plain.objective, rel=3e-6)


@pytest.mark.parametrize("skip", [None, "penalised", "free"])
def test_weights_of_rows_are_repetitions(skip: str | None) -> None:
    X, y = data()
    weights = np.arange(8) % 3
    weighted = solve_leaky(X, y, BETA, 0.1, skip=skip, sample_weight=weights)
    repeated = solve_leaky(np.repeat(X, weights, 0), np.repeat(y, weights), BETA, 0.1, skip=skip)
    assert weighted.status is Status.OPTIMAL
    assert weighted.objective == pytest.approx(repeated.objective, rel=3e-6)
    loss = WeightedLoss(as_loss("squared"), weights[weights > 0].astype(float))
    value = weighted.network.objective(X[weights > 0], y[weights > 0], BETA, loss)
    assert value == pytest.approx(weighted.objective, rel=1e-12)


def test_sampled_patterns_and_their_bound() -> None:
    X, y = data()
    solution = solve_leaky(X, y, BETA, 0.1, method="sampled", n_samples=5, skip="penalised")
    assert solution.status is Status.OPTIMAL_FOR_PATTERNS and solution.program_gap <= 1e-6
    assert 0 < solution.n_patterns <= 10
    assert solution.dual_bound <= reference(0.1, "penalised", "squared") * (1.0 + 1e-6)
    assert solution.objective >= reference(0.1, "penalised", "squared") * (1.0 - 1e-6)


def test_limits_leave_the_best_so_far() -> None:
    X, y = data()
    with pytest.warns(UserWarning, match="time_limit was reached"):
        solution = solve_leaky(X, y, 1e-4, 0.1, skip="penalised", time_limit=1e-6)
    assert solution.status is Status.TIME_LIMIT
    value = solution.network.objective(X, y, 1e-4)
    assert solution.dual_bound <= value == pytest.approx(solution.objective)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"slope": np.nan}, "slope must be a finite number"),
        ({"skip": "some"}, "skip must be None, 'penalised' or 'free'"),
        ({"time_limit": -1.0}, "time_limit must be"),
        ({"tol": 0.0}, "tol must be"),
        ({"skip": "free", "loss": "huber"}, 'skip="free" is for the squared loss'),
        ({"loss": "logistic"}, "labels -1 and 1"),
        ({"beta": 0.0}, "beta must be"),
        ({"y": [1.0]}, "y has 1 entry but X has 8 rows"),
    ],
)
def test_mistakes_are_named(changed: dict[str, Any], message: str) -> None:
    X, y = data()
    arguments: dict[str, Any] = {"X": X, "y": y, "beta": BETA} | changed
    with pytest.raises(InputError, match=message):
        solve_leaky(**arguments)


@pytest.mark.parametrize("seed", range(3))
def test_a_skip_connection_takes_over_a_trend(seed: int) -> None:
    """Neurons alone fit the trend as well: the guess of eta must not be misled by them."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal(25), np.ones(25)])
    y = 20.0 * X[:, 0] + np.abs(X[:, 0]) + 0.5 * rng.standard_normal(25)
    solution = solve_leaky(X, y, 0.24, 0.1, skip="penalised")
    assert solution.status is Status.OPTIMAL and solution.gap <= 1e-6
    assert solution.network.skip_weights[0] > 15.0


def test_columns_of_a_free_skip_connection_count_in_any_unit() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([1e6 * rng.standard_normal(40), 1e-6 * rng.standard_normal(40)])
    y = X @ [1e-6, 1e6] + 0.1 * rng.standard_normal(40)
    solution = solve_leaky(X, y, 1e6, skip="free")
    units = np.array([1e6, 1e-6])
    w = np.linalg.lstsq(X / units, y, rcond=None)[0] / units
    np.testing.assert_allclose(solution.network.skip_weights, w, rtol=1e-9)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(0.5 * float(np.sum((y - X @ w) ** 2)), rel=1e-9)


def test_ctrl_c_leaves_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = data()
    original = PenalisedSkipSearch._end

    def interrupted(self: Any, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(PenalisedSkipSearch, "_end", interrupted)
    solution = solve_leaky(X, y, BETA, 0.2, skip="penalised")
    assert solution.status is Status.INTERRUPTED
    value = solution.network.objective(X, y, BETA)
    assert solution.dual_bound <= value == pytest.approx(solution.objective)


def test_a_skip_connection_on_too_many_rows_is_refused() -> None:
    with pytest.raises(InputError, match="5000 rows at most, got 5001"):
        solve_leaky(np.ones((5001, 1)), np.ones(5001), 1.0, skip="free")
