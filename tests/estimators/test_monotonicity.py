"""Estimators whose predictions do not fall, or do not rise, with features."""

import numpy as np
import pytest
from sentences import refused
from sklearn.base import clone
from variants import with_long

import cvxnn
from cvxnn import ConvexReLUClassifier, ConvexReLURegressor, ReLU

pd = pytest.importorskip("pandas")


def prices(n=80, seed=0):
    """Sizes, ages and a number that says nothing; prices that rise with the first, in noise."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {"size": rng.uniform(30.0, 200.0, n), "age": rng.uniform(0.0, 80.0, n),
         "number": rng.standard_normal(n)}
    )  # fmt: skip
    y = 3e3 * X["size"] ** 0.9 - 2e3 * X["age"] + 1.5e5 * rng.standard_normal(n)
    return X, y


def rises(model, X, column, by, predict="predict", pairs=100_000):
    """The least of what predictions of random rows gain where a column is larger."""
    rng, values = np.random.default_rng(1), X.to_numpy()
    low, high = values.min(axis=0), values.max(axis=0)
    rows = rng.uniform(2.0 * low - high, 2.0 * high - low, (pairs, X.shape[1]))
    other = rows.copy()
    other[:, column] += by * rng.random(pairs)
    first, second = (
        getattr(model, predict)(pd.DataFrame(each, columns=X.columns)) for each in (rows, other)
    )
    return float((second - first).min()) / float(np.abs(first).max())


@with_long(("features", "n"), [(1, 80), (None, 30), (2, 30)])
def test_predictions_are_monotone_on_many_pairs(features, n):
    X, y = prices(n)
    settings = {"model": ReLU(features=features), "time_limit": 60.0}
    model = ConvexReLURegressor(0.3, monotonic_cst={"size": 1, "age": -1}, **settings).fit(X, y)
    assert model.status_ is cvxnn.Status.OPTIMAL
    assert rises(model, X, 0, 50.0) >= -1e-12 and rises(model, X, 1, -20.0) >= -1e-12
    # Without constraints this beta follows the noise.
    free = ConvexReLURegressor(0.3, **settings).fit(X, y)
    assert rises(free, X, 0, 50.0) < 0.0 and free.objective_ < model.objective_
    (report,) = model.verify(X, y)
    assert report.accepted and "2 monotone columns" in report.problem


def test_arrays_and_names_say_the_same():
    X, y = prices(30)
    fits = [
        ConvexReLURegressor(1.0, model=given, monotonic_cst=constraints).fit(X, y)
        for given, constraints in [
            (ReLU(features=1), {"age": -1, "size": 1}),
            (ReLU(features=1), [1, -1, 0]),
            (ReLU(features=1), np.array([1, -1, 0])),
            (ReLU(features=1, monotonic_cst=[1, -1, 0]), None),
        ]
    ]
    assert all(fit.network_ == fits[0].network_ for fit in fits)
    assert fits[0].get_params()["monotonic_cst"] == {"age": -1, "size": 1}
    assert clone(fits[0]).fit(X, y).network_ == fits[0].network_


def test_the_second_class_becomes_more_likely():
    X, y = prices()
    labels = np.where(y > y.median(), "dear", "cheap")[:, None].ravel()
    model = ConvexReLUClassifier(0.05, model=ReLU(features=1), monotonic_cst={"size": -1})
    model.fit(X, labels)
    assert list(model.classes_) == ["cheap", "dear"]
    assert rises(model, X, 0, -50.0, "decision_function", 20_000) >= -1e-12
    three = np.where(y > y.quantile(0.9), "very dear", labels)
    refused(lambda: model.fit(X, three), "is for two classes, .* y has 3")
    assert list(model.classes_) == ["cheap", "dear"]


@pytest.mark.long
def test_cross_validation_keeps_the_constraints():
    X, y = prices()
    model = cvxnn.ConvexReLURegressorCV(
        [0.1, 1.0], cv=3, model=ReLU(features=1), monotonic_cst=[1, 0, 0]
    ).fit(X, y)
    assert rises(model, X, 0, 50.0, pairs=10_000) >= -1e-12


@pytest.mark.long
def test_the_other_settings_are_those_of_the_model():
    X, y = prices()
    model = ConvexReLURegressor(1.0, model=ReLU(l1_ratio=0.5)).fit(X, y)
    assert model.network_.l1_ratio == 0.5
    shaped = ConvexReLURegressor(1.0).set_params(model__shape="convex", model__features=1)
    shaped.fit(X, y)
    assert (shaped.network_.output_weights > 0.0).all()


@pytest.mark.parametrize(
    ("constraints", "says"),
    [
        ([1, 0], "for each of the 3 features of X, got 2"),
        ([1, 0, 2], "with -1, 0 or 1"),
        ("no", "with -1, 0 or 1"),
        ({"size": 3}, "with -1, 0 or 1"),
        ({"length": 1}, "'length' is none"),
    ],
    ids=str,
)
def test_constraints_that_are_none_are_refused(constraints, says):
    X, y = prices(20)
    refused(lambda: ConvexReLURegressor(1.0, monotonic_cst=constraints).fit(X, y), says)


def test_what_does_not_go_together_is_refused():
    X, y = prices(20)
    named = ConvexReLURegressor(1.0, monotonic_cst={"size": 1})
    refused(lambda: named.fit(X.to_numpy(), y), "a list where X has no names")
    gated = ConvexReLURegressor(1.0, model="gated", monotonic_cst=[1, 0, 0])
    refused(lambda: gated.fit(X, y), "is for networks of ReLU, not for Gated")
    twice = ConvexReLURegressor(1.0, model=ReLU(monotonic_cst=[1, 0, 0]), monotonic_cst=[1, 0, 0])
    refused(lambda: twice.fit(X, y), "must be None where model has one already")
    both = np.column_stack([y, y])
    joint = ConvexReLURegressor(1.0, monotonic_cst=[1, 0, 0])
    refused(lambda: joint.fit(X, both), "has one output")


def test_an_empty_dict_is_no_constraint():
    X, y = prices(30)
    model = ConvexReLURegressor(beta=1.0, model=ReLU(features=1))
    free = model.fit(X, y).predict(X)
    np.testing.assert_array_equal(
        clone(model).set_params(monotonic_cst={}).fit(X, y).predict(X), free
    )
