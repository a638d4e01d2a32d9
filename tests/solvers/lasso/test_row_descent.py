"""Coordinate descent over rows against the group Lasso in cvxpy."""

import cvxpy
import numpy as np
import pytest

from cvxnn.solvers.lasso.coordinate_descent import swept
from cvxnn.solvers.lasso.row_descent import rows_swept


def drawn(seed, k=6, c=3):
    rng = np.random.default_rng(seed)
    columns = rng.standard_normal((20, k))
    return columns.T @ columns, 8.0 * rng.standard_normal((k, c)), rng.standard_normal((k, c))


def objective(gram, target, beta, rows):
    smooth = 0.5 * np.vdot(rows, gram @ rows) - np.vdot(target, rows)
    return smooth + beta * np.linalg.norm(rows, axis=1).sum()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("beta", [2.0, 12.0])
def test_the_optimum_of_cvxpy(seed, beta):
    gram, target, start = drawn(seed)
    found = rows_swept(gram, target, beta, start, sweeps=10_000, enough=0.0)
    C = cvxpy.Variable(target.shape)
    root = np.linalg.cholesky(gram).T
    smooth = 0.5 * cvxpy.sum_squares(root @ C) - cvxpy.sum(cvxpy.multiply(target, C))
    program = cvxpy.Problem(cvxpy.Minimize(smooth + beta * cvxpy.sum(cvxpy.norm(C, axis=1))))
    program.solve(solver="CLARABEL")
    assert objective(gram, target, beta, found) == pytest.approx(program.value, rel=1e-6)
    np.testing.assert_allclose(found, C.value, atol=1e-3)


def test_sweeps_lower_the_objective_and_stop_where_they_gain_little():
    gram, target, start = drawn(0)
    values = [objective(gram, target, 2.0, start)]
    for sweeps in range(1, 6):
        rows = rows_swept(gram, target, 2.0, start, sweeps=sweeps, enough=0.0)
        values.append(objective(gram, target, 2.0, rows))
    assert (np.diff(values) <= 1e-12).all()
    gain = values[0] - values[1]
    one = rows_swept(gram, target, 2.0, start, sweeps=9, enough=gain * (1.0 + 1e-9))
    np.testing.assert_array_equal(one, rows_swept(gram, target, 2.0, start, sweeps=1, enough=0.0))


def test_rows_of_one_entry_are_the_lasso_where_signs_are_known():
    gram, target, _ = drawn(1, c=1)
    none = np.zeros_like(target)
    rows = rows_swept(gram, target, 2.0, none, sweeps=10_000, enough=0.0)[:, 0]
    signs = np.where(rows < 0.0, -1.0, 1.0)
    sizes = swept(
        gram * np.outer(signs, signs), signs * target[:, 0] - 2.0, none[:, 0],
        sweeps=10_000, enough=0.0,
    )  # fmt: skip
    np.testing.assert_allclose(rows, signs * sizes, atol=1e-9)


def test_a_column_of_zeros_keeps_its_row():
    gram = np.diag([1.0, 0.0])
    rows = rows_swept(gram, np.zeros((2, 2)), 1.0, np.ones((2, 2)), sweeps=5, enough=0.0)
    np.testing.assert_array_equal(rows, [[0.0, 0.0], [1.0, 1.0]])
