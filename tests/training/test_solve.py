"""solve(): certified on every registered problem, honest at every early end."""

import numpy as np
import pytest
from kkt import assert_certified
from problems import PROBLEMS, each_with_long, optimum_of, problem_named
from reference import solve_with_clarabel
from sklearn.exceptions import ConvergenceWarning
from variants import with_long

from cvxnn.methods import Exact, Sampled
from cvxnn.patterns import PatternSet, enumerate_patterns, sample_patterns
from cvxnn.program import ConvexProgram
from cvxnn.results import Status
from cvxnn.training import solve


def ring() -> tuple[np.ndarray, np.ndarray]:
    problem = problem_named("d2_n50")
    return problem.X, problem.y


@each_with_long(PROBLEMS)
def test_exact_and_global_are_certified_from_both_sides(problem):
    X, y, beta = problem.X, problem.y, problem.beta
    exact, *found = (
        solve(X, y, beta, method=method, random_state=state)
        for method, state in (("exact", 0), ("global", 0), ("global", 1))
    )
    assert exact.gap == exact.program_gap <= 1e-6
    if problem.n_patterns is not None:
        assert exact.n_patterns == problem.n_patterns
    for solution in (exact, *found):
        assert solution.status is Status.OPTIMAL
        assert_certified(solution, X, y, beta, optimum=optimum_of(problem))
        # The exact method ends at its gap, the other at the last digits.
        assert found[0].objective <= solution.objective + 1e-8 * max(solution.objective, 1e-300)


@with_long("scheme", ["data", "gaussian"])
@pytest.mark.parametrize("name", ["d1_n50", "d2_n50_beta1", "d5_n10", "rank2_zero_row_n10"])
def test_sampled_solves_its_own_program(name, scheme):
    problem = problem_named(name)
    X, y, beta = problem.X, problem.y, problem.beta
    solution = solve(X, y, beta, method=Sampled(40, scheme), random_state=3)
    patterns = sample_patterns(X, 40, np.random.default_rng(3), scheme=scheme)
    assert solution.n_patterns == len(patterns)
    reference = solve_with_clarabel(ConvexProgram(X, y, beta, patterns))
    assert solution.program_gap <= 1e-6
    assert solution.objective <= reference.objective * (1 + 2e-6)
    assert_certified(solution, X, y, beta, optimum=problem.objective)


def test_sampled_beyond_enumeration_reports_a_finite_gap():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 12)), rng.standard_normal(60)
    solution = solve(X, y, 5.0, method=Sampled(60))
    assert solution.status is Status.OPTIMAL_FOR_PATTERNS
    assert 0.0 < solution.dual_bound < solution.objective
    assert_certified(solution, X, y, 5.0)


@pytest.mark.long
def test_no_seed_does_better_than_another_where_nothing_is_proven():
    # More hyperplanes than a search over their signs takes.
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((280, 11)), rng.standard_normal(280)
    with pytest.warns(ConvergenceWarning):
        first, other = (solve(X, y, 20.0, random_state=state) for state in (0, 1))
    assert other.objective == pytest.approx(first.objective, rel=1e-5)


def test_few_rows_of_high_rank_are_proven():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((25, 11)), rng.standard_normal(25)
    first, other = (solve(X, y, 4.0, random_state=state) for state in (0, 1))
    for solution in (first, other):
        assert solution.status is Status.OPTIMAL
        assert_certified(solution, X, y, 4.0)
    assert first.dual_bound <= other.objective
    assert other.dual_bound <= first.objective


def test_exact_with_an_incomplete_set_does_not_claim_optimality():
    problem = problem_named("d2_n50_beta1")
    complete = enumerate_patterns(problem.X)
    keep = np.random.default_rng(0).permutation(len(complete))[:50]
    # A set that lies about being complete: the proof of coverage must notice.
    lying = PatternSet(
        complete.packed[keep], complete.directions[keep], len(problem.X), is_complete=True
    )
    with pytest.warns(ConvergenceWarning):
        solution = solve(problem.X, problem.y, problem.beta, method=Exact(lying), max_iter=5)
    assert solution.status is not Status.OPTIMAL
    assert solution.dual_bound <= problem.objective * (1 + 1e-9)


def _many_cells() -> tuple[np.ndarray, np.ndarray]:
    """A smooth target on so many rows that neurons are searched for."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((5000, 3))
    X[:, 2] = 1.0
    noise = 0.3 * rng.standard_normal(5000)
    return X, np.sin(2.0 * X[:, 0]) + np.maximum(X[:, 1], 0.0) + noise


@with_long(
    ("make", "beta", "loss"),
    [(ring, 1.0, "squared"), (ring, 1.0, "huber"), (_many_cells, 320.0, "squared")],
)
def test_predictions_do_not_depend_on_the_random_state(make, beta, loss):
    X, y = make()
    solutions = [solve(X, y, beta, loss=loss, random_state=seed) for seed in range(2)]
    assert all(solution.status is Status.OPTIMAL for solution in solutions)
    objectives = [solution.objective for solution in solutions]
    assert np.ptp(objectives) <= 1e-8 * objectives[0]
    predictions = [solution.network.forward(X) for solution in solutions]
    assert np.ptp(predictions, axis=0).max() <= 1e-5


def test_interrupt_before_the_first_round(monkeypatch):
    def interrupt(*_: object, **__: object) -> PatternSet:
        raise KeyboardInterrupt

    monkeypatch.setattr("cvxnn.oracle.choice.enumerate_until", interrupt)
    X, y = ring()
    solution = solve(X, y, 1e-4)
    assert solution.status is Status.INTERRUPTED
    assert solution.n_neurons > 0
    assert solution.objective < 0.5 * y @ y
    assert_certified(solution, X, y, 1e-4, optimum=problem_named("d2_n50").objective)
    assert solution.dual_bound <= problem_named("d2_n50").objective


def test_sampled_network_stays_in_the_sampled_cells():
    X, y = ring()
    patterns = sample_patterns(X, 150, 0)
    solution = solve(X, y, 1e-4, method=Sampled(patterns=patterns))
    reference = solve_with_clarabel(ConvexProgram(X, y, 1e-4, patterns))
    assert solution.objective == pytest.approx(reference.objective, rel=1e-6)
    hidden = np.asarray(solution.network.hidden_weights)
    products = hidden @ X.T / np.linalg.norm(X, axis=1)
    products /= np.linalg.norm(hidden, axis=1, keepdims=True)
    signs = np.where(patterns.masks, 1.0, -1.0)
    for row in products:
        assert (signs * row).min(axis=1).max() >= -1e-7


@with_long("noise", [1e-8, 1e-10])
def test_nearly_parallel_rows_do_not_stop_the_global_method(noise):
    """Their cells are slivers, on which the program loses its digits; the exact method tells."""
    rng = np.random.default_rng(0)
    points = rng.integers(-3, 4, (25, 2)) + noise * rng.standard_normal((25, 2))
    X, y = np.column_stack([points, np.ones(25)]), rng.standard_normal(25)
    solution = solve(X, y, 0.01)
    assert solution.status is Status.OPTIMAL
    assert_certified(solution, X, y, 0.01)
