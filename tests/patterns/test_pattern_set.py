"""Packed pattern sets against plain boolean arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvxnn.patterns import PatternSet, enumerate_patterns, pattern_set

seeds = st.integers(0, 2**32 - 1)


def random_set(seed: int, n: int, d: int, count: int) -> tuple[np.ndarray, PatternSet]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, PatternSet.from_directions(X, rng.standard_normal((count, d)))


@given(seed=seeds, n=st.integers(1, 20), count=st.integers(0, 9))
def test_unpacking_reverts_packing(seed, n, count):
    masks = np.random.default_rng(seed).random((count, n)) < 0.5
    patterns = PatternSet(np.packbits(masks, axis=1), np.zeros((count, 2)), n)
    assert patterns.masks.dtype == np.bool_
    np.testing.assert_array_equal(patterns.masks, masks)
    np.testing.assert_array_equal(patterns.unpack(slice(1, 3)), masks[1:3])
    index = np.arange(count)[::-2]
    np.testing.assert_array_equal(patterns.unpack(index), masks[index])


@given(seed=seeds, n=st.integers(1, 12), d=st.integers(1, 4), count=st.integers(1, 40))
def test_from_directions_keeps_the_first_of_each_pattern(seed, n, d, count):
    rng = np.random.default_rng(seed)
    X, directions = rng.standard_normal((n, d)), rng.standard_normal((count, d))
    first: dict[bytes, int] = {}
    for i, u in enumerate(directions):
        first.setdefault((X @ u > 0).tobytes(), i)
    patterns = PatternSet.from_directions(X, directions)
    assert len(patterns) == len(first)
    np.testing.assert_array_equal(patterns.directions, directions[list(first.values())])
    np.testing.assert_array_equal(patterns.masks, patterns.directions @ X.T > 0)
    assert not patterns.is_complete


def test_from_directions_does_not_depend_on_the_chunks(monkeypatch):
    whole = random_set(0, 9, 3, 50)[1]
    monkeypatch.setattr(pattern_set, "_CHUNK_BYTES", 8 * 9 * 7)
    in_chunks = random_set(0, 9, 3, 50)[1]
    np.testing.assert_array_equal(whole.packed, in_chunks.packed)
    np.testing.assert_array_equal(whole.directions, in_chunks.directions)


@pytest.mark.parametrize("as_mask", [False, True])
def test_select(as_mask):
    X = np.random.default_rng(1).standard_normal((7, 3))
    patterns = enumerate_patterns(X)
    index = np.array([0, 5, 9])
    chosen = patterns.select(np.isin(np.arange(len(patterns)), index) if as_mask else index)
    np.testing.assert_array_equal(chosen.masks, patterns.masks[index])
    np.testing.assert_array_equal(chosen.directions, patterns.directions[index])
    assert patterns.is_complete
    assert not chosen.is_complete


def test_a_mask_takes_one_bit_for_each_row():
    patterns = random_set(2, 1000, 3, 200)[1]
    assert len(patterns) == 200
    assert patterns.packed.nbytes == 200 * 125
    assert patterns.masks.nbytes == 200 * 1000


def test_length_and_repr():
    X = np.column_stack([[-1.0, -5.0, 2.0, 0.0, 3.0], np.ones(5)])
    patterns = enumerate_patterns(X)
    assert len(patterns) == 10
    assert repr(patterns) == "PatternSet(10 patterns of 5 rows, complete=True)"
    assert "complete=False" in repr(patterns.select(np.arange(3)))
