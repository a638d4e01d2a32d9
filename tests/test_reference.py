"""The two reference solvers against each other, stored optima, and the KKT conditions."""

from dataclasses import replace
from functools import cache

import numpy as np
import problems
import pytest
from kkt import assert_certified, assert_optimal_blocks
from reference import solve_with_clarabel, solve_with_cvxpy
from runs import made_solution

from cvxnn.errors import InputError
from cvxnn.losses import HuberLoss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.patterns import PatternSet
from cvxnn.program import ConvexProgram
from cvxnn.results import Status

small_problems = problems.each_with_long(problems.SMALL_PROBLEMS)


def program_of(name, *blocks, **options):
    """The program on all patterns of a problem, or some blocks of it."""
    problem = problems.problem_named(name)
    patterns = problems.arrangement(problem)
    return ConvexProgram(problem.X, problem.y, problem.beta, patterns, *blocks, **options)


@cache
def _clarabel(name):
    return solve_with_clarabel(program_of(name))


@small_problems
def test_number_of_patterns(problem):
    assert len(problems.arrangement(problem)) == problem.n_patterns


@small_problems
def test_clarabel_is_optimal(problem):
    solution = _clarabel(problem.name)
    assert solution.status == "Solved" and solution.iterations > 0 and solution.seconds > 0.0
    program = program_of(problem.name)
    assert_optimal_blocks(program, solution.Z, solution.multipliers, solution.v, tol=1e-7)
    assert solution.objective == program.objective(solution.Z)
    assert solution.dual_objective == program.dual_objective(solution.v)


@problems.each_with_long([p for p in problems.SMALL_PROBLEMS if p.objective is not None])
def test_known_optimum(problem):
    np.testing.assert_allclose(
        _clarabel(problem.name).objective, problem.objective, rtol=1e-7, atol=1e-12
    )


@small_problems
def test_cvxpy_agrees(problem):
    pytest.importorskip("cvxpy")
    program = program_of(problem.name)
    solution = solve_with_cvxpy(program)
    assert solution.status == "optimal"
    assert_optimal_blocks(program, solution.Z, solution.multipliers, solution.v, tol=1e-7)
    np.testing.assert_allclose(
        solution.objective, _clarabel(problem.name).objective, rtol=1e-7, atol=1e-12
    )


@small_problems
def test_recovered_network_has_the_objective_of_the_program(problem):
    """Theorem 1: (2) at the network of (6a), (6b) is (5) at the blocks."""
    solution = _clarabel(problem.name)
    network = program_of(problem.name).recover(solution.Z)
    hidden, output = network.hidden_weights, network.output_weights
    residual = np.maximum(problem.X @ hidden.T, 0.0) @ output - problem.y
    penalty = 0.5 * problem.beta * ((hidden**2).sum() + (output**2).sum())
    np.testing.assert_allclose(
        0.5 * residual @ residual + penalty, solution.objective, rtol=1e-6, atol=1e-12
    )


def test_another_solver_behind_cvxpy():
    pytest.importorskip("cvxpy")
    program = program_of("wide")
    solution = solve_with_cvxpy(program, solver="SCS", tol=1e-6)
    assert_optimal_blocks(program, solution.Z, solution.multipliers, solution.v, tol=1e-3)


def test_blocks_in_any_order_and_number():
    problem = problems.problem_named("duplicated_rows")
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, problem.n_patterns, size=15)
    signs = rng.choice([-1.0, 1.0], size=15)
    program = program_of(problem.name, blocks, signs)
    solution = solve_with_clarabel(program)
    assert solution.Z.shape == (15, 3)
    assert_optimal_blocks(program, solution.Z, solution.multipliers, solution.v, tol=1e-7)
    assert solution.objective >= _clarabel(problem.name).objective


def test_no_blocks():
    problem = problems.problem_named("constant_y")
    solution = solve_with_clarabel(program_of("constant_y", np.zeros(0, dtype=int), np.zeros(0)))
    assert solution.Z.shape == (0, 3) and solution.multipliers.shape == (0, 8)
    np.testing.assert_allclose(solution.objective, 0.5 * problem.y @ problem.y)
    np.testing.assert_allclose(solution.v, problem.y)


def test_iteration_limit_still_returns_a_point():
    solution = solve_with_clarabel(program_of("grid_3x3"), max_iter=2)
    assert solution.status == "MaxIterations" and solution.iterations == 2
    assert np.isfinite(solution.Z).all()


@pytest.mark.parametrize("solve", [solve_with_clarabel, solve_with_cvxpy])
def test_other_losses_are_refused(solve):
    program = program_of("wide", loss=HuberLoss())
    with pytest.raises(InputError, match=r"SquaredLoss only, got HuberLoss"):
        solve(program)


def test_unknown_cvxpy_solver_is_refused():
    with pytest.raises(InputError, match=r"solver must be one of .*CLARABEL.*, got 'NONE'"):
        solve_with_cvxpy(program_of("wide"), solver="NONE")


WRONG = {
    "Z": lambda Z, multipliers, v: (1.01 * Z, multipliers, v),
    "Z negative": lambda Z, multipliers, v: (-Z, multipliers, v),
    "v": lambda Z, multipliers, v: (Z, multipliers, 0.99 * v),
    "multipliers": lambda Z, multipliers, v: (Z, multipliers + 0.01, v),
    "multipliers negative": lambda Z, multipliers, v: (Z, multipliers - 0.01, v),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_checker_refuses_blocks_that_are_not_optimal(wrong):
    solution = _clarabel("duplicated_rows")
    changed = wrong(solution.Z, solution.multipliers, solution.v)
    with pytest.raises(AssertionError):
        assert_optimal_blocks(program_of("duplicated_rows"), *changed, tol=1e-7)


def one_row_solution():
    """The optimum of one row in closed form: ``f = y - beta / ||x||``, one neuron along x."""
    problem = problems.problem_named("one_row")
    x = problem.X[0]
    length = float(np.linalg.norm(x))
    weight = np.sqrt((problem.y[0] - problem.beta / length) / length)
    network = TwoLayerNetwork(weight * x[None] / length, np.array([weight]))
    bound = problem.objective * (1.0 - 1e-8)
    figures = {"beta": problem.beta, "n_patterns": 2, "program_gap": 1e-8}
    solution = made_solution(network, problem.objective, bound, status=Status.OPTIMAL, **figures)
    return problem, solution


def test_checker_accepts_a_true_certificate():
    problem, solution = one_row_solution()
    assert_certified(solution, problem.X, problem.y, problem.beta, optimum=problem.objective)


@pytest.mark.parametrize(
    "claim",
    [
        {"objective": 0.19}, {"dual_bound": 0.196}, {"dual_bound": 0.19},
        {"dual_bound": float("nan")}, {"beta": 0.4},
        {"network": TwoLayerNetwork([[3.0, -4.0]], [1.0])},
    ],
    ids=lambda claim: next(iter(claim)),
)  # fmt: skip
def test_checker_refuses_a_false_certificate(claim):
    problem, solution = one_row_solution()
    false = replace(solution, **claim)
    with pytest.raises(AssertionError):
        assert_certified(false, problem.X, problem.y, problem.beta, optimum=0.195)


def test_checker_refuses_dependent_and_unbalanced_neurons():
    problem, solution = one_row_solution()
    hidden, output = solution.network.hidden_weights, solution.network.output_weights
    half = np.sqrt(0.5)
    X, y = np.vstack([problem.X, np.zeros((1, 2))]), np.append(problem.y, 0.0)
    assert_certified(solution, X, y, problem.beta)
    split = TwoLayerNetwork(half * np.vstack([hidden, hidden]), half * np.tile(output, 2))
    with pytest.raises(AssertionError):
        assert_certified(replace(solution, network=split), X, y, problem.beta)
    network = TwoLayerNetwork(2.0 * hidden, 0.5 * output)
    squares = (network.hidden_weights**2).sum() + (network.output_weights**2).sum()
    fit = problem.objective - problem.beta * output[0] ** 2
    figures = {"objective": float(fit + 0.5 * problem.beta * squares), "network": network}
    worse = replace(solution, status=Status.ITERATION_LIMIT, **figures)
    with pytest.raises(AssertionError, match="Not equal to tolerance rtol=1e-09"):
        assert_certified(worse, X, y, problem.beta)


# The brute force itself: it decides what the library's enumeration is measured by.


@pytest.mark.parametrize(
    ("n", "d"), [(1, 1), (1, 3), (2, 2), (3, 5), (6, 2), (7, 3), (7, 4), (6, 5)]
)
def test_brute_force_in_general_position(n, d):
    X = np.random.default_rng(10 * n + d).standard_normal((n, d))
    assert len(problems.brute_force_patterns(X)) == problems.cover(n, min(n, d))


@pytest.mark.parametrize("d", [2, 3])
def test_brute_force_misses_no_random_pattern(d):
    rng = np.random.default_rng(d)
    X = rng.integers(-2, 3, size=(9, d)).astype(float)
    found = PatternSet.from_directions(X, rng.standard_normal((20_000, d)))
    masks, directions = problems.brute_force_cells(X)
    assert {row.tobytes() for row in found.packed} == problems.brute_force_patterns(X)
    assert np.array_equal(directions @ X.T > 0, masks)


def test_problems_have_distinct_names():
    assert len({problem.name for problem in problems.PROBLEMS}) == len(problems.PROBLEMS)
