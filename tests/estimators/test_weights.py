"""Weights of samples of any size."""

import warnings

import numpy as np
import pytest

import cvxnn

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
Y = np.abs(X[:, 0]) + X[:, 1] + 0.1 * RNG.standard_normal(60)


@pytest.mark.parametrize("weight", [2.0**-332, 2.0**-166, 2.0**66, 2.0**332])
@pytest.mark.parametrize(
    ("kind", "y"),
    [
        (cvxnn.ConvexReLURegressor, Y),
        (cvxnn.ConvexReLURegressorCV, Y),
        (cvxnn.ConvexReLUClassifierCV, Y > 0.5),
    ],
)
def test_equal_weights_change_beta_and_nothing_else(kind, y, weight):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain, weighted = kind().fit(X, y), kind().fit(X, y, sample_weight=weight)
    assert weighted.beta_ == pytest.approx(weight * plain.beta_, rel=1e-6)
    assert weighted.score(X, y) == pytest.approx(plain.score(X, y), abs=2e-3)
    assert weighted.n_neurons_ > 0 and weighted.objective_ == pytest.approx(
        weight * plain.objective_, rel=0.02
    )


def test_a_classifier_leaves_neurons_whatever_the_weights_are():
    for weight in (1e-50, 1e50):
        model = cvxnn.ConvexReLUClassifier().fit(X, Y > 0.5, sample_weight=weight)
        assert model.n_neurons_ > 0 and model.score(X, Y > 0.5) > 0.9
