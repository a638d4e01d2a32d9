"""Circular linear CNNs against closed forms, cvxpy, local search and the program itself."""

from __future__ import annotations

import numpy as np
import pytest
from architectures.cnn_problems import (
    LOSSES,
    circular_search,
    draw,
    in_cvxpy,
    spectrum_objective,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import circulant, dft

from cvxnn import CircularCNN, InputError, Status, solve_circular_cnn
from cvxnn.certificates import dual_bound
from cvxnn.losses import as_loss
from cvxnn.solvers.gauge.programs import CircularProgram

any_loss = pytest.mark.parametrize("loss", LOSSES)


def rows(loss, n, d, seed=0):
    patches, y = draw(loss, n, 1, d, seed)
    return patches[:, 0], y


@any_loss
@pytest.mark.parametrize("d", [4, 5])
@pytest.mark.parametrize("beta", [0.05, 1.0])
def test_one_filter_attains_the_optimum_of_the_program(loss, d, beta):
    X, y = rows(loss, 12, d)
    solution = solve_circular_cnn(X, y, beta, loss=loss)
    network = solution.network
    assert solution.status is Status.OPTIMAL
    assert solution.gap <= 1e-6
    assert network.n_filters == 1
    u, w = network.filters[0], network.output_weights[0]
    assert np.allclose(network.forward(X), X @ circulant(u) @ w)
    z = dft(d, scale="sqrtn") @ network.coefficients
    value = spectrum_objective(X, y, beta, loss, z)
    assert value == pytest.approx(solution.objective, rel=1e-9)
    assert np.linalg.norm(u) == pytest.approx(np.linalg.norm(w))


@any_loss
@pytest.mark.parametrize("d", [3, 4])
def test_local_search_does_not_go_below(loss, d):
    X, y = rows(loss, 7, d, seed=3)
    solution = solve_circular_cnn(X, y, 0.5, loss=loss)
    # More filters than one do not help either.
    for m in (1, 2):
        found = circular_search(X, y, 0.5, loss, m)
        assert found >= solution.dual_bound
        assert found == pytest.approx(solution.objective, rel=1e-5)


@any_loss
@pytest.mark.parametrize("d", [4, 5])
def test_cvxpy_finds_the_same_value(loss, d):
    cp = pytest.importorskip("cvxpy")
    X, y = rows(loss, 8, d, seed=5)
    t = cp.Variable(d)
    modulus = cp.norm1(dft(d, scale="sqrtn") @ t)
    objective = in_cvxpy(cp, loss, X @ t, y) + 0.3 / d**0.5 * modulus
    program = cp.Problem(cp.Minimize(objective))
    program.solve(solver="CLARABEL")
    assert solve_circular_cnn(X, y, 0.3, loss=loss).objective == pytest.approx(
        program.value, rel=1e-6
    )


@pytest.mark.parametrize("d", [1, 2, 6, 7])
def test_the_identity_as_data_is_a_soft_threshold(d):
    # X = I: 1/2 ||z - F'y||^2 + beta / sqrt(d) ||z||_1 separates over the frequencies.
    y = np.random.default_rng(d).standard_normal(d) * 3.0
    price = 0.6 / d**0.5
    sizes = np.abs(dft(d, scale="sqrtn") @ y)
    value = np.where(sizes > price, price * sizes - 0.5 * price**2, 0.5 * sizes**2).sum()
    assert solve_circular_cnn(np.eye(d), y, 0.6).objective == pytest.approx(value, rel=1e-9)


@any_loss
def test_nothing_is_learned_from_beta_max_on(loss):
    X, y = rows(loss, 10, 6)
    slope = X.T @ as_loss(loss).gradient(np.zeros(10), y)
    largest = float(np.abs(dft(6) @ slope).max())
    at_once = solve_circular_cnn(X, y, largest * (1.0 + 1e-9), loss=loss)
    assert at_once.network.n_filters == 0
    assert at_once.objective == as_loss(loss).value(np.zeros(10), y)
    below = solve_circular_cnn(X, y, 0.9 * largest, loss=loss)
    assert below.network.n_filters == 1
    assert below.objective < at_once.objective


@any_loss
@given(
    n=st.integers(1, 6),
    d=st.integers(1, 9),
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_no_dual_point_bounds_above_any_network(loss, n, d, seed, scale):
    X, y = rows(loss, n, d, seed)
    rng = np.random.default_rng(seed)
    chosen, beta = as_loss(loss), float(10.0 ** rng.uniform(-2, 1))
    program = CircularProgram(X)
    best = solve_circular_cnn(X, y, beta, loss=loss, tol=1e-4).objective
    for v in (scale * rng.standard_normal(n), scale * y, -chosen.gradient(0.1 * y, y)):
        bound = program.dual_norm_bound(v)
        exact = np.abs(dft(d) @ (X.T @ v)).max()
        assert exact * (1.0 - 1e-14) <= bound <= exact * (1.0 + 1e-11) + 1e-10 * scale
        assert dual_bound(chosen, y, v, beta, bound) <= best


@pytest.mark.parametrize(
    "X, y, value",
    [
        (np.zeros((2, 3)), [1.0, 2.0], 2.5),
        (np.ones((2, 3)), [0.0, 0.0], 0.0),
        # d = 1: the soft threshold of 2 at 0.1.
        (np.ones((1, 1)), [2.0], 0.2 - 0.005),
        # Only the frequency 0 is seen: f = 2 t_0 with t_0 = sum t / 2 and price beta.
        (np.ones((3, 4)), [1.0, 1.0, 1.0], None),
    ],
    ids=["no data", "no targets", "one number", "one frequency"],
)
def test_degenerate_problems(X, y, value):
    solution = solve_circular_cnn(X, y, 0.1)
    assert solution.status is Status.OPTIMAL
    if value is None:
        # f = sum_a t_a = fft(t)_0 on every row, at the price beta |fft(t)_0| / d.
        price = 0.1 / 4 / 3
        value = 3 * (price - 0.5 * price**2)
    assert solution.objective == pytest.approx(value, rel=1e-6, abs=1e-300)


def test_filters_are_real_and_even():
    X, y = rows("squared", 12, 7)
    u = solve_circular_cnn(X, y, 0.5).network.filters[0]
    assert u.dtype == np.float64
    assert np.allclose(u[1:], u[:0:-1])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"X": [1.0, 2.0, 3.0]}, "X must be 2-D"),
        ({"X": np.full((3, 2), np.inf)}, "X must be finite"),
        ({"y": [1.0]}, "y has 1 entry"),
        ({"beta": -1.0}, "beta must be a finite number above 0"),
        ({"loss": "squared_hinge"}, "labels -1 and 1 only"),
        ({"tol": 0.0}, "tol must be a finite number above 0"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    given_arguments = {"X": np.ones((3, 2)), "y": [1.0, 2.0, 3.0], "beta": 1.0}
    with pytest.raises(InputError, match=message) as error:
        solve_circular_cnn(**(given_arguments | arguments))
    assert "\n" not in str(error.value)


def test_the_network_is_of_its_kind():
    X, y = rows("squared", 5, 3)
    assert isinstance(solve_circular_cnn(X, y, 0.5).network, CircularCNN)
