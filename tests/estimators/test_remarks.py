"""What the estimators say of a model without neurons, of scores and of an end: what is true."""

import dataclasses
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from variants import with_long

import cvxnn
from cvxnn import Status
from cvxnn.estimators.joined_search import JoinedSearch
from cvxnn.estimators.tasks import Task

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
Y = np.abs(X[:, 0]) + X[:, 1] + 0.1 * RNG.standard_normal(60)
NOISE = RNG.standard_normal((20, 50))
MANY_COLUMNS = RNG.standard_normal((60, 12))
REGRESSORS = cvxnn.ConvexReLURegressor, cvxnn.ConvexReLURegressorCV
CLASSIFIERS = cvxnn.ConvexReLUClassifier, cvxnn.ConvexReLUClassifierCV
# Data of which no neuron can learn anything: constant ones, and every target beside its negative.
USELESS = {
    "three constants": (np.ones((60, 3)), Y),
    "one constant": (np.ones((60, 1)), Y),
    "both signs": (np.vstack([X, X]), np.append(Y, -Y)),
}


def said(model, data, y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(data, y)
    return [str(warning.message) for warning in caught]


@with_long("name", USELESS)
@pytest.mark.parametrize("kind", REGRESSORS + CLASSIFIERS)
def test_where_nothing_can_be_learned_no_beta_is_blamed(kind, name):
    data, y = USELESS[name]
    (words,) = said(kind(), data, y if kind in REGRESSORS else y > 0.0)
    assert words.startswith("The model is a constant, and would be for every beta")


@with_long("betas", [None, 4])
def test_where_nothing_is_learned_the_first_beta_of_a_grid_is_enough(betas):
    model = cvxnn.ConvexReLURegressorCV(betas)
    (words,) = said(model, NOISE, Y[:20])
    assert words.startswith("The model is a constant: beta =") and model.n_neurons_ == 0
    assert words.endswith("No smaller beta had a better score.")


@pytest.mark.parametrize("betas", [1, [1e4]])
def test_a_beta_that_is_the_only_one_has_no_smaller_ones_beside_it(betas):
    (words,) = said(cvxnn.ConvexReLURegressorCV(betas), X, Y)
    smaller = "No smaller beta was tried: give some, as betas."
    assert "is at or above the largest beta" in words and words.endswith(smaller)


@pytest.mark.parametrize("betas", [None, [1.0, 0.3, 0.1]])
def test_a_constant_target_needs_no_warning(betas):
    assert said(cvxnn.ConvexReLURegressorCV(betas), X, np.full(60, 3.0)) == []


@with_long("limit", ["auto", 60.0])
def test_a_missing_proof_is_named_to_who_has_asked_for_one(limit, monkeypatch):
    solve = Task.solve

    def unproven(task, deadline):
        return dataclasses.replace(solve(task, deadline), status=Status.STATIONARY)

    monkeypatch.setattr(Task, "solve", unproven)
    words = said(cvxnn.ConvexReLURegressor(1.0, time_limit=limit), X[:, :1], Y)
    assert bool(words) == (limit != "auto")
    assert all("without a proof" in each for each in words)


@with_long("warm", [False, True])
def test_how_to_go_on_after_ctrl_c(warm, monkeypatch):
    run = JoinedSearch.run

    def interrupted(search, starts):
        run(search, starts)
        raise KeyboardInterrupt

    monkeypatch.setattr(JoinedSearch, "run", interrupted)
    model = cvxnn.ConvexReLURegressor(1.0, warm_start=warm)
    words = "fit again to go on" if warm else "fit again, with warm_start=True, to go on"
    # In few columns a proof comes first, which needs no joined search.
    with pytest.warns(ConvergenceWarning, match=words):
        model.fit(MANY_COLUMNS, Y)


def test_after_ctrl_c_no_warm_start_is_advised_that_would_be_refused(monkeypatch):
    solve = Task.solve

    def interrupted(task, deadline):
        return dataclasses.replace(solve(task, deadline), status=Status.INTERRUPTED)

    monkeypatch.setattr(Task, "solve", interrupted)
    model = cvxnn.ConvexReLURegressor(1.0, model="parallel", max_iter=1, proof_time=0.0)
    with pytest.warns(ConvergenceWarning, match="fit again to begin anew"):
        model.fit(X[:, :1], Y)
    with pytest.raises(cvxnn.InputError, match="takes no warm_start"):
        model.set_params(warm_start=True).fit(X[:, :1], Y)
