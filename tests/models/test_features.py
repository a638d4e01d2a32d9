"""Networks whose neurons see few features: against Clarabel, plain ReLU, and random starts."""

from dataclasses import replace

import numpy as np
import pytest
from programs import Grouped, targets
from sentences import refused
from sklearn.exceptions import ConvergenceWarning
from variants import with_long

import cvxnn
from cvxnn import ReLU, Status
from cvxnn.verification import BoundCertificate

TOL = 1e-7


def columns(n=9, seed=0):
    """A column of normal numbers, one of three values, a constant one, and ones."""
    rng = np.random.default_rng(seed)
    x, levels = rng.standard_normal(n), rng.integers(0, 3, n).astype(float)
    X = np.column_stack([x, levels, np.full(n, 2.0), np.ones(n)])
    return X, np.abs(x) - levels + 0.3 * rng.standard_normal(n)


def friedman(n=150, d=6):
    """Five features that matter and others, standardised, and ones."""
    rng = np.random.default_rng(0)
    X = rng.random((n, d))
    y = 10.0 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20.0 * (X[:, 2] - 0.5) ** 2
    y += 10.0 * X[:, 3] + 5.0 * X[:, 4] + rng.standard_normal(n)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return np.column_stack([X, np.ones(n)]), (y - y.mean()) / y.std()


@with_long(
    ("features", "groups", "loss"),
    [
        (1, ((0, 3), (1, 3), (2, 3)), "squared"),
        ([[1], [0, 2]], ((1, 3), (0, 2, 3)), "logistic"),
        (2, ((0, 1, 3), (0, 2, 3), (1, 2, 3)), "huber"),
        (1, ((0, 3), (1, 3), (2, 3)), "squared_hinge"),
    ],
    always=2,
    ids=str,
)
def test_optimum_and_bound_are_those_of_the_program_on_all_cells(features, groups, loss):
    cp = pytest.importorskip("cvxpy")
    # Of the squared hinge on most of such data Clarabel does not come to its tolerance.
    X, y = columns(seed=2)
    y = targets(loss, y)
    formula = Grouped(X[:, None], groups=groups)
    optimum = formula.optimum(cp, loss, y, 0.1, accuracy=1e-8)
    solution = cvxnn.solve(X, y, 0.1, model=ReLU(features=features), loss=loss, tol=TOL)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(optimum, rel=1e-6)
    assert solution.dual_bound == pytest.approx(optimum, rel=1e-6)


def test_an_intercept_is_that_of_the_program():
    cp = pytest.importorskip("cvxpy")
    X, y = columns()
    formula = Grouped(X[:, None], groups=((0, 3), (1, 3), (2, 3)))
    optimum = formula.optimum(cp, "squared", y + 3.0, 0.1, intercept=True)
    solution = cvxnn.solve(X, y + 3.0, 0.1, model=ReLU(features=1), tol=TOL, intercept=True)
    assert solution.objective == pytest.approx(optimum, rel=1e-6)
    assert solution.dual_bound == pytest.approx(optimum, rel=1e-6)


def test_weights_of_rows_count_them():
    X, y = columns(12)
    weights, model = np.arange(12) % 3.0, ReLU(features=1)
    one = cvxnn.solve(X, y, 0.1, model=model, tol=TOL, sample_weight=weights)
    repeated = np.repeat(np.arange(12), weights.astype(int))
    other = cvxnn.solve(X[repeated], y[repeated], 0.1, model=model, tol=TOL)
    assert one.objective == pytest.approx(other.objective, rel=1e-6)
    assert one.certificate.verify(X, y, weights, network=one.network).accepted


def test_rows_of_weight_0_do_not_tell_whether_there_is_a_column_of_ones():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((12, 2)), np.ones(12)])
    y, weights = X[:, 0] ** 2, np.ones(12)
    X[3], weights[3] = 5.0, 0.0
    kept = weights > 0.0
    alone = cvxnn.solve(X[kept], y[kept], 0.1, model=ReLU(features=1))
    solution = cvxnn.solve(X, y, 0.1, model=ReLU(features=1), sample_weight=weights)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(alone.objective, rel=1e-9)
    assert solution.certificate.verify(X, y, weights, network=solution.network).accepted
    assert cvxnn.largest_beta(X, y, model=ReLU(features=1), sample_weight=weights) == pytest.approx(
        cvxnn.largest_beta(X[kept], y[kept], model=ReLU(features=1)), rel=1e-9
    )
    X[3, 0] = np.nan
    refused(lambda: cvxnn.solve(X, y, 0.1, sample_weight=weights), "X must be finite")


@with_long(
    ("kept", "features", "loss"),
    [
        ([0, 3], 1, "squared"), ([0, 1], [[0, 1]], "squared"), ([0, 1, 3], 2, "logistic"),
        ([0, 1, 3], [[0, 1]], "squared"), ([0], 1, "logistic"),
    ],
    always=2,
    ids=str,
)  # fmt: skip
def test_neurons_that_see_all_columns_are_those_of_plain_networks(kept, features, loss):
    X, y = columns(20)
    X, y = X[:, kept], targets(loss, y)
    plain = cvxnn.solve(X, y, 0.1, loss=loss, tol=TOL)
    grouped = cvxnn.solve(X, y, 0.1, model=ReLU(features=features), loss=loss, tol=TOL)
    assert grouped.status is Status.OPTIMAL
    assert grouped.objective == pytest.approx(plain.objective, rel=1e-6)
    assert grouped.dual_bound == pytest.approx(plain.dual_bound, rel=1e-6)


@with_long("features", [1, 2])
def test_the_bound_is_below_what_random_starts_find(features):
    X, y = columns(12)
    solution = cvxnn.solve(X, y, 0.1, model=ReLU(features=features), tol=TOL)
    groups = ((0, 3), (1, 3), (2, 3)) if features == 1 else ((0, 1, 3), (0, 2, 3), (1, 2, 3))
    lowest = Grouped(X[:, None], groups=groups).lowest("squared", y, 0.1, m=8)
    assert solution.dual_bound <= lowest * (1.0 + 1e-9)
    assert solution.objective <= lowest * (1.0 + 1e-6)


@with_long("n", [400, 4000])
def test_many_features_are_certified_and_neurons_see_one_each(n):
    X, y = friedman(n, 12)
    model = ReLU(features=1)
    beta = 0.01 * cvxnn.largest_beta(X, y, model=model)
    solution = cvxnn.solve(X, y, beta, model=model)
    assert solution.status is Status.OPTIMAL and solution.gap <= 1e-6
    hidden = solution.network.hidden_weights
    assert ((hidden[:, :-1] != 0.0).sum(axis=1) <= 1).all()
    report = solution.certificate.verify(X, y, network=solution.network)
    assert report.accepted and report.how == "rows of each group sorted by angle"
    assert report.bound == pytest.approx(solution.dual_bound, rel=1e-7)


@pytest.mark.long
def test_pairs_are_certified():
    X, y = friedman(100, 5)
    model = ReLU(features=2)
    beta = 0.05 * cvxnn.largest_beta(X, y, model=model)
    solution = cvxnn.solve(X, y, beta, model=model, tol=1e-5)
    assert solution.status is Status.OPTIMAL
    assert ((solution.network.hidden_weights[:, :-1] != 0.0).sum(axis=1) <= 2).all()
    mains = cvxnn.solve(X, y, beta, model=ReLU(features=1))
    assert solution.dual_bound <= solution.objective < 0.95 * mains.objective
    assert solution.certificate.verify(X, y, network=solution.network).accepted


def test_at_the_largest_beta_no_neuron_is_left():
    X, y = friedman()
    for features in (1, [[0, 1], [2]]):
        model = ReLU(features=features)
        largest = cvxnn.largest_beta(X, y, model=model)
        assert cvxnn.solve(X, y, 1.001 * largest, model=model).n_neurons == 0
        assert cvxnn.solve(X, y, 0.98 * largest, model=model).n_neurons > 0


@pytest.mark.long
def test_a_path_is_one_of_optima():
    X, y = friedman()
    path = cvxnn.regularization_path(X, y, 3, model=ReLU(features=1))
    assert (path.gaps <= 1e-6).all() and (np.diff(path.objectives) < 0.0).all()
    for beta, solution in zip(path.betas[1:], path.solutions[1:], strict=True):
        alone = cvxnn.solve(X, y, beta, model=ReLU(features=1))
        assert solution.objective == pytest.approx(alone.objective, rel=2e-6)


def test_estimators_add_the_bias():
    X, y = friedman()
    estimator = cvxnn.ConvexReLURegressor(0.1, model=ReLU(features=1)).fit(X[:, :-1], y)
    hidden = estimator.network_.hidden_weights
    assert ((hidden[:, :-1] != 0.0).sum(axis=1) <= 1).all() and hidden[:, -1].any()
    assert estimator.status_ is Status.OPTIMAL and estimator.score(X[:, :-1], y) > 0.6
    labels = np.where(y > 0.0, "up", "down")
    classifier = cvxnn.ConvexReLUClassifier(0.1, model=ReLU(features=1)).fit(X[:, :-1], labels)
    assert classifier.status_ is Status.OPTIMAL and classifier.score(X[:, :-1], labels) > 0.8


def test_a_run_that_is_cut_short_has_a_network_of_its_class():
    X, y = friedman()
    model = ReLU(features=1)
    with pytest.warns(ConvergenceWarning):
        solution = cvxnn.solve(X, y, 0.5, model=model, time_limit=1e-4)
    assert solution.status is Status.TIME_LIMIT and solution.n_neurons > 0
    assert solution.objective < 0.5 * float(y @ y)
    assert ((solution.network.hidden_weights[:, :-1] != 0.0).sum(axis=1) <= 1).all()


# ------------------------------------------------------------------ certificates


def certificate():
    X, y = friedman(100, 6)
    solution = cvxnn.solve(X, y, 0.5, model=ReLU(features=1))
    return X, y, solution


@pytest.mark.parametrize("features", [None, 2, ((0, 1), (2,), (3,), (4,), (5,))])
def test_a_certificate_of_larger_classes_proves_less(features):
    X, y, solution = certificate()
    stated = solution.certificate
    changed = replace(stated, settings={**stated.settings, "features": features})
    assert not changed.verify(X, y).accepted
    report = changed.sealed().verify(X, y)
    assert not report.accepted and "proves" in report.reason


def test_a_certificate_without_a_group_is_not_about_the_network():
    X, y, solution = certificate()
    stated = solution.certificate
    assert stated.verify(X, y, network=solution.network).accepted
    seen = [j for j in range(6) if solution.network.hidden_weights[:, j].any()]
    others = tuple((j,) for j in range(6) if j != seen[0])
    left_out = replace(stated, settings={**stated.settings, "features": others}).sealed()
    report = left_out.verify(X, y, network=solution.network)
    assert not report.accepted
    assert f"a neuron that sees the columns {seen[0]}, 6" in report.reason


def test_a_certificate_comes_back_from_its_file(tmp_path):
    X, y, _ = certificate()
    for features in (1, [[0, 1], [2]]):
        model = ReLU(features=features)
        stated = cvxnn.solve(X, y, 0.5, model=model).certificate
        read = BoundCertificate.from_bytes(stated.to_bytes())
        assert read.verify(X, y).accepted
        assert read.recorded(X, y) is read


@pytest.mark.parametrize("features", [0, True, "one", [], [[]], [[0.5]], [[-1]], [[99]]])
def test_a_certificate_of_no_features_is_refused(features):
    X, y, solution = certificate()
    stated = solution.certificate
    changed = replace(stated, settings={**stated.settings, "features": features}).sealed()
    refused(lambda: changed.verify(X, y), "The certificate has features that")


# ------------------------------------------------------------------ what does not go together


def test_what_features_exclude_is_said():
    X, y = columns()
    model = ReLU(features=1)
    refused(lambda: cvxnn.solve(X, np.column_stack([y, y]), 0.1, model=model), "has one output")
    for method in ("exact", "sampled"):
        refused(lambda m=method: cvxnn.solve(X, y, 0.1, model=model, method=m), "is trained by")


def test_a_warm_start_sees_what_the_model_says():
    X, y = columns()
    pairs = cvxnn.TwoLayerNetwork([[1.0, 1.0, 0.0, 0.0]], [1.0])
    says = "neurons that see one group of columns each .* 1 of them see more"
    refused(lambda: cvxnn.solve(X, y, 0.1, model=ReLU(features=1), warm_start=pairs), says)
    one = cvxnn.TwoLayerNetwork([[1.0, 0.0, 0.0, -0.5], [0.0, 0.0, 0.0, 1.0]], [1.0, -1.0])
    solution = cvxnn.solve(X, y, 0.1, model=ReLU(features=1), warm_start=one)
    alone = cvxnn.solve(X, y, 0.1, model=ReLU(features=1))
    assert solution.objective == pytest.approx(alone.objective, rel=2e-6)


def test_the_model_shows_its_features():
    assert repr(ReLU()) == "ReLU(slope=0.0, skip=None)"
    assert repr(ReLU(features=[[0], np.array([1, 2])])).endswith("features=((0,), (1, 2)))")
    assert ReLU().replaced(features=1) == ReLU(features=1)
