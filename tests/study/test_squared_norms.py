"""The program with squared norms against closed forms, and the paper's table 2."""

import numpy as np
import pytest

from cvxnn.errors import InputError
from cvxnn.patterns import enumerate_patterns
from cvxnn.study.experiments import minimise_squared_norms
from cvxnn.study.outcomes import DATA_SEED, OPTIMAL_OBJECTIVES, TABLE_BETA, StudyError
from cvxnn.study.paper_data import five_points, line


def solved(X, y, beta):
    return minimise_squared_norms(X, y, beta, enumerate_patterns(X))


def test_one_row_has_a_closed_form():
    # One pattern is active: min_z 1/2 (x z - y)^2 + beta z^2 = beta y^2 / (x^2 + 2 beta).
    x, y, beta = 3.0, 2.0, 0.7
    optimum = solved(np.array([[x]]), np.array([y]), beta)
    z = x * y / (x**2 + 2 * beta)
    assert optimum.value == pytest.approx(beta * y**2 / (x**2 + 2 * beta), rel=1e-9)
    assert optimum.residual == pytest.approx(0.5 * (x * z - y) ** 2, rel=1e-6)
    assert optimum.network_objective == pytest.approx(optimum.residual + beta * z, rel=1e-5)


def test_a_projected_gradient_method_agrees():
    """On one feature a cone is a half-line, and projecting onto it is easy."""
    rng = np.random.default_rng(0)
    X, y, beta = rng.normal(size=(6, 1)), rng.normal(size=6), 0.3
    # Blocks (x)_+ and (-x)_+, each with both signs: a ridge regression of 4 weights >= 0.
    columns = np.column_stack([np.maximum(X, 0), np.maximum(-X, 0)])
    A = np.column_stack([columns, -columns])
    z, step = np.zeros(4), 1.0 / (np.linalg.norm(A, 2) ** 2 + 2 * beta)
    for _ in range(2000):
        z = np.maximum(z - step * (A.T @ (A @ z - y) + 2 * beta * z), 0.0)
    expected = 0.5 * np.sum((A @ z - y) ** 2) + beta * np.sum(z**2)
    assert solved(X, y, beta).value == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("n", "value"), [(50, 3.0617181), (100, 11.6306241)])
def test_the_values_on_the_data_of_the_study(n, value):
    """Values of a program that was written apart from this one."""
    data = line(n)
    optimum = solved(data.X, data.y, 1e-4)
    assert optimum.value == pytest.approx(value, rel=1e-7)
    assert optimum.dual_value <= optimum.value * (1 + 1e-9) and optimum.cone_violation < 1e-9


@pytest.mark.parametrize(("n", "printed"), OPTIMAL_OBJECTIVES.items())
def test_table_2_of_the_paper_is_this_program(n, printed):
    """Its seed and ten times the beta it states: the digits that it prints."""
    data = line(n, DATA_SEED)
    value = solved(data.X, data.y, TABLE_BETA).value
    digits = len(str(printed).partition(".")[2])
    assert f"{value:.8f}".startswith(f"{printed:.{digits}f}")


@pytest.mark.parametrize(("data", "beta"), [(five_points(), 0.05), (line(50), 1e-4)])
def test_cvxpy_agrees(data, beta):
    cvxpy = pytest.importorskip("cvxpy")
    masks = enumerate_patterns(data.X).masks
    shape = (len(masks), 2)
    v, w = cvxpy.Variable(shape), cvxpy.Variable(shape)
    fit, constraints = -data.y, []
    for i, mask in enumerate(masks):
        fit = fit + (mask[:, None] * data.X) @ (v[i] - w[i])
        cone = np.where(mask[:, None], data.X, -data.X)
        constraints += [cone @ v[i] >= 0, cone @ w[i] >= 0]
    penalty = cvxpy.sum_squares(v) + cvxpy.sum_squares(w)
    objective = 0.5 * cvxpy.sum_squares(fit) + beta * penalty
    problem = cvxpy.Problem(cvxpy.Minimize(objective), constraints)
    problem.solve(solver="CLARABEL")
    assert solved(data.X, data.y, beta).value == pytest.approx(problem.value, rel=1e-6)


def test_too_many_patterns_are_refused():
    data = line(400)
    with pytest.raises(InputError, match="too large"):
        solved(data.X, data.y, 1.0)


def test_a_solver_that_fails_is_an_error(monkeypatch):
    import cvxnn.study.experiments as module

    data = five_points()
    monkeypatch.setattr(module, "_solve", lambda program: (np.zeros((20, 2)), 1.0))
    with pytest.raises(StudyError, match="lower bound 1"):
        solved(data.X, data.y, 1.0)
