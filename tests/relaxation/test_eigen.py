"""Positive parts against all eigenvalues, in both precisions and with threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cvxnn.relaxation import eigen
from cvxnn.relaxation.eigen import positive_half


def positive_part(M):
    values, vectors = np.linalg.eigh(M)
    return (vectors * np.maximum(values, 0.0)[:, None, :]) @ vectors.mT


def matrices(rng, B, m, rank):
    """Of so many positive eigenvalues."""
    Q, _ = np.linalg.qr(rng.standard_normal((B, m, m)))
    values = np.where(np.arange(m) < rank, 1.0, -0.3) * rng.uniform(0.01, 1.0, (B, m))
    return (Q * values[:, None, :]) @ Q.mT


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("m", "rank"), [(1, 1), (2, 1), (30, 4), (60, 60), (101, 0), (120, 10)])
def test_the_positive_part(m, rank, dtype):
    M = matrices(np.random.default_rng(m), 3, m, rank).astype(dtype)
    half = positive_half(M, np)
    assert half.dtype == dtype and half.shape[2] == max(rank, 1)
    assert np.allclose(
        half @ half.mT, positive_part(M.astype(float)), atol=200 * np.finfo(dtype).eps
    )


def test_matrices_of_different_ranks_and_zeros():
    rng = np.random.default_rng(0)
    M = np.concatenate([matrices(rng, 1, 8, 2), matrices(rng, 1, 8, 5), np.zeros((1, 8, 8))])
    half = positive_half(M, np)
    assert half.shape == (3, 8, 5) and not half[2].any()
    assert np.allclose(half @ half.mT, positive_part(M))


def test_the_input_is_left_alone_and_may_be_transposed():
    M = matrices(np.random.default_rng(1), 2, 9, 3)
    before = M.copy()
    half = positive_half(M.mT, np)
    assert np.array_equal(M, before)
    assert np.allclose(half @ half.mT, positive_part(M))


def test_where_lapack_gives_up_all_eigenvalues_are_computed(monkeypatch):
    def fails(*arguments):
        arguments[-1]._obj.value = 1

    monkeypatch.setattr(eigen, "_lapack", lambda name: fails)
    M = matrices(np.random.default_rng(2), 2, 7, 3)
    half = positive_half(M, np)
    assert np.allclose(half @ half.mT, positive_part(M))


def test_numbers_out_of_range_stay_visible():
    M = np.array([np.eye(3), np.full((3, 3), np.inf)])
    half = positive_half(M, np)
    assert np.isfinite(half[0]).all() and np.isnan(half[1]).any()


def test_threads_do_not_disturb_each_other():
    M = matrices(np.random.default_rng(3), 40, 25, 5)
    with ThreadPoolExecutor(4) as pool:
        halves = list(pool.map(lambda A: positive_half(A[None], np)[0], M))
    assert np.allclose([half @ half.T for half in halves], positive_part(M))


def test_other_libraries_have_eigh_alone():
    class Other:
        linalg, sqrt = np.linalg, staticmethod(np.sqrt)

    M = matrices(np.random.default_rng(4), 3, 12, 4)
    half = positive_half(M, Other())
    assert half.shape == (3, 12, 4) and np.allclose(half @ half.mT, positive_part(M))
