"""The beta of somebody who has none, and what is said of one that leaves no neurons."""

import warnings

import numpy as np
import pytest

import cvxnn
from cvxnn.estimators.inputs import Samples
from cvxnn.estimators.training import Training

RNG = np.random.default_rng(0)
X = RNG.standard_normal((30, 2))
Y = np.abs(X[:, 0]) + 0.1 * RNG.standard_normal(30)
LABELS = np.array(["low", "middle", "high"])[np.digitize(Y, [0.5, 1.0])]


def largest(data, y, loss="squared"):
    rows = np.column_stack([(data - data.mean(axis=0)) / data.std(axis=0), np.ones(len(data))])
    return cvxnn.largest_beta(rows, y, loss=loss, intercept=True)


def test_it_is_fitted_and_leaves_neurons():
    target = (Y - Y.mean()) / Y.std()
    model = cvxnn.ConvexReLURegressor().fit(X, Y)
    assert model.get_params()["beta"] == "auto"
    assert 0.0 < model.beta_ < largest(X, target) and model.n_neurons_ > 0
    again = cvxnn.ConvexReLURegressor(model.beta_).fit(X, Y)
    assert again.beta_ == model.beta_ and again.network_ == model.network_


@pytest.mark.long
def test_it_follows_the_units_of_data_that_are_left_as_they_are():
    # Without the column of ones, which has no units.
    options = {"scale_X": False, "scale_y": False, "hidden_bias": False}
    one, other = (
        cvxnn.ConvexReLURegressor(**options).fit(a * X, b * Y) for a, b in ((1.0, 1.0), (8.0, 0.25))
    )
    assert other.beta_ == pytest.approx(2.0 * one.beta_)


def test_that_of_classes_is_one_for_all():
    model = cvxnn.ConvexReLUClassifier().fit(X, LABELS)
    bounds = [largest(X, np.where(c == LABELS, 1.0, -1.0), "logistic") for c in model.classes_]
    assert 0.0 < model.beta_ < max(bounds) and model.n_neurons_ > 0


@pytest.mark.parametrize("beta", ["best", 0.0, None])
def test_other_betas_are_refused(beta):
    with pytest.raises(ValueError, match="beta"):
        cvxnn.ConvexReLURegressor(beta).fit(X, Y)


def test_a_beta_without_neurons_is_named_beside_the_largest():
    target = (Y - Y.mean()) / Y.std()
    bound = largest(X, target)
    words = "beta = 1000 is at or above the largest beta of these data, about "
    with pytest.warns(UserWarning, match=words) as caught:
        model = cvxnn.ConvexReLURegressor(1000.0).fit(X, Y)
    assert len(caught) == 1 and caught[0].filename == __file__
    named = float(str(caught[0].message).split("about ")[1].split(",")[0])
    assert 0.98 * bound < named < 1.001 * bound
    assert model.predict(X) == pytest.approx(np.full(30, Y.mean()))
    with pytest.warns(UserWarning, match="is at or above the largest beta"):
        cvxnn.ConvexReLUClassifier(1000.0).fit(X, LABELS)


def test_a_constant_target_needs_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = cvxnn.ConvexReLURegressor().fit(X, np.full(30, 3.0))
    assert (model.predict(X) == 3.0).all()


def test_a_class_without_weight_is_never_predicted():
    weights = (LABELS != "low").astype(float)
    model = cvxnn.ConvexReLUClassifier().fit(X, LABELS, sample_weight=weights)
    assert model.classes_.tolist() == ["high", "low", "middle"]
    assert (model.predict_proba(X)[:, 1] == 0.0).all() and set(model.predict(X)) == {
        "high", "middle"
    }  # fmt: skip
    two = cvxnn.ConvexReLUClassifier().fit(X, LABELS == "low", sample_weight=weights)
    assert (two.predict_proba(X) == [1.0, 0.0]).all()
    assert two.status_.is_success and two.n_neurons_ == 0
    training = two._training()
    assert isinstance(training, Training)
    assert training.is_settled(Samples(X, -np.ones(30), None))


@pytest.mark.long
def test_three_layers_take_the_beta_of_two():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 2))
    y = np.abs(X[:, 0]) + 0.1 * rng.standard_normal(40)
    two = cvxnn.ConvexReLURegressor(random_state=0).fit(X, y)
    deep = cvxnn.ConvexReLURegressor(model="parallel", random_state=0, time_limit=2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        deep.fit(X, y)
    assert deep.beta_ == two.beta_
