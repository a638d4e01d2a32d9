"""Fits that go on from the last one."""

import copy

import numpy as np
import pytest
from variants import with_long

import cvxnn
from cvxnn.errors import InputError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 1))
Y = np.abs(X[:, 0]) + 0.1 * RNG.standard_normal(40)
LABELS = np.digitize(Y, [0.5, 1.0])


@pytest.mark.long
@with_long(
    ("model", "y"),
    [(cvxnn.ConvexReLURegressor(1.0), Y), (cvxnn.ConvexReLUClassifier(1.0), LABELS)],
    ids=["numbers", "classes"],
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


@pytest.mark.long
def test_the_estimators_with_cv_have_it_as_well():
    model = cvxnn.ConvexReLURegressorCV([1.0, 0.5], cv=2, warm_start=True).fit(X, Y)
    assert model.fit(X, Y).status_.is_success


def test_what_does_not_fit_is_refused():
    model = cvxnn.ConvexReLUClassifier(1.0, warm_start=True).fit(X, LABELS)
    with pytest.raises(ValueError, match="the classes of the last fit"):
        model.fit(X, LABELS + 1)
    with pytest.raises(ValueError, match="X must have 1 features, as in the last fit, got 2"):
        model.fit(np.column_stack([X, X]), LABELS)
    with pytest.raises(ValueError, match="takes no warm_start"):
        cvxnn.ConvexReLURegressor(model="gated", warm_start=True).fit(X, Y)


WIDE = RNG.standard_normal((60, 9))
WIDE_Y = np.abs(WIDE[:, 0]) + WIDE[:, 1] + 0.1 * RNG.standard_normal(60)


@with_long("kind", [cvxnn.ConvexReLURegressor, cvxnn.ConvexReLURegressorCV])
def test_what_does_not_fit_is_refused_before_any_training(kind, monkeypatch):
    model = kind(warm_start=True).fit(WIDE, WIDE_Y)
    monkeypatch.setattr(kind, "_choose_beta", None)
    with pytest.raises(InputError, match="X must have 9 features, as in the last fit, got 5"):
        model.fit(WIDE[:, :5], WIDE_Y)
    for setting, words in (
        ({"hidden_bias": False}, "hidden_bias must be that of the last fit, True"),
        ({"model": cvxnn.ReLU(slope=0.5)}, r"its networks are none of ReLU\(slope=0.5"),
    ):
        again = copy.deepcopy(model).set_params(**setting)
        with pytest.raises(InputError, match=words):
            again.fit(WIDE, WIDE_Y)
        # It is what it was.
        assert np.array_equal(again.predict(WIDE), model.predict(WIDE))


@pytest.mark.long
def test_a_filter_without_its_bias_is_refused():
    images = RNG.standard_normal((20, 6))
    model = cvxnn.ConvexReLURegressor(1.0, model=cvxnn.Conv(2), warm_start=True)
    model.fit(images, images[:, 0])
    with pytest.raises(InputError, match="hidden_bias and samples must be like those"):
        model.set_params(hidden_bias=False).fit(images, images[:, 0])


@pytest.mark.long
@with_long("factor", [100.0, 1.0])
def test_other_data_end_as_they_do_without_a_start(factor):
    other = factor * WIDE_Y[::-1]
    cold = cvxnn.ConvexReLURegressor(0.1).fit(WIDE, other)
    warm = cvxnn.ConvexReLURegressor(0.1, warm_start=True).fit(WIDE, WIDE_Y).fit(WIDE, other)
    assert warm.objective_ == cold.objective_
