"""The estimators that choose beta: scores of folds, and the training that follows."""

import dataclasses

import numpy as np
import pytest
from estimators.cases import RING, SIDES
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score, make_scorer, max_error, mean_absolute_error
from sklearn.model_selection import GroupKFold, KFold, LeaveOneOut, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from variants import with_long

from cvxnn import ConvexReLUClassifier, ConvexReLUClassifierCV, ConvexReLURegressorCV, Status
from cvxnn.errors import InputError
from cvxnn.estimators.tasks import Task
from cvxnn.estimators.walk import Walk

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.long
def test_cross_validation_finds_a_beta_between():
    X, y = RING, SIDES
    model = ConvexReLUClassifierCV(betas=6, cv=3).fit(X, y)
    assert model.scores_path_.shape == (6, 3)
    assert model.betas_[-1] == pytest.approx(1e-5 * model.betas_[0])
    means = model.scores_path_.mean(axis=1)
    assert means[model.betas_ == model.beta_] == [means.max()]
    assert model.best_score_ == model.scores_path_.mean(axis=1).max()
    assert model.status_ is Status.OPTIMAL
    plain = ConvexReLUClassifier(beta=model.beta_).fit(X, y)
    assert model.objective_ == pytest.approx(plain.objective_, rel=1e-6)
    # Without a network the larger class is all there is.
    assert model.scores_path_[0].mean() < model.best_score_


@pytest.mark.long
def test_cross_validation_in_parallel_is_the_same():
    X, y = RING, SIDES
    options = {"betas": 3, "cv": 2, "scoring": "neg_mean_absolute_error"}
    one, two = (ConvexReLURegressorCV(n_jobs=jobs, **options).fit(X, y) for jobs in (1, 2))
    np.testing.assert_array_equal(one.scores_path_, two.scores_path_)
    np.testing.assert_array_equal(one.predict(X), two.predict(X))
    assert (one.scores_path_ <= 0.0).all()


@pytest.mark.long
@pytest.mark.parametrize("kind", [ConvexReLUClassifier, ConvexReLUClassifierCV])
def test_one_interrupt_ends_the_training_of_all_classes(kind, monkeypatch):
    options = {"betas": [0.1], "cv": 2} if kind is ConvexReLUClassifierCV else {"beta": 0.1}
    model, solve, calls = kind(**options, multi_class="ovr"), Task.solve, []

    def interrupted(task, deadline):
        calls.append(deadline.remaining)
        solution = solve(task, deadline)
        status = Status.INTERRUPTED if len(calls) == 1 else solution.status
        return dataclasses.replace(solution, status=status)

    monkeypatch.setattr(Task, "solve", interrupted)
    X, y = load_iris(return_X_y=True)
    model.fit(X[::6, :2], y[::6])
    assert calls[0] > 1.0 and len(calls) == 3 and max(calls[1:]) < 1e-3
    assert model.status_ is Status.INTERRUPTED
    assert model.decision_function(X[:, :2]).shape == (150, 3)


def test_weights_are_repetition_in_the_folds_as_well():
    X, y = RING[::4], SIDES[::4]
    folds, weights = np.arange(len(X)) % 3, np.arange(len(X)) % 4 + 1
    again = np.repeat(np.arange(len(X)), weights)
    weighted, repeated = (
        # A score that does not change where a row is counted twice.
        ConvexReLURegressorCV(
            betas=[1.0, 0.1],
            cv=PredefinedSplit(test_fold),
            scoring=make_scorer(max_error),
            fit_intercept=False,
        )
        for test_fold in (folds, folds[again])
    )
    weighted.fit(X, y, sample_weight=weights)
    repeated.fit(X[again], y[again])
    np.testing.assert_array_equal(weighted.scores_path_, repeated.scores_path_)
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))


def test_one_weight_for_all_rows_in_cross_validation():
    X, y = RING[::4], SIDES[::4]
    model = ConvexReLURegressorCV(betas=[1.0, 0.3], cv=2, fit_intercept=False)
    one = clone(model).fit(X, y, sample_weight=2.0)
    each = clone(model).fit(X, y, sample_weight=[2] * len(X))
    assert one.objective_ == each.objective_


def test_scores_that_are_no_numbers_choose_no_beta():
    X, y = RING[:5], SIDES[:5]

    def score(model, X, y):
        return np.nan if model.n_neurons_ == 0 else 1.0

    options = {"cv": 2, "scoring": score, "fit_intercept": False}
    model = ConvexReLURegressorCV(betas=[1e3, 0.01], **options).fit(X, y)
    assert model.beta_ == 0.01
    alone = ConvexReLURegressorCV(betas=[1.0, 0.1], cv=LeaveOneOut())
    with (
        pytest.warns(UndefinedMetricWarning),
        pytest.raises(ValueError, match="take another cv or scoring"),
    ):
        alone.fit(X, y)


def test_the_walk_ends_when_the_score_has_stopped_improving():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 3))
    y = np.maximum(X[:, 0], 0.0) + 0.5 * rng.standard_normal(120)
    model = ConvexReLURegressorCV().fit(X, y)
    means = model.scores_path_.mean(axis=1)
    best = int(means.argmax())
    # Three in a decade, from the model without neurons, and three after the best one.
    assert model.betas_[:-1] / model.betas_[1:] == pytest.approx(10.0 ** (1.0 / 3.0))
    assert means[0] == pytest.approx(0.0, abs=0.1) and model.beta_ == model.betas_[best]
    assert len(means) - 4 <= best <= len(means) - 1 and len(means) < 19
    assert model.scores_path_.shape[1] == 5
    # Betas that are given are all tried.
    given = ConvexReLURegressorCV(model.betas_[0] * 0.1 ** np.arange(7)).fit(X, y)
    assert len(given.betas_) == 7


@pytest.mark.long
def test_a_score_that_is_no_number_does_not_end_the_walk():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 3))
    y = np.maximum(X[:, 0], 0.0) + 0.5 * rng.standard_normal(120)
    largest = ConvexReLURegressorCV().fit(X, y).betas_[0]

    def score(model, X, y):
        residual = y - model.predict(X)
        return np.nan if model.n_neurons_ == 0 else 1.0 - np.mean(residual**2) / np.var(y)

    model = ConvexReLURegressorCV(scoring=score).fit(X, y)
    means = model.scores_path_.mean(axis=1)
    assert np.isnan(means[0]) and len(means) > 4 and model.betas_[0] == largest
    assert means[-1] < np.nanmax(means) == means[model.betas_ == model.beta_][0]


@pytest.mark.long
def test_many_rows_are_held_out_once():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((10_000, 1))
    y = np.abs(X[:, 0])
    model = ConvexReLURegressorCV([100.0, 10.0]).fit(X, y)
    assert model.scores_path_.shape == (2, 1)


@pytest.mark.long
@with_long("routing", [True, False])
def test_groups_go_to_the_splitter(routing):
    X, y = RING[::4], SIDES[::4]
    groups = np.arange(len(X)) % 5
    model = ConvexReLUClassifierCV([1.0, 0.3], cv=GroupKFold(3), fit_intercept=False)
    with config_context(enable_metadata_routing=routing):
        model.fit(X, y, groups=groups)
        expected = clone(model).set_params(cv=[*GroupKFold(3).split(X, y, groups)])
        assert np.array_equal(model.scores_path_, expected.fit(X, y).scores_path_)
        with pytest.raises(InputError, match=r"cv=GroupKFold needs groups: pass fit\(X, y, groups"):
            model.fit(X, y)
        if routing:
            inside = make_pipeline(StandardScaler(), clone(model)).fit(X, y, groups=groups)
            assert inside[-1].scores_path_.shape == (2, 3)
        else:
            with pytest.raises(ValueError, match="teams"):
                model.fit(X, y, teams=groups)


@pytest.mark.long
def test_a_scorer_may_ask_for_the_weights():
    X, y = RING[::4], SIDES[::4]
    weights = np.arange(len(X)) % 3 + 1.0
    folds = list(KFold(2).split(X))
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(mean_absolute_error, greater_is_better=False)
        scorer.set_score_request(sample_weight=True)
        model = ConvexReLURegressorCV([1.0, 0.1], cv=folds, scoring=scorer)
        weighted = model.fit(X, y, sample_weight=weights).scores_path_
        again = np.repeat(np.arange(len(X)), weights.astype(int))
        parts = [[np.flatnonzero(np.isin(again, rows)) for rows in fold] for fold in folds]
        repeated = model.set_params(cv=parts).fit(X[again], y[again]).scores_path_
    assert weighted == pytest.approx(repeated)


@with_long(
    ("loss", "multi_class"),
    [("logistic", "softmax"), ("logistic", "ovr"), ("squared_hinge", "auto")],
)
def test_a_fold_that_lacks_a_class_gives_it_nothing(loss, multi_class):
    X, _ = load_iris(return_X_y=True)
    X, y = X[::6, :2], np.array(["a", "b"], dtype=object)[np.arange(25) // 2 % 2]
    y[-1] = "once"
    folds = PredefinedSplit(np.arange(25) % 2)
    seen = []

    def score(model, X, y):
        seen.append(model)
        if loss == "logistic":
            chances = model.predict_proba(X)
            assert chances.sum(axis=1) == pytest.approx(np.ones(len(X)))
            if len(seen) % 2:
                assert (chances[:, list(model.classes_).index("once")] == 0.0).all()
        return accuracy_score(y, model.predict(X))

    options = {"cv": folds, "scoring": score, "loss": loss, "multi_class": multi_class}
    model = ConvexReLUClassifierCV([3.0, 1.0], **options).fit(X, y)
    n_networks = 1 if multi_class == "softmax" else 3
    assert model.classes_.tolist() == ["a", "b", "once"] and len(model.networks_) == n_networks
    assert (model.scores_path_ > 0.2).all()


def test_sorted_classes_are_said_to_tell_nothing():
    X, y = load_iris(return_X_y=True)
    model = ConvexReLUClassifierCV([1.0, 0.3, 0.1], cv=KFold(3), model="gated")
    with pytest.warns(UserWarning, match="All 3 values of beta have the same mean score, 0, "):
        model.fit(X[::5, :2], y[::5])


def test_a_best_beta_at_an_end_is_named():
    X, y = RING[::2], np.abs(RING[::2, 0])
    with pytest.warns(UserWarning, match=r"The best beta, .*, is the smallest of the 3") as caught:
        ConvexReLURegressorCV([10.0, 3.0, 1.0], cv=2).fit(X, y)
    assert len(caught) == 1 and caught[0].filename == __file__
    noise = np.random.default_rng(0).standard_normal(len(X))
    with pytest.warns(UserWarning, match="is the largest of the 3"):
        ConvexReLURegressorCV([5.0, 0.1, 1e-3], cv=2).fit(X, noise)


@pytest.mark.parametrize(
    "scoring", [["r2", "neg_mean_absolute_error"], ("r2",), {"r2": "r2"}, {"r2"}], ids=str
)
def test_several_metrics_are_refused_before_the_training(scoring, monkeypatch):
    monkeypatch.setattr(Walk, "run", None)
    with pytest.raises(InputError, match=r"scoring must be one metric, .* got [12]: r2"):
        ConvexReLURegressorCV(scoring=scoring).fit(RING, SIDES)


def test_what_is_wrong_with_a_fold_names_the_fold():
    X, y = RING[:6], SIDES[:6]
    weights = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    with pytest.raises(InputError, match="The fold 1 of 2 has training rows of weight 0 only"):
        ConvexReLURegressorCV([1.0], cv=KFold(2)).fit(X, y, sample_weight=weights)

    def score(model, X, y):
        raise RuntimeError("no score")

    with pytest.raises(RuntimeError, match="no score") as error:
        ConvexReLURegressorCV([1.0], cv=KFold(2), scoring=score).fit(X, y)
    assert error.value.__notes__ == [
        "This was the score of the fold 1 of 2 of the cross-validation."
    ]


def test_ctrl_c_leaves_the_best_beta_so_far():
    X, y = RING[::2], SIDES[::2]
    calls = []

    def score(model, X, y):
        calls.append(model.n_neurons_)
        if len(calls) > 4:
            raise KeyboardInterrupt
        return -float(np.mean((model.predict(X) - y) ** 2))

    model = ConvexReLURegressorCV(cv=2, scoring=score).fit(X, y)
    assert model.status_ is Status.INTERRUPTED and len(calls) == 5
    assert model.scores_path_.shape == (2, 2) and model.beta_ in model.betas_
    assert model.n_neurons_ > 0 and model.predict(X).std() > 0.0


def test_plain_lines_where_there_is_no_terminal(capsys):
    X, y = RING[::4], SIDES[::4]
    model = ConvexReLURegressorCV([1.0, 0.1], cv=2, fit_intercept=False, verbose=1).fit(X, y)
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert not captured.out
    assert [line.split(", ")[0] for line in lines[:2]] == ["beta 1", "beta 0.1"]
    assert "mean score" in lines[0] and lines[2].startswith("round 0, objective")
    model.set_params(verbose=0).fit(X, y)
    assert not capsys.readouterr().err
