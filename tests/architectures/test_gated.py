"""Gated ReLU networks against cvxpy, local search, closed forms and ReLU networks."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from architectures.cnn_problems import LOSSES
from architectures.gated_problems import cvxpy_value, draw, gated_search, masks_of
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from cvxnn import (
    GatedNetwork,
    InputError,
    Status,
    enumerate_patterns,
    solve,
    solve_gated,
)
from cvxnn.losses import as_loss
from cvxnn.solvers.columns.group_lasso import GroupLasso

any_loss = pytest.mark.parametrize("loss", LOSSES)
with_or_without_skip = pytest.mark.parametrize("skip", [None, "penalised"])


@any_loss
@with_or_without_skip
@pytest.mark.parametrize("beta", [1.0, 0.03])
def test_cvxpy_finds_the_same_value(loss, skip, beta):
    cp = pytest.importorskip("cvxpy")
    X, y = draw(loss, 12, 3, seed=5)
    gates = np.random.default_rng(1).standard_normal((30, 3))
    solution = solve_gated(X, y, beta, gates, loss=loss, skip=skip, tol=1e-9)
    assert solution.status is Status.OPTIMAL
    assert solution.gap <= 1e-9
    value = cvxpy_value(cp, X, y, beta, loss, masks_of(X, gates, skip is not None))
    assert solution.objective == pytest.approx(value, rel=1e-6)
    assert solution.dual_bound <= value * (1.0 + 1e-6)


@any_loss
@with_or_without_skip
def test_local_search_does_not_go_below(loss, skip):
    X, y = draw(loss, 9, 2, seed=3)
    gates = np.random.default_rng(2).standard_normal((4, 2))
    solution = solve_gated(X, y, 0.2, gates, loss=loss, skip=skip)
    found = gated_search(X, y, 0.2, loss, masks_of(X, gates, skip is not None))
    assert found >= solution.dual_bound
    assert found == pytest.approx(solution.objective, rel=1e-5)


@any_loss
@pytest.mark.parametrize("beta", [2.0, 0.1, 1e-4])
def test_the_network_attains_the_optimum_of_the_program(loss, beta):
    X, y = draw(loss, 40, 4)
    solution = solve_gated(X, y, beta, loss=loss, n_gates=200, tol=1e-8)
    network = solution.network
    assert solution.status is Status.OPTIMAL
    products = network.hidden_weights * network.output_weights[:, None]
    masks = X @ network.gates.T >= 0.0
    program = as_loss(loss).value((masks * (X @ products.T)).sum(axis=1), y)
    program += beta * np.linalg.norm(products, axis=1).sum()
    assert program == pytest.approx(solution.objective, rel=1e-9)
    assert np.allclose(np.linalg.norm(network.hidden_weights, axis=1), network.output_weights)
    assert network.n_neurons <= len(X)
    assert len(np.unique(masks, axis=1).T) == network.n_neurons


@any_loss
def test_a_tiny_beta_is_reached_by_falling_ones(loss):
    X, y = draw(loss, 80, 5)
    solutions = [solve_gated(X, y, beta, loss=loss, n_gates=100) for beta in (1e-5, 1e-6)]
    for solution in solutions:
        assert solution.status is Status.OPTIMAL
    # Targets are fitted in the end: what is left is the price of the least weights.
    prices = [solution.objective / solution.beta for solution in solutions]
    assert prices[0] < prices[1] * (1.0 + 1e-6)
    if loss != "logistic":
        assert prices[0] == pytest.approx(prices[1], rel=1e-3)


@any_loss
def test_more_gates_than_the_first_working_set(loss):
    X, y = draw(loss, 30, 3, seed=8)
    gates = enumerate_patterns(X).directions
    assert len(gates) > 800
    everything = solve_gated(X, y, 0.1, gates, loss=loss, tol=1e-8)
    # Gates that are missing are found: those of the optimum alone are no worse.
    assert everything.status is Status.OPTIMAL
    few = solve_gated(X, y, 0.1, everything.network.gates, loss=loss, tol=1e-8)
    assert few.objective == pytest.approx(everything.objective, rel=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_gated_relu_and_decomposed_networks_are_in_order(seed):
    X, y = draw("squared", 10, 3, seed)
    patterns = enumerate_patterns(X)
    assert len(patterns) == 92
    gated = solve_gated(X, y, 0.1, patterns.directions)
    relu = solve(X, y, 0.1, "exact")
    assert gated.dual_bound <= relu.objective
    penalties = []
    for method in ("minimum_norm", "closed_form"):
        network = gated.network.to_relu(X, method)
        assert relu.dual_bound <= network.objective(X, y, 0.1)
        penalties.append(network.penalty())
    assert penalties[0] <= penalties[1]


@any_loss
def test_nothing_is_learned_from_beta_max_on(loss):
    X, y = draw(loss, 10, 3)
    gates = np.eye(3)
    slope = as_loss(loss).gradient(np.zeros(10), y)
    largest = max(np.linalg.norm(X.T @ (slope * (X @ gate >= 0.0))) for gate in gates)
    at_once = solve_gated(X, y, largest * (1.0 + 1e-9), gates, loss=loss)
    assert at_once.network.n_neurons == 0
    assert at_once.objective == as_loss(loss).value(np.zeros(10), y)
    below = solve_gated(X, y, 0.9 * largest, gates, loss=loss)
    assert below.network.n_neurons == 1
    assert below.objective < at_once.objective


@pytest.mark.parametrize("beta", [0.5, 30.0])
def test_orthonormal_rows_of_one_gate_are_a_block_soft_threshold(beta):
    # X = I and the gate 0: 1/2 ||w - y||^2 + beta ||w||.
    y = 3.0 * np.random.default_rng(0).standard_normal(7)
    length = float(np.linalg.norm(y))
    value = beta * length - 0.5 * beta**2 if beta < length else 0.5 * length**2
    solution = solve_gated(np.eye(7), y, beta, np.zeros((1, 7)), tol=1e-10)
    assert solution.objective == pytest.approx(value, rel=1e-9)


@any_loss
def test_more_features_than_rows(loss):
    X, y = draw(loss, 12, 3)
    gates = np.random.default_rng(4).standard_normal((50, 3))
    few = solve_gated(X, y, 0.3, gates, loss=loss, tol=1e-9)
    # The same rows in a space of thirty dimensions.
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((30, 3)))[0].T
    many = solve_gated(X @ turn, y, 0.3, gates @ turn, loss=loss, tol=1e-9)
    assert many.objective == pytest.approx(few.objective, rel=1e-8)
    assert many.gap <= 1e-9


def test_a_skip_is_the_gate_zero():
    X, y = draw("squared", 20, 3)
    gates = np.random.default_rng(4).standard_normal((8, 3))
    with_skip = solve_gated(X, y, 0.3, gates, skip="penalised", tol=1e-9)
    by_hand = solve_gated(X, y, 0.3, np.vstack([gates, np.zeros(3)]), tol=1e-9)
    assert with_skip.objective == pytest.approx(by_hand.objective, rel=1e-8)
    assert with_skip.objective < solve_gated(X, y, 0.3, gates).objective
    assert not with_skip.network.gates[-1].any()


def test_gates_of_the_same_pattern_count_once():
    X, y = draw("squared", 15, 3)
    gates = np.random.default_rng(4).standard_normal((6, 3))
    repeated = np.vstack([gates, 2.0 * gates, gates])
    network = solve_gated(X, y, 0.3, repeated).network
    assert network == solve_gated(X, y, 0.3, gates).network


@any_loss
def test_weights_count_rows(loss):
    X, y = draw(loss, 20, 3)
    weights = np.random.default_rng(0).integers(0, 4, 20)
    weighted = solve_gated(X, y, 0.3, np.eye(3), loss=loss, sample_weight=weights, tol=1e-9)
    rows = np.repeat(np.arange(20), weights)
    repeated = solve_gated(X[rows], y[rows], 0.3, np.eye(3), loss=loss, tol=1e-9)
    assert weighted.objective == pytest.approx(repeated.objective, rel=1e-8)


@any_loss
@given(n=st.integers(1, 8), d=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_every_small_problem_is_certified(loss, n, d, seed):
    X, y = draw(loss, n, d, seed)
    beta = float(10.0 ** np.random.default_rng(seed).uniform(-4, 1))
    solution = solve_gated(X, y, beta, n_gates=20, loss=loss, skip="penalised")
    assert solution.status is Status.OPTIMAL
    assert solution.network.objective(X, y, beta, as_loss(loss)) == solution.objective


@pytest.mark.parametrize("loss", ["squared", "huber"])
@pytest.mark.parametrize("unit_X, unit_y", [(1e80, 1e-60), (1e-80, 1e60)])
def test_units_do_not_matter(loss, unit_X, unit_y):
    X, y = draw("squared", 15, 3)
    gates = np.random.default_rng(4).standard_normal((6, 3))
    plain = solve_gated(X, y, 0.3, gates).objective
    if loss == "squared":
        scaled = solve_gated(unit_X * X, unit_y * y, 0.3 * unit_X * unit_y, gates)
        assert scaled.objective == pytest.approx(plain * unit_y**2, rel=1e-6)
    assert solve_gated(X, y, 0.3, gates * unit_X, loss=loss).objective == pytest.approx(
        solve_gated(X, y, 0.3, gates, loss=loss).objective, rel=1e-6
    )


@pytest.mark.parametrize(
    "X, y, value",
    [
        (np.zeros((2, 3)), [1.0, 2.0], 2.5),
        (np.ones((2, 3)), [0.0, 0.0], 0.0),
        # d = 1: the soft threshold of 2 at 0.1.
        (np.ones((1, 1)), [2.0], 0.2 - 0.005),
    ],
    ids=["no data", "no targets", "one number"],
)
def test_degenerate_problems(X, y, value):
    solution = solve_gated(X, y, 0.1, skip="penalised")
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(value, rel=1e-6, abs=1e-300)


def test_the_same_seed_gives_the_same_network():
    X, y = draw("squared", 40, 4)
    first, second = (solve_gated(X, y, 0.1, n_gates=50, random_state=7) for _ in range(2))
    assert first.network == second.network
    assert first.network != solve_gated(X, y, 0.1, n_gates=50, random_state=8).network


def test_limits_return_the_best_network_so_far():
    X, y = draw("squared", 60, 5)
    for limit, status in (
        ({"max_iter": 3}, Status.ITERATION_LIMIT),
        ({"time_limit": 1e-9}, Status.TIME_LIMIT),
    ):
        with pytest.warns(ConvergenceWarning, match="raise") as caught:
            solution = solve_gated(X, y, 0.01, **limit)
        assert caught[0].filename == __file__
        assert solution.status is status
        assert solution.dual_bound <= solve_gated(X, y, 0.01).objective <= solution.objective


def test_ctrl_c_returns_the_best_network_so_far():
    X, y = draw("squared", 60, 5)

    def stop(progress):
        if progress.iteration == 4:
            raise KeyboardInterrupt

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solution = solve_gated(X, y, 0.01, callback=stop)
    assert solution.status is Status.INTERRUPTED
    assert solution.n_iter == 5
    assert np.isfinite(solution.network.objective(X, y, 0.01))


def test_a_callback_sees_the_gap_close():
    X, y = draw("squared", 40, 4)
    seen = []
    solution = solve_gated(X, y, 0.1, callback=seen.append)
    assert len(seen) == solution.n_iter
    objectives = [progress.objective for progress in seen]
    assert objectives == sorted(objectives, reverse=True)
    assert seen[-1].gap == pytest.approx(solution.gap, abs=1e-9)
    assert all(progress.n_blocks >= progress.n_neurons for progress in seen[-1:])


def test_a_system_that_cannot_be_solved_ends_the_run(monkeypatch):
    X, y = draw("squared", 20, 3)

    def fail(self, point):
        raise np.linalg.LinAlgError("singular")

    monkeypatch.setattr(GroupLasso, "step", fail)
    with pytest.warns(ConvergenceWarning, match="Rounding"):
        solution = solve_gated(X, y, 0.1)
    assert solution.status is Status.NUMERICAL_ERROR
    # What the first gate does alone, and nothing after it.
    assert solution.network.n_neurons == 1
    assert solution.dual_bound <= solution.objective < 0.5 * float(y @ y)


def test_blocks_that_depend_on_each_other_are_pruned():
    # On these rows the gate 1 and the skip see the same: the optimum leaves the shares open.
    X, y = np.array([[1.0], [2.0]]), np.array([1.0, 2.5])
    solution = solve_gated(X, y, 0.5, [[1.0]], skip="penalised")
    assert solution.status is Status.OPTIMAL
    assert solution.network.n_neurons == 1
    # One slope w: 5 w^2 / 2 - 6 w + |w| / 2 + const.
    w = (6.0 - 0.5) / 5.0
    assert solution.objective == pytest.approx(0.5 * (1.0 + 6.25) - 2.5 * w**2, rel=1e-6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"X": [1.0, 2.0, 3.0]}, "X must be 2-D"),
        ({"y": [1.0]}, "y has 1 entry"),
        ({"beta": -1.0}, "beta must be a finite number above 0"),
        ({"gates": [[1.0]]}, "gates must have the 2 features of X, got 1"),
        ({"gates": [[np.nan, 1.0]]}, "gates must be finite"),
        ({"n_gates": 0}, "n_gates must be an integer of at least 1"),
        ({"skip": "free"}, "skip must be None or 'penalised', got 'free'"),
        ({"loss": "squared_hinge"}, "labels -1 and 1 only"),
        ({"sample_weight": [1.0]}, "sample_weight must have shape"),
        ({"tol": 0.0}, "tol must be a finite number above 0"),
        ({"random_state": -1}, "random_state must be"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    given_arguments = {"X": np.ones((3, 2)), "y": [1.0, 2.0, 3.0], "beta": 1.0}
    with pytest.raises(InputError, match=message) as error:
        solve_gated(**(given_arguments | arguments))
    assert "\n" not in str(error.value)


def test_the_network_is_of_its_kind():
    X, y = draw("squared", 5, 3)
    assert isinstance(solve_gated(X, y, 0.5).network, GatedNetwork)
