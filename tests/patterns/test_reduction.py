"""The reduced rows against the data that they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import PROBLEMS, problem_ids

from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.patterns import reduction as module
from cvxnn.patterns.reduction import reduce_rows

seeds = st.integers(0, 2**32 - 1)


def check_reduction(X: np.ndarray) -> None:
    """Everything that the docstring of Reduction promises."""
    reduction = reduce_rows(X)
    r, p = reduction.rank, reduction.n_classes
    assert reduction.basis.shape == (X.shape[1], r)
    assert reduction.normals.shape == reduction.coordinates.shape == (p, r)
    assert reduction.to_direction.shape == (X.shape[1], r)
    np.testing.assert_allclose(reduction.basis.T @ reduction.basis, np.eye(r), atol=1e-14)
    np.testing.assert_allclose(np.linalg.norm(reduction.normals, axis=1), 1.0, rtol=1e-14)
    np.testing.assert_array_equal(reduction.class_of_row < 0, ~X.any(axis=1))
    np.testing.assert_array_equal(reduction.scale == 0.0, ~X.any(axis=1))
    lengths = np.linalg.norm(X, axis=1)
    np.testing.assert_allclose(np.abs(reduction.scale), lengths, rtol=1e-14)
    if p:
        model = reduction.scale[:, None] * reduction.normals[reduction.class_of_row]
        distance = np.linalg.norm(X - model @ reduction.basis.T, axis=1)
        assert (distance <= reduction.row_error).all()
    assert (reduction.row_error <= 1e-8 * lengths).all()
    first = reduction.representatives
    np.testing.assert_array_equal(reduction.class_of_row[first], np.arange(p))
    assert (np.diff(first) > 0).all()
    assert (reduction.scale[first] > 0).all()
    # A point of the coordinates lies where its direction does.
    points = np.random.default_rng(0).standard_normal((20, r))
    inside = points @ reduction.coordinates.T
    outside = points @ reduction.to_direction.T @ X[first].T
    np.testing.assert_array_equal(inside > 0, outside > 0)


@pytest.mark.parametrize("problem", PROBLEMS, ids=problem_ids)
def test_registered_problems(problem):
    check_reduction(problem.X)


@given(seed=seeds, n=st.integers(1, 9), d=st.integers(1, 5), rank=st.integers(1, 5))
def test_rank_of_random_data(seed, n, d, rank):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d))
    check_reduction(X)
    assert reduce_rows(X).rank == min(n, d, rank)


@given(seed=seeds, exponents=st.lists(st.integers(-8, 8), min_size=3, max_size=3))
def test_rank_does_not_depend_on_units(seed, exponents):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((6, 3)) * 10.0 ** np.array(exponents)
    check_reduction(X)
    assert reduce_rows(X).rank == 3
    twice = X[:, [0, 1, 2, 1]]
    assert reduce_rows(twice).rank == 3


@given(seed=seeds, factor=st.floats(1e-6, 1e6), sign=st.sampled_from([-1.0, 1.0]))
def test_parallel_rows_are_one_class(seed, factor, sign):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((4, 3))
    X = np.vstack([rows, sign * factor * rows[2], np.zeros(3), rows[0], -rows[0]])
    reduction = reduce_rows(X)
    np.testing.assert_array_equal(reduction.class_of_row, [0, 1, 2, 3, 2, -1, 0, 0])
    np.testing.assert_array_equal(np.sign(reduction.scale), [1, 1, 1, 1, sign, 0, 1, -1])
    check_reduction(X)


@pytest.mark.parametrize("d", [3, 4, 30])
@pytest.mark.parametrize(("distance", "merged"), [(1e-8, False), (1e-12, True)])
def test_rows_merge_when_closer_than_the_tolerance(d, distance, merged):
    rows = np.random.default_rng(3).standard_normal((2 * d, d))
    X = np.vstack([rows, rows[0] + distance * rows[1], -rows[2] + distance * rows[3]])
    reduction = reduce_rows(X)
    np.testing.assert_array_equal(
        reduction.class_of_row[-2:], [0, 2] if merged else [2 * d, 2 * d + 1]
    )
    check_reduction(X)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2)])
def test_zero_data(shape):
    reduction = reduce_rows(np.zeros(shape))
    assert (reduction.rank, reduction.n_classes) == (0, 0)
    assert len(reduction.representatives) == 0
    np.testing.assert_array_equal(reduction.row_error, np.zeros(shape[0]))


def test_rows_that_are_many_or_of_very_different_length_are_one_class():
    for column in (np.linspace(1.0, 2.0, 50_000), np.array([1e99, 1e-99])):
        assert reduce_rows(column[:, None]).n_classes == 1


@pytest.mark.parametrize("shape", [(60, 40), (40, 40), (30, 50)], ids=str)
def test_rows_of_full_rank_are_whitened_by_qr(shape, monkeypatch):
    rng = np.random.default_rng(sum(shape))
    X = rng.standard_normal(shape) * np.exp(rng.standard_normal(shape[1]))
    if shape[0] > shape[1]:
        X[3] = -2.0 * X[1]
    by_svd = reduce_rows(X)
    monkeypatch.setattr(module, "_SVD_WORK", 0)
    monkeypatch.setattr(np.linalg, "svd", None)
    check_reduction(X)
    by_qr = reduce_rows(X)
    assert by_qr.rank == by_svd.rank == min(shape)
    np.testing.assert_array_equal(by_qr.class_of_row, by_svd.class_of_row)
    # Both whiten: one is the other, turned, up to rounding and one scale.
    turn = np.linalg.lstsq(by_svd.coordinates, by_qr.coordinates, rcond=None)[0]
    np.testing.assert_allclose(turn.T @ turn, np.eye(len(turn)), atol=1e-6)


def test_a_small_rank_is_left_to_the_svd(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 4)) @ rng.standard_normal((4, 12))
    monkeypatch.setattr(module, "_SVD_WORK", 0)
    check_reduction(X)
    assert reduce_rows(X).rank == 4


def test_a_deadline_ends_a_reduction():
    with pytest.raises(OutOfTimeError):
        reduce_rows(np.eye(3), Deadline(0.0))
