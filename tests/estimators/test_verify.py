"""Bounds of fits, recomputed from what the user has."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from variants import with_long

import cvxnn
from cvxnn import InputError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = 3.0 + 10.0 * rng.standard_normal((30, 2))
    # Repeated rows are one of a larger weight, as the estimators merge them.
    X[20:25] = X[:5]
    return X, np.abs(X[:, 0]) + rng.standard_normal(30), rng.uniform(0.5, 2.0, 30)


@with_long(
    "estimator",
    [
        cvxnn.ConvexReLURegressor(beta=0.1),
        cvxnn.ConvexReLURegressor(beta=0.1, scale_X=False, scale_y=False, loss="huber"),
        cvxnn.ConvexReLURegressorCV(betas=[0.1, 1.0], cv=3),
    ],
    ids=["scaled", "as they are", "cross-validation"],
)
def test_bounds_of_a_regression(estimator, data):
    X, y, weights = data
    estimator.fit(X, y, weights)
    before = dict(estimator.__dict__)
    [report] = estimator.verify(X, y, weights)
    assert report.accepted and report.is_recomputed and report.beta == estimator.beta_
    assert report.bound == pytest.approx(estimator.dual_bound_, rel=1e-6)
    assert report.objective == pytest.approx(estimator.objective_, rel=1e-9)
    # Samples have no order.
    order = np.random.default_rng(1).permutation(len(X))
    assert estimator.verify(X[order], y[order], weights[order])[0].accepted
    assert estimator.verify(X, y + 0.1, weights)[0].reason.startswith("The data are not those")
    assert estimator.__dict__ == before


@pytest.mark.long
def test_bounds_of_a_network_for_each_class(data):
    X, _, _ = data
    labels = np.array(list("abc"))[np.digitize(X[:, 0], [-2.0, 8.0])]
    shared = cvxnn.ConvexReLUClassifier(beta=0.5).fit(X, labels)
    [report] = shared.verify(X, labels)
    assert report.accepted and report.bound == pytest.approx(shared.dual_bound_, rel=1e-6)
    model = cvxnn.ConvexReLUClassifier(beta=0.5, multi_class="ovr").fit(X, labels)
    reports = model.verify(X, labels)
    assert len(reports) == 3 and all(report.accepted for report in reports)
    assert sum(report.bound for report in reports) == pytest.approx(model.dual_bound_, rel=1e-6)
    two = labels != "c"
    with pytest.raises(InputError, match="those that it was fitted to"):
        model.verify(X[two], labels[two])
    with pytest.raises(ValueError, match=r"X has 1 features, but .* is expecting 2 features"):
        model.verify(X[:, :1], labels)


def test_data_of_other_columns_are_refused_as_for_predictions(data):
    X, y, _ = data
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=["size", "age"])
    model = cvxnn.ConvexReLURegressor(beta=0.1).fit(table, y)
    assert model.verify(table, y)[0].accepted
    for other, words in [
        (table[["age", "size"]], "must be in the same order"),
        (table.rename(columns={"age": "years"}), "feature names should match"),
        (table[["size"]], "feature names should match"),
    ]:
        with pytest.raises(ValueError, match=words):
            model.predict(other)
        with pytest.raises(ValueError, match=words):
            model.verify(other, y)


@pytest.mark.long
def test_fits_without_certificates(data):
    X, y, _ = data
    with pytest.raises(NotFittedError):
        cvxnn.ConvexReLURegressor().verify(X, y)
    # A class of no weight has a constant, which nothing was proven of.
    labels, weights = np.where(y > np.median(y), "a", "b"), np.ones(30)
    labels[0], weights[0] = "c", 0.0
    shared = cvxnn.ConvexReLUClassifier(beta=0.5).fit(X, labels, weights)
    assert shared.verify(X, labels, weights)[0].accepted
    model = cvxnn.ConvexReLUClassifier(beta=0.5, multi_class="ovr").fit(X, labels, weights)
    with pytest.raises(InputError, match="without a certificate"):
        model.verify(X, labels, weights)
