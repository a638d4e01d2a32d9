"""The search in rank two against stored optima, Clarabel, and the oracle over cells."""

import numpy as np
import pytest
from least_squares import assert_claims, least_squares, network_of
from problems import PROBLEMS, Problem, optimum_of, problem_ids, problem_named, with_bias
from reference import solve_with_clarabel
from variants import with_long

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.patterns import enumerate_patterns
from cvxnn.program import ConvexProgram
from cvxnn.solvers.planar.rank_two_search import RankTwoSearch

PLANAR = [p for p in PROBLEMS if np.linalg.matrix_rank(p.X) <= 2]


def search_to(
    X: FloatArray, y: FloatArray, beta: float, tol: float = 1e-6, most: int = 60
) -> RankTwoSearch:
    """Run a search to its end; it has to make progress in the right direction."""
    search = RankTwoSearch(least_squares(X, y, beta))
    for _ in range(most):
        if search.gap <= tol:
            break
        objective, bound = search.objective, search.bound
        search.step(tol)
        assert search.objective <= objective and search.bound >= bound
    assert search.gap <= tol
    search.finish(tol, quick=False)
    assert search.gap <= tol
    return search


def wave(n: int, seed: int = 3) -> tuple[FloatArray, FloatArray]:
    """A noisy wave with a jump over one feature, and a bias."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2.0, 2.0, n)
    y = np.sin(4.0 * x) + 0.5 * np.sign(x) + 0.3 * rng.standard_normal(n)
    return with_bias(x), y


def largest_beta(X: FloatArray, y: FloatArray) -> float:
    """From here on the empty network is optimal."""
    return RankTwoSearch(least_squares(X, y, 1.0)).oracle.price(y[:, None]).bound


@pytest.mark.parametrize("problem", PLANAR, ids=problem_ids)
def test_the_registry(problem):
    search = search_to(problem.X, problem.y, problem.beta)
    assert search.objective == pytest.approx(optimum_of(problem), rel=1e-8)
    assert_claims(search, problem, 1e-7)


@pytest.mark.parametrize("seed", range(12))
def test_clarabel_finds_nothing_better(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 16))
    x = rng.standard_normal(n)
    rows = [
        with_bias(x),
        rng.standard_normal((n, 2)),
        with_bias(rng.integers(-3, 4, n).astype(float)),
        rng.standard_normal((n, 2)) @ rng.standard_normal((2, 3)),
        rng.integers(-2, 3, (n, 2)).astype(float),
        np.column_stack([with_bias(x), np.full(n, 2.0)]),
    ]
    X, y = rows[seed % 6], rng.standard_normal(n)
    beta = largest_beta(X, y) * 10.0 ** rng.uniform(-3.0, 0.0)
    search = search_to(X, y, beta)
    program = ConvexProgram(X, y, beta, enumerate_patterns(X))
    assert search.objective == pytest.approx(solve_with_clarabel(program).objective, rel=1e-6)
    assert_claims(search, Problem("", X, y, beta), 1e-7)


@pytest.mark.parametrize("share", [1e-1, 1e-2, 1e-3, 1e-4])
def test_many_rows(share):
    X, y = wave(5000)
    beta = share * largest_beta(X, y)
    search = search_to(X, y, beta, most=15)
    network = network_of(search)
    assert network.objective(X, y, beta) == pytest.approx(search.objective, rel=1e-12)
    activations = np.maximum(X @ np.asarray(network.hidden_weights).T, 0.0)
    assert np.linalg.matrix_rank(activations) == activations.shape[1]
    # The plain residual, priced where there are kinks: no direction may beat the bound.
    largest = search.oracle.price(search.dual_point[:, None]).bound
    rays = np.column_stack([np.ones(len(X)), -X[:, 0]])[::17]
    units = np.vstack([rays, -rays]) / np.tile(np.linalg.norm(rays, axis=1), 2)[:, None]
    assert np.abs(np.maximum(X @ units.T, 0.0).T @ search.dual_point).max() <= largest


@with_long("seed", range(4))
def test_near_interpolation(seed):
    rng = np.random.default_rng(seed)
    X, y = with_bias(rng.standard_normal(60)), np.sign(rng.standard_normal(60))
    beta = 1e-5 * largest_beta(X, y)
    search = search_to(X, y, beta)
    assert_claims(search, Problem("", X, y, beta), 1e-7)


def test_the_order_of_the_rows_does_not_matter_and_runs_repeat():
    X, y = wave(3000)
    beta = 1e-3 * largest_beta(X, y)
    order = np.random.default_rng(0).permutation(len(y))
    first, again = search_to(X, y, beta), search_to(X, y, beta)
    np.testing.assert_array_equal(first.neurons.directions, again.neurons.directions)
    np.testing.assert_array_equal(first.neurons.sizes, again.neurons.sizes)
    shuffled = search_to(X[order], y[order], beta)
    assert shuffled.objective == pytest.approx(first.objective, rel=1e-9)
    np.testing.assert_array_equal(shuffled.dual_point[np.argsort(order)], first.dual_point)


def test_a_quick_end_and_a_passed_deadline_leave_a_valid_network():
    problem = problem_named("d1_n50")
    search = RankTwoSearch(
        least_squares(problem.X, problem.y, problem.beta), deadline=Deadline(0.0)
    )
    for _ in range(3):
        search.step(1e-6)
    search.finish(1e-6, quick=True)
    assert_claims(search, problem, 1e-7)
    assert search.bound <= problem.objective <= search.objective
