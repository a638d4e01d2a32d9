"""Networks of three layers through the face: losses, weights, intercepts and certificates."""

import cvxpy as cp
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from solvers.parallel.three_layers import drawn, optimum_of_blocks
from variants import with_long

import cvxnn
from cvxnn import Parallel


def logistic(f, y):
    return cp.sum(cp.logistic(cp.multiply(-y, f)))


def huber(f, y):
    # cvxpy has twice the usual function.
    return 0.5 * cp.sum(cp.huber(f - y, 0.5))


def poisson(f, y):
    # Up to a function of y, half of a deviance.
    return cp.sum(cp.exp(f) - cp.multiply(y, f))


def targets(name, y):
    return {"logistic": np.where(y > 0.0, 1.0, -1.0), "poisson": np.round(np.abs(2.0 * y))}.get(
        name, y
    )


def poisson_constant(y):
    return float(sum(t * np.log(t) - t for t in y if t > 0.0))


CASES = [
    ("logistic", logistic, "logistic", False),
    ("huber", huber, cvxnn.HuberLoss(0.5), False),
    ("absolute", lambda f, y: cp.norm1(f - y), "absolute", False),
    ("poisson", poisson, "poisson", True),
    ("squared", lambda f, y: 0.5 * cp.sum_squares(f - y), "squared", True),
]


@with_long("name, program, loss, intercept", CASES, ids=lambda case: case[0])
def test_the_optimum_is_that_of_the_program_of_all_blocks(name, program, loss, intercept):
    X, y = drawn(7, n=4)
    y, beta, tol = targets(name, y), 0.05, 1e-5
    solution = cvxnn.solve(X, y, beta, model=Parallel(), loss=loss, intercept=intercept, tol=tol)
    reference = optimum_of_blocks(X, y, beta, program, intercept)
    if name == "poisson":
        reference += poisson_constant(y)
    assert solution.status is cvxnn.Status.OPTIMAL
    assert solution.objective == pytest.approx(reference, rel=3.0 * tol, abs=1e-6)
    assert solution.dual_bound <= reference + 1e-7
    report = solution.certificate.verify(X, y, network=solution.network)
    assert report.accepted, str(report)


@pytest.mark.long
def test_weights_are_repetitions_and_weights_of_zero_are_nothing():
    X, y = drawn(8, n=4)
    weighted = cvxnn.solve(X, y, 0.05, model="parallel", sample_weight=[2.0, 1.0, 0.0, 1.0])
    rows = [0, 0, 1, 3]
    repeated = cvxnn.solve(X[rows], y[rows], 0.05, model="parallel")
    assert weighted.objective == pytest.approx(repeated.objective, rel=2e-6)


def test_a_changed_certificate_is_refused(tmp_path):
    X, y = drawn(0, n=5)
    solution = cvxnn.solve(X, y, 0.05, model="parallel")
    path = tmp_path / "certificate.npz"
    solution.certificate.save(path)
    certificate = cvxnn.load_certificate(path)
    assert certificate.verify(X, y, network=solution.network).accepted
    assert not certificate.verify(X, 2.0 * y).accepted
    biased = cvxnn.ParallelNetwork(
        np.ones((1, 1, 2)), np.ones((1, 1)), [1.0], inner_biases=np.array([1.0])
    )
    report = certificate.verify(X, y, network=biased)
    assert not report.accepted and "has biases" in report.reason


@pytest.mark.long
def test_a_time_limit_and_a_path():
    X, y = drawn(1, n=12)
    with pytest.warns(ConvergenceWarning, match="time_limit"):
        solution = cvxnn.solve(X, y, 1e-3, model="parallel", time_limit=0.2, tol=1e-9)
    assert solution.dual_bound <= solution.objective
    assert not solution.status.is_success
    path = cvxnn.regularization_path(X[:5], y[:5], 3, model="parallel")
    assert (path.gaps <= 1e-6).all() and path.solutions[0].n_neurons == 0
