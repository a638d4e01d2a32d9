"""Largest values of functions of kinks: exactly in the plane, by trees above it."""

import numpy as np
import pytest
import rational
from variants import with_long
from verification.brute_force import by_cells, largest_by_cells

from cvxnn.errors import InputError
from cvxnn.verification.angles import largest_in_plane
from cvxnn.verification.kinked import Kinked
from cvxnn.verification.signs import SignTree
from cvxnn.verification.spectral import spectral_bound
from cvxnn.verification.tree import Tree

TREES = [Tree, SignTree]
each_tree = pytest.mark.parametrize("kind", TREES)


def kinked(X, v):
    return Kinked.of(X, v, np.zeros(len(v)))


def by_trees(kind, function, target, most=20_000):
    """The bound of the trees of both signs, and their splits."""
    found = [kind(f, target).searched(most) for f in (function, function.negative())]
    return max(bound for bound, _ in found), [splits for _, splits in found]


def draws(count):
    """Small problems in the plane, of whole numbers, of reals, and far from the origin."""
    rng = np.random.default_rng(0)
    for k in range(count):
        n = int(rng.integers(1, 9))
        X = rng.integers(-3, 4, (n, 2)).astype(float)
        if k % 3 == 1:
            X = rng.standard_normal((n, 2)) * 10.0 ** rng.integers(-20, 20)
        elif k % 3 == 2:
            X = np.column_stack([1.7e9 + rng.integers(0, 5, n), np.ones(n)])
        yield X, rng.standard_normal(n)


def test_the_plane_is_exact():
    for X, v in draws(300):
        function = kinked(X, v)
        bound, exact = function.total(largest_in_plane(function)), rational.largest(X, v)
        assert exact * (1.0 - 1e-15) <= bound <= exact * (1.0 + 1e-14)


def test_one_feature_and_rows_of_a_plane_in_space():
    rng = np.random.default_rng(1)
    x, v = rng.standard_normal(7), rng.standard_normal(7)
    function = kinked(x[:, None], v)
    expected = max(abs(float(np.maximum(s * x, 0.0) @ v)) for s in (1.0, -1.0))
    assert function.total(largest_in_plane(function)) == pytest.approx(expected, rel=1e-14)
    basis = np.linalg.qr(rng.standard_normal((5, 2)))[0]
    X = rng.standard_normal((7, 2))
    function = kinked(X @ basis.T, v)
    assert function.rank == 2
    bound = function.total(largest_in_plane(function))
    assert rational.largest(X, v) * (1.0 - 1e-13) <= bound
    assert bound <= rational.largest(X, v) * (1.0 + 1e-11)


@each_tree
@with_long(("n", "d"), [(6, 3), (7, 4), (9, 3), (6, 6)], always=2)
def test_a_tree_is_above_all_cells_and_no_more_than_its_target(kind, n, d):
    rng = np.random.default_rng(n + d)
    X, v = rng.standard_normal((n, d)), rng.standard_normal(n)
    exact, function = largest_by_cells(X, v), kinked(X, v)
    bound, splits = by_trees(kind, function, function.needed(exact * (1.0 + 1e-9)))
    assert exact * (1.0 - 1e-12) <= function.total(bound) <= exact * (1.0 + 2e-9)
    signs = (function, function.negative())
    target = function.needed(exact * (1.0 + 1e-9))
    again = max(kind(f, target).followed(s) for f, s in zip(signs, splits, strict=True))
    assert again == bound


@each_tree
def test_whatever_the_splits_are_the_bound_holds(kind):
    rng = np.random.default_rng(3)
    X, v = rng.standard_normal((8, 3)), rng.standard_normal(8)
    function, exact = kinked(X, v), by_cells(X, v, 1.0)
    target = function.needed(exact)
    _, splits = kind(function, target * (1.0 + 1e-9)).searched(20_000)
    refused = 0
    for k in range(60):
        changed = splits.copy()
        changed[int(rng.integers(len(splits)))] ^= 1 << (k % 8)
        try:
            assert function.total(kind(function, target).followed(changed)) >= exact * (1 - 1e-12)
        except InputError:
            refused += 1
    assert 0 < refused < 60
    for broken in (splits[:-1], np.append(splits, splits[:1]), splits[:0]):
        with pytest.raises(InputError, match="none of a tree"):
            kind(function, target).followed(broken)


@each_tree
def test_a_target_below_the_maximum_ends_the_search_with_a_valid_bound(kind):
    rng = np.random.default_rng(4)
    X, v = rng.standard_normal((8, 3)), rng.standard_normal(8)
    function, exact = kinked(X, v), largest_by_cells(X, v)
    bound, _ = by_trees(kind, function, function.needed(0.5 * exact))
    assert function.total(bound) >= exact


def test_columns_of_very_different_size():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((8, 3)) * [1e-4, 1e4, 1.0]
    v = rng.standard_normal(8)
    exact, function = largest_by_cells(X, v), kinked(X, v)
    bound, _ = by_trees(SignTree, function, function.needed(exact * (1.0 + 1e-9)))
    assert exact * (1.0 - 1e-9) <= function.total(bound) <= exact * (1.0 + 1e-8)


def test_a_spectral_bound_is_above_all_cells():
    rng = np.random.default_rng(6)
    for n, d in [(6, 3), (4, 9), (8, 2)]:
        X, v = rng.standard_normal((n, d)), rng.standard_normal(n)
        function = kinked(X, v)
        bound = function.total(max(map(spectral_bound, (function, function.negative()))))
        assert largest_by_cells(X, v) <= bound <= float(np.abs(v) @ np.linalg.norm(X, axis=1))


@pytest.mark.long
def test_a_linear_part_beside_the_kinks():
    rng = np.random.default_rng(7)
    X, v, base = rng.standard_normal((7, 3)), rng.standard_normal(7), rng.standard_normal(7)
    # As kinks: t = (t)_+ - (-t)_+.
    doubled, weights = np.vstack([X, -X]), np.concatenate([v + base, -base])
    exact, function = largest_by_cells(doubled, weights), Kinked.of(X, v, base, 2)
    for kind in TREES:
        bound, _ = by_trees(kind, function, function.needed(exact * (1.0 + 1e-9)))
        assert exact * (1.0 - 1e-12) <= function.total(bound) <= exact * (1.0 + 2e-9)
