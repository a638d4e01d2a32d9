"""Linear CNNs against closed forms, cvxpy, local search and the program itself."""

from __future__ import annotations

import dataclasses
import signal

import numpy as np
import pytest
from architectures.cnn_problems import LOSSES, draw, in_cvxpy, nuclear_objective, patch_search
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from cvxnn import InputError, LinearCNN, Status, solve_linear_cnn
from cvxnn.certificates import dual_bound
from cvxnn.losses import SquaredLoss, WeightedLoss, as_loss
from cvxnn.solvers.gauge.programs import PatchProgram

any_loss = pytest.mark.parametrize("loss", LOSSES)


@any_loss
@pytest.mark.parametrize("beta", [0.01, 0.5])
def test_the_network_attains_the_optimum_of_the_program(loss, beta):
    patches, y = draw(loss, 12, 4, 3)
    solution = solve_linear_cnn(patches, y, beta, loss=loss)
    network = solution.network
    assert solution.status is Status.OPTIMAL
    assert solution.gap <= 1e-6
    assert solution.dual_bound <= solution.objective * (1.0 + 1e-14)
    Z = network.coefficients.T
    value = nuclear_objective(patches, y, beta, loss, Z)
    assert value == pytest.approx(solution.objective, rel=1e-9)
    assert network.objective(patches, y, beta, as_loss(loss)) == solution.objective
    norms = [np.linalg.norm(part, axis=1) for part in (network.filters, network.output_weights)]
    assert np.allclose(*norms)
    assert network.n_filters <= 3


@any_loss
def test_local_search_does_not_go_below(loss):
    patches, y = draw(loss, 8, 3, 2, seed=3)
    solution = solve_linear_cnn(patches, y, 0.5, loss=loss)
    found = patch_search(patches, y, 0.5, loss, m=2)
    assert found >= solution.dual_bound
    assert found == pytest.approx(solution.objective, rel=1e-5)


@any_loss
def test_cvxpy_finds_the_same_value(loss):
    cp = pytest.importorskip("cvxpy")
    patches, y = draw(loss, 8, 3, 2, seed=5)
    Z = cp.Variable((2, 3))
    prediction = sum(patches[:, k] @ Z[:, k] for k in range(3))
    program = cp.Problem(cp.Minimize(in_cvxpy(cp, loss, prediction, y) + 0.3 * cp.normNuc(Z)))
    program.solve(solver="CLARABEL")
    assert solve_linear_cnn(patches, y, 0.3, loss=loss).objective == pytest.approx(
        program.value, rel=1e-6
    )


def test_one_patch_with_orthogonal_columns_is_a_soft_threshold():
    # K = 1: ||Z||_* = ||z||_2. With X'X = s^2 I and c = X'y the optimum is along c:
    # z = (||c|| - beta)_+ / s^2 * c / ||c||, value 1/2 ||y||^2 - (||c|| - beta)_+^2 / (2 s^2).
    rng = np.random.default_rng(2)
    X = 1.7 * np.linalg.qr(rng.standard_normal((9, 4)))[0]
    y = 3.0 * rng.standard_normal(9)
    c, beta = X.T @ y, 0.8
    excess = np.linalg.norm(c) - beta
    assert excess > 0.0
    solution = solve_linear_cnn(X[:, None, :], y, beta)
    assert solution.objective == pytest.approx(0.5 * y @ y - excess**2 / (2 * 1.7**2), rel=1e-9)
    expected = excess / 1.7**2 * c / np.linalg.norm(c)
    assert np.allclose(solution.network.coefficients[0], expected, rtol=1e-6)
    assert solution.network.n_filters == 1


def test_one_patch_in_general_solves_its_secular_equation():
    # Stationarity (X'X + (beta / t) I) z = X'y at t = ||z||: one equation in t, by bisection.
    patches, y = draw("squared", 15, 1, 5, seed=8)
    X, beta = patches[:, 0], 0.7
    low, high = 1e-9, 1e3
    for _ in range(200):
        t = 0.5 * (low + high)
        z = np.linalg.solve(X.T @ X + beta / t * np.eye(5), X.T @ y)
        low, high = (t, high) if np.linalg.norm(z) > t else (low, t)
    value = 0.5 * np.sum((X @ z - y) ** 2) + beta * np.linalg.norm(z)
    assert solve_linear_cnn(patches, y, beta).objective == pytest.approx(value, rel=1e-9)


@any_loss
def test_nothing_is_learned_from_beta_max_on(loss):
    patches, y = draw(loss, 10, 3, 4)
    slope = np.einsum("nkh,n->kh", patches, as_loss(loss).gradient(np.zeros(10), y))
    largest = float(np.linalg.norm(slope, 2))
    at_once = solve_linear_cnn(patches, y, largest * (1.0 + 1e-9), loss=loss)
    assert at_once.network.n_filters == 0
    assert at_once.objective == as_loss(loss).value(np.zeros(10), y)
    assert at_once.status is Status.OPTIMAL
    below = solve_linear_cnn(patches, y, 0.9 * largest, loss=loss)
    assert below.network.n_filters >= 1
    assert below.objective < at_once.objective


@any_loss
@given(
    n=st.integers(1, 6),
    K=st.integers(1, 4),
    h=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_no_dual_point_bounds_above_any_network(loss, n, K, h, seed, scale):
    patches, y = draw(loss, n, K, h, seed)
    rng = np.random.default_rng(seed)
    chosen, beta = as_loss(loss), float(10.0 ** rng.uniform(-2, 1))
    program = PatchProgram(patches)
    best = solve_linear_cnn(patches, y, beta, loss=loss, tol=1e-4).objective
    for v in (scale * rng.standard_normal(n), scale * y, -chosen.gradient(0.1 * y, y)):
        bound = program.dual_norm_bound(v)
        exact = np.linalg.norm(np.einsum("nkh,n->kh", patches, v), 2)
        assert exact <= bound <= exact * (1.0 + 1e-11) + 1e-11 * scale
        assert dual_bound(chosen, y, v, beta, bound) <= best


@pytest.mark.parametrize(
    "patches, y",
    [
        (np.zeros((3, 2, 2)), [1.0, 2.0, 3.0]),
        (np.ones((3, 2, 2)), [0.0, 0.0, 0.0]),
        (np.ones((1, 1, 1)), [2.0]),
        (np.ones((4, 3, 2)), [1.0, -1.0, 1.0, 5.0]),
    ],
    ids=["no data", "no targets", "one number", "equal rows"],
)
def test_degenerate_problems(patches, y):
    solution = solve_linear_cnn(patches, y, 0.1)
    assert solution.status is Status.OPTIMAL
    row = np.linalg.norm(patches[0])
    mean, n = np.mean(y), len(y)
    # Equal rows x: with s = ||x|| t the problem is n/2 (s mean..)^2, a soft threshold.
    fit = max(abs(mean) - 0.1 / (n * row * _shape_gain(patches)), 0.0) if row else 0.0
    value = 0.5 * np.sum((np.asarray(y) - np.sign(mean) * fit) ** 2)
    value += 0.1 * fit / (row * _shape_gain(patches)) if fit else 0.0
    assert solution.objective == pytest.approx(value, rel=1e-6, abs=1e-300)


def _shape_gain(patches):
    """Spectral over Frobenius norm of one row: 1 for patches of rank one."""
    return np.linalg.norm(patches[0], 2) / np.linalg.norm(patches[0])


@pytest.mark.parametrize("size", [1e-90, 1e-8, 1e8, 1e90])
def test_units_of_the_data_do_not_matter(size):
    patches, y = draw("squared", 10, 3, 2)
    plain = solve_linear_cnn(patches, y, 0.5)
    scaled = solve_linear_cnn(size * patches, y, 0.5 * size)
    assert scaled.status is Status.OPTIMAL
    assert scaled.objective == pytest.approx(plain.objective, rel=1e-6)


def test_weights_of_rows_are_repeated_rows():
    patches, y = draw("squared", 6, 3, 2)
    weights = np.array([1.0, 2.0, 1.0, 3.0, 1.0, 1.0])
    repeated = np.repeat(np.arange(6), weights.astype(int))
    weighted = solve_linear_cnn(patches, y, 0.5, loss=WeightedLoss(SquaredLoss(), weights))
    plain = solve_linear_cnn(patches[repeated], y[repeated], 0.5)
    assert weighted.objective == pytest.approx(plain.objective, rel=1e-6)


def test_limits_are_statuses_and_warn():
    patches, y = draw("squared", 30, 8, 6)
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        limited = solve_linear_cnn(patches, y, 1e-3, max_iter=1, tol=1e-15)
    assert limited.status in (Status.ITERATION_LIMIT, Status.NUMERICAL_ERROR)
    with pytest.warns(ConvergenceWarning, match="raise time_limit"):
        late = solve_linear_cnn(patches, y, 1e-3, time_limit=1e-9)
    assert late.status is Status.TIME_LIMIT
    assert late.dual_bound <= limited.objective <= late.objective


def test_a_hard_problem_is_solved_along_a_path_of_beta():
    # A few labels that are all fitted: the smaller beta, the flatter the loss.
    patches, y = draw("squared_hinge", 20, 5, 4)
    solution = solve_linear_cnn(patches, y, 1e-3, loss="squared_hinge")
    assert solution.n_iter > 2
    assert solution.status is Status.OPTIMAL
    Z = solution.network.coefficients.T
    value = nuclear_objective(patches, y, 1e-3, "squared_hinge", Z)
    assert value == pytest.approx(solution.objective, rel=1e-9)


def test_rounds_are_reported():
    patches, y = draw("squared", 30, 8, 6)
    seen = []
    solution = solve_linear_cnn(patches, y, 0.1, callback=seen.append)
    assert [entry.iteration for entry in seen] == list(range(solution.n_iter))
    assert seen[-1].objective == pytest.approx(solution.objective, rel=1e-12)


def test_ctrl_c_returns_the_best_so_far():
    patches, y = draw("squared", 30, 8, 6)

    def interrupt(progress):
        signal.raise_signal(signal.SIGINT)

    # A shell starts its background jobs with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        solution = solve_linear_cnn(patches, y, 1e-3, tol=1e-15, callback=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert solution.status is Status.INTERRUPTED
    assert solution.objective < 0.5 * y @ y


def test_the_result_is_frozen():
    patches, y = draw("squared", 6, 2, 2)
    solution = solve_linear_cnn(patches, y, 0.5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        solution.objective = 0.0
    assert isinstance(solution.network, LinearCNN)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"patches": np.ones((3, 2))}, r"patches must be 3-D, of shape \(n, K, h\)"),
        ({"patches": np.ones((3, 0, 2))}, "none of them 0"),
        ({"patches": np.full((3, 1, 2), np.nan)}, "patches must be finite"),
        ({"y": [1.0]}, "y has 1 entry"),
        ({"beta": 0.0}, "beta must be a finite number above 0"),
        ({"beta": 1e200}, "out of all proportion"),
        ({"loss": "absolute"}, "loss must be one of"),
        ({"loss": "logistic"}, "labels -1 and 1 only"),
        ({"tol": 2.0}, "tol must be below 1"),
        ({"max_iter": 0}, "max_iter must be an integer of at least 1"),
        ({"time_limit": -1.0}, "time_limit must be None"),
        ({"callback": 3}, "callback must be callable"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    given_arguments = {"patches": np.ones((3, 2, 2)), "y": [1.0, 2.0, 3.0], "beta": 1.0}
    with pytest.raises(InputError, match=message) as error:
        solve_linear_cnn(**(given_arguments | arguments))
    assert "\n" not in str(error.value)
