"""TwoLayerNetwork: values, activations and balance; what holds for all kinds is elsewhere."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from networks.cases import dense_values

from cvxnn.losses import SquaredLoss
from cvxnn.networks import TwoLayerNetwork


def entries(largest=10.0):
    """Numbers whose squares and products do not underflow."""
    return st.floats(-largest, largest).map(lambda value: value if abs(value) > 1e-50 else 0.0)


@st.composite
def networks_and_data(draw):
    n, m, d = draw(st.integers(0, 5)), draw(st.integers(0, 5)), draw(st.integers(1, 4))
    hidden = draw(arrays(np.float64, (m, d), elements=entries()))
    output = draw(arrays(np.float64, m, elements=entries()))
    X = draw(arrays(np.float64, (n, d), elements=entries()))
    slope = draw(st.sampled_from([0.0, 0.1, -1.0, 1.0, 1.7]))
    w = draw(st.none() | arrays(np.float64, d, elements=entries()))
    return TwoLayerNetwork(hidden, output, slope=slope, skip_weights=w), X


def magnitude(network, X):
    """Row by row, the size of the terms of f: what rounding is relative to."""
    terms = np.abs(X) @ np.abs(network.hidden_weights).T @ np.abs(network.output_weights)
    w = np.zeros(X.shape[1]) if network.skip_weights is None else network.skip_weights
    return 2.0 * terms + np.abs(X) @ np.abs(w)


@given(networks_and_data())
def test_activations_and_values_are_the_formula(case):
    network, X = case
    activations = network.activations(X)
    assert activations.shape == (len(X), network.n_neurons)
    products = X @ network.hidden_weights.T
    assert (activations == np.where(products > 0.0, products, network.slope * products)).all()
    difference = np.abs(network.forward(X) - dense_values(network, X).astype(float))
    assert (difference <= 1e-13 * magnitude(network, X)).all()


def test_shapes_of_forward():
    network = TwoLayerNetwork([[1.0, -1.0]], [2.0])
    single = network.forward([3.0, 1.0])
    assert type(single) is float and single == 4.0
    assert network.forward(np.empty((0, 2))).shape == (0,) and network([[3, 1]]).tolist() == [4.0]
    assert network.activations([3.0, 1.0]).tolist() == [2.0]


def test_objective_by_hand():
    network = TwoLayerNetwork([[1.0, 2.0], [0.0, -1.0]], [2.0, 3.0])
    X, y = [[1.0, 1.0], [0.0, -2.0]], [5.0, 8.0]
    # Values are 6 and 6; weights squared add up to 1 + 4 + 1 + 4 + 9.
    assert network.penalty() == 9.5
    assert network.objective(X, y, beta=2.0) == 0.5 * (1.0 + 4.0) + 19.0
    assert network.objective(X, y, 2.0, loss=SquaredLoss()) == network.objective(X, y, 2.0)


@given(networks_and_data())
def test_balance_keeps_the_function_and_saves_penalty(case):
    network, X = case
    balanced = network.balance()
    assert (np.abs(balanced(X) - network(X)) <= 1e-9 * magnitude(network, X)).all()
    assert balanced.penalty() <= network.penalty() * (1.0 + 1e-13)
    norms = np.linalg.norm(balanced.hidden_weights, axis=1)
    np.testing.assert_allclose(norms, np.abs(balanced.output_weights), rtol=1e-12)
    assert (balanced.output_weights != 0.0).all()
    products = np.linalg.norm(network.hidden_weights, axis=1) * np.abs(network.output_weights)
    skip = 0.0 if network.skip_weights is None else np.linalg.norm(network.skip_weights)
    assert balanced.penalty() == pytest.approx(products.sum() + skip, rel=1e-12, abs=1e-300)
    assert balanced.slope == network.slope
    assert np.array_equal(balanced.skip_weights, network.skip_weights)


def test_balance_drops_neurons_that_do_nothing():
    balanced = TwoLayerNetwork([[0.0, 0.0], [3.0, 4.0], [1.0, 1.0]], [5.0, -5.0, 0.0]).balance()
    np.testing.assert_allclose(balanced.hidden_weights, [[3.0, 4.0]], rtol=1e-15)
    np.testing.assert_allclose(balanced.output_weights, [-5.0], rtol=1e-15)


@pytest.mark.parametrize(
    ("u", "a"),
    [
        (1e300, 1e-300), (1e-300, 1e300), (1e200, 1e200), (1e-200, 1e-200), (1.7e308, 1e-308),
        (1e-308, -1.7e308), (1e308, 1e250), (5e-324, 1.0), (1.0, -5e-324),
    ],
)  # fmt: skip
def test_balance_of_extreme_scales(u, a):
    balanced = TwoLayerNetwork([[u, -u, 0.0]], [a]).balance()
    # log2 keeps the expected size ||u|| |a| = sqrt(2) u |a| within range.
    expected = 2.0 ** ((math.log2(u) + math.log2(abs(a)) + 0.5) / 2.0)
    assert balanced.output_weights[0] == pytest.approx(math.copysign(expected, a), rel=1e-12)
    component = expected / math.sqrt(2.0)
    np.testing.assert_allclose(balanced.hidden_weights, [[component, -component, 0.0]], rtol=1e-12)
