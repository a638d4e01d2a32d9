"""Medians, quantiles and hinges by the estimators."""

import numpy as np
import pytest
from sentences import refused
from sklearn.base import clone
from sklearn.metrics import mean_pinball_loss

from cvxnn import (
    ConvexReLUClassifier,
    ConvexReLURegressor,
    ConvexReLURegressorCV,
    QuantileLoss,
    certify,
    solve,
)


def draw(n=80, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.0, 1.0, (n, 1))
    return x, np.sin(4.0 * x[:, 0]) + (0.1 + x[:, 0]) * rng.standard_normal(n)


def test_shares_below_are_the_levels():
    """At an optimum beside an intercept as many targets are below, up to those that are met."""
    x, y = draw()
    for level in (0.1, 0.5, 0.8):
        model = ConvexReLURegressor(2.0, loss="quantile", quantile=level).fit(x, y)
        assert model.status_.name == "OPTIMAL" and clone(model).quantile == level
        off = model.predict(x) - y
        met = np.abs(off) < 1e-3
        assert np.sum(off > 1e-3) <= level * len(y) <= np.sum(off > 1e-3) + met.sum()


@pytest.mark.long
def test_it_is_the_problem_of_solve_on_standardised_data():
    x, y = draw(40)
    model = ConvexReLURegressor(0.5, loss="quantile", quantile=0.8).fit(x, y)
    X = np.column_stack([(x - x.mean()) / x.std(), np.ones(len(x))])
    target = (y - y.mean()) / y.std()
    known = solve(X, target, 0.5, loss=QuantileLoss(0.8), intercept=True)
    assert model.objective_ == pytest.approx(known.objective, rel=2e-6)
    assert certify(model, x, y, 0.5).verdict.name == "OPTIMAL"
    assert all(report.accepted for report in model.verify(x, y))


@pytest.mark.long
def test_absolute_is_twice_the_median():
    x, y = draw(40)
    absolute = ConvexReLURegressor(0.5, loss="absolute").fit(x, y)
    median = ConvexReLURegressor(0.25, loss="quantile").fit(x, y)
    assert absolute.objective_ == pytest.approx(2.0 * median.objective_, rel=3e-6)


@pytest.mark.long
def test_cross_validation_scores_by_the_loss():
    x, y = draw(60)
    model = ConvexReLURegressorCV(betas=[3.0, 0.3], cv=3, loss="quantile", quantile=0.9).fit(x, y)
    assert model.scores_path_.shape == (2, 3) and (model.scores_path_ < 0.0).all()
    best = -mean_pinball_loss(y, np.full_like(y, np.quantile(y, 0.9)), alpha=0.9)
    assert model.best_score_ > 2.0 * best
    absolute = ConvexReLURegressorCV(betas=[3.0, 0.3], cv=3, loss="absolute").fit(
        x, y, sample_weight=np.linspace(0.5, 1.5, len(y))
    )
    assert absolute.best_score_ < 0.0
    given = ConvexReLURegressorCV(betas=[3.0], cv=3, loss="absolute", scoring="r2").fit(x, y)
    assert 0.0 < given.best_score_ < 1.0


@pytest.mark.long
def test_a_beta_is_guessed():
    x, y = draw(40)
    model = ConvexReLURegressor(loss="quantile").fit(x, y)
    assert model.beta_ > 0.0 and model.n_neurons_ > 0


def test_high_rank_ends_roughly():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 9))
    y = np.abs(X[:, 0]) + 0.3 * rng.standard_normal(120)
    model = ConvexReLURegressor(3.0, loss="quantile", quantile=0.8).fit(X, y)
    share = np.mean(y <= model.predict(X))
    assert 0.7 < share < 0.9 and model.n_neurons_ > 0


@pytest.mark.long
def test_hinge():
    x, y = draw(60)
    labels = np.where(y > np.median(y), "up", "down")
    model = ConvexReLUClassifier(0.5, loss="hinge").fit(x, labels)
    assert model.status_.name == "OPTIMAL" and model.score(x, labels) > 0.7
    with pytest.raises(AttributeError, match="predict_proba"):
        model.predict_proba(x)


def test_levels_are_checked():
    x, y = draw(10)
    for level in (0.0, 1.0, "half"):
        model = ConvexReLURegressor(loss="quantile", quantile=level)
        refused(lambda model=model: model.fit(x, y), "quantile must be")
