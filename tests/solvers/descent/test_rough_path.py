"""Rough networks along beta: near certified optima, in the units of the data."""

import numpy as np
import pytest
from planted_rows import planted
from programs import COUNTS, LOSSES, targets
from variants import with_long

import cvxnn
from cvxnn.errors import InputError
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses import WeightedLoss, as_loss
from cvxnn.losses.offset import best_offset
from cvxnn.problems import Problem
from cvxnn.solvers.descent.rough_path import RoughPath

SHARES = (0.5, 0.25, 0.12, 0.06)


def problem_of(X, y, loss="squared", weights=None):
    loss = as_loss(loss)
    return Problem.of(Layer(X), y, 1.0, loss if weights is None else WeightedLoss(loss, weights))


def path_on(X, y, loss="squared", *, state=0, weights=None, **options):
    rng = np.random.default_rng(state)
    return RoughPath(problem_of(X, y, loss, weights), rng, **options)


def prediction(X, neurons):
    f = np.maximum(X @ neurons.directions.T, 0.0) @ (neurons.sizes * neurons.signs)
    return f + neurons.intercept


def objective(X, y, loss, beta, neurons):
    return as_loss(loss).value(prediction(X, neurons), y) + beta * neurons.sizes.sum()


@with_long("loss", (*LOSSES, *COUNTS), always=2)
def test_objectives_are_near_certified_optima(loss):
    X, y = planted(60, 2)
    y = targets(loss, y, 0.5)
    path = path_on(X, y, loss)
    for share in SHARES:
        beta = share * path.largest_beta
        found = objective(X, y, loss, beta, path.advance(beta))
        solution = cvxnn.solve(X, y, beta, loss=loss)
        assert solution.dual_bound <= found * (1.0 + 1e-12) and found <= 1.02 * solution.objective


@pytest.mark.parametrize("state", range(3))
def test_the_largest_beta_is_near_that_of_the_exact_oracle(state):
    X, y = planted(200, 3, state)
    exact = cvxnn.largest_beta(X, y)
    assert 0.99 * exact <= path_on(X, y, state=state).largest_beta <= exact * (1.0 + 1e-5)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_the_largest_beta_with_an_intercept_is_at_the_best_offset(loss):
    X, y = planted(200, 3)
    y = np.where(y > 1.0, 1.0, -1.0) if loss == "logistic" else y + 9.0
    b = best_offset(as_loss(loss), np.zeros(200), y)
    # The squared loss has any dual point for its residual.
    exact = cvxnn.largest_beta(X, -as_loss(loss).gradient(np.full(200, b), y))
    path = path_on(X, y, loss, intercept=True)
    assert 0.99 * exact <= path.largest_beta <= exact * (1.0 + 1e-5)
    neurons = path.advance(1.01 * path.largest_beta)
    assert len(neurons) == 0 and neurons.intercept == pytest.approx(b)
    assert len(path.advance(0.9 * path.largest_beta)) > 0


def test_above_the_largest_beta_there_are_no_neurons_whatever_was_before():
    path = path_on(*planted())
    assert len(path.advance(0.1 * path.largest_beta)) > 0
    assert len(path.advance(1.01 * path.largest_beta)) == 0


def test_a_shift_of_the_targets_is_a_shift_of_the_intercept():
    X, y = planted()
    paths = [path_on(X, y + shift, intercept=True) for shift in (0.0, 1000.0)]
    beta = 0.1 * paths[0].largest_beta
    first, second = (prediction(X, path.advance(beta, rounds=5)) for path in paths)
    assert np.linalg.norm(second - 1000.0 - first) <= 0.02 * np.linalg.norm(y)


def test_units_are_those_of_the_data():
    X, y = planted()
    plain, scaled = path_on(X, y), path_on(X * 8.0, y * 4.0)
    assert scaled.largest_beta == 32.0 * plain.largest_beta
    beta = 0.2 * plain.largest_beta
    neurons, others = plain.advance(beta), scaled.advance(32.0 * beta)
    np.testing.assert_array_equal(others.sizes, neurons.sizes * 0.5)
    np.testing.assert_array_equal(others.directions, neurons.directions)


def test_dependent_columns_leave_no_weight_outside_the_row_space():
    X, y = planted()
    wide = np.hstack([X, X @ np.ones((8, 2)), np.zeros((120, 1))])
    path = path_on(wide, y)
    neurons = path.advance(0.1 * path.largest_beta)
    outside = neurons.directions - neurons.directions @ np.linalg.pinv(wide) @ wide
    assert len(neurons) > 0 and np.abs(outside).max() < 1e-12


@pytest.mark.parametrize("n, d", [(5, 40), (30, 1), (1, 3)])
def test_few_rows_or_features(n, d):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    path = path_on(X, y)
    beta = 0.2 * path.largest_beta
    neurons = path.advance(beta)
    assert objective(X, y, "squared", beta, neurons) < 0.5 * float(y @ y)


def test_rows_of_zeros_have_no_neurons():
    path = path_on(np.zeros((4, 2)), np.arange(4.0), intercept=True)
    neurons = path.advance(1.0)
    assert path.largest_beta == 0.0 and len(neurons) == 0
    assert neurons.intercept == pytest.approx(1.5)


def test_weights_of_rows_are_rows_repeated():
    X, y = planted(100, 5)
    times = np.where(np.arange(100) < 20, 3, 1)
    weighted = path_on(X, y, weights=times.astype(float), intercept=True)
    repeated = path_on(np.repeat(X, times, axis=0), np.repeat(y, times), intercept=True)
    assert weighted.largest_beta == pytest.approx(repeated.largest_beta, rel=1e-2)
    beta = 0.1 * weighted.largest_beta
    fs = [prediction(X, path.advance(beta, rounds=5)) for path in (weighted, repeated)]
    assert np.linalg.norm(fs[0] - fs[1]) <= 0.02 * np.linalg.norm(y)


def test_more_rounds_go_on_from_the_neurons_before():
    X, y = planted(300, 10)
    path = path_on(X, y)
    beta = 0.05 * path.largest_beta
    first = objective(X, y, "squared", beta, path.advance(beta))
    assert objective(X, y, "squared", beta, path.advance(beta, rounds=5)) <= first


def test_neurons_from_elsewhere_are_a_start():
    X, y = planted(300, 10)
    path, other = path_on(X, y, intercept=True), path_on(X, y, intercept=True, state=1)
    beta = 0.05 * path.largest_beta
    neurons = path.advance(beta, rounds=5)
    # They would be worse than none for this beta.
    other.advance(0.99 * path.largest_beta)
    other.start_from(neurons)
    reached = objective(X, y, "squared", beta, other.advance(beta))
    assert reached <= objective(X, y, "squared", beta, neurons) * (1.0 + 1e-9)


def test_the_random_state_decides_all():
    rays = []
    for _ in range(2):
        path = path_on(*planted(), state=3, intercept=True)
        rays.append([path.advance(share * path.largest_beta).rays for share in SHARES])
    for one, other in zip(*rays, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_deadline_leaves_the_neurons_of_then():
    path = path_on(*planted(), deadline=Deadline(1e-9))
    assert len(path.advance(0.1 * path.largest_beta)) == 0


def test_labels_that_are_all_the_same_have_no_best_intercept():
    X, _ = planted()
    with pytest.raises(InputError, match="all the same"):
        path_on(X, np.ones(120), "logistic", intercept=True)
    assert path_on(X, np.ones(120), "logistic").largest_beta > 0.0
