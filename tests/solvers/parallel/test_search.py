"""Certified networks of three layers against all blocks, local search and closed forms."""

import numpy as np
import pytest
from solvers.parallel.three_layers import (
    descended,
    drawn,
    noisy_tent,
    optimum_of_blocks,
    plain_objective,
    problem_of,
    solved,
)
from variants import with_long

import cvxnn
from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.solvers.parallel.strategy import ParallelStrategy


@with_long("seed", range(3))
def test_the_optimum_is_that_of_the_program_of_all_blocks(seed):
    X, y = drawn(seed, n=4)
    beta = 0.05 * cvxnn.largest_beta(X, y)
    search, reference = solved(X, y, beta), optimum_of_blocks(X, y, beta)
    assert search.gap <= 1e-6
    # The program has two hidden units in each, and four rows need no more here.
    assert search.bound <= reference * (1.0 + 1e-6)
    assert search.objective == pytest.approx(reference, rel=2e-6)


@with_long("seed", range(5))
def test_small_problems_are_certified_and_no_local_search_is_below(seed):
    X, y = drawn(seed)
    beta = 0.03 * cvxnn.largest_beta(X, y)
    search = solved(X, y, beta)
    assert search.gap <= 1e-6 and search.bound <= search.objective
    assert search.objective == pytest.approx(plain_objective(X, y, beta, search.neurons), rel=1e-10)
    assert search.bound == search.proof.bound(problem_of(X, y, beta))
    assert len(search.neurons) <= len(y)
    starts = 20 if seed else 8
    best = min(descended(X, y, beta, 8, 3, start) for start in range(starts))
    assert best >= search.bound * (1.0 - 1e-9)


@pytest.mark.long
def test_depth_helps_on_a_tent():
    X, y = noisy_tent(10)
    two = cvxnn.solve(X, y, beta=0.02)
    search = solved(X, y, 0.02, tol=1e-4)
    assert search.gap <= 1e-4
    assert search.objective < 0.97 * two.dual_bound


def test_targets_of_one_sign_need_two_layers_only():
    # v'(g)_+ <= v'p for v >= 0: depth does not help where the residual has one sign.
    X = np.array([[1.0, 0.2], [0.3, 1.0], [1.0, 1.0]])
    y = np.array([1.0, 2.0, 2.5])
    beta = 0.5 * cvxnn.largest_beta(X, y)
    two, search = cvxnn.solve(X, y, beta=beta), solved(X, y, beta)
    assert search.objective == pytest.approx(two.objective, rel=1e-6)
    assert search.bound <= two.objective


@with_long(
    "change",
    ["zero rows", "equal rows", "one row", "one feature", "rank one", "tall column"],
    always=2,
)
def test_degenerate_rows_are_certified(change):
    X, y = drawn(3, n=5)
    if change == "zero rows":
        X[1] = 0.0
    elif change == "equal rows":
        X[1] = X[0]
    elif change == "one row":
        X, y = X[:1], y[:1]
    elif change == "one feature":
        X = X[:, :1]
    elif change == "rank one":
        X = X[:, :1] * np.array([1.0, 2.0, -1.0])
    else:
        X[:, 0] *= 1e3
    beta = 0.1 * cvxnn.largest_beta(X, y)
    search = solved(X, y, beta, tol=1e-5)
    assert search.gap <= 1e-5
    best = min(descended(X, y, beta, 6, 2, start) for start in range(5))
    assert best >= search.bound * (1.0 - 1e-9)


def test_more_features_than_rows():
    X, y = drawn(5, n=5, d=8)
    search = solved(X, y, 0.1 * cvxnn.largest_beta(X, y), tol=1e-4)
    assert search.gap <= 1e-4


@with_long("power", [-60, 60])
def test_powers_of_two_change_nothing(power):
    X, y = drawn(1, n=5)
    beta = 0.1 * cvxnn.largest_beta(X, y)
    unit = 2.0**power
    scaled, units = problem_of(unit * X, y / unit, beta).in_units()
    plain, _ = problem_of(X, y, beta).in_units()
    np.testing.assert_array_equal(scaled.rows.X, plain.rows.X)
    np.testing.assert_array_equal(scaled.Y, plain.Y)
    assert scaled.beta == pytest.approx(plain.beta, rel=1e-15)
    search = solved(plain.rows.X, plain.y, plain.beta)
    restored = units.restored(search.neurons)
    value = plain_objective(unit * X, y / unit, beta, restored)
    assert value == pytest.approx(search.objective * units.objective, rel=1e-10)


def test_a_beta_above_the_largest_leaves_nothing():
    X, y = drawn(2, n=5)
    strategy = ParallelStrategy(problem_of(X, y, 10.0), np.random.default_rng(0))
    search = solved(X, y, 10.0)
    assert len(search.neurons) == 0 == len(strategy.nothing())
    assert search.gap <= 1e-6


def test_a_deadline_ends_the_search_with_a_network_and_a_bound():
    X, y = noisy_tent(14)
    strategy = ParallelStrategy(problem_of(X, y, 0.01), np.random.default_rng(0))
    search = strategy.open(Deadline(0.4))
    with pytest.raises(OutOfTimeError):
        for _ in range(10_000):
            search.step(1e-9)
    assert search.bound <= search.objective
    assert search.objective <= problem_of(X, y, 0.01).value(np.zeros(14))
    first = strategy.first_proof()
    assert first.bound(problem_of(X, y, 0.01)) <= search.objective
    assert len(strategy.opening()) > 0
