"""Rows with a linear part beside the neurons."""

import numpy as np
import pytest
from skip_problems import value

from cvxnn.layers import Layer
from cvxnn.layers.relu import SkipLayer
from cvxnn.problems import Neurons

rng = np.random.default_rng(0)
ROWS = SkipLayer(
    Layer(9.0 * rng.standard_normal((6, 3))).with_slope(0.2), rng.random((6, 2)), False
)


def test_predictions_are_those_of_neurons_and_a_line():
    hidden, weights = rng.standard_normal((4, 3)), rng.standard_normal(4)
    w, X = np.array([1.0, -2.0]), ROWS.layer.rows[:6]
    products = X @ hidden.T
    expected = np.where(products > 0.0, products, 0.2 * products) @ weights + ROWS.linear @ w
    np.testing.assert_allclose(ROWS.forward(hidden, weights, w), expected, rtol=1e-13)
    assert (ROWS.n_predictions, ROWS.n_features) == (6, 3)


def test_some_of_the_predictions():
    hidden, weights, w = rng.standard_normal((4, 3)), rng.standard_normal(4), np.ones(2)
    whole = ROWS.forward(hidden, weights, w)
    for outputs in (slice(1, 4), np.array([5, 0])):
        part = ROWS.take(outputs)
        np.testing.assert_allclose(part.forward(hidden, weights, w), whole[outputs], rtol=1e-14)
        assert part.is_free == ROWS.is_free


@pytest.mark.parametrize("is_free", [False, True])
def test_units_are_exact_and_sizes_and_weights_share_theirs(is_free):
    """In units a and b the sizes and w are ``a / b`` times those of the data, f b times less."""
    rows = SkipLayer(ROWS.layer, ROWS.linear, is_free)
    a, b = rows.unit, 1024.0
    assert np.log2(a) == int(np.log2(a)) and a > 1.0
    small = rows.in_units(a)
    assert small.unit == 1.0 and small.is_free == is_free
    np.testing.assert_array_equal(small.layer.rows * a, rows.layer.rows)
    np.testing.assert_array_equal(small.linear * a, rows.linear)
    neurons = Neurons.of(rng.standard_normal((2, 3)), np.array([[1.0], [-1.0]]))
    w, y = rng.standard_normal(2), rng.standard_normal(6)
    there = value(small, y / b, 0.5 / (a * b), "squared", neurons.sized(neurons.sizes * a / b),
                  w * a / b)  # fmt: skip
    assert there * b**2 == pytest.approx(value(rows, y, 0.5, "squared", neurons, w), rel=1e-13)
