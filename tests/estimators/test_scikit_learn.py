"""The estimators as scikit-learn knows them: its own checks, and its tools around them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import make_scorer, max_error
from sklearn.model_selection import (
    GridSearchCV,
    LeaveOneOut,
    PredefinedSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import cvxnn
from cvxnn.estimators import (
    ConvexReLUClassifier,
    ConvexReLUClassifierCV,
    ConvexReLURegressor,
    ConvexReLURegressorCV,
)
from cvxnn.results import Status

# Sampled patterns and few rounds: the data of the checks have up to ten features, and
# no check shall wait for a proof.
QUICK = {"method": "sampled", "n_samples": 8, "max_iter": 4}
ESTIMATORS = [
    ConvexReLURegressor(**QUICK),
    ConvexReLURegressor(loss="huber", **QUICK),
    ConvexReLUClassifier(**QUICK),
    ConvexReLURegressorCV(betas=[3.0, 1.0], cv=2, **QUICK),
    ConvexReLUClassifierCV(betas=[10.0, 3.0], cv=2, **QUICK),
]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def ring():
    X, y = cvxnn.load_ring()
    return X[:, :2], y


def test_grid_search_pipeline_and_clone(ring):
    X, y = ring
    pipeline = make_pipeline(StandardScaler(), ConvexReLUClassifier())
    search = GridSearchCV(pipeline, {"convexreluclassifier__beta": [1.0, 0.1]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.7
    best = clone(search.best_estimator_).fit(X, y)
    assert best[-1].status_ is Status.OPTIMAL
    np.testing.assert_array_equal(best.predict(X), search.predict(X))
    assert len(cross_val_score(ConvexReLURegressor(beta=0.1), X, y, cv=3)) == 3
    model = ConvexReLURegressor().set_params(beta=2.0)
    assert model.get_params()["beta"] == 2.0


def test_columns_of_a_table(ring):
    pandas = pytest.importorskip("pandas")
    X, y = ring
    table = pandas.DataFrame(X, columns=["left", "right"])
    model = ConvexReLURegressor(beta=0.1).fit(table, pandas.Series(y))
    assert model.feature_names_in_.tolist() == ["left", "right"]
    np.testing.assert_array_equal(model.predict(table), model.fit(X, y).predict(X))


def test_attributes_are_those_of_the_solution(ring):
    X, y = ring
    model = ConvexReLURegressor(beta=0.1).fit(X, y)
    solution = cvxnn.solve(np.column_stack([X, np.ones(len(X))]), y, 0.1)
    assert model.objective_ == pytest.approx(solution.objective, rel=1e-6)
    assert model.dual_bound_ <= solution.objective
    assert model.dual_gap_ <= 1e-6
    assert model.status_ is Status.OPTIMAL
    assert model.n_neurons_ == model.network_.n_neurons <= len(X)
    assert model.n_features_in_ == 2 and model.n_iter_ >= 1
    bare = ConvexReLURegressor(beta=0.1, fit_intercept=False).fit(X, y)
    assert bare.network_.n_features == 2


@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_same_answer_for_every_seed(ring, loss):
    X, y = ring
    models = [ConvexReLURegressor(beta=1.0, loss=loss, random_state=k).fit(X, y) for k in range(10)]
    objectives = np.array([model.objective_ for model in models])
    assert np.ptp(objectives) <= 1e-8 * objectives[0]
    predictions = np.array([model.predict(X) for model in models])
    assert np.ptp(predictions, axis=0).max() <= 1e-5


def test_order_weights_and_repetition_give_the_same_numbers(ring):
    X, y = ring
    weights = np.random.default_rng(0).integers(0, 3, len(X))
    order = np.random.default_rng(1).permutation(len(X))
    weighted = ConvexReLUClassifier(beta=0.3).fit(X, y, sample_weight=weights)
    shuffled = ConvexReLUClassifier(beta=0.3).fit(X[order], y[order], weights[order])
    repeated = ConvexReLUClassifier(beta=0.3).fit(np.repeat(X, weights, 0), np.repeat(y, weights))
    for other in (shuffled, repeated):
        np.testing.assert_array_equal(weighted.decision_function(X), other.decision_function(X))


def test_class_weight_is_a_weight_of_rows(ring):
    X, y = ring
    by_class = ConvexReLUClassifier(beta=0.3, class_weight={-1.0: 1.0, 1.0: 3.0}).fit(X, y)
    by_row = ConvexReLUClassifier(beta=0.3).fit(X, y, sample_weight=np.where(y > 0, 3.0, 1.0))
    np.testing.assert_array_equal(by_class.decision_function(X), by_row.decision_function(X))
    balanced = ConvexReLUClassifier(beta=0.3, class_weight="balanced").fit(X, y)
    assert balanced.objective_ != by_row.objective_


def test_three_classes_are_one_against_the_rest():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = ConvexReLUClassifier(beta=3.0).fit(X, y)
    assert model.status_ is Status.OPTIMAL
    assert len(model.networks_) == 3 and not hasattr(model, "network_")
    values = model.decision_function(X)
    single = ConvexReLUClassifier(beta=3.0).fit(X, y == 1)
    np.testing.assert_allclose(values[:, 1], single.decision_function(X), atol=1e-6)
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.predict(X), model.classes_[probabilities.argmax(axis=1)])
    assert model.score(X, y) > 0.95
    assert model.objective_ >= model.dual_bound_ >= (1.0 - 1e-6) * model.objective_


def test_probabilities_only_where_there_are_any(ring):
    X, y = ring
    model = ConvexReLUClassifier(beta=1.0).fit(X, y)
    probabilities = model.predict_proba(X)
    logits = np.log(probabilities[:, 1] / probabilities[:, 0])
    np.testing.assert_allclose(logits, model.decision_function(X), atol=1e-9)
    assert not hasattr(ConvexReLUClassifier(loss="squared_hinge"), "predict_proba")
    assert not hasattr(model, "transform")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"beta": 0.0}, "beta"),
        ({"loss": "hinge"}, "loss"),
        ({"tol": 2.0}, "tol"),
        ({"method": "best"}, "method"),
        ({"fit_intercept": "yes"}, "fit_intercept"),
        ({"delta": -1.0}, "delta"),
        ({"max_iter": 0}, "max_iter"),
        ({"time_limit": 0}, "time_limit"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(ring, parameters, words):
    with pytest.raises(ValueError, match=words):
        ConvexReLURegressor(**parameters).fit(*ring)


def test_missed_goals_warn(ring):
    from sklearn.exceptions import ConvergenceWarning

    with pytest.warns(ConvergenceWarning, match=r"The gap is .*, tol is .*: raise max_iter"):
        ConvexReLURegressor(beta=1e-4, max_iter=1).fit(*ring)


def test_cross_validation_finds_a_beta_between(ring):
    X, y = ring
    model = ConvexReLUClassifierCV(betas=6, cv=3).fit(X, y)
    assert model.scores_path_.shape == (6, 3)
    assert model.betas_[-1] == pytest.approx(1e-5 * model.betas_[0])
    assert model.beta_ == model.betas_[model.scores_path_.mean(axis=1).argmax()]
    assert model.best_score_ == model.scores_path_.mean(axis=1).max()
    assert model.status_ is Status.OPTIMAL
    plain = ConvexReLUClassifier(beta=model.beta_).fit(X, y)
    assert model.objective_ == pytest.approx(plain.objective_, rel=1e-6)
    # Without a network the larger class is all there is.
    assert model.scores_path_[0].mean() < model.best_score_


def test_cross_validation_in_parallel_is_the_same(ring):
    X, y = ring
    one, two = (
        ConvexReLURegressorCV(betas=3, cv=2, n_jobs=jobs, scoring="neg_mean_absolute_error").fit(
            X, y
        )
        for jobs in (1, 2)
    )
    np.testing.assert_array_equal(one.scores_path_, two.scores_path_)
    np.testing.assert_array_equal(one.predict(X), two.predict(X))
    assert (one.scores_path_ <= 0.0).all()


@pytest.mark.parametrize("kind", [ConvexReLUClassifier, ConvexReLUClassifierCV])
def test_one_interrupt_ends_the_training_of_all_classes(kind, monkeypatch):
    options = {"betas": [0.1], "cv": 2} if kind is ConvexReLUClassifierCV else {"beta": 0.1}
    model, train, calls = kind(**options), kind._train, []

    def interrupted(self, rows, **options):
        if "certify" in options:  # a rough network of the path
            return train(self, rows, **options)
        calls.append(options.get("time_limit"))
        solution = train(self, rows, **options)
        status = Status.INTERRUPTED if len(calls) == 1 else solution.status
        return dataclasses.replace(solution, status=status)

    monkeypatch.setattr(kind, "_train", interrupted)
    X, y = load_iris(return_X_y=True)
    model.fit(X[::6, :2], y[::6])
    assert calls[0] is None
    assert len(calls) == 3
    assert max(calls[1:]) < 1e-3
    assert model.status_ is Status.INTERRUPTED
    assert model.decision_function(X[:, :2]).shape == (150, 3)


def test_weights_are_repetition_in_the_folds_as_well(ring):
    X, y = ring[0][::4], ring[1][::4]
    folds, weights = np.arange(len(X)) % 3, np.arange(len(X)) % 4 + 1
    again = np.repeat(np.arange(len(X)), weights)
    weighted, repeated = (
        # A score that does not change where a row is counted twice.
        ConvexReLURegressorCV(
            betas=[1.0, 0.1], cv=PredefinedSplit(test_fold), scoring=make_scorer(max_error)
        )
        for test_fold in (folds, folds[again])
    )
    weighted.fit(X, y, sample_weight=weights)
    repeated.fit(X[again], y[again])
    np.testing.assert_array_equal(weighted.scores_path_, repeated.scores_path_)
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))


def test_one_weight_for_all_rows_in_cross_validation(ring):
    X, y = ring[0][::4], ring[1][::4]
    one = ConvexReLURegressorCV(betas=[1.0, 0.1], cv=2).fit(X, y, sample_weight=2.0)
    each = ConvexReLURegressorCV(betas=[1.0, 0.1], cv=2).fit(X, y, sample_weight=[2] * len(X))
    assert one.objective_ == each.objective_


def test_scores_that_are_no_numbers_choose_no_beta(ring):
    X, y = ring[0][:5], ring[1][:5]

    def score(model, X, y):
        return np.nan if model.n_neurons_ == 0 else 1.0

    model = ConvexReLURegressorCV(betas=[1e3, 0.01], cv=2, scoring=score).fit(X, y)
    assert model.beta_ == 0.01
    alone = ConvexReLURegressorCV(betas=[1.0, 0.1], cv=LeaveOneOut())
    with (
        pytest.warns(UndefinedMetricWarning),
        pytest.raises(ValueError, match="take another cv or scoring"),
    ):
        alone.fit(X, y)


def test_many_features_end_with_a_warning_and_a_network():
    X, y = make_classification(60, 15, random_state=0)
    model = ConvexReLUClassifier(beta=3.0).fit(X, y)
    assert model.status_ is Status.STATIONARY
    assert model.dual_bound_ < model.objective_
    assert model.score(X, y) > 0.8
