"""Optima of polynomial networks against programs written out anew."""

import numpy as np
import pytest
from polynomials import Spectrahedron
from programs import draw_rows
from variants import with_long

import cvxnn
from cvxnn import Polynomial, Status

cp = pytest.importorskip("cvxpy")
TOL = 1e-8


def solved(X, y, beta, model, **options):
    solution = cvxnn.solve(X, y, beta, model=model, tol=TOL, **options)
    assert solution.status is Status.OPTIMAL
    return solution


@with_long("seed", range(6), always=2)
@pytest.mark.parametrize("intercept", [False, True])
def test_several_outputs_are_a_program_for_each(seed, intercept):
    X, y = draw_rows("squared", 9, 2, seed)
    Y = np.column_stack([y, y**2, X[:, 0]])
    model = Polynomial()
    solution = solved(X, Y, 0.1, model, intercept=intercept)
    value = Spectrahedron(X[:, None], (0.09, 0.5, 0.47)).optimum(
        cp, "squared", Y, 0.1, intercept=intercept
    )
    assert solution.objective == pytest.approx(value, rel=1e-6)
    alone = [solved(X, column, 0.1, model, intercept=intercept).objective for column in Y.T]
    assert solution.objective == pytest.approx(sum(alone), rel=1e-6)
    assert (np.count_nonzero(solution.network.output_weights, axis=1) == 1).all()


@pytest.mark.parametrize("intercept", [False, True])
def test_softmax_is_that_of_the_program(intercept):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((12, 2))
    labels = np.eye(3)[rng.permutation(12) % 3]
    solution = solved(X, labels, 0.1, Polynomial(), loss="softmax", intercept=intercept)
    lifts = Spectrahedron(X[:, None], (0.09, 0.5, 0.47)).lifts().reshape(12, -1)
    columns, price, constraints = [], 0.0, []
    for _ in range(3):
        pair = [cp.Variable((3, 3), PSD=True) for _ in "+-"]
        constraints += [cp.trace(Z) == 2 * Z[2, 2] for Z in pair]
        price += pair[0][2, 2] + pair[1][2, 2]
        b = cp.Variable() if intercept else 0.0
        columns.append(lifts @ cp.vec(pair[0] - pair[1], order="C") + b)
    f = cp.vstack(columns).T
    loss = cp.sum(cp.log_sum_exp(f, axis=1)) - cp.sum(cp.multiply(labels, f))
    program = cp.Problem(cp.Minimize(loss + 0.1 * price), constraints)
    assert solution.objective == pytest.approx(program.solve(solver="CLARABEL"), rel=1e-6)


def test_a_square_is_the_nuclear_norm():
    X, y = draw_rows("squared", 12, 3)
    S = cp.Variable((3, 3), symmetric=True)
    f = cp.sum(cp.multiply(X @ S, X), axis=1)
    program = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(f - y) + 0.3 * cp.normNuc(S)))
    value = program.solve(solver="CLARABEL")
    for sign in (1.0, -1.0):
        solution = solved(X, y, 0.3, Polynomial(sign, 0.0, 0.0))
        assert solution.objective == pytest.approx(value, rel=1e-6)
        # Eigenvectors.
        U = solution.network.hidden_weights
        assert len(U) <= 3
        np.testing.assert_allclose(U @ U.T, np.eye(len(U)), atol=1e-5)


def test_a_line_is_the_norm_of_its_slope():
    X, y = draw_rows("squared", 12, 3)
    w = cp.Variable(3)
    value = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(2.0 * X @ w - y) + 0.3 * cp.norm(w))).solve(
        solver="CLARABEL"
    )
    assert solved(X, y, 0.3, Polynomial(0.0, 2.0, 0.0)).objective == pytest.approx(value, rel=1e-6)


def test_a_constant_is_shrunk():
    X, y = draw_rows("squared", 12, 3)
    solution = solved(X, y, 0.3, Polynomial(0.0, 0.0, 2.0))
    # 1/2 ||2 z - y||^2 + 0.3 |z| in one number.
    z = max(abs(2.0 * y.sum()) - 0.3, 0.0) / (4.0 * len(y))
    z *= np.sign(y.sum())
    expected = 0.5 * np.sum((2.0 * z - y) ** 2) + 0.3 * abs(z)
    assert solution.objective == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (3, 8), (20, 1)])
def test_shapes_at_the_edge(shape):
    rng = np.random.default_rng(sum(shape))
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    solution = solved(X, y, 0.05, Polynomial())
    value = Spectrahedron(X[:, None], (0.09, 0.5, 0.47)).optimum(cp, "squared", y, 0.05)
    assert solution.objective == pytest.approx(value, rel=1e-6, abs=1e-9)
    assert solution.n_neurons <= 2 * (shape[1] + 1)


@with_long("share", [0.1, 1e-3])
def test_many_features_need_few_neurons(share):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 30))
    y = X[:, 0] * X[:, 1] + np.sin(X[:, 2]) + 0.1 * rng.standard_normal(400)
    beta = share * cvxnn.largest_beta(X, y, model="polynomial")
    solution = cvxnn.solve(X, y, beta, model="polynomial")
    assert solution.status is Status.OPTIMAL and solution.n_neurons <= 62


def test_a_start_is_used():
    X, y = draw_rows("squared", 60, 5)
    first = solved(X, y, 0.3, Polynomial())
    again = solved(X, y, 0.3, Polynomial(), warm_start=first.network)
    assert again.n_iter <= 1 < first.n_iter
    assert again.objective == pytest.approx(first.objective, rel=1e-8)


@pytest.mark.parametrize(
    ("seed", "coefficients", "scale"), [(3, (0.09, 0.5, 0.47), 100.0), (4, (1.0, 1.0, -1.0), 1.0)]
)
def test_kinks_beside_an_intercept(seed, coefficients, scale):
    rng = np.random.default_rng(seed)
    X, y = scale * rng.standard_normal((12, 3)), np.sign(rng.standard_normal(12))
    options = {"model": Polynomial(*coefficients), "loss": "hinge", "intercept": True}
    beta = 0.05 * cvxnn.largest_beta(X, y, **options)
    solution = cvxnn.solve(X, y, beta, **options)
    value = Spectrahedron(X[:, None], coefficients).optimum(cp, "hinge", y, beta, intercept=True)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(value, rel=1e-5)


@with_long("seed", range(6), always=3)
def test_an_activation_that_is_nearly_the_intercept(seed):
    rng = np.random.default_rng(seed)
    X, y = 0.002 * rng.standard_normal((5, 1)), rng.standard_normal(5)
    model = Polynomial(1.0, 0.0, -1.0)
    beta = 0.01 * cvxnn.largest_beta(X, y, model=model, intercept=True)
    solution = solved(X, y, beta, model, intercept=True)
    # Without the constant, and for rows of length one, it is the same problem.
    units = Spectrahedron(500.0 * X[:, None], (1.0, 0.0, 0.0))
    value = units.optimum(cp, "squared", y, 500.0**2 * beta, intercept=True)
    assert solution.objective == pytest.approx(value, rel=1e-6)


@with_long("share", [1e-5, 1e-6, 1e-8], always=2)
@with_long("seed", range(2))
def test_small_betas(seed, share):
    rng = np.random.default_rng(seed)
    X, y = rng.integers(-3, 4, (12, 3)).astype(float), rng.integers(-3, 4, 12).astype(float)
    beta = share * cvxnn.largest_beta(X, y, model="polynomial")
    solution = cvxnn.solve(X, y, beta, model="polynomial")
    value = Spectrahedron(X[:, None], (0.09, 0.5, 0.47)).optimum(cp, "squared", y, beta)
    assert solution.status is Status.OPTIMAL and solution.n_iter <= 20
    assert solution.objective == pytest.approx(value, rel=1e-5)


def test_an_activation_without_a_square_beside_an_intercept():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((59, 1)), rng.standard_normal(59)
    options = {"model": Polynomial(0.0, 0.5, 0.5), "loss": "huber", "intercept": True}
    beta = 0.01 * cvxnn.largest_beta(X, y, **options)
    solution = cvxnn.solve(X, y, beta, **options)
    value = Spectrahedron(X[:, None], (0.0, 0.5, 0.5)).optimum(cp, "huber", y, beta, intercept=True)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_rows_without_curvature_beside_an_intercept(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((6, 4)), rng.standard_normal(6)
    options = {"model": Polynomial(), "loss": "absolute", "intercept": True}
    beta = 0.1 * cvxnn.largest_beta(X, y, **options)
    solution = cvxnn.solve(X, y, beta, **options)
    value = Spectrahedron(X[:, None], (0.09, 0.5, 0.47)).optimum(
        cp, "absolute", y, beta, intercept=True
    )
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(value, rel=1e-5)
