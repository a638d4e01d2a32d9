"""The bound from one eigenvalue: never below, and not above what it improves on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle.outputs.norms import climbed, dual_points, norms
from row_kinds import KINDS, seeds

from cvxnn.oracle.outputs.spectral import spectral_outputs_bound


@given(seed=seeds, n=st.integers(1, 40), d=st.integers(1, 8), c=st.integers(1, 5))
def test_never_below_a_value(seed, n, d, c):
    rng = np.random.default_rng(seed)
    X = list(KINDS.values())[seed % len(KINDS)](rng, n, d)
    V = list(dual_points(rng, n, c).values())[seed % 6]
    bound = spectral_outputs_bound(X, V)
    starts = rng.standard_normal((10, X.shape[1]))
    assert norms(X, V, climbed(X, V, starts, 20)).max() <= bound < np.inf


@pytest.mark.parametrize(("n", "d", "c"), [(100, 4, 3), (20, 30, 2), (60, 6, 10)])
def test_not_above_separate_eigenvalues(n, d, c):
    rng = np.random.default_rng(n)
    X, V = rng.standard_normal((n, d)), rng.standard_normal((n, c))
    lengths, sizes = np.linalg.norm(X, axis=1), np.linalg.norm(V, axis=1)
    rows = (X.T * (sizes / lengths)) @ X
    outputs = (V.T * (lengths / sizes)) @ V
    separate = np.linalg.norm(V.T @ X, 2)
    separate += np.sqrt(np.linalg.norm(rows, 2) * np.linalg.norm(outputs, 2))
    assert spectral_outputs_bound(X, V) <= 0.5 * separate * (1.0 + 1e-9)


def test_exact_for_one_row():
    X, V = np.array([[3.0, 4.0]]), np.array([[1.0, -1.0]])
    assert spectral_outputs_bound(X, V) == pytest.approx(5.0 * np.sqrt(2.0), rel=1e-12)


@pytest.mark.parametrize("of_rows", [1e-150, 1e150])
@pytest.mark.parametrize("of_dual", [1e-150, 1e150])
def test_scales(of_rows, of_dual):
    rng = np.random.default_rng(0)
    X, V = rng.standard_normal((9, 3)), rng.standard_normal((9, 2))
    plain = spectral_outputs_bound(X, V)
    scaled = spectral_outputs_bound(of_rows * X, of_dual * V)
    assert scaled == pytest.approx(of_rows * of_dual * plain, rel=1e-9)


def test_zeros():
    assert spectral_outputs_bound(np.ones((3, 2)), np.zeros((3, 2))) == 0.0
    assert 0.0 <= spectral_outputs_bound(np.zeros((3, 2)), np.ones((3, 2))) < 1e-100
