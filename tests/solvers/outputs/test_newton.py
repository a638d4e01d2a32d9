"""Newton's method on faces: its Hessian against differences, its ends against conditions."""

from dataclasses import replace

import numpy as np
import pytest

from cvxnn.interrupts import UNLIMITED
from cvxnn.layers import Layer
from cvxnn.losses import HuberLoss, SoftmaxLoss, SquaredLoss, WeightedLoss
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.merging import merged
from cvxnn.solvers.outputs.curvature import Curvature
from cvxnn.solvers.outputs.descent import OutputsDescent, value_and_gradient
from cvxnn.solvers.outputs.neurons import objective_of, prediction_of, pruned
from cvxnn.solvers.outputs.newton import polished

LOSSES = {
    "squared": SquaredLoss(),
    "softmax": SoftmaxLoss(),
    "huber": HuberLoss(0.4),
    "weighted": WeightedLoss(SquaredLoss(), np.linspace(0.5, 2.0, 20)),
}


def problem(loss, *, n=20, d=3, c=3, beta=0.3, slope=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])
    Y = rng.standard_normal((n, c))
    Y = np.eye(c)[Y.argmax(axis=1)] if loss.has_labels else Y
    return Problem(Layer(X).with_slope(slope), Y, beta, loss)


def drawn(k, d, c, seed=1):
    rng = np.random.default_rng(seed)
    return Neurons.of_weights(rng.standard_normal((k, d)), rng.standard_normal((k, c)))


@pytest.mark.parametrize("name", LOSSES)
def test_curvature_is_that_of_linear_activations(name):
    # With activations S t linear in the unknowns the loss is a function of S t a and z a.
    loss, rng = LOSSES[name], np.random.default_rng(2)
    n, k, c, D = 20, 2, 3, 5
    owner = np.array([0, 0, 1, 1, 1])
    S, A, y = rng.standard_normal((n, D)), rng.standard_normal((k, c)), problem(loss).target
    start = rng.standard_normal(D)

    def predicted(theta):
        t, weights = theta[:D], theta[D:].reshape(k, c)
        z = np.column_stack([S[:, owner == j] @ t[owner == j] for j in range(k)])
        return z, z @ weights

    theta = np.concatenate([start, A.ravel()])
    z, f = predicted(theta)
    curvature = Curvature(A, owner)
    for rows in (slice(0, 7), slice(7, n)):
        curvature.add(S[rows], z[rows], *(part[rows] for part in factors(loss, f, y)))
    step, jacobian = 1e-6, []
    for move in np.eye(len(theta)):
        jacobian.append(predicted(theta + step * move)[1] - predicted(theta - step * move)[1])
    J = np.array(jacobian).reshape(len(theta), -1) / (2.0 * step)
    H = np.zeros((n, c, n, c))
    h, g = loss.factors(f, y)
    for i in range(n):
        H[i, :, i, :] = np.diag(h[i]) - (0.0 if g is None else np.outer(g[i], g[i]))
    expected = J @ H.reshape(n * c, n * c) @ J.T
    np.testing.assert_allclose(curvature.total, expected, atol=1e-7 * np.abs(expected).max())


def factors(loss, f, y):
    h, g = loss.factors(f, y)
    return h, np.zeros_like(h) if g is None else g


@pytest.mark.parametrize("slope", [0.0, -1.0])
@pytest.mark.parametrize("name", LOSSES)
def test_gradient_of_the_descent(name, slope):
    data = problem(LOSSES[name], slope=slope)
    rng = np.random.default_rng(3)
    U, A, b = rng.standard_normal((4, 3)), rng.standard_normal((4, 3)), rng.standard_normal(3)
    _, *slopes = value_and_gradient(data, data.rows.tiles(4), U, A, b)
    theta, step = np.concatenate([U.ravel(), A.ravel(), b]), 1e-6

    def value(theta):
        return value_and_gradient(
            data, data.rows.tiles(4),
            theta[:12].reshape(4, 3), theta[12:24].reshape(4, 3), theta[24:],
        )[0]  # fmt: skip

    found = [
        (value(theta + step * move) - value(theta - step * move)) / (2.0 * step)
        for move in np.eye(len(theta))
    ]
    np.testing.assert_allclose(np.concatenate([part.ravel() for part in slopes]), found, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "slope", "intercept"),
    [*zip(LOSSES, (0.2, 0.0, 0.0, 0.2), (True, True, False, False), strict=True)],
)
def test_neurons_come_to_rest(name, slope, intercept):
    data = problem(LOSSES[name], slope=slope)
    descent = OutputsDescent(data, UNLIMITED, intercept=intercept)
    near = descent.moved(drawn(6, 3, 3), steps=500, enough=1e-9)
    near = near.select(near.sizes > 1e-6 * near.sizes.max())
    rested = polished(data, near, UNLIMITED, intercept=intercept)
    assert objective_of(data, rested) <= objective_of(data, near)
    # At rest the gradient in the output weights of balanced neurons is zero.
    v = data.residual(prediction_of(data.rows, rested))
    pulls = data.rows.activations(rested.directions).T @ v
    slopes = (pulls - data.beta * rested.outputs) * np.sqrt(rested.sizes)[:, None]
    np.testing.assert_allclose(slopes, 0.0, atol=1e-6)
    if intercept:
        np.testing.assert_allclose(v.sum(axis=0), 0.0, atol=1e-6)
    # No small move of the directions helps, in whatever cell it ends.
    rng, value = np.random.default_rng(4), objective_of(data, rested)
    for _ in range(50):
        turned = rested.directions + 1e-4 * rng.standard_normal(rested.directions.shape)
        turned /= np.linalg.norm(turned, axis=1, keepdims=True)
        assert objective_of(data, replace(rested, directions=turned)) >= value * (1.0 - 1e-12)


def test_what_is_left_as_it_is():
    data = problem(LOSSES["squared"])
    none = Neurons.none(3, 3)
    assert polished(data, none, UNLIMITED, intercept=False) is none
    assert len(pruned(data.rows, none, UNLIMITED)) == 0


def test_merged_and_pruned_neurons():
    data, neurons = problem(LOSSES["squared"], n=3), drawn(12, 3, 3)
    twice = neurons.joined(neurons.directions, neurons.outputs)
    twice = twice.sized(np.concatenate([neurons.sizes, neurons.sizes]))
    once = merged(twice, 1.0 - 1e-9)
    assert len(once) == 12
    np.testing.assert_allclose(
        prediction_of(data.rows, once), prediction_of(data.rows, twice), rtol=1e-12, atol=1e-12
    )
    fewer = pruned(data.rows, once, UNLIMITED)
    assert len(fewer) <= 9 and fewer.sizes.sum() <= once.sizes.sum() * (1.0 + 1e-12)
    np.testing.assert_allclose(
        prediction_of(data.rows, fewer), prediction_of(data.rows, once), atol=1e-10
    )
