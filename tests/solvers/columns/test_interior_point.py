"""The interior-point method against Clarabel on the same blocks."""

import numpy as np
import pytest
from kkt import assert_optimal_blocks
from least_squares import least_squares
from problems import SMALL_PROBLEMS, Problem, arrangement, each_with_long, problem_named
from reference import solve_with_clarabel

from cvxnn.layers import Layer
from cvxnn.patterns import sample_patterns
from cvxnn.problems import Problem as TrainingProblem
from cvxnn.program import ConvexProgram
from cvxnn.solvers.columns.blocks import Blocks
from cvxnn.solvers.columns.interior_point import InteriorPoint, InteriorPointResult


def all_rows(program: ConvexProgram) -> np.ndarray:
    """Unit cone rows of every block: all rows of X that are not zero."""
    X = program.X[np.linalg.norm(program.X, axis=1) > 0]
    masks = program.patterns.unpack(program.block_patterns)
    signs = np.where(masks[:, np.linalg.norm(program.X, axis=1) > 0], 1.0, -1.0)
    return signs[:, :, None] * (X / np.linalg.norm(X, axis=1, keepdims=True))


def problem_of(program: ConvexProgram) -> TrainingProblem[Layer]:
    return least_squares(program.X, program.y, program.beta)


def run(program: ConvexProgram, tol: float = 1e-9) -> InteriorPointResult:
    blocks = Blocks.of(program, all_rows(program))
    return InteriorPoint(blocks, problem_of(program)).solve(tol)


def row_multipliers(program: ConvexProgram, result: InteriorPointResult) -> np.ndarray:
    """Multipliers of the rows of X as they are, from those of the unit rows."""
    lengths = np.linalg.norm(program.X, axis=1)
    out = np.zeros((program.n_blocks, len(lengths)))
    out[:, lengths > 0] = result.multipliers / lengths[lengths > 0]
    return out


def active_problems() -> list[Problem]:
    """Those where some block is not zero, so that a relative gap means something."""
    few = [p for p in SMALL_PROBLEMS if (p.n_patterns or 0) <= 100 and p.name != "beta_above_max"]
    return [p for p in few if p.y.any() and p.X.any()]


@each_with_long(active_problems())
def test_full_program_is_optimal(problem):
    program = ConvexProgram(problem.X, problem.y, problem.beta, arrangement(problem))
    result = run(program)
    # Near interpolation float64 ends before 1e-9; the method says how far it came.
    tol = max(1e-6, 20 * result.gap)
    assert result.gap <= 1e-5
    assert_optimal_blocks(program, result.z, row_multipliers(program, result), result.v, tol=tol)
    if problem.objective is not None:
        assert program.objective(result.z) == pytest.approx(problem.objective, rel=2e-6)


@pytest.mark.parametrize("n_samples", [2, 3, 40])
def test_both_factorisations_agree_with_clarabel(n_samples):
    problem = problem_named("d2_n50_beta1")
    patterns = sample_patterns(problem.X, n_samples, 0)
    program = ConvexProgram(problem.X, problem.y, problem.beta, patterns)
    over_rows = len(problem.y) < program.n_blocks * problem.X.shape[1]
    assert over_rows == (n_samples == 40)
    result = run(program)
    reference = solve_with_clarabel(program)
    assert result.gap <= 1e-9
    assert program.objective(result.z) == pytest.approx(reference.objective, rel=1e-7)
    assert program.dual_objective(result.v) == pytest.approx(reference.objective, rel=1e-7)


@pytest.mark.long
def test_filled_up_rows_change_nothing():
    problem = problem_named("d3_no_bias_n16")
    program = ConvexProgram(problem.X, problem.y, problem.beta, arrangement(problem))
    rows = all_rows(program)
    padded = np.concatenate([rows, np.zeros((len(rows), 5, rows.shape[2]))], axis=1)
    plain = run(program)
    filled = InteriorPoint(Blocks.of(program, padded), problem_of(program)).solve()
    assert program.objective(filled.z) == pytest.approx(program.objective(plain.z), rel=1e-7)


@pytest.mark.long
def test_living_blocks_have_tension_beta():
    problem = problem_named("d3_no_bias_n16")
    result = run(ConvexProgram(problem.X, problem.y, problem.beta, arrangement(problem)))
    norms = np.linalg.norm(result.z, axis=1)
    alive = norms > 1e-3 * norms.max()
    assert alive.any()
    np.testing.assert_allclose(result.tension[alive], problem.beta, rtol=1e-5)
    assert (result.tension <= problem.beta * (1 + 1e-6)).all()


def test_iteration_limit_returns_the_best_iterate():
    problem = problem_named("d3_no_bias_n16")
    program = ConvexProgram(problem.X, problem.y, problem.beta, arrangement(problem))
    blocks = Blocks.of(program, all_rows(program))
    result = InteriorPoint(blocks, problem_of(program)).solve(1e-9, max_iter=4)
    assert np.isfinite(result.z).all() and np.isfinite(result.v).all()
    assert result.gap > 1e-9
