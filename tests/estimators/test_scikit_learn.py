"""The estimators as scikit-learn knows them: its own checks, and its tools around them."""

from __future__ import annotations

import numpy as np
import pytest
from estimators.cases import RING, SIDES
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from cvxnn import (
    Conv,
    ConvexReLUClassifier,
    ConvexReLUClassifierCV,
    ConvexReLURegressor,
    ConvexReLURegressorCV,
    Gated,
    Sampled,
    Status,
)

# Sampled patterns and few rounds: the data of the checks have up to ten features, and
# no check shall wait for a proof.
QUICK = {"method": Sampled(8), "max_iter": 4}
ESTIMATORS = [
    ConvexReLURegressor(**QUICK),
    ConvexReLURegressor(loss="huber", **QUICK),
    ConvexReLUClassifier(**QUICK),
    ConvexReLURegressorCV(betas=[3.0, 1.0], cv=2, **QUICK),
    ConvexReLUClassifierCV(betas=[10.0, 3.0], cv=2, **QUICK),
    # Tables of the checks are signals: filters of two features, one with zeros around it.
    ConvexReLURegressor(loss="huber", model=Conv(2, padding=1, pooling="average"), **QUICK),
    ConvexReLUClassifier(model=Conv(2, padding=1, slope=0.1), **QUICK),
    ConvexReLUClassifier(model=Gated(n_gates=10), max_iter=20),
]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_grid_search_pipeline_and_clone():
    X, y = RING, SIDES
    pipeline = make_pipeline(StandardScaler(), ConvexReLUClassifier())
    search = GridSearchCV(pipeline, {"convexreluclassifier__beta": [1.0, 0.1]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.7
    best = clone(search.best_estimator_).fit(X, y)
    assert best[-1].status_ is Status.OPTIMAL
    np.testing.assert_array_equal(best.predict(X), search.predict(X))
    assert len(cross_val_score(ConvexReLURegressor(beta=0.1), X, y, cv=3)) == 3
    model = ConvexReLURegressor().set_params(beta=2.0)
    assert model.get_params()["beta"] == 2.0


def test_columns_of_a_table():
    pandas = pytest.importorskip("pandas")
    X, y = RING, SIDES
    table = pandas.DataFrame(X, columns=["left", "right"])
    model = ConvexReLURegressor(beta=0.1).fit(table, pandas.Series(y))
    assert model.feature_names_in_.tolist() == ["left", "right"]
    np.testing.assert_array_equal(model.predict(table), model.fit(X, y).predict(X))


@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_same_answer_for_every_seed(loss):
    X, y = RING, SIDES
    models = [ConvexReLURegressor(beta=1.0, loss=loss, random_state=k).fit(X, y) for k in range(10)]
    objectives = np.array([model.objective_ for model in models])
    assert np.ptp(objectives) <= 1e-8 * objectives[0]
    predictions = np.array([model.predict(X) for model in models])
    assert np.ptp(predictions, axis=0).max() <= 1e-5


def test_many_features_end_with_a_warning_and_a_network():
    X, y = make_classification(60, 15, random_state=0)
    model = ConvexReLUClassifier(beta=3.0).fit(X, y)
    assert model.status_ is Status.STATIONARY
    assert model.dual_bound_ < model.objective_
    assert model.score(X, y) > 0.8
