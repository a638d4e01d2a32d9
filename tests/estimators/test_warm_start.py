"""Fits that go on from the last one."""

import numpy as np
import pytest

import cvxnn

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 2))
Y = np.abs(X[:, 0]) + 0.1 * RNG.standard_normal(40)
LABELS = np.digitize(Y, [0.5, 1.0])


@pytest.mark.parametrize(
    ("model", "y"),
    [(cvxnn.ConvexReLURegressor(1.0), Y), (cvxnn.ConvexReLUClassifier(1.0), LABELS)],
    ids=str,
)
def test_it_has_the_same_optimum_from_the_networks_before(model, y):
    model.fit(X, y)
    cold = model.set_params(beta=0.5).fit(X, y).objective_
    model.set_params(beta=1.0).fit(X, y)
    warm = model.set_params(beta=0.5, warm_start=True).fit(X, y)
    assert warm.objective_ == pytest.approx(cold, rel=2e-6) and warm.status_.is_success


def test_at_the_optimum_there_is_nothing_left_to_do():
    wide = RNG.standard_normal((60, 9))
    y = np.abs(wide[:, 0]) + wide[:, 1]
    model = cvxnn.ConvexReLURegressor(3.0, warm_start=True).fit(wide, y)
    before = model.objective_
    # Rounds only ever lower the objective of the network that they begin with.
    assert model.fit(wide, y).objective_ <= before * (1.0 + 1e-9)


def test_the_estimators_with_cv_have_it_as_well():
    model = cvxnn.ConvexReLURegressorCV([1.0, 0.5], cv=2, warm_start=True).fit(X, Y)
    assert model.fit(X, Y).status_.is_success


def test_what_does_not_fit_is_refused():
    model = cvxnn.ConvexReLUClassifier(1.0, warm_start=True).fit(X, LABELS)
    with pytest.raises(ValueError, match="the classes of the last fit"):
        model.fit(X, LABELS + 1)
    with pytest.raises(ValueError, match="features"):
        model.fit(X[:, :1], LABELS)
    with pytest.raises(ValueError, match="takes no warm_start"):
        cvxnn.ConvexReLURegressor(model="gated", warm_start=True).fit(X, Y)
