"""Complete enumeration against a tree of linear programs, and its kernels against NumPy."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import (
    PROBLEMS,
    arrangement,
    brute_force_cells,
    brute_force_patterns,
    each_with_long,
    with_bias,
)
from row_kinds import KINDS, decades, each_kind, integers, seeds, standardised
from variants import with_long

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError, TooManyPatternsError
from cvxnn.patterns import PatternSet, count_patterns_bound, enumerate_patterns, enumeration
from cvxnn.patterns.cell_walk import flippable_rows, index_cells, walk_flats
from cvxnn.patterns.reduction import PARALLEL_TOLERANCE, reduce_rows

# A linear program for every cell and row: few examples of each kind are enough.
few = settings(max_examples=6)


CONCURRENT = KINDS["concurrent"]


def as_set(patterns: PatternSet) -> set[bytes]:
    return {row.tobytes() for row in patterns.packed}


def check_patterns(X: FloatArray, patterns: PatternSet) -> None:
    """What holds for the complete set of any data, however many patterns there are."""
    masks = patterns.masks
    assert patterns.is_complete
    assert patterns.n_rows == len(X)
    assert len(as_set(patterns)) == len(patterns)
    for u, mask in zip(patterns.directions, masks, strict=True):
        np.testing.assert_array_equal(X @ u > 0, mask)
    live = X.any(axis=1)
    assert not masks[:, ~live].any()
    opposite = PatternSet(np.packbits(~masks & live, axis=1), -patterns.directions, len(X))
    assert as_set(opposite) == as_set(patterns)


def check_against_brute_force(X: FloatArray) -> None:
    patterns = enumerate_patterns(X)
    check_patterns(X, patterns)
    assert as_set(patterns) == brute_force_patterns(X)


@each_with_long(PROBLEMS)
def test_registered_problems(problem):
    patterns = enumerate_patterns(problem.X)
    check_patterns(problem.X, patterns)
    assert len(patterns) == problem.n_patterns
    if len(patterns) <= 512 and len(problem.X) <= 50:
        assert as_set(patterns) == as_set(arrangement(problem))


@few
@given(seed=seeds, n=st.integers(1, 9), d=st.integers(1, 3))
def test_general_position_attains_the_bound(seed, n, d):
    X = np.random.default_rng(seed).standard_normal((n, d))
    check_against_brute_force(X)
    assert len(enumerate_patterns(X)) == count_patterns_bound(n, d)


@pytest.mark.parametrize(("n", "d"), [(8, 4), (8, 5), (4, 6), (60, 3), (200, 2), (1, 1), (1, 4)])
def test_larger_data_in_general_position(n, d):
    X = np.random.default_rng(7).standard_normal((n, d))
    patterns = enumerate_patterns(X)
    check_patterns(X, patterns)
    assert len(patterns) == count_patterns_bound(n, min(n, d))


@each_kind
@few
@given(seed=seeds, n=st.integers(1, 7), d=st.integers(1, 3))
def test_degenerate_data(kind, seed, n, d):
    X = kind(np.random.default_rng(seed), n, d)
    check_against_brute_force(X)
    check_against_brute_force(X * decades(np.random.default_rng(seed), n, 1))


@with_long("kind", [integers, CONCURRENT, KINDS["parallel"]])
@with_long(("n", "d"), [(8, 4), (7, 5)])
def test_degenerate_data_of_higher_rank(kind, n, d):
    for seed in range(2):
        check_against_brute_force(kind(np.random.default_rng(seed), n, d))


@given(seed=seeds, n=st.integers(2, 30), d=st.integers(1, 3))
def test_rounding_of_a_standardisation_splits_no_hyperplanes(seed, n, d):
    """A grid and the same grid, standardised, have the same cells: the map is affine."""
    grid = integers(np.random.default_rng(seed), n, d)
    rows = standardised(np.random.default_rng(seed), n, d + 1)
    patterns = enumerate_patterns(rows)
    check_patterns(rows, patterns)
    assert len(patterns) == len(enumerate_patterns(with_bias(grid)))


@pytest.mark.parametrize("factor", [1.0, 0.1, 1.0 / 3.0, 1e-7, 1e9])
@pytest.mark.parametrize("shift", [0.0, 0.3, 100.0])
def test_square_grid_in_any_units(factor, shift):
    """402 threshold functions on a 5 x 5 grid: OEIS A114146."""
    axis = np.arange(5.0)
    points = np.array([[a, b] for a in axis for b in axis])
    X = with_bias((points + shift) * factor)
    patterns = enumerate_patterns(X)
    check_patterns(X, patterns)
    assert len(patterns) == 402


@given(seed=seeds, n=st.integers(1, 12), d=st.integers(1, 4))
def test_patterns_do_not_depend_on_coordinates(seed, n, d):
    rng = np.random.default_rng(seed)
    X = CONCURRENT(rng, n, d)
    expected = as_set(enumerate_patterns(X))
    lengths = rng.uniform(0.01, 100.0, (n, 1))
    assert as_set(enumerate_patterns(X * lengths)) == expected
    mixed = X @ (rng.standard_normal((d, d)) + 3.0 * np.eye(d))
    assert as_set(enumerate_patterns(mixed)) == expected


@given(seed=seeds, n=st.integers(1, 12), d=st.integers(1, 4))
def test_permuted_rows_have_permuted_patterns(seed, n, d):
    rng = np.random.default_rng(seed)
    X, order = integers(rng, n, d), rng.permutation(n)
    permuted = np.packbits(enumerate_patterns(X).masks[:, order], axis=1)
    assert as_set(enumerate_patterns(X[order])) == {row.tobytes() for row in permuted}


def test_rows_that_almost_coincide_are_told_apart_down_to_the_tolerance():
    rows = np.random.default_rng(5).standard_normal((5, 2))
    for distance, count in [(1e-8, 12), (1e-12, 10)]:
        X = np.vstack([rows, rows[0] + distance * rows[1]])
        patterns = enumerate_patterns(X)
        check_patterns(X, patterns)
        assert len(patterns) == count


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (4, 2)])
def test_zero_data_have_one_pattern(shape):
    patterns = enumerate_patterns(np.zeros(shape))
    check_patterns(np.zeros(shape), patterns)
    np.testing.assert_array_equal(patterns.masks, np.zeros((1, shape[0]), dtype=bool))
    assert patterns.directions.shape == (1, shape[1])


def test_the_order_is_fixed():
    X = np.random.default_rng(6).standard_normal((9, 3))
    first, again = enumerate_patterns(X), enumerate_patterns(X.tolist())
    np.testing.assert_array_equal(first.packed, again.packed)
    np.testing.assert_array_equal(first.directions, again.directions)


def test_too_many_patterns_are_refused_before_any_work(monkeypatch):
    def forbidden(*args: object) -> None:
        raise AssertionError("the walk was started")

    monkeypatch.setattr(enumeration, "walk_flats", forbidden)
    monkeypatch.setattr(enumeration, "enumerate_cells", forbidden)
    X = np.random.default_rng(0).standard_normal((100_000, 10))
    bound = count_patterns_bound(100_000, 10)
    with pytest.raises(TooManyPatternsError) as refused:
        enumerate_patterns(X)
    message = str(refused.value)
    for part in (f"{float(bound):.3g} patterns", "GiB (limit 2 GiB)", "method='sampled'"):
        assert part in message


def test_the_limit_is_about_distinct_hyperplanes():
    X = np.random.default_rng(0).standard_normal((8, 3))
    with pytest.raises(TooManyPatternsError, match="8 distinct hyperplanes of rank 3"):
        enumerate_patterns(X, max_bytes=1000)
    few_planes = np.repeat(X[:2], 50, axis=0)
    assert len(enumerate_patterns(few_planes, max_bytes=2000)) == 4


def test_refuses_bad_input():
    with pytest.raises(InputError, match="X must be 2-D"):
        enumerate_patterns(np.ones(3))
    with pytest.raises(InputError, match="max_bytes must be an integer of at least 1"):
        enumerate_patterns(np.eye(2), max_bytes=0)
    with pytest.raises(InputError, match="X"):
        enumerate_patterns([[1.0, np.nan]])


# The kernels, each against a few lines of NumPy.


def bits_of(words: np.ndarray, p: int) -> np.ndarray:
    little = words.astype("<u8").view(np.uint8)
    return np.unpackbits(little, axis=1, bitorder="little", count=p).astype(bool)


def words_of(sides: np.ndarray) -> np.ndarray:
    m, p = sides.shape
    padded = np.zeros((m, 64 * max(1, -(-p // 64))), dtype=bool)
    padded[:, :p] = sides
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


def walked(coordinates: FloatArray, hyperplanes: range) -> tuple[np.ndarray, FloatArray]:
    """Sides and centres after one kernel call for each hyperplane, from little memory."""
    p, r = coordinates.shape
    state: Any = (
        np.full(8, -1, dtype=np.int64),
        np.zeros(4, dtype=np.uint64),
        np.zeros((4, -(-p // 64)), dtype=np.uint64),
        np.zeros((4, r)),
        0,
    )
    for first in hyperplanes:
        state = walk_flats(coordinates, first, PARALLEL_TOLERANCE, *state)
    return bits_of(state[2][: state[4]], p), state[3][: state[4]]


def hyperplanes_of(seed: int, n: int, d: int) -> FloatArray:
    """Unit rows, pairwise not parallel, with many that meet in one line."""
    rng = np.random.default_rng(seed)
    return reduce_rows(np.vstack([np.eye(d), CONCURRENT(rng, n, d)])).coordinates


def flips(masks: set[tuple[bool, ...]], mask: tuple[bool, ...]) -> set[int]:
    """The rows whose flip gives another of the masks."""
    return {j for j in range(len(mask)) if (*mask[:j], not mask[j], *mask[j + 1 :]) in masks}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("n", "d"), [(9, 2), (5, 3), (3, 4)])
def test_walk_over_all_hyperplanes(seed, n, d):
    rows = hyperplanes_of(seed, n, d)
    sides, centres = walked(rows, range(len(rows)))
    expected = brute_force_cells(rows)[0]
    assert sorted(map(tuple, sides)) == sorted(map(tuple, expected))
    np.testing.assert_array_equal(centres @ rows.T > 0, sides)


@pytest.mark.parametrize("seed", range(3))
def test_walk_over_one_hyperplane_finds_the_cells_on_both_of_its_sides(seed):
    rows = hyperplanes_of(seed, 5, 3)
    cells = set(map(tuple, brute_force_cells(rows)[0].tolist()))
    for k in range(len(rows)):
        sides = walked(rows, range(k, k + 1))[0]
        assert set(map(tuple, sides.tolist())) == {c for c in cells if k in flips(cells, c)}


@pytest.mark.parametrize(("n", "d"), [(6, 3), (70, 2), (5, 5)])
@pytest.mark.parametrize("keep", [1.0, 0.5])
def test_flippable_rows(n, d, keep):
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, d))
    masks = enumerate_patterns(X).masks
    masks = masks[rng.random(len(masks)) < keep]
    words = words_of(masks)
    table, hashes = index_cells(words, n)
    known = set(map(tuple, masks.tolist()))
    for begin, end in combinations([0, len(masks) // 3, len(masks)], 2):
        counts, found = flippable_rows(words, n, table, hashes, begin, end)
        parts = np.split(found, np.cumsum(counts)[:-1])
        for cell, part in zip(range(begin, end), parts, strict=True):
            assert set(part[:, 0].tolist()) == flips(known, tuple(masks[cell].tolist()))
            for row, neighbour in part:
                differ = np.flatnonzero(masks[cell] != masks[neighbour])
                np.testing.assert_array_equal(differ, [row])
