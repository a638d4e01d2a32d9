"""Contracts of an intercept without a penalty: every model and loss, against cvxpy."""

import numpy as np
import pytest
from contracts import cases
from runs import quietly
from sentences import refused
from variants import with_long

import cvxnn
from cvxnn import Status
from cvxnn.losses import as_loss
from cvxnn.losses.offset import best_offset

# Beside a skip connection it is one more free column, which has tests of its own.
each_loss = cases.pairs(
    lambda case: case.losses,
    [case for case in cases.CASES.values() if getattr(case.model, "skip", None) is None],
    few_only=True,
    firsts_only=True,
)


@each_loss
def test_cvxpy_finds_the_same_value(case, loss):
    cp = pytest.importorskip("cvxpy")
    X, y = case.data(loss)
    if as_loss(loss).has_labels:
        # Of both kinds.
        y = np.where(np.arange(len(y)) == 0, -y[1], y)
    elif loss not in cases.COUNTS:
        y = y + 2.0
    value = case.formula(X).optimum(cp, loss, y, case.beta, intercept=True)
    for method in case.methods:
        if method == "sampled":
            continue
        solution = case.solve(loss, y=y, method=method, intercept=True)
        cases.assert_consistent(solution, X, y, loss)
        assert solution.status is Status.OPTIMAL
        assert solution.objective == pytest.approx(value, rel=1e-6)
        assert solution.dual_bound <= value * (1.0 + 1e-6)
        f = solution.network.with_intercept(0.0)(X)
        best = best_offset(as_loss(loss), f, y)
        assert solution.network.intercept == pytest.approx(best, rel=1e-6, abs=1e-6)


@pytest.mark.long
@with_long("model", ["relu", "gated", "circular_conv"])
def test_targets_that_are_shifted_shift_the_intercept(model):
    X, y = cases.draw_rows("squared", 9, 3)
    options = {"model": model, "intercept": True}
    plain = cvxnn.solve(X, y, 0.1, **options)
    moved = cvxnn.solve(X, y + 50.0, 0.1, **options)
    assert plain.status is moved.status is Status.OPTIMAL
    assert moved.objective == pytest.approx(plain.objective, rel=2e-6)
    np.testing.assert_allclose(moved.network(X), plain.network(X) + 50.0, atol=1e-3)


@with_long("loss, shift", [("squared", 1e9), ("huber", 1e6), ("squared", -1e4)], ids=str)
def test_targets_far_from_zero_have_the_neurons_and_the_proof_of_those_near_it(loss, shift):
    X, y = cases.draw_rows("squared", 8, 2)
    # So that no shift rounds them.
    y = np.round(y * 2.0**16) / 2.0**16
    options = {"loss": loss, "intercept": True, "tol": 1e-9}
    options["sample_weight"] = np.linspace(0.5, 2.0, len(y))
    plain = cvxnn.solve(X, y, 0.1, **options)
    moved = cvxnn.solve(X, y + shift, 0.1, **options)
    assert moved.status is Status.OPTIMAL and moved.gap <= 1e-9
    assert moved.objective == pytest.approx(plain.objective, rel=1e-7)
    resolution = 4.0 * np.spacing(abs(shift))
    found = [s.network.with_intercept(0.0)(X) for s in (plain, moved)]
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)
    assert moved.network.intercept - shift == pytest.approx(
        plain.network.intercept, abs=1e-5 + resolution
    )
    start = cvxnn.solve(X, y + shift, 0.1, **options, warm_start=moved.network)
    assert start.status is Status.OPTIMAL and len(start.history) <= len(moved.history)
    largest = [cvxnn.largest_beta(X, y + c, loss=loss, intercept=True) for c in (0.0, shift)]
    assert largest[1] == pytest.approx(largest[0], rel=1e-5)


@pytest.mark.parametrize("model", ["relu", "gated", "circular_conv", "linear_conv", "quantized"])
@pytest.mark.parametrize("loss", ["squared", "huber"])
@pytest.mark.parametrize(("n", "target"), [(1, 0.82), (4, -1e8), (5, 0.1)])
def test_one_target_for_all_is_fitted_exactly(model, loss, n, target):
    X = np.random.default_rng(n).standard_normal((n, 3))
    X = cvxnn.image_patches(X, 2) if model == "linear_conv" else X
    solution = cvxnn.solve(X, np.full(n, target), 0.01, model=model, loss=loss, intercept=True)
    assert solution.status is Status.OPTIMAL
    assert (solution.objective, solution.objective_error, solution.n_neurons) == (0.0, 0.0, 0)
    assert solution.network.intercept == target


def test_searches_that_neurons_lead_nowhere_begin_anew():
    X, y = [[-0.0823, -0.4809], [-1.095, 1.4481]], [-0.6013, 0.8782]
    model = cvxnn.Conv((2,), pooling="max")
    solution = cvxnn.solve(X, y, 0.25, model=model, method="exact", intercept=True)
    assert solution.status is Status.OPTIMAL and solution.n_neurons == 1


def test_circular_filters_have_no_bound_above_their_networks():
    X, y = [[-2.5276, -0.3709], [-0.6845, -0.0655]], [-0.0048, 0.6235]
    solution = cvxnn.solve(X, y, 0.004, model="circular_conv", intercept=True)
    assert solution.status is Status.OPTIMAL
    # A bound of 0.00125 once hid the network.
    assert solution.dual_bound <= solution.objective < 0.00118


def test_from_the_largest_beta_on_there_is_a_constant_only():
    X, y = cases.draw_rows("squared", 12, 3)
    largest = cvxnn.largest_beta(X, y, intercept=True)
    above = cvxnn.solve(X, y, 1.001 * largest, intercept=True)
    below = cvxnn.solve(X, y, 0.99 * largest, intercept=True)
    assert above.status is below.status is Status.OPTIMAL
    assert above.n_neurons == 0 < below.n_neurons
    assert above.network.intercept == pytest.approx(y.mean(), rel=1e-12)
    assert largest < cvxnn.largest_beta(X, y + 50.0)


@pytest.mark.long
def test_a_path_beside_an_intercept_starts_from_the_network_before():
    X, y = cases.draw_rows("logistic", 12, 2)
    path = cvxnn.regularization_path(X, y, 2, loss="logistic", intercept=True)
    assert (path.gaps <= 1e-6).all() and path.n_neurons[0] == 0
    assert (np.diff(path.objectives) <= 0.0).all()


def test_labels_of_one_kind_have_no_intercept():
    X, _ = cases.draw_rows("squared", 5, 2)
    with_ones = lambda: cvxnn.solve(X, np.ones(5), 0.1, loss="logistic", intercept=True)  # noqa: E731
    refused(with_ones, "y must have both labels -1 and 1 for an intercept, got only 1")
    weights = [1.0, 1.0, 1.0, 0.0, 0.0]
    y = [1.0, 1.0, 1.0, -1.0, -1.0]
    options = {"loss": "logistic", "intercept": True, "sample_weight": weights}
    refused(lambda: cvxnn.solve(X, y, 0.1, **options), "y must have both labels")
    refused(lambda: cvxnn.solve(X, y, 0.1, intercept="yes"), "intercept must be")


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("label", [1.0, -1.0])
def test_labels_of_one_kind_are_all_met_by_an_intercept(loss, label):
    X, y = cases.draw_rows("squared", 5, 2)[0], np.full(5, label)
    solution = cvxnn.solve(X, y, 0.1, loss=loss, intercept=True)
    assert solution.status is Status.OPTIMAL and solution.n_neurons == 0
    assert solution.objective == 0.0 == solution.dual_bound == solution.gap
    assert label * solution.network.intercept >= 1.0
    assert solution.certificate.verify(X, y, network=solution.network).accepted
    assert cvxnn.largest_beta(X, y, loss=loss, intercept=True) == 0.0


def test_a_run_that_is_cut_short_has_the_best_intercept():
    X, y = cases.draw_rows("squared", 400, 6)
    y = y + 10.0
    solution = quietly(cvxnn.solve, X, y, 0.1, intercept=True, time_limit=1e-3)
    cases.assert_consistent(solution, X, y)
    constant = 0.5 * float(((y - y.mean()) ** 2).sum())
    assert solution.objective < constant
    assert solution.dual_bound >= 0.0
