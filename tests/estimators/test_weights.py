"""Weights of samples of any size."""

import warnings

import numpy as np
import pytest
from sklearn import config_context
from sklearn.model_selection import PredefinedSplit
from variants import with_long

import cvxnn

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
Y = np.abs(X[:, 0]) + X[:, 1] + 0.1 * RNG.standard_normal(60)


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "y", "weight"),
    [
        (cvxnn.ConvexReLURegressor, Y, 2.0**-332),
        (cvxnn.ConvexReLURegressor, Y, 2.0**66),
        (cvxnn.ConvexReLURegressorCV, Y, 2.0**-166),
        (cvxnn.ConvexReLUClassifierCV, Y > 0.5, 2.0**332),
    ],
    ids=["tiny", "large", "numbers CV", "classes CV"],
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


@pytest.mark.long
def test_a_classifier_leaves_neurons_whatever_the_weights_are():
    for weight in (1e-50, 1e50):
        model = cvxnn.ConvexReLUClassifier().fit(X, Y > 0.5, sample_weight=weight)
        assert model.n_neurons_ > 0 and model.score(X, Y > 0.5) > 0.9


CVS = [(cvxnn.ConvexReLURegressorCV, Y), (cvxnn.ConvexReLUClassifierCV, Y > 0.5)]
each_cv = with_long(("kind", "y"), CVS, ids=["numbers", "classes"])


@pytest.mark.long
@each_cv
@pytest.mark.parametrize("routing", [False, True])
def test_weights_are_repetition_in_the_default_score(kind, y, routing):
    folds, weights = np.arange(60) % 3, np.arange(60) % 4
    again = np.repeat(np.arange(60), weights)
    betas = [1.0, 0.1]
    with config_context(enable_metadata_routing=routing):
        weighted = kind(betas, cv=PredefinedSplit(folds)).fit(X, y, sample_weight=weights)
        repeated = kind(betas, cv=PredefinedSplit(folds[again])).fit(X[again], y[again])
    assert weighted.scores_path_ == pytest.approx(repeated.scores_path_, abs=1e-12)
    assert np.array_equal(weighted.predict(X), repeated.predict(X))


@pytest.mark.long
@each_cv
def test_rows_of_weight_zero_decide_nothing(kind, y):
    wrong = np.append(np.where(y, 0, 1) if y.dtype == bool else np.full(60, 1e4), y)
    data, weights = np.vstack([X, X]), np.repeat([0.0, 1.0], 60)
    folds = np.arange(120) % 3
    betas = [3.0, 0.1, 0.01]
    counted = weights > 0.0
    model = kind(betas, cv=PredefinedSplit(folds)).fit(data, wrong, sample_weight=weights)
    plain = kind(betas, cv=PredefinedSplit(folds[counted])).fit(X, y)
    assert model.beta_ == plain.beta_
    assert model.scores_path_ == pytest.approx(plain.scores_path_, abs=1e-12)


@pytest.mark.long
@pytest.mark.parametrize("kind, y", CVS)
def test_default_folds_are_those_without_rows_of_weight_zero(kind, y):
    wrong = np.concatenate([~y[:40], y]) if y.dtype == bool else np.append(np.full(40, 1e4), y)
    weights = np.repeat([0.0, 1.0], [40, 60])
    model = kind().fit(np.vstack([X[:40], X]), wrong, sample_weight=weights)
    plain = kind().fit(X, y)
    assert model.beta_ == plain.beta_
    assert np.array_equal(model.predict(X), plain.predict(X))
    few = np.repeat([1.0, 0.0], [3, 57])
    with pytest.raises(ValueError, match="4 rows at least, got n_samples=3"):
        kind().fit(X, y, sample_weight=few)


def test_the_score_of_a_classifier_counts_both_weights():
    y, folds = Y > 0.5, PredefinedSplit(np.arange(60) % 3)
    weights, by_class = np.arange(60) % 3 + 1.0, np.where(y, 3.0, 1.0)
    options = {"betas": [1.0, 0.1], "cv": folds}
    one = cvxnn.ConvexReLUClassifierCV(class_weight={False: 1.0, True: 3.0}, **options)
    two = cvxnn.ConvexReLUClassifierCV(**options)
    one.fit(X, y, sample_weight=weights)
    two.fit(X, y, sample_weight=weights * by_class)
    assert np.array_equal(one.scores_path_, two.scores_path_)


def test_a_fold_whose_test_rows_count_nothing_is_named():
    weights = (np.arange(60) >= 30).astype(float)
    folds = [(np.arange(30, 60), np.arange(30))]
    model = cvxnn.ConvexReLURegressorCV([1.0, 0.1], cv=folds)
    with pytest.raises(ValueError, match="test rows have weight 0 only") as error:
        model.fit(X, Y, sample_weight=weights)
    assert "only fold" in error.value.__notes__[0]


def test_a_score_of_the_user_says_whether_it_counts_weights():
    model = cvxnn.ConvexReLURegressorCV([1.0, 0.1], scoring="r2")
    with (
        config_context(enable_metadata_routing=True),
        pytest.raises(ValueError, match=r"sample_weight.*set_score_request"),
    ):
        model.fit(X, Y, sample_weight=np.ones(60))
