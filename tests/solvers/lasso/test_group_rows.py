"""The group Lasso on rows, against Clarabel and its conditions of optimality."""

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvxnn.solvers.lasso.group_rows import minimised


def problem(seed, k, c, rank):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((rank, k * c))
    return root.T @ root, rng.standard_normal((k, c)) @ np.diag(1.0 + np.arange(c))


@pytest.mark.parametrize(("k", "c", "rank"), [(4, 3, 20), (6, 2, 8), (3, 5, 15)])
def test_against_clarabel(k, c, rank):
    Q, b = problem(0, k, c, rank)
    b = (Q @ b.ravel()).reshape(k, c)
    beta = 0.5 * np.linalg.norm(b, axis=1).max()
    rows = minimised(Q, b, np.full(k, beta), np.zeros((k, c)))
    W = cp.Variable((k, c))
    quadratic = 0.5 * cp.quad_form(cp.vec(W, order="C"), cp.psd_wrap(Q))
    lengths = cp.sum(cp.norm(W, axis=1))
    cp.Problem(cp.Minimize(quadratic - cp.sum(cp.multiply(b, W)) + beta * lengths)).solve()
    np.testing.assert_allclose(rows, W.value, atol=1e-4 * np.abs(W.value).max())
    assert (np.linalg.norm(rows, axis=1) == 0.0).any()


@given(
    seed=st.integers(0, 10_000), k=st.integers(1, 8), c=st.integers(1, 4),
    share=st.floats(0.01, 1.5), more=st.integers(0, 6), free=st.integers(-1, 0),
)  # fmt: skip
def test_conditions_of_optimality(seed, k, c, share, more, free):
    # Also where many columns are nearly parallel, as those of neighbouring neurons are.
    rng = np.random.default_rng(seed)
    columns = rng.standard_normal((k * c + more, k)) * 0.01 + rng.standard_normal((k * c + more, 1))
    Q = np.kron(columns.T @ columns, np.eye(c))
    b = columns.T @ rng.standard_normal((k * c + more, c))
    beta = share * np.linalg.norm(b, axis=1).max()
    prices = beta * (np.arange(k) != free)
    rows = minimised(Q, b, prices, rng.standard_normal((k, c)))
    slope = b - (Q @ rows.ravel()).reshape(k, c)
    lengths = np.linalg.norm(rows, axis=1)
    assert (np.linalg.norm(slope, axis=1) <= prices + 1e-6 * beta).all()
    kept = lengths > 1e-9 * lengths.max(initial=1e-300)
    units = rows[kept] / lengths[kept, None]
    np.testing.assert_allclose(slope[kept], prices[kept, None] * units, atol=1e-6 * beta)


def test_nothing_to_do():
    assert minimised(np.zeros((0, 0)), np.zeros((0, 2)), np.zeros(0), np.zeros((0, 2))).shape == (
        0,
        2,
    )
    zeros = minimised(np.zeros((4, 4)), 0.1 * np.ones((2, 2)), np.ones(2), np.ones((2, 2)))
    np.testing.assert_array_equal(zeros, np.zeros((2, 2)))
