"""Paths and the largest beta of several outputs."""

import numpy as np
import pytest

from cvxnn import Status, largest_beta, regularization_path, solve
from cvxnn.losses import SoftmaxLoss


def drawn(n=20, d=2, c=3, seed=0, *, labels=False):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])
    Y = np.maximum(X @ rng.standard_normal((d, c)), 0.0) + 0.3 * rng.standard_normal((n, c))
    return X, np.eye(c)[(Y - Y.mean(axis=0)).argmax(axis=1)] if labels else Y


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_the_largest_beta_is_the_largest_value_of_a_neuron(loss, intercept):
    X, Y = drawn(labels=loss == "softmax")
    angles = np.linspace(0.0, 2.0 * np.pi, 200_001)
    active = np.maximum(X @ np.array([np.cos(angles), np.sin(angles)]), 0.0)
    constant = Y.mean(axis=0) if intercept else np.full(3, (loss == "softmax") / 3.0)
    expected = np.linalg.norm((Y - constant).T @ active, axis=0).max()
    beta = largest_beta(X, Y, loss=loss, intercept=intercept)
    assert beta == pytest.approx(expected, rel=1e-6)
    above = solve(X, Y, 1.0001 * beta, loss=loss, intercept=intercept)
    below = solve(X, Y, 0.98 * beta, loss=loss, intercept=intercept)
    assert above.n_neurons == 0 < below.n_neurons


def test_a_path_falls_with_beta_and_starts_without_neurons():
    X, Y = drawn(labels=True)
    path = regularization_path(X, Y, 4, loss="softmax", tol=1e-5)
    assert all(solution.status is Status.OPTIMAL for solution in path.solutions)
    assert path.n_neurons[0] == 0 and (np.diff(path.objectives) < 0.0).all()
    # A concave function of beta.
    slopes = np.diff(path.objectives) / np.diff(path.betas)
    assert (np.diff(slopes) > -1e-9).all()
    for beta, solution in zip(path.betas, path.solutions, strict=True):
        alone = solve(X, Y, beta, loss=SoftmaxLoss(), tol=1e-5)
        assert alone.objective == pytest.approx(solution.objective, rel=2e-5)
