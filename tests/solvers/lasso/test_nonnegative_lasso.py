"""The active set against its optimality conditions, which are sufficient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvxnn.solvers.lasso.nonnegative_lasso import nonnegative_lasso


def assert_optimal(atoms: np.ndarray, y: np.ndarray, beta: float, c: np.ndarray) -> None:
    slope = atoms.T @ (y - atoms @ c) - beta
    tolerance = 1e-9 * max(beta, np.linalg.norm(atoms, axis=0).max() * np.linalg.norm(y))
    assert (c >= 0).all()
    assert (slope <= tolerance).all()
    assert np.abs(slope[c > 0]).max(initial=0.0) <= tolerance
    support = atoms[:, c > 0]
    assert np.linalg.matrix_rank(support, tol=1e-12 * np.linalg.norm(atoms)) == support.shape[1]


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 12),
    k=st.integers(1, 30),
    beta=st.sampled_from([1e-6, 1e-2, 1.0, 100.0]),
    kind=st.sampled_from(["dense", "relu", "integer", "repeated"]),
    warm=st.booleans(),
)
def test_optimality_conditions(seed, n, k, beta, kind, warm):
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((n, k))
    if kind == "relu":
        atoms = np.maximum(atoms, 0.0)
    elif kind == "integer":
        atoms = rng.integers(-1, 2, (n, k)).astype(float)
    elif kind == "repeated":
        atoms = atoms[:, rng.integers(0, k, k)]
    y = rng.standard_normal(n)
    start = np.maximum(rng.standard_normal(k), 0.0) if warm else None
    assert_optimal(atoms, y, beta, nonnegative_lasso(atoms, y, beta, start))


def test_no_columns_zero_columns_and_a_large_beta():
    ones, atoms = np.ones(3), np.column_stack([np.zeros(3), np.ones(3)])
    assert nonnegative_lasso(np.zeros((3, 0)), ones, 1.0).shape == (0,)
    np.testing.assert_allclose(nonnegative_lasso(atoms, ones, 0.3), [0.0, 0.9])
    assert not nonnegative_lasso(atoms, ones, 1e3, np.ones(2)).any()


@pytest.mark.parametrize("angle", [1e-3, 1e-6, 1e-9])
def test_nearly_parallel_columns(angle):
    rng = np.random.default_rng(4)
    base = rng.standard_normal(20)
    atoms = base[:, None] + angle * rng.standard_normal((20, 6))
    y = base + 0.1 * rng.standard_normal(20)
    assert_optimal(atoms, y, 1e-3, nonnegative_lasso(atoms, y, 1e-3))


def test_twice_the_precision_where_the_target_is_fitted_to_its_last_digits():
    rng = np.random.default_rng(8)
    # Integers: A c has no rounding, and beta moves the optimum by less than one of c.
    A = rng.integers(-4, 5, (9, 6)).astype(float)
    c = rng.integers(1, 9, 6) * 2.0**40
    beta = 2.0**-4
    weights = nonnegative_lasso(A, A @ c, beta, precise=True)
    np.testing.assert_allclose(weights, c, rtol=1e-14)
    # A column of its own that gains half of beta against the residual stays out, and one
    # that gains twice as much comes in, beside a target 2^45 times as large.
    for share, enters in ((0.5, False), (2.0, True)):
        columns = np.block([[A, np.zeros((9, 1))], [np.zeros((1, 6)), np.ones((1, 1))]])
        y = np.append(A @ c, share * beta)
        weights = nonnegative_lasso(columns, y, beta, precise=True)
        assert (weights[-1] > 0.0) == enters


@pytest.mark.parametrize("seed", range(5))
def test_twice_the_precision_changes_nothing_but_digits(seed):
    rng = np.random.default_rng(seed)
    A, y = rng.standard_normal((20, 12)), rng.standard_normal(20)
    plain, precise = (nonnegative_lasso(A, y, 0.4, precise=digits) for digits in (False, True))
    np.testing.assert_allclose(precise, plain, atol=1e-12)
