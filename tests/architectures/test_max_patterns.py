"""Cells of max pooling against winners of random directions, and what a missing one costs."""

from __future__ import annotations

import numpy as np
from architectures.cnn_problems import max_winners

from cvxnn.architectures import max_patterns
from cvxnn.architectures.max_patterns import MaxPatterns
from cvxnn.oracle import MaxCellOracle
from cvxnn.patterns import enumerate_patterns


def test_cells_are_those_of_the_winners():
    rng = np.random.default_rng(0)
    # Small integers: equal patches, patches of zeros, hyperplanes of many differences.
    patches = rng.integers(-1, 2, (4, 3, 2)).astype(float)
    rows = patches.reshape(-1, 2)
    patterns = MaxPatterns.enumerated(rows, 3)
    directions = rng.standard_normal((20_000, 2))
    # Of equal patches either may win, so that cells are counted by what they do.
    seen = {
        tuple(np.where(w[:, None] >= 0, patches[np.arange(4), w], 0.0).ravel())
        for w in max_winners(patches, directions)
    }
    winners = patterns.winners(slice(None))
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
    rows = patches.reshape(-1, 2)
    full = MaxPatterns.enumerated(rows, 3)
    whole = MaxCellOracle(patches, full.winners(slice(None)), full.reach).price(v)
    best = np.unravel_index(whole.cell_bounds.argmax(), whole.cell_bounds.shape)[1]
    gone = full.winners(slice(None))[best]

    def without_the_best(X):
        patterns = enumerate_patterns(X)
        kept = (max_winners(patches, patterns.directions) != gone).any(axis=1)
        left = patterns.select(kept)
        left.is_complete = True
        return left

    monkeypatch.setattr(max_patterns, "enumerate_patterns", without_the_best)
    partial = MaxPatterns.enumerated(rows, 3)
    assert len(partial) == len(full) - 1
    assert partial.reach.max() > 1e-3
    oracle = MaxCellOracle(patches, partial.winners(slice(None)), partial.reach)
    assert oracle.price(v).bound >= whole.bound * (1.0 - 1e-12)


def test_winners_that_contradict_the_signs_reach_everywhere(monkeypatch):
    rows = np.random.default_rng(1).standard_normal((6, 2))

    def turned(X):
        patterns = enumerate_patterns(X)
        patterns.directions = np.roll(patterns.directions, 1, axis=0)
        return patterns

    monkeypatch.setattr(max_patterns, "enumerate_patterns", turned)
    assert MaxPatterns.enumerated(rows, 3).reach.min() >= 1.0


def test_sampled_cells_are_among_all_and_follow_the_random_state(monkeypatch):
    rows = np.random.default_rng(0).standard_normal((60, 3))
    every = MaxPatterns.enumerated(rows, 5)
    for most in (50_000, 0):
        monkeypatch.setattr(max_patterns, "_FEW_DIFFERENCES", most)
        drawn = [
            MaxPatterns.sampled(rows, 5, 40, np.random.default_rng(1), "data") for _ in range(2)
        ]
        assert 20 <= len(drawn[0]) <= 40
        assert np.array_equal(drawn[0].packed, drawn[1].packed)
        assert not drawn[0].is_complete
        assert {row.tobytes() for row in drawn[0].packed} <= {row.tobytes() for row in every.packed}
