"""Layers with rows that one prediction each reads."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from cvxnn.layers import Layer, Mixture
from cvxnn.layers.images import patch_layer
from cvxnn.losses import SquaredLoss
from cvxnn.problems import Problem
from cvxnn.relaxation.readout import separated, squares
from cvxnn.relaxation.scale import Scale


def layers():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 3))
    blank = rng.integers(-1, 2, (5, 4, 2)).astype(float)
    blank[0] = 0.0
    return {
        "plain": Layer(X),
        "leaky": Layer(X).with_slope(0.3),
        "modulus": Layer(X).with_slope(-1.0),
        "sum over shared patches": patch_layer(blank, average=False, has_bias=False),
        "leaky average": patch_layer(blank, average=True, has_bias=True).with_slope(0.3),
        "weighted": Layer(X).with_slope(0.3).weighted(np.arange(1.0, 7.0)),
    }


@pytest.mark.parametrize("layer", layers().values(), ids=layers())
def test_the_predictions_are_the_same_and_each_has_its_own_rows(layer):
    own, rng = separated(layer), np.random.default_rng(1)
    U, v = rng.standard_normal((4, layer.n_features)), rng.standard_normal(layer.n_predictions)
    np.testing.assert_allclose(own.activations(U), layer.activations(U), atol=1e-14)
    np.testing.assert_allclose(own.scores(v, U)[0], layer.scores(v, U)[0], atol=1e-13)
    read = np.eye(len(own.rows)) if own.readout is None else own.readout.toarray()
    assert ((read != 0.0).sum(axis=0) <= 1).all()
    theta = rng.random(len(own.rows))
    product = (read * theta) @ read.T
    np.testing.assert_allclose(product, np.diag(np.diag(product)), atol=0.0)
    np.testing.assert_allclose(squares(own, theta), np.diag(product))
    assert separated(own) is own


def test_a_row_that_nobody_reads():
    layer = Layer(np.eye(2), csr_array((1, 2)))
    assert separated(layer) is layer and squares(layer, np.ones(2)).tolist() == [0.0]


def test_what_is_mixed_is_not_separated():
    X = np.eye(3)
    assert separated(Layer(X, np.ones((2, 3)))) is None
    mixture = Mixture.diagonal(np.ones(3), np.ones((3, 1)), np.ones((3, 1)))
    assert separated(Layer(X).mixed(mixture)) is None
    problem = Problem.of(Layer(X, np.ones((2, 3))), np.ones(2), 0.1, SquaredLoss())
    with pytest.raises(TypeError, match="mixes all predictions"):
        Scale.of(problem, 2)
