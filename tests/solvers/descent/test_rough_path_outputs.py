"""Rough networks of several outputs: near lower bounds, in the units of the data."""

import numpy as np
import pytest
from planted_rows import planted, planted_outputs
from scipy.optimize import minimize

import cvxnn
from cvxnn.errors import InputError
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses import WeightedLoss, as_loss
from cvxnn.losses.offset import best_offsets
from cvxnn.problems import Problem
from cvxnn.solvers.descent.rough_path import RoughPath

SHARES = (0.5, 0.25, 0.12, 0.06)


def path_on(X, Y, loss="squared", *, state=0, weights=None, **options):
    loss = as_loss(loss)
    loss = loss if weights is None else WeightedLoss(loss, weights)
    return RoughPath(Problem(Layer(X), Y, 1.0, loss), np.random.default_rng(state), **options)


def prediction(X, neurons):
    weights = neurons.outputs * neurons.sizes[:, None]
    return np.maximum(X @ neurons.directions.T, 0.0) @ weights + neurons.intercept


def objective(X, Y, loss, beta, neurons):
    return as_loss(loss).value(prediction(X, neurons), Y) + beta * neurons.sizes.sum()


def largest_pull(X, V):
    """``max ||V'(X u)_+||`` on the circle, from many directions: each is near to one of them."""
    angles = np.linspace(0.0, 2.0 * np.pi, 20_001)
    active = np.maximum(X @ np.stack([np.cos(angles), np.sin(angles)]), 0.0)
    reach = np.linalg.norm(X, axis=1) @ np.linalg.norm(V, axis=1)
    return np.linalg.norm(V.T @ active, axis=0).max(), reach * (angles[1] - angles[0]) / 2.0


def lower_bound(X, Y, loss, beta, neurons):
    """The dual value of minus the gradient, in the range of the constraint."""
    loss = as_loss(loss)
    V = loss.project(-loss.gradient(prediction(X, neurons), Y), Y)
    share = min(1.0, beta / sum(largest_pull(X, V)))
    return -loss.conjugate(share * V, Y)


@pytest.mark.parametrize(
    ("loss", "intercept"), [("squared", True), ("huber", False), ("softmax", True)]
)
def test_objectives_are_near_lower_bounds(loss, intercept):
    X, Y = planted_outputs(60, 2, loss=loss)
    path = path_on(X, Y, loss, intercept=intercept)
    for share in SHARES:
        beta = share * path.largest_beta
        neurons = path.advance(beta, rounds=4)
        found, bound = objective(X, Y, loss, beta, neurons), lower_bound(X, Y, loss, beta, neurons)
        assert bound <= found * (1.0 + 1e-12) and found <= 1.03 * bound


@pytest.mark.parametrize("state", range(3))
def test_the_largest_beta_is_the_largest_pull(state):
    X, Y = planted_outputs(200, 2, seed=state)
    pull, error = largest_pull(X, Y)
    found = path_on(X, Y, state=state).largest_beta
    assert 0.99 * pull <= found <= pull + error


@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_the_largest_beta_with_an_intercept_is_at_the_best_offsets(loss):
    X, Y = planted_outputs(200, 2, loss=loss)
    Y = Y + np.array([9.0, 0.0, -3.0]) if loss == "squared" else Y
    b = best_offsets(as_loss(loss), np.zeros_like(Y), Y)
    pull, error = largest_pull(X, -as_loss(loss).gradient(np.broadcast_to(b, Y.shape), Y))
    path = path_on(X, Y, loss, intercept=True)
    assert 0.99 * pull <= path.largest_beta <= pull + error
    neurons = path.advance(1.01 * path.largest_beta)
    assert len(neurons) == 0 and neurons.outputs.shape == (0, 3)
    np.testing.assert_allclose(neurons.intercept - neurons.intercept[0], b - b[0], atol=1e-9)
    assert len(path.advance(0.9 * path.largest_beta)) > 0


@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_no_start_of_a_local_method_comes_lower(loss):
    X, Y = planted_outputs(30, 4, loss=loss)
    path = path_on(X, Y, loss)
    beta = 0.1 * path.largest_beta
    found = objective(X, Y, loss, beta, path.advance(beta, rounds=6))
    chosen, k, c = as_loss(loss), 20, Y.shape[1]

    def evaluate(theta):
        U, A = theta[: 4 * k].reshape(k, 4), theta[4 * k :].reshape(k, c)
        active = np.maximum(X @ U.T, 0.0)
        pull = chosen.gradient(active @ A, Y)
        slopes = ((active > 0.0) * (pull @ A.T)).T @ X + beta * U
        value = chosen.value(active @ A, Y) + 0.5 * beta * theta @ theta
        return value, np.concatenate([slopes.ravel(), (active.T @ pull + beta * A).ravel()])

    rng = np.random.default_rng(1)
    reached = [
        minimize(evaluate, rng.standard_normal(k * (4 + c)), jac=True, method="L-BFGS-B").fun
        for _ in range(5)
    ]
    assert found <= 1.01 * min(reached)


@pytest.mark.long
def test_an_output_without_a_target_changes_nothing():
    X, y = planted(80, 3)
    path = path_on(X, np.column_stack([y, np.zeros(80)]))
    exact = cvxnn.largest_beta(X, y)
    assert 0.99 * exact <= path.largest_beta <= exact * (1.0 + 1e-5)
    for share in SHARES:
        beta = share * exact
        neurons = path.advance(beta, rounds=3)
        solution = cvxnn.solve(X, y, beta)
        found = objective(X, np.column_stack([y, np.zeros(80)]), "squared", beta, neurons)
        assert solution.dual_bound <= found * (1.0 + 1e-12)
        assert found <= 1.02 * solution.objective


def test_a_rotation_of_the_outputs_is_one_of_the_networks():
    X, Y = planted_outputs()
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
    paths = path_on(X, Y), path_on(X, Y @ turn, state=1)
    beta = 0.1 * paths[0].largest_beta
    fs = [prediction(X, path.advance(beta, rounds=5)) for path in paths]
    assert np.linalg.norm(fs[0] @ turn - fs[1]) <= 0.03 * np.linalg.norm(Y)


def test_a_shift_of_the_targets_is_a_shift_of_the_intercept():
    X, Y = planted_outputs()
    shift = np.array([0.0, 1000.0, -300.0])
    paths = [path_on(X, Y + by, intercept=True) for by in (np.zeros(3), shift)]
    beta = 0.1 * paths[0].largest_beta
    first, second = (prediction(X, path.advance(beta, rounds=5)) for path in paths)
    assert np.linalg.norm(second - shift - first) <= 0.02 * np.linalg.norm(Y)


def test_units_are_those_of_the_data():
    X, Y = planted_outputs()
    plain, scaled = path_on(X, Y, intercept=True), path_on(X * 8.0, Y * 4.0, intercept=True)
    assert scaled.largest_beta == 32.0 * plain.largest_beta
    beta = 0.2 * plain.largest_beta
    neurons, others = plain.advance(beta), scaled.advance(32.0 * beta)
    np.testing.assert_array_equal(others.sizes, neurons.sizes * 0.5)
    np.testing.assert_array_equal(others.directions, neurons.directions)
    np.testing.assert_array_equal(others.outputs, neurons.outputs)
    np.testing.assert_array_equal(others.intercept, neurons.intercept * 4.0)


@pytest.mark.parametrize("n, d", [(5, 40), (30, 1), (2, 3)])
def test_few_rows_or_features(n, d):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((n, d)), rng.standard_normal((n, 4))
    path = path_on(X, Y)
    beta = 0.2 * path.largest_beta
    assert objective(X, Y, "squared", beta, path.advance(beta)) < 0.5 * np.vdot(Y, Y)


def test_rows_of_zeros_have_no_neurons():
    path = path_on(np.zeros((4, 2)), np.arange(8.0).reshape(4, 2), intercept=True)
    neurons = path.advance(1.0)
    assert path.largest_beta == 0.0 and len(neurons) == 0
    np.testing.assert_allclose(neurons.intercept, [3.0, 4.0])


def test_weights_of_rows_are_rows_repeated():
    X, Y = planted_outputs(100, 5)
    times = np.where(np.arange(100) < 20, 3, 1)
    weighted = path_on(X, Y, weights=times.astype(float), intercept=True)
    repeated = path_on(np.repeat(X, times, axis=0), np.repeat(Y, times, axis=0), intercept=True)
    assert weighted.largest_beta == pytest.approx(repeated.largest_beta, rel=1e-2)
    beta = 0.1 * weighted.largest_beta
    fs = [prediction(X, path.advance(beta, rounds=5)) for path in (weighted, repeated)]
    assert np.linalg.norm(fs[0] - fs[1]) <= 0.03 * np.linalg.norm(Y)


def test_more_rounds_go_on_from_the_neurons_before():
    X, Y = planted_outputs(300, 10)
    path = path_on(X, Y)
    beta = 0.05 * path.largest_beta
    first = objective(X, Y, "squared", beta, path.advance(beta))
    assert objective(X, Y, "squared", beta, path.advance(beta, rounds=5)) <= first


def test_neurons_from_elsewhere_are_a_start():
    X, Y = planted_outputs(300, 10)
    path, other = path_on(X, Y, intercept=True), path_on(X, Y, intercept=True, state=1)
    beta = 0.05 * path.largest_beta
    neurons = path.advance(beta, rounds=5)
    other.advance(0.99 * path.largest_beta)
    other.start_from(neurons)
    reached = objective(X, Y, "squared", beta, other.advance(beta))
    assert reached <= objective(X, Y, "squared", beta, neurons) * (1.0 + 1e-9)


def test_neurons_stay_few():
    X, Y = planted_outputs(300, 10)
    path = path_on(X, Y)
    for share in SHARES:
        neurons = path.advance(share * path.largest_beta)
    # Three neurons made the targets; ascents find each of them many times.
    assert 3 <= len(neurons) <= 12


def test_the_random_state_decides_all():
    rays = []
    for _ in range(2):
        path = path_on(*planted_outputs(), state=3, intercept=True)
        rays.append([path.advance(share * path.largest_beta).rays for share in SHARES])
    for one, other in zip(*rays, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_deadline_leaves_the_neurons_of_then():
    path = path_on(*planted_outputs(), deadline=Deadline(1e-9))
    assert len(path.advance(0.1 * path.largest_beta)) == 0


def test_a_class_without_rows_has_no_best_intercept():
    X, Y = planted_outputs(loss="softmax")
    wide = np.column_stack([Y, np.zeros(len(Y))])
    with pytest.raises(InputError, match="a class has no row"):
        path_on(X, wide, "softmax", intercept=True)
    assert path_on(X, wide, "softmax").largest_beta > 0.0


def test_labels_of_an_output_that_are_all_the_same_have_no_best_intercept():
    X, Y = planted_outputs()
    Y = np.where(Y > 0.3, 1.0, -1.0)
    assert path_on(X, Y, "logistic", intercept=True).largest_beta > 0.0
    Y[:, 1] = 1.0
    with pytest.raises(InputError, match="all the same"):
        path_on(X, Y, "logistic", intercept=True)
