"""Weights of hyperplanes: the same function as the sum over the rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import PROBLEMS, problem_ids

from cvxnn.array_types import FloatArray
from cvxnn.patterns.reduction import HyperplaneWeights, reduce_rows


def check_identity(X: FloatArray, v: FloatArray, rng: np.random.Generator) -> HyperplaneWeights:
    """Both sides of the identity at random directions and at the rows themselves."""
    reduction = reduce_rows(X)
    weights = HyperplaneWeights.of(reduction, v)
    points = np.vstack([rng.standard_normal((30, X.shape[1])), X, -X])
    lengths = np.linalg.norm(points, axis=1)
    points = points[lengths > 0.0] / lengths[lengths > 0.0, None]
    direct = np.maximum(points @ X.T, 0.0) @ v
    products = points @ reduction.basis @ reduction.normals.T
    summed = np.maximum(products, 0.0) @ weights.positive
    summed += np.maximum(-products, 0.0) @ weights.negative
    own = 1e-14 * float(np.abs(v) @ np.linalg.norm(X, axis=1))
    assert (np.abs(direct - weights.unit * summed) <= weights.unit * weights.error + own).all()
    return weights


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 12), d=st.integers(1, 4))
def test_the_identity_with_parallel_rows(seed, n, d):
    rng = np.random.default_rng(seed)
    distinct = rng.standard_normal((n, d))
    lengths = rng.choice([-3.0, -1.0, 0.0, 0.5, 1.0], 2 * n)
    X = distinct[rng.integers(0, n, 2 * n)] * lengths[:, None]
    v = rng.standard_normal(2 * n)
    weights = check_identity(X, v, rng)
    # The error is a matter of rounding.
    assert weights.unit * weights.error <= 1e-11 * (1.0 + np.abs(v) @ np.linalg.norm(X, axis=1))


@pytest.mark.parametrize("problem", PROBLEMS, ids=problem_ids)
def test_the_identity_on_the_registry(problem):
    check_identity(problem.X, problem.y, np.random.default_rng(0))


def test_rows_that_are_nearly_parallel_count_as_error():
    X = np.array([[1.0, 0.0], [1.0, 3e-11], [0.0, 1.0]])
    weights = check_identity(X, np.array([1.0, -1.0, 2.0]), np.random.default_rng(1))
    assert len(weights.positive) == 2
    assert weights.unit * weights.error >= 3e-11


def test_opposite_rows_share_a_hyperplane():
    X = np.array([[2.0, 0.0], [-3.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    weights = HyperplaneWeights.of(reduce_rows(X), np.array([1.0, 10.0, 0.5, 7.0]))
    # Rows on the side of the normal in one sum, the others in the other.
    np.testing.assert_allclose(weights.unit * weights.positive, [2.5])
    np.testing.assert_allclose(weights.unit * weights.negative, [30.0])


@pytest.mark.parametrize("size", [1e-200, 1e-3, 1.0, 1e200])
def test_the_unit_of_the_dual_point_is_exact(size):
    rng = np.random.default_rng(2)
    X, v = rng.standard_normal((6, 3)), rng.standard_normal(6)
    reduction = reduce_rows(X)
    weights, scaled = (HyperplaneWeights.of(reduction, w) for w in (v, size * v))
    assert np.log2(scaled.unit) == np.rint(np.log2(scaled.unit))
    assert 1.0 <= np.abs(size * v).max() / scaled.unit < 2.0
    for side in ("positive", "negative"):
        np.testing.assert_allclose(
            getattr(scaled, side) * (scaled.unit / size),
            getattr(weights, side) * weights.unit,
            rtol=1e-14,
        )


def test_a_zero_dual_point_has_zero_weights():
    weights = HyperplaneWeights.of(reduce_rows(np.eye(3)), np.zeros(3))
    assert weights.unit == 1.0 and weights.error == 0.0
    assert not weights.positive.any() and not weights.negative.any()
