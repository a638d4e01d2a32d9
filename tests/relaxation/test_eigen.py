"""Positive parts against all eigenvalues, in both precisions and with threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cvxnn.relaxation import eigen
from cvxnn.relaxation.eigen import PositiveHalf, positive_half


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


class Other:
    """Of numpy what other libraries have, too."""

    linalg, nan = np.linalg, np.nan
    sqrt, isfinite = staticmethod(np.sqrt), staticmethod(np.isfinite)


def test_other_libraries_have_eigh_alone():
    M = matrices(np.random.default_rng(4), 3, 12, 4)
    half = positive_half(M, Other())
    assert half.shape == (3, 12, 4) and np.allclose(half @ half.mT, positive_part(M))


def test_what_has_left_the_range_of_numbers_is_seen_and_does_not_raise():
    torch = pytest.importorskip("torch")
    M = torch.eye(3)[None, :, :].clone()
    assert positive_half(M, torch).shape == (1, 3, 3)
    for wrong in (torch.nan, torch.inf):
        M[0, 0, 0] = wrong
        assert not torch.isfinite(positive_half(M, torch)).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matrices_that_change_little_are_followed(dtype):
    rng = np.random.default_rng(5)
    M, turn = matrices(rng, 2, 120, 6), rng.standard_normal((2, 120, 120))
    half = PositiveHalf()
    for k in range(45):
        now = (M + 1e-4 * k * (turn + turn.mT)).astype(dtype)
        found = half(now, np)
        error = found @ found.mT - positive_part(now.astype(float))
        assert found.dtype == dtype and np.linalg.norm(error) < 0.02 * np.linalg.norm(found) ** 2


def test_what_becomes_positive_is_found_by_the_next_full_decomposition():
    values = -np.ones(90)
    values[:2] = 3.0, 2.0
    half = PositiveHalf()
    for k in range(41):
        # Orthogonal to all that is followed.
        values[50] = 1.0 if k > 20 else -1.0
        found = half(np.diag(values)[None], np)[0]
        expected = 3 if k == 40 else 2
        assert (np.abs(found).max(axis=1) > 0.1).sum() == expected


def test_small_matrices_and_none_that_is_positive_are_decomposed_in_full():
    rng, half = np.random.default_rng(6), PositiveHalf()
    for k in range(30):
        M = matrices(rng, 2, 12, 4 if k % 3 else 0)
        found = half(M, np)
        assert np.allclose(found @ found.mT, positive_part(M))


def test_numbers_out_of_range_stay_visible_where_they_are_followed():
    half, M = PositiveHalf(), matrices(np.random.default_rng(7), 1, 90, 3)
    assert np.isfinite(half(M, np)).all() and np.isnan(half(np.nan * M, np)).any()


def test_others_have_nothing_to_follow():
    M, half = matrices(np.random.default_rng(8), 2, 90, 4), PositiveHalf()
    for _ in range(2):
        found = half(M, Other())
        assert np.allclose(found @ found.mT, positive_part(M))
