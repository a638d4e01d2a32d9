"""Ctrl-C before the training of the last networks: a model is left all the same."""

import signal

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from variants import with_long

import cvxnn
from cvxnn import Status
from cvxnn.estimators import cross_validation, default_beta, folds
from cvxnn.estimators.paths import SearchPath
from cvxnn.estimators.training import Training

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
Y = np.abs(X[:, 0]) + X[:, 1] + 0.1 * RNG.standard_normal(60)


def pressing_at(call, number):
    """The call, with Ctrl-C during that of a number."""
    calls = []

    def pressed(*arguments, **options):
        calls.append(arguments)
        if len(calls) == number:
            signal.raise_signal(signal.SIGINT)
        return call(*arguments, **options)

    return pressed


def interrupted(model, y):
    with pytest.warns(ConvergenceWarning, match="nterrupt"):
        model.fit(X, y)
    assert model.status_ is Status.INTERRUPTED and model.beta_ > 0.0
    assert np.isfinite(model.predict(X).astype(float)).all()
    return model


@with_long("number", [1, 2])
def test_during_the_first_steps_of_the_default_beta(number, monkeypatch):
    monkeypatch.setattr(default_beta, "path_of", pressing_at(default_beta.path_of, number))
    model = interrupted(cvxnn.ConvexReLURegressor(), Y)
    # Nothing is known yet, but for a beta of 1 in units of standardised data.
    assert model.beta_ == pytest.approx(1.0)


@pytest.mark.long
def test_during_the_path_of_the_default_beta(monkeypatch):
    monkeypatch.setattr(SearchPath, "advance", pressing_at(SearchPath.advance, 18))
    model = interrupted(cvxnn.ConvexReLURegressor(), Y)
    # Four networks for a beta: four betas count.
    assert 1.0 < model.beta_ < 40.0


@pytest.mark.parametrize("number", [1, 2, 3])
def test_during_the_default_beta_of_classes(number, monkeypatch):
    monkeypatch.setattr(default_beta, "path_of", pressing_at(default_beta.path_of, number))
    model = interrupted(cvxnn.ConvexReLUClassifier(multi_class="ovr"), np.digitize(Y, [0.0, 1.0]))
    assert model.beta_ == pytest.approx(np.sqrt(5.0))


def test_during_the_default_beta_of_classes_in_one_network(monkeypatch):
    monkeypatch.setattr(default_beta, "path_of", pressing_at(default_beta.path_of, 1))
    model = interrupted(cvxnn.ConvexReLUClassifier(), np.digitize(Y, [0.0, 1.0]))
    assert model.beta_ == pytest.approx(np.sqrt(2.5)) and model.network_.n_outputs == 3


@pytest.mark.parametrize("kind", [cvxnn.ConvexReLURegressorCV, cvxnn.ConvexReLUClassifierCV])
@with_long(
    ("module", "number"),
    [(folds, 1), (folds, 5), (cross_validation, 1)],
    ids=["first fold", "fifth of the folds", "all rows"],
)
def test_before_the_walk_of_the_folds(kind, module, number, monkeypatch):
    monkeypatch.setattr(module, "path_of", pressing_at(module.path_of, number))
    if module is cross_validation:
        # Where a default proof ends the largest beta is not estimated.
        monkeypatch.setattr(Training, "largest_beta", pressing_at(Training.largest_beta, number))
    model = interrupted(kind(), Y > 0.5)
    assert np.isnan(model.best_score_) and len(model.betas_) == 0


@pytest.mark.long
def test_while_data_are_read_the_estimator_is_as_it_was(monkeypatch):
    model = cvxnn.ConvexReLURegressor(1.0).fit(X, Y)
    before = dict(model.__dict__)
    read = cvxnn.ConvexReLURegressor._read

    def pressed(self, *arguments):
        signal.raise_signal(signal.SIGINT)
        return read(self, *arguments)

    monkeypatch.setattr(cvxnn.ConvexReLURegressor, "_read", pressed)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[::2], Y[::2])
    assert model.__dict__ == before
