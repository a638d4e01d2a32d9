"""Estimators whose gated network has several outputs."""

import numpy as np
import pytest
from estimators.cases import FLOWERS, SPECIES
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

import cvxnn
from cvxnn import ConvexReLUClassifier, ConvexReLUClassifierCV, ConvexReLURegressor, Gated

NAMES = np.array(["first", "second", "third"])[SPECIES]
LINEAR = Gated(np.zeros((1, FLOWERS.shape[1] + 1)))


@pytest.mark.long
def test_classes_share_a_gated_network():
    model = ConvexReLUClassifier(0.5, model=Gated(n_gates=30)).fit(FLOWERS, NAMES)
    assert model.status_ is cvxnn.Status.OPTIMAL and model.dual_gap_ <= 1e-6
    assert model.networks_ == [model.network_] and model.network_.n_outputs == 3
    values = model.decision_function(FLOWERS)
    np.testing.assert_allclose(model.predict_proba(FLOWERS), softmax(values, axis=1), rtol=1e-12)
    assert model.score(FLOWERS, NAMES) > 0.95
    assert model.verify(FLOWERS, NAMES)[0].accepted
    apart = ConvexReLUClassifier(0.5, model=Gated(n_gates=30), multi_class="ovr")
    assert len(apart.fit(FLOWERS, NAMES).networks_) == 3


def test_linear_neurons_are_no_worse_than_logistic_regression():
    # Of the same rows, with a penalty of its own: a weak one leaves the same predictions.
    model = ConvexReLUClassifier(0.01, model=LINEAR).fit(FLOWERS, NAMES)
    rows = (FLOWERS - FLOWERS.mean(axis=0)) / FLOWERS.std(axis=0)
    other = LogisticRegression(C=100.0, max_iter=1000).fit(rows, NAMES)
    assert model.score(FLOWERS, NAMES) >= other.score(rows, NAMES) - 0.01
    assert model.n_neurons_ <= 2


def test_cross_validation_and_the_default_beta():
    model = ConvexReLUClassifierCV([3.0, 1.0], cv=2, model=LINEAR).fit(FLOWERS, NAMES)
    assert model.scores_path_.shape == (2, 2) and model.network_.n_outputs == 3
    automatic = ConvexReLUClassifier(model=LINEAR).fit(FLOWERS, NAMES)
    assert automatic.beta_ > 0.0 and automatic.score(FLOWERS, NAMES) > 0.9


@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_several_targets(loss):
    targets = np.column_stack([FLOWERS[:, 0] ** 2, 100.0 * SPECIES - 7.0])
    model = ConvexReLURegressor(0.5, model=Gated(n_gates=30), loss=loss).fit(FLOWERS, targets)
    assert model.__sklearn_tags__().target_tags.multi_output
    assert model.predict(FLOWERS).shape == targets.shape and model.score(FLOWERS, targets) > 0.9
    assert model.network_.n_outputs == 2 and model.dual_gap_ <= 1e-6


def test_a_class_without_rows_has_the_probability_0():
    weights = (SPECIES != 1).astype(float)
    model = ConvexReLUClassifier(0.5, model=Gated(n_gates=20)).fit(FLOWERS, NAMES, weights)
    chances = model.predict_proba(FLOWERS)
    assert not chances[:, 1].any() and model.network_.n_outputs == 3
    others = FLOWERS[SPECIES != 1], NAMES[SPECIES != 1]
    two = ConvexReLUClassifier(0.5, model=Gated(n_gates=20)).fit(*others)
    assert (model.predict(others[0]) == two.predict(others[0])).mean() > 0.98
