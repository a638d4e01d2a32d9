"""The estimators that choose beta: scores of folds, and the training that follows."""

import dataclasses

import numpy as np
import pytest
from estimators.cases import RING, SIDES
from sklearn.datasets import load_iris
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import make_scorer, max_error
from sklearn.model_selection import LeaveOneOut, PredefinedSplit

from cvxnn import ConvexReLUClassifier, ConvexReLUClassifierCV, ConvexReLURegressorCV, Status

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_cross_validation_finds_a_beta_between():
    X, y = RING, SIDES
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


def test_cross_validation_in_parallel_is_the_same():
    X, y = RING, SIDES
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

    def interrupted(self, *args, **options):
        if "method" in options:  # a rough network of the path
            return train(self, *args, **options)
        calls.append(options.get("time_limit"))
        solution = train(self, *args, **options)
        status = Status.INTERRUPTED if len(calls) == 1 else solution.status
        return dataclasses.replace(solution, status=status)

    monkeypatch.setattr(kind, "_train", interrupted)
    X, y = load_iris(return_X_y=True)
    model.fit(X[::6, :2], y[::6])
    assert calls[0] is None and len(calls) == 3 and max(calls[1:]) < 1e-3
    assert model.status_ is Status.INTERRUPTED
    assert model.decision_function(X[:, :2]).shape == (150, 3)


def test_weights_are_repetition_in_the_folds_as_well():
    X, y = RING[::4], SIDES[::4]
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


def test_one_weight_for_all_rows_in_cross_validation():
    X, y = RING[::4], SIDES[::4]
    one = ConvexReLURegressorCV(betas=[1.0, 0.1], cv=2).fit(X, y, sample_weight=2.0)
    each = ConvexReLURegressorCV(betas=[1.0, 0.1], cv=2).fit(X, y, sample_weight=[2] * len(X))
    assert one.objective_ == each.objective_


def test_scores_that_are_no_numbers_choose_no_beta():
    X, y = RING[:5], SIDES[:5]

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
