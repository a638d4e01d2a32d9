"""Rank two where float64 runs out of digits, checked in exact rational arithmetic.

Offsets far from zero, units far apart, targets with an offset, tiny beta.
"""

import numpy as np
import pytest
import rational
from least_squares import least_squares
from problems import with_bias
from variants import with_long

import cvxnn
from cvxnn.array_types import FloatArray
from cvxnn.layers.rows import power_of_two
from cvxnn.oracle import RankTwoOracle
from cvxnn.solvers.planar.rank_two_search import RankTwoSearch

Problem = tuple[FloatArray, FloatArray, float]


def fourth_power() -> Problem:
    x = np.linspace(-100.0, 100.0, 201)
    return with_bias(x), x**4, 1.0


def year_of_days(n: int) -> Problem:
    rng = np.random.default_rng(0)
    day = rng.integers(0, 365, n)
    y = 100.0 + 5.0 * np.sin(day / 50.0) + rng.standard_normal(n)
    return with_bias(1.7e9 + 86400.0 * day), y, 0.01


def offset_problem(kind: str, n: int) -> Problem:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, n))
    X, share = {
        "seconds of a year": (with_bias(1.7e9 + rng.integers(0, 31536000, n)), 1e-16),
        "seconds of an hour": (with_bias(1.7e9 + rng.integers(0, 3600, n)), 1e-19),
        "milliseconds of a year": (with_bias(1.7e12 + rng.integers(0, 31536000000, n)), 1e-19),
        "prices": (with_bias(1e5 + a), 1e-14),
        "years": (with_bias(rng.integers(1900, 2021, n)), 1e-10),
        "two prices": (np.column_stack([1e6 + a, 1e6 + b]), 1e-12),
        "of opposite sign": (np.column_stack([1e6 + a, -1e6 - b]), 1e-12),
        "units far apart": (np.column_stack([1e9 * a, 1e-9 * b]), 1e-4),
    }[kind]
    position = (X[:, 0] - X[:, 0].min()) / np.ptp(X[:, 0])
    y = 100.0 + 5.0 * np.sin(7.0 * position) + rng.standard_normal(n)
    return X, y, share * RankTwoOracle(X).price(y[:, None]).bound


OFFSETS = (
    "seconds of a year", "seconds of an hour", "milliseconds of a year", "prices", "years",
    "two prices", "of opposite sign", "units far apart",
)  # fmt: skip


def check(X: FloatArray, y: FloatArray, beta: float, tol: float = 1e-6) -> cvxnn.Solution:
    """`solve` ends OPTIMAL, and the gap is what it says in exact arithmetic."""
    solution = cvxnn.solve(X, y, beta)
    assert solution.status is cvxnn.Status.OPTIMAL
    network = solution.network
    hidden, output = np.asarray(network.hidden_weights), np.asarray(network.output_weights)
    exact = rational.objective(hidden, output, X, y, beta)
    # Weights of neurons on rows far from the origin cancel: float64 sees this much.
    assert solution.objective == pytest.approx(float(exact), rel=0.1 * tol)
    assert solution.dual_bound <= exact
    # The proof itself, found again in the units of the search: powers of two.
    units = power_of_two(X), power_of_two(y)
    rows, target, scaled = X / units[0], y / units[1], beta / units[0] / units[1]
    search = RankTwoSearch(least_squares(rows, target, scaled))
    while search.gap > tol and search.stalled < 3.0:
        search.step(tol)
    bound = rational.bound(rows, target, scaled, search.dual_point)
    assert search.bound <= bound
    assert float((exact - bound * int(units[1] ** 2 * 2**40) / 2**40) / exact) <= tol
    return solution


@pytest.mark.long
def test_small_beta_and_large_targets():
    assert check(*fourth_power()).objective == pytest.approx(588119381.6, rel=1e-8)


@with_long(("n", "expected"), [(500, 305.016236), (5000, 2579.29430)])
def test_timestamps(n, expected):
    assert check(*year_of_days(n)).objective == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", OFFSETS)
@with_long("n", [60, 3000])
def test_offsets(kind, n):
    check(*offset_problem(kind, n))


def test_targets_far_from_zero():
    rng = np.random.default_rng(2)
    x = rng.uniform(-2.0, 2.0, 3000)
    check(with_bias(x), 1e6 + np.sin(4.0 * x) + 0.3 * rng.standard_normal(3000), 1.0)


def test_exact_agrees_where_it_can():
    X, y, beta = offset_problem("years", 60)
    exact = cvxnn.solve(X, y, 100.0 * beta, method="exact")
    assert exact.status is cvxnn.Status.OPTIMAL
    assert check(X, y, 100.0 * beta).objective == pytest.approx(exact.objective, rel=1e-6)


@pytest.mark.parametrize("kind", OFFSETS)
@pytest.mark.parametrize("orthogonal", [False, True])
def test_the_oracle_is_exact(kind, orthogonal):
    X = offset_problem(kind, 30)[0]
    v = np.random.default_rng(3).standard_normal(len(X))
    if orthogonal:
        # As at an optimum: what is left of the sums over all rows is rounding.
        Q = np.linalg.qr(X)[0]
        v -= Q @ (Q.T @ v)
    exact = rational.largest(X, v)
    assert (
        exact * (1.0 - 1e-15) <= RankTwoOracle(X).price(v[:, None]).bound <= exact * (1.0 + 1e-10)
    )


def test_few_cells_help_where_moments_fail():
    X = np.array([[-43.368363, -25.532169], [-1.58e-05, 1.551e-05], [0.256857, 0.114729],
                  [0.002515, -0.001507]])  # fmt: skip
    y = np.array([999998.31, 1000000.93, 999999.89, 999998.59])
    solution = cvxnn.solve(X, y, 6.42)
    assert solution.status is cvxnn.Status.OPTIMAL
    network = solution.network
    hidden, output = np.asarray(network.hidden_weights), np.asarray(network.output_weights)
    assert solution.dual_bound <= rational.objective(hidden, output, X, y, 6.42)
    exact = cvxnn.solve(X, y, 6.42, method="exact")
    assert solution.objective == pytest.approx(exact.objective, rel=1e-6)
