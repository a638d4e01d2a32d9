"""Blocks of rows: every row once, of balanced sizes, and similar rows together."""

import numpy as np
import pytest

from cvxnn.relaxation.blocks import Blocks


@pytest.mark.parametrize(("n", "size"), [(1, 4), (7, 1), (12, 5), (40, 9), (5, 100)])
def test_every_row_is_in_one_place(n, size):
    X = np.random.default_rng(n).standard_normal((n, 3))
    blocks = Blocks.of(X, size)
    assert blocks.rows.shape[1] <= size and len(blocks) >= -(-n // size) > len(blocks) / 2
    assert len(blocks).bit_count() == 1
    flat = blocks.rows.reshape(-1, 3)
    assert np.array_equal(flat[blocks.places], X)
    assert np.count_nonzero(flat.any(axis=1)) == n
    # Blocks are filled to within one row.
    filled = np.bincount(blocks.places // blocks.rows.shape[1], minlength=len(blocks))
    assert filled.max() - filled.min() <= 1


def test_numbers_of_rows_go_there_and_back():
    blocks = Blocks.of(np.random.default_rng(0).standard_normal((11, 2)), 4)
    values = np.arange(11.0)
    assert np.array_equal(blocks.gathered(blocks.scattered(values)), values)
    assert blocks.scattered(values).sum() == values.sum()


def test_neighbours_are_merged():
    X = np.random.default_rng(0).standard_normal((13, 2))
    blocks = Blocks.of(X, 4)
    values = np.arange(13.0)
    while len(blocks) > 1:
        blocks = blocks.merged()
        assert np.array_equal(blocks.rows.reshape(-1, 2)[blocks.places], X)
        assert np.array_equal(blocks.gathered(blocks.scattered(values)), values)


def test_rows_with_the_same_kink_share_a_block():
    # Two bundles of lines through 0, the rows of either side of it and of all sizes.
    rng = np.random.default_rng(1)
    axes = np.repeat(np.eye(2), 10, axis=0)
    scales = rng.choice([-1.0, 1.0], 20) * np.exp2(rng.integers(-20, 20, 20))
    X = (axes + 0.05 * rng.standard_normal((20, 2))) * scales[:, None]
    order = rng.permutation(20)
    homes = Blocks.of(X[order], 10).places // 10
    assert len(set(homes[order < 10])) == 1 and len(set(homes[order >= 10])) == 1
    assert len(set(homes)) == 2


@pytest.mark.parametrize("scale", [0.0, 1e-300, 1e300])
def test_rows_of_zeros_and_of_any_size(scale):
    X = scale * np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [-1.0, 2.0]])
    assert np.array_equal(np.sort(Blocks.of(X, 2).places), np.arange(4))
