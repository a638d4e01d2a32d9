"""Cells of max pooling against winners of random directions, and what a missing one costs."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from programs import max_winners

from cvxnn.errors import TooManyPatternsError
from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.oracle import MaxCellOracle
from cvxnn.patterns import enumerate_patterns, max_pooling
from cvxnn.patterns.max_pooling import MaxArrangement
from cvxnn.patterns.max_pooling_walk import MaxCellWalk, first_equal


def test_cells_are_those_of_the_winners():
    rng = np.random.default_rng(0)
    # Small integers: equal patches, patches of zeros, hyperplanes of many differences.
    patches = rng.integers(-1, 2, (4, 3, 2)).astype(float)
    rows = patches.reshape(-1, 2)
    patterns = MaxArrangement(rows, 3).enumerate(Deadline())
    directions = rng.standard_normal((20_000, 2))
    # Of equal patches either may win, so that cells are counted by what they do.
    seen = {
        tuple(np.where(w[:, None] >= 0, patches[np.arange(4), w], 0.0).ravel())
        for w in max_winners(patches, directions)
    }
    winners = patterns.winners()
    listed = {
        tuple(MaxCellOracle(patches, winners, patterns.reach).maps([c]).ravel())
        for c in range(len(patterns))
    }
    assert listed == seen
    assert len(listed) == len(patterns)
    assert patterns.is_complete
    assert patterns.reach.max() <= 1e-12
    assert np.array_equal(max_winners(patches, patterns.directions) >= 0, winners >= 0)


def test_a_missing_cell_makes_a_loose_bound_and_no_wrong_one(monkeypatch):
    rng = np.random.default_rng(1)
    patches, v = rng.standard_normal((5, 3, 2)), rng.standard_normal(5)
    full = MaxCellWalk(patches).list_cells()
    whole = MaxCellOracle(patches, full.winners - 1, full.reach).price(v[:, None])
    best = np.unravel_index(whole.cell_bounds.argmax(), whole.cell_bounds.shape)[1]
    gone, flip_error = full.winners[best], MaxCellWalk._flip_error

    def not_to_the_best(self, winners, others, row):
        return np.inf if np.array_equal(others, gone) else flip_error(self, winners, others, row)

    monkeypatch.setattr(MaxCellWalk, "_flip_error", not_to_the_best)
    partial = MaxCellWalk(patches).list_cells()
    assert len(partial.winners) == len(full.winners) - 1
    assert partial.reach.max() > 1e-3
    oracle = MaxCellOracle(patches, partial.winners - 1, partial.reach)
    assert oracle.price(v[:, None]).bound >= whole.bound * (1.0 - 1e-12)


def test_a_step_that_is_no_multiple_of_the_row_proves_little():
    walk = MaxCellWalk(np.array([[[1.0, 0.0], [0.0, 1.0]]]))
    one, other = np.array([1]), np.array([2])
    across = np.array([1.0, -1.0]) / 2**0.5
    assert walk._flip_error(one, other, across) < 1e-14
    assert walk._flip_error(other, one, across) == np.inf
    assert walk._flip_error(one, other, np.array([1.0, 0.0])) >= 1.0


@pytest.mark.parametrize(
    "patches",
    [
        np.random.default_rng(0).standard_normal((4, 3, 3)),
        np.random.default_rng(0).standard_normal((9, 1, 3)),
        # Patches of a plane in space; pixels in common; parallel differences.
        np.random.default_rng(0).standard_normal((5, 3, 2)) @ np.array([[1.0, 2, 3], [0, 1, 5]]),
        sliding_window_view(np.random.default_rng(0).standard_normal((6, 5)), 2, axis=1),
        np.random.default_rng(0).integers(-1, 2, (5, 3, 3)).astype(float),
        np.array([[[2.0], [1.0]], [[-1.0], [0.0]]]),
        np.zeros((2, 2, 2)),
    ],
    ids=["general", "one patch", "rank 2", "signals", "integers", "one pixel", "zeros"],
)
def test_the_walk_merges_the_cells_of_the_refined_arrangement(patches):
    size = patches.shape[1]
    a, b = np.triu_indices(size, 1)
    refined = np.concatenate([patches, patches[:, a] - patches[:, b]], axis=1)
    directions = enumerate_patterns(refined.reshape(-1, patches.shape[2])).directions
    winners = max_winners(patches, directions)
    # Of equal patches the first counts.
    first = first_equal(patches)
    winners = np.where(winners >= 0, first[np.arange(len(patches)), winners], -1)
    cells = MaxCellWalk(patches).list_cells()
    assert {tuple(w) for w in cells.winners - 1} == {tuple(w) for w in winners}
    assert len(cells.winners) == len(np.unique(winners, axis=0))
    assert cells.reach.max() <= 1e-9
    inner = max_winners(patches, cells.directions)
    assert np.array_equal(inner >= 0, cells.winners > 0)


@pytest.mark.long
def test_sampled_cells_are_among_all_and_follow_the_random_state(monkeypatch):
    rows = np.random.default_rng(0).standard_normal((60, 3))
    every = MaxArrangement(rows, 5).enumerate(Deadline())
    for most in (50_000, 0):
        monkeypatch.setattr(max_pooling, "_FEW_DIFFERENCES", most)
        drawn = [
            MaxArrangement(rows, 5).sample(40, "data", np.random.default_rng(1), Deadline())
            for _ in range(2)
        ]
        assert 20 <= len(drawn[0]) <= 40
        assert np.array_equal(drawn[0].packed, drawn[1].packed)
        assert not drawn[0].is_complete
        assert {row.tobytes() for row in drawn[0].packed} <= {row.tobytes() for row in every.packed}


def test_too_many_cells_are_refused_before_the_differences_of_patches(monkeypatch):
    patches = np.random.default_rng(0).standard_normal((100, 20, 4))
    walk = MaxCellWalk(patches)
    monkeypatch.setattr(MaxCellWalk, "_sort_differences", lambda self: pytest.fail("sorted"))
    with pytest.raises(TooManyPatternsError, match="more than 30000 patterns"):
        walk.list_cells()
    with pytest.raises(OutOfTimeError):
        MaxCellWalk(patches, Deadline(0.0))
