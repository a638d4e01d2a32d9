"""Newton's steps for neurons in a plane: from nearby they double the digits."""

import numpy as np
import pytest
from scipy.optimize import minimize

from cvxnn import OptimalSet
from cvxnn.landscape.planar_newton import PlanarNetwork, left_of
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.problems import Neurons, Problem


def turned(directions, angles):
    return np.cos(angles)[:, None] * directions + np.sin(angles)[:, None] * left_of(directions)


@pytest.fixture(scope="module")
def unique():
    """A problem whose optimum is one network of neurons off all hyperplanes, and the network."""
    rng = np.random.default_rng(12)
    X, Y = rng.standard_normal((13, 2)), rng.standard_normal((13, 2))
    (network,) = OptimalSet(X, Y, 0.7).vertices()
    neurons = Neurons.of_weights(network.hidden_weights, network.output_weights)
    return Problem(Layer(X), Y, 0.7, SquaredLoss()), neurons


def test_from_nearby_the_digits_double(unique):
    problem, neurons = unique
    rng = np.random.default_rng(0)
    near = Neurons(
        turned(neurons.directions, 1e-3 * rng.standard_normal(len(neurons))),
        neurons.sizes,
        neurons.outputs,
    )
    # Those on a hyperplane are back on it in the fixture's network, and stay there.
    is_free = PlanarNetwork.of(problem, neurons).free
    near = Neurons(
        np.where(is_free[:, None], near.directions, neurons.directions), near.sizes, near.outputs
    )
    assert is_free.any()
    point = PlanarNetwork.of(problem, near)
    slopes = [point.slope]
    for _ in range(4):
        point = point.moved()
        slopes.append(point.slope)
    assert slopes[1] <= 1e-2 * slopes[0] and slopes[2] <= 1e-3 * slopes[1]
    assert slopes[-1] <= 1e-12 * problem.beta * 1e2
    settled = PlanarNetwork.of(problem, near).settled()
    np.testing.assert_allclose(settled.neurons.directions, neurons.directions, atol=1e-10)
    np.testing.assert_allclose(settled.residual, problem.Y - fit(problem, neurons), atol=1e-10)


def fit(problem, neurons):
    active = np.maximum(problem.rows.rows @ neurons.directions.T, 0.0) * neurons.sizes
    return active @ neurons.outputs


def test_a_rest_is_a_minimum_among_neighbours(unique):
    """By L-BFGS-B over small turns and changes of the output weights."""
    problem, neurons = unique
    k, c = len(neurons), neurons.outputs.shape[1]
    A = neurons.outputs * neurons.sizes[:, None]

    def objective(change):
        angles, own = change[:k], A + change[k:].reshape(k, c)
        directions = turned(neurons.directions, angles)
        left = np.maximum(problem.rows.rows @ directions.T, 0.0) @ own - problem.Y
        return 0.5 * (left**2).sum() + problem.beta * np.linalg.norm(own, axis=1).sum()

    rng = np.random.default_rng(1)
    here = objective(np.zeros(k * (1 + c)))
    for _ in range(3):
        start = 1e-2 * rng.standard_normal(k * (1 + c))
        found = minimize(objective, start, method="L-BFGS-B", bounds=[(-0.1, 0.1)] * len(start))
        assert here <= found.fun * (1.0 + 1e-12)


def test_neurons_on_a_line_do_not_turn():
    problem = Problem(Layer(np.array([[1.0], [-2.0]])), np.eye(2), 0.1, SquaredLoss())
    neurons = Neurons(np.array([[1.0], [-1.0]]), np.array([0.5, 0.1]), np.eye(2))
    point = PlanarNetwork.of(problem, neurons)
    assert not point.free.any()
    np.testing.assert_array_equal(left_of(neurons.directions), 0.0)
    settled = point.settled()
    # Each row alone: 1 - A = beta, and 2 (1 - 2 A) = beta.
    np.testing.assert_allclose(settled.A, np.diag([0.9, 0.475]), atol=1e-12)
    assert settled.slope <= 1e-12
