"""Quantised networks of few features against all pairs of signs, and bounds at any number."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from solvers.quantized.sign_networks import Pairs
from variants import with_long

import cvxnn
from cvxnn import Quantized, Status
from cvxnn.interrupts import UNLIMITED
from cvxnn.layers.quantized import QuantizedRows
from cvxnn.losses import SquaredLoss
from cvxnn.problems import Problem
from cvxnn.solvers.lasso.nonnegative_lasso import nonnegative_lasso
from cvxnn.solvers.quantized.program import SemidefiniteProgram


def drawn(seed, n, d, noise=0.5):
    """Rows, and targets of three pairs with noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    y = noise * rng.standard_normal(n)
    for size in rng.standard_normal(3):
        u, v = rng.choice([-1.0, 1.0], (2, d))
        y += size / d * (X @ u) * (X @ v)
    return X, y


def exhaustive(X, y, beta):
    """The optimum over all pairs, by a Lasso that knows nothing of how they are found."""
    columns = Pairs(X).columns
    columns = np.hstack([columns, -columns])
    sizes = nonnegative_lasso(columns, y, beta)
    left = y - columns @ sizes
    # Its own optimality conditions: it is right whoever has found it.
    assert (columns.T @ left).max() <= beta * (1.0 + 1e-9)
    return 0.5 * left @ left + beta * sizes.sum()


def relaxed(X, y, beta):
    """The relaxation, solved: its value, and what is proven by it."""
    problem = Problem.of(QuantizedRows(X), y, beta, SquaredLoss())
    program = SemidefiniteProgram(problem, np.random.default_rng(0))
    for _ in range(10):
        program.advance(200, UNLIMITED)
        if program.is_done:
            break
    return program, program.proof().bound(problem)


@with_long("seed", range(6), always=2)
def test_bound_optimum_and_network_are_in_order(seed):
    X, y = drawn(seed, 30, 4)
    beta = 0.1 * cvxnn.largest_beta(X, y, model="quantized")
    value = exhaustive(X, y, beta)
    solution = cvxnn.solve(X, y, beta, model="quantized", tol=1e-9)
    assert solution.status is Status.OPTIMAL
    assert solution.dual_bound <= value * (1.0 + 1e-12)
    assert value * (1.0 - 1e-12) <= solution.objective <= value * (1.0 + 1e-8)
    _, bound = relaxed(X, y, beta)
    assert 0.85 * value <= bound <= value


@with_long("d", [3, 4, 2, 5])
def test_the_relaxation_is_that_of_the_paper(d):
    cp = pytest.importorskip("cvxpy")
    X, y = drawn(d, 20, d)
    beta = 0.1 * cvxnn.largest_beta(X, y, model="quantized")
    value = Pairs(X).relaxation(cp, y, beta)
    program, bound = relaxed(X, y, beta)
    assert bound <= program.value * (1.0 + 1e-12)
    assert program.value == pytest.approx(value, rel=1e-5)
    assert bound == pytest.approx(value, rel=1e-5)


def hurried(X, y, beta, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return cvxnn.solve(X, y, beta, model="quantized", **options)


@pytest.mark.long
def test_many_features_have_a_proven_gap():
    X, y = drawn(0, 200, 50)
    beta = 0.2 * cvxnn.largest_beta(X, y, model="quantized", time_limit=0.3)
    solution = hurried(X, y, beta, method=cvxnn.Global(proof_time=0.1))
    assert solution.status is Status.STATIONARY and solution.gap < 0.2
    assert solution.advice
    report = solution.certificate.verify(X, y, network=solution.network)
    assert report.accepted and report.how == "multipliers of signs"
    assert solution.n_neurons <= 200


def test_without_certificates_there_is_a_network():
    X, y = drawn(1, 60, 20)
    beta = 0.1 * cvxnn.largest_beta(X, y, model="quantized")
    solution = hurried(X, y, beta, method=cvxnn.Global(certify=False))
    best = cvxnn.solve(X, y, beta, model="quantized")
    assert solution.status is Status.STATIONARY and best.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(best.objective, rel=1e-3)
    assert solution.dual_bound <= best.objective


@pytest.mark.parametrize("d", [5, 18])
def test_trees_and_walks_come_to_one_optimum_from_anywhere(d):
    X, y = drawn(2, 40, d)
    beta = 0.05 * cvxnn.largest_beta(X, y, model="quantized")
    first, *others = (
        cvxnn.solve(X, y, beta, model="quantized", random_state=seed) for seed in range(3)
    )
    start = cvxnn.solve(X, y, 3.0 * beta, model="quantized").network
    others.append(cvxnn.solve(X, y, beta, model="quantized", warm_start=start))
    for other in others:
        assert other.status is Status.OPTIMAL
        assert other.objective == pytest.approx(first.objective, rel=2e-6)


def test_degenerate_data():
    X, y = drawn(3, 12, 3)
    for Z, target in [
        (X[:1], y[:1]),
        (X[:, :1], y),
        (np.repeat(X[:4], 3, axis=0), y),
        (X * [1.0, 0.0, 1.0], y),
        (np.outer(X[:, 0], [1.0, 1.0, 1.0]), y),
        (X * (np.arange(12) % 2)[:, None], y),
    ]:
        solution = cvxnn.solve(Z, target, 0.1, model="quantized", tol=1e-8)
        assert solution.status is Status.OPTIMAL
        assert solution.objective == pytest.approx(exhaustive(Z, target, 0.1), rel=1e-7)


def test_an_intercept_is_a_column_without_a_price():
    X, y = drawn(4, 25, 4)
    beta = 0.1 * cvxnn.largest_beta(X, y, model="quantized")
    columns = Pairs(X).columns
    columns = np.hstack([columns, -columns])
    centred, target = columns - columns.mean(axis=0), y - y.mean()
    sizes = nonnegative_lasso(centred, target, beta)
    left = target - centred @ sizes
    value = 0.5 * left @ left + beta * sizes.sum()
    solution = cvxnn.solve(X, y + 7.0, beta, model=Quantized(), intercept=True, tol=1e-9)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(value, rel=1e-8)
    expected = 7.0 + y.mean() - columns.mean(axis=0) @ sizes
    assert solution.network.intercept == pytest.approx(expected, abs=1e-6)
    assert solution.certificate.verify(X, y + 7.0, network=solution.network).accepted
