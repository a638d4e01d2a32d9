"""The bound without patterns against exact maxima."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import SMALL_PROBLEMS, arrangement, each_with_long
from scipy.optimize import nnls

from cvxnn.array_types import FloatArray
from cvxnn.layers import spectral_bound
from cvxnn.oracle import CellOracle
from cvxnn.patterns import enumerate_patterns

seeds = st.integers(0, 2**32 - 1)


def exact_maximum(X: FloatArray, v: FloatArray, masks: np.ndarray) -> float:
    """Largest ``|v'(Xu)_+|`` over the unit ball: a value of the function, at scipy's maximiser."""
    best = 0.0
    for mask in masks:
        signed = np.where(mask, 1.0, -1.0)[:, None] * X
        for s in (1.0, -1.0):
            g = s * (X.T @ (mask * v))
            z = g + signed.T @ nnls(signed.T, -g)[0]
            size = float(np.linalg.norm(z))
            if size > 1e-9:
                best = max(best, abs(float(v @ np.maximum(X @ (z / size), 0.0))))
    return best


@given(seed=seeds, n=st.integers(1, 7), d=st.integers(1, 4), integer=st.booleans())
def test_never_below_the_maximum(seed, n, d, integer):
    rng = np.random.default_rng(seed)
    X = rng.integers(-2, 3, (n, d)).astype(np.float64) if integer else rng.standard_normal((n, d))
    v = rng.standard_normal(n) * (rng.random(n) < 0.7)
    bound = spectral_bound(X, v)
    patterns = enumerate_patterns(X)
    assert bound >= exact_maximum(X, v, patterns.masks) * (1.0 - 1e-14)
    assert bound >= CellOracle(X, patterns).price(v[:, None]).bound * (1.0 - 1e-10)
    # Each half of it is at most sum_i |v_i| ||x_i||.
    assert bound <= float(np.abs(v) @ np.linalg.norm(X, axis=1)) * (1.0 + 1e-11)


@each_with_long(SMALL_PROBLEMS)
def test_registered_problems(problem):
    X, y = problem.X, problem.y
    scale = np.abs(X).max()
    exact = scale * exact_maximum(X / scale, y, arrangement(problem).masks) if scale > 0 else 0.0
    assert spectral_bound(X, y) >= exact * (1.0 - 1e-13)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1e6, 1e30])
def test_never_below_the_maximum_on_badly_scaled_data(scale):
    for seed in range(30):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((6, 3))
        X[rng.integers(6)] *= scale
        X[:, rng.integers(3)] *= scale
        v = rng.standard_normal(6)
        u = np.vstack([rng.standard_normal((500, 3)), X, -X, np.eye(3), -np.eye(3)])
        u /= np.linalg.norm(u, axis=1, keepdims=True)
        reached = float(np.abs(np.maximum(u @ X.T, 0.0) @ v).max())
        assert np.isfinite(spectral_bound(X, v))
        assert spectral_bound(X, v) >= reached * (1.0 - 1e-14)


@given(seed=seeds, factor=st.floats(1e-6, 1e6))
def test_scales_with_v_and_not_with_its_sign(seed, factor):
    rng = np.random.default_rng(seed)
    X, v = rng.standard_normal((5, 3)), rng.standard_normal(5)
    np.testing.assert_allclose(spectral_bound(X, factor * v), factor * spectral_bound(X, v))
    np.testing.assert_allclose(spectral_bound(X, -v), spectral_bound(X, v), rtol=1e-14)


def test_exact_for_one_row_and_for_equal_rows():
    row = np.array([[3.0, -4.0]])
    np.testing.assert_allclose(spectral_bound(row, np.array([-2.0])), 10.0, rtol=1e-12)
    rows = np.repeat(row, 4, axis=0)
    np.testing.assert_allclose(spectral_bound(rows, np.full(4, 0.5)), 10.0, rtol=1e-12)


def test_zero_dual_point_and_zero_rows():
    X = np.random.default_rng(0).standard_normal((5, 3))
    v = np.random.default_rng(1).standard_normal(5)
    assert spectral_bound(X, np.zeros(5)) == 0.0
    assert spectral_bound(np.zeros((5, 3)), v) == 0.0
    with_zero = np.vstack([X[:3], np.zeros(3), X[3:]])
    padded = np.insert(v, 3, 100.0)
    np.testing.assert_allclose(spectral_bound(with_zero, padded), spectral_bound(X, v), rtol=1e-12)


def test_entries_whose_squares_underflow_are_in_the_bound():
    assert spectral_bound(np.array([[1.0, 0.0], [0.0, 1e-99]]), np.array([0.0, 1.0])) >= 1e-99


@pytest.mark.parametrize("shape", [(3, 8), (6, 7), (20, 300)], ids=str)
def test_wide_data_have_the_bound_of_the_other_matrix(shape):
    rng = np.random.default_rng(sum(shape))
    X, v = rng.standard_normal(shape), rng.standard_normal(shape[0])
    # The same in the coordinates of the row space, where the d x d matrix is formed.
    turned = X @ np.linalg.qr(X.T)[0]
    assert spectral_bound(X, v) == pytest.approx(spectral_bound(turned, v), rel=1e-9)
    lengths = np.linalg.norm(X, axis=1)
    tops = []
    for s in (1.0, -1.0):
        weights = np.maximum(s * v, 0.0) * lengths
        matrix = ((X / lengths[:, None] ** 2) * weights[:, None]).T @ X
        tops.append(np.sqrt(weights.sum() * np.linalg.eigvalsh(matrix)[-1]))
    plain = 0.5 * float(np.linalg.norm(X.T @ v)) + 0.5 * max(tops)
    assert spectral_bound(X, v) == pytest.approx(plain, rel=1e-9)


@given(seed=seeds, n=st.integers(1, 7), d=st.integers(1, 9))
def test_the_quick_bound_is_above_the_other(seed, n, d):
    rng = np.random.default_rng(seed)
    X, v = rng.standard_normal((n, d)), rng.standard_normal(n)
    assert spectral_bound(X, v, quick=True) >= spectral_bound(X, v) * (1.0 - 1e-12)
