"""Quantised networks: their other form, their size, and what they are refused for."""

import numpy as np
import pytest
from sentences import refused

import cvxnn
from cvxnn import Quantized, QuantizedNetwork
from cvxnn.estimators import ConvexReLUClassifier, ConvexReLURegressor
from cvxnn.training.solve import solve_quietly

RNG = np.random.default_rng(0)
SIGNS = RNG.choice([-1.0, 1.0], (2, 6, 5))
NETWORK = QuantizedNetwork(*SIGNS, RNG.standard_normal(6), intercept=0.25)
X = RNG.standard_normal((40, 5))


def test_the_ternary_form_is_the_same_function():
    ternary = NETWORK.to_ternary()
    assert set(np.unique(ternary.hidden_weights)) <= {-1.0, 0.0, 1.0}
    np.testing.assert_allclose(ternary(X), NETWORK(X), rtol=1e-12, atol=1e-12)
    # Of whole numbers it is exact.
    whole = np.round(8.0 * X)
    plain = QuantizedNetwork(*SIGNS, np.arange(6.0))
    assert np.array_equal(plain.to_ternary()(whole), plain(whole))
    # No feature is in both sums of a neuron, and each is in one.
    u, v = SIGNS
    assert np.array_equal(np.abs(u + v) / 2.0 + np.abs(u - v) / 2.0, np.ones_like(u))


def test_sums_that_are_empty_are_left_out():
    same = QuantizedNetwork(np.ones((2, 3)), [[1, 1, 1], [-1, -1, -1]], [2.0, 3.0])
    ternary = same.to_ternary()
    assert ternary.hidden_weights.shape == (2, 3)
    np.testing.assert_allclose(ternary(X[:, :3]), same(X[:, :3]), rtol=1e-12)
    none = QuantizedNetwork(np.zeros((0, 3)), np.zeros((0, 3)), [], intercept=2.0)
    assert np.array_equal(none.to_ternary()(X[:, :3]), np.full(40, 2.0))


def test_a_network_is_recovered():
    y = (X @ SIGNS[0, 0]) * (X @ SIGNS[1, 0]) - 0.5 * (X @ SIGNS[0, 1]) * (X @ SIGNS[1, 1])
    solution = cvxnn.solve(X, y, 1e-3, model="quantized")
    # Pairs of few features are linearly dependent: others have the same price.
    assert solution.status is cvxnn.Status.OPTIMAL and solution.n_neurons in (2, 3)
    assert solution.objective <= 1.5e-3
    np.testing.assert_allclose(solution.network(X), y, atol=1e-3)
    assert solution.network.n_bits == solution.n_neurons * (2 * 4 + 64)


def test_a_path_starts_where_there_are_neurons():
    y = (X @ SIGNS[0, 0]) * (X @ SIGNS[1, 0]) + RNG.standard_normal(40)
    largest = cvxnn.largest_beta(X, y, model="quantized")
    for share, neurons in ((1.001, 0), (0.999, 1)):
        solution = cvxnn.solve(X, y, share * largest, model="quantized")
        assert solution.n_neurons == neurons
    path = cvxnn.regularization_path(X, y, 4, model=Quantized())
    assert all(solution.status is cvxnn.Status.OPTIMAL for solution in path.solutions)
    assert (np.diff(path.objectives) <= 0.0).all()


def test_several_outputs_and_other_methods_are_refused():
    refused(lambda: cvxnn.solve(X, X[:, :2], 1.0, model="quantized"), "has one output")
    refused(
        lambda: cvxnn.solve(X, X[:, 0], 1.0, model="quantized", method="exact"),
        "is trained by method='global'",
    )
    refused(lambda: cvxnn.OptimalSet(X, X[:, 0], 1.0, model="quantized"), "OptimalSet is for ReLU")


def test_estimators_have_a_bias_by_a_column_of_ones():
    labels = np.where((X[:, 0] - X[:, 1] + 0.5) * X[:, 2] > 0.0, "in", "out")
    model = ConvexReLUClassifier(beta=0.1, model="quantized").fit(X, labels)
    assert model.status_ is cvxnn.Status.OPTIMAL and model.score(X, labels) > 0.9
    assert model.network_.n_features == 6
    y = X[:, 0] * X[:, 1] + 2.0
    regressor = ConvexReLURegressor(beta=0.1, model=Quantized()).fit(X, y)
    assert regressor.score(X, y) > 0.9
    assert np.allclose(regressor.predict(X), regressor.predict(X.tolist()))


@pytest.mark.parametrize(
    "loss", ["squared", "logistic", pytest.param("hinge", marks=pytest.mark.long)]
)
def test_a_run_that_is_cut_short_has_a_network_and_a_bound(loss):
    rng = np.random.default_rng(1)
    data = rng.standard_normal((150, 40))
    y = (data @ np.ones(40)) * data[:, 0]
    y = y if loss == "squared" else np.sign(y)
    solution = solve_quietly(data, y, 0.5, model="quantized", loss=loss, time_limit=0.05)
    assert solution.status is cvxnn.Status.TIME_LIMIT
    assert solution.n_neurons > 0 and 0.0 < solution.dual_bound < solution.objective
    assert solution.certificate.verify(data, y, network=solution.network).bound > 0.0


def test_kinks_of_tiny_problems_are_proven_to_the_tolerance():
    """Predictions of one size in float64 say little of a residual within a narrow strip."""
    t = np.linspace(-1.0, 1.0, 7)
    X = np.column_stack([100.0 * t, np.ones(7)])
    problems = [(X, 1e6 * t**3, 0.019386, "absolute")]
    for seed in (1061, 1063):
        rng = np.random.default_rng(seed)
        n, d = int(rng.integers(2, 9)), int(rng.integers(1, 5))
        rows, y = rng.standard_normal((n, d)), rng.standard_normal(n)
        loss = "quantile" if seed == 1061 else "absolute"
        problems.append((rows, y, 10.0 ** rng.uniform(-3, 0), loss))
    for rows, y, beta, loss in problems:
        solution = cvxnn.solve(rows, y, beta, model=cvxnn.Quantized(), loss=loss)
        assert solution.status is cvxnn.Status.OPTIMAL and solution.gap <= 1e-6
        assert solution.certificate.verify(rows, y, network=solution.network).accepted
