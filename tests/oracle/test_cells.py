"""The bound over cells against maxima that are bracketed by other means."""

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from cones import project_on_cone
from hypothesis import given
from hypothesis import strategies as st
from problems import SMALL_PROBLEMS, arrangement, each_with_long, with_bias
from row_kinds import (
    Generator,
    each_kind,
    each_kind_and_near,
    gaussian,
    integers,
    nearly_degenerate,
    seeds,
)
from variants import with_long

from cvxnn.array_types import FloatArray
from cvxnn.oracle import CellOracle
from cvxnn.patterns import PatternSet, enumerate_patterns, sample_patterns

# ------------------------------------------------------------------ maxima by other means


def value(X: FloatArray, v: FloatArray, directions: FloatArray) -> float:
    """The largest ``|v'(Xu)_+|`` over the given directions, scaled to the unit sphere."""
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    units = directions[lengths[:, 0] > 0.0] / lengths[lengths[:, 0] > 0.0]
    return float(np.abs(np.maximum(units @ X.T, 0.0) @ v).max(initial=0.0))


def maximum_over_cells(X: FloatArray, v: FloatArray, masks: np.ndarray) -> tuple[float, FloatArray]:
    """Maximum of ``|v'(Xu)_+|`` over cells and the unit ball by scipy, and the maximisers."""
    best, points = 0.0, []
    for mask in masks:
        for s in (1.0, -1.0):
            norm, z = project_on_cone(
                np.where(mask, 1.0, -1.0)[:, None] * X, s * (X.T @ (mask * v))
            )
            best = max(best, norm)
            points.append(z)
    return best, np.array(points)


def directions_everywhere(X: FloatArray, rng: Generator) -> FloatArray:
    """Random directions, all rays of the arrangement, and points next to them; no cells used."""
    d = X.shape[1]
    live = X[X.any(axis=1)]
    random = rng.standard_normal((200, d))
    if len(live) == 0:
        return random
    columns = np.where(live.any(axis=0), np.abs(live).max(axis=0), 1.0)
    live = live / columns
    live = live / np.linalg.norm(live, axis=1, keepdims=True)
    subsets = list(combinations(range(len(live)), min(d, len(live)) - 1))
    chosen = rng.permutation(len(subsets))[:60]
    rays = []
    for k in chosen:
        _, _, right = np.linalg.svd(live[list(subsets[k])].reshape(-1, d))
        rays += [right[-1], -right[-1]]
    near = [ray + 1e-5 * rng.standard_normal((4, d)) for ray in rays]
    points = np.vstack([rays, *near]) / columns
    return np.vstack([random, points])


def bracket(X: FloatArray, v: FloatArray, masks: np.ndarray, rng: Generator) -> tuple[float, float]:
    """Lower and upper bound on the true maximum over all of space.

    The lower one is a value of the function: right even where `masks` are not all cells.
    """
    upper, points = maximum_over_cells(X, v, masks)
    return value(X, v, np.vstack([points, directions_everywhere(X, rng)])), upper


def rounding(X: FloatArray, v: FloatArray) -> float:
    """What the sums of the tests themselves may err by."""
    return 1e-14 * float(np.abs(v) @ np.linalg.norm(X, axis=1))


# ------------------------------------------------------------------------------ instances


def random_dual(rng: Generator, X: FloatArray) -> FloatArray:
    """Noise, sparse, integer (many ties), cancelling, or badly scaled dual points."""
    n = len(X)
    noise = rng.standard_normal(n)
    return [
        noise,
        noise * (rng.random(n) < 0.4),
        rng.integers(-1, 2, n).astype(np.float64),
        noise - X @ np.linalg.lstsq(X, noise, rcond=None)[0],
        noise * 10.0 ** rng.integers(-6, 7, n),
    ][rng.integers(5)]


def instances(kind: Callable[[Generator, int, int], FloatArray], count: int, seed: int) -> Any:
    for k in range(count):
        rng = np.random.default_rng([seed, k])
        n, d = int(rng.integers(1, 8)), int(rng.integers(1, 5))
        X = kind(rng, n, d)
        yield rng, X, random_dual(rng, X)


# ------------------------------------------------------------------------------ the bound


@each_kind_and_near
def test_equal_to_the_maximum(kind):
    for rng, X, v in instances(kind, 40, 1):
        patterns = enumerate_patterns(X)
        oracle = CellOracle(X, patterns)
        lower, upper = bracket(X, v, patterns.masks, rng)
        # What lies beyond the cells is part of the bound, and tested for itself below.
        lengths = np.linalg.norm(X, axis=1)
        slack = float(oracle.cover.max()) + (1e-8 if kind is nearly_degenerate else 0.0)
        allowed = 100.0 * rounding(X, v) + slack * float(np.abs(v) @ lengths)
        bound = oracle.price(v[:, None]).bound
        assert lower * (1.0 - 1e-14) <= bound <= upper * (1.0 + 1e-9) + allowed
        assert upper <= lower * (1.0 + 1e-9) + allowed


@each_with_long(SMALL_PROBLEMS)
def test_registered_problems(problem):
    X, rng = problem.X, np.random.default_rng(0)
    oracle = CellOracle(X, enumerate_patterns(X))
    for v in (problem.y, rng.standard_normal(len(X))):
        lower, upper = bracket(X, v, arrangement(problem).masks, rng)
        bound = oracle.price(v[:, None]).bound
        assert lower * (1.0 - 1e-14) <= bound <= upper * (1.0 + 1e-9) + 100.0 * rounding(X, v)


@given(seed=seeds, n=st.integers(1, 6), d=st.integers(1, 4))
def test_bounds_and_points_of_single_cells(seed, n, d):
    rng = np.random.default_rng(seed)
    X, v = rng.standard_normal((n, d)), rng.standard_normal(n)
    patterns = enumerate_patterns(X)
    oracle = CellOracle(X, patterns)
    pricing = oracle.price(v[:, None])
    assert pricing.bound == pricing.cell_bounds.max()
    for half, s in enumerate((1.0, -1.0)):
        for cell, mask in enumerate(patterns.masks):
            signed = np.where(mask, 1.0, -1.0)[:, None] * X
            g = s * (X.T @ (mask * v))
            norm, _ = project_on_cone(signed, g)
            point = oracle.basis @ pricing.points[half, cell]
            # The bound of a sliver has the rounding of a vector much longer than its projection.
            error = pricing.cell_bounds[half, cell] - norm
            assert -1e-14 * np.linalg.norm(g) <= error <= 1e-11 * max(1.0, np.linalg.norm(g))
            np.testing.assert_allclose(np.linalg.norm(point), norm, rtol=0, atol=1e-11)
            assert (signed @ point >= -1e-12).all()
            # At the maximiser the function takes the maximum: ||z|| times it is ||z||^2.
            np.testing.assert_allclose(
                s * (v @ np.maximum(X @ point, 0.0)), norm**2, rtol=0, atol=1e-11
            )


def test_both_signs_of_v():
    for _, X, v in instances(gaussian, 50, 2):
        oracle = CellOracle(X, enumerate_patterns(X))
        plus, minus = oracle.price(v[:, None]), oracle.price((-v)[:, None])
        assert plus.bound == minus.bound
        np.testing.assert_array_equal(plus.cell_bounds, minus.cell_bounds[::-1])
        np.testing.assert_array_equal(plus.points, minus.points[::-1])


def test_the_unit_vectors_in_closed_form():
    """For X = I the maximum is the larger norm of the two parts of v."""
    rng = np.random.default_rng(3)
    for n in range(1, 7):
        v = rng.standard_normal(n)
        bound = CellOracle(np.eye(n), enumerate_patterns(np.eye(n))).price(v[:, None]).bound
        expected = max(np.linalg.norm(np.maximum(v, 0)), np.linalg.norm(np.maximum(-v, 0)))
        np.testing.assert_allclose(bound, expected, rtol=1e-12)


# ------------------------------------------------------------------------------- coverage


@given(seed=seeds, n=st.integers(1, 8), d=st.integers(1, 4))
def test_cover_is_zero_in_general_position(seed, n, d):
    X = np.random.default_rng(seed).standard_normal((n, d))
    assert not CellOracle(X, enumerate_patterns(X)).cover.any()


@each_kind
def test_cover_is_tiny_on_degenerate_data(kind):
    for _, X, _ in instances(kind, 25, 3):
        assert CellOracle(X, enumerate_patterns(X)).cover.max() <= 1e-11


@with_long("kept", ["half", "one"])
@each_kind_and_near
def test_missing_cells_show_as_a_loose_bound_never_as_a_wrong_one(kind, kept):
    for rng, X, v in instances(kind, 12, 4):
        patterns = enumerate_patterns(X)
        m = len(patterns)
        size = max(1, {"half": m // 2, "one": 1}[kept])
        chosen = rng.permutation(m)[:size]
        claimed = PatternSet(
            patterns.packed[chosen], patterns.directions[chosen], len(X), is_complete=True
        )
        oracle = CellOracle(X, claimed)
        lower, _ = bracket(X, v, patterns.masks, rng)
        assert oracle.is_complete
        assert oracle.price(v[:, None]).bound >= lower * (1.0 - 1e-14)


def test_a_missing_cell_with_the_maximum_is_noticed():
    X = np.random.default_rng(8).standard_normal((6, 3))
    v = np.random.default_rng(9).standard_normal(6)
    patterns = enumerate_patterns(X)
    complete = CellOracle(X, patterns).price(v[:, None])
    best = int(complete.cell_bounds.max(axis=0).argmax())
    others = np.delete(np.arange(len(patterns)), best)
    claimed = PatternSet(patterns.packed[others], patterns.directions[others], 6, is_complete=True)
    oracle = CellOracle(X, claimed)
    assert oracle.cover.any()
    assert oracle.price(v[:, None]).bound >= complete.bound * (1.0 - 1e-14)
    # The same cells without the claim: the bound is about these cells, and lower.
    assert CellOracle(X, patterns.select(others)).price(v[:, None]).bound < complete.bound


@each_kind_and_near
def test_incomplete_sets_bound_the_maximum_over_their_own_cells(kind):
    for _, X, v in instances(kind, 15, 5):
        patterns = sample_patterns(X, 6, 0)
        oracle = CellOracle(X, patterns)
        assert not oracle.is_complete
        bound = oracle.price(v[:, None]).bound
        inside, _ = maximum_over_cells(X, v, patterns.masks)
        assert bound >= value(X, v, patterns.directions) * (1.0 - 1e-14)
        # Rows that differ by less than the tolerance count as one.
        allowed = 100.0 * rounding(X, v)
        if kind is not nearly_degenerate:
            assert inside - allowed <= bound <= inside * (1.0 + 1e-9) + allowed


def test_cover_does_not_grow_with_the_units_of_a_column():
    """A grid far from the origin: the cells do not reach farther, and the bound stays tight."""
    X = with_bias(1e8 + np.array([[a, b] for a in range(5) for b in range(5)], dtype=np.float64))
    assert CellOracle(X, enumerate_patterns(X)).cover.max() <= 1e-6


def test_cover_stays_small_where_three_rows_almost_coincide():
    for seed in range(12):
        rng = np.random.default_rng(seed)
        rows = rng.standard_normal((5, 3))
        X = np.vstack([rows, rows[0] + 1e-8 * rng.standard_normal((2, 3))])
        assert CellOracle(X, enumerate_patterns(X)).cover.max() <= 1e-3


@pytest.mark.parametrize("kind", [gaussian, integers, nearly_degenerate])
def test_cover_is_at_most_the_whole_unit_ball(kind):
    """Unit normals: nothing in the unit ball is farther than 1 from a hyperplane."""
    for _, X, _ in instances(kind, 60, 7):
        patterns = enumerate_patterns(X)
        one = PatternSet(patterns.packed[:1], patterns.directions[:1], len(X), is_complete=True)
        assert CellOracle(X, one).cover.max() <= 1.0 + 1e-12


# ---------------------------------------------------------------------- rounding and range


def test_rounding_of_many_equal_rows_is_in_the_bound():
    X = np.ones((2001, 1))
    # Each small weight is lost when it is added to 1.
    v = np.r_[1.0, np.full(2000, 1.1e-16)]
    assert CellOracle(X, enumerate_patterns(X)).price(v[:, None]).bound >= math.fsum(v)


def test_entries_whose_squares_underflow_are_in_the_bound():
    X = np.array([[1.0, 0.0], [0.0, 1e-99]])
    assert CellOracle(X, enumerate_patterns(X)).price(np.array([0.0, 1.0])[:, None]).bound >= 1e-99
    assert (
        CellOracle(np.eye(2), enumerate_patterns(np.eye(2)))
        .price(np.array([1e-170, 0.0])[:, None])
        .bound
        >= 1e-170
    )


# --------------------------------------------------------------------------------- enough


@each_kind_and_near
@with_long("fraction", [0.5, 1.1])
def test_enough(kind, fraction):
    """Bounds stay proofs, cleared cells stay below, and cells above are priced as before."""
    for rng, X, v in instances(kind, 12, 6):
        patterns = enumerate_patterns(X)
        oracle = CellOracle(X, patterns)
        exact = oracle.price(v[:, None])
        enough = fraction * exact.bound
        pricing = oracle.price(v[:, None], enough)
        above = exact.cell_bounds > enough
        np.testing.assert_array_equal(pricing.cell_bounds[above], exact.cell_bounds[above])
        np.testing.assert_array_equal(pricing.points[above], exact.points[above])
        assert (pricing.cell_bounds >= exact.cell_bounds * (1.0 - 1e-12) - rounding(X, v)).all()
        assert (pricing.cell_bounds[~above] <= enough * (1.0 + 1e-12) + 100 * rounding(X, v)).all()
        lower = value(X, v, np.vstack([patterns.directions, directions_everywhere(X, rng)]))
        assert pricing.bound >= lower * (1.0 - 1e-14)


def test_cells_cleared_early_have_no_points():
    X = np.random.default_rng(10).standard_normal((8, 3))
    oracle = CellOracle(X, enumerate_patterns(X))
    pricing = oracle.price(np.ones(8)[:, None], 1e9)
    assert not pricing.points.any()
    assert (pricing.cell_bounds <= 1e9).all()


# ----------------------------------------------------------------------------- the others


def test_sides_of_cells():
    X = np.random.default_rng(11).standard_normal((70, 2))
    X = np.vstack([-X[:3], X])
    patterns = enumerate_patterns(X)
    oracle = CellOracle(X, patterns)
    cells = np.array([5, 0, 77])
    # Rows 3 to 5 are parallel to the first three.
    np.testing.assert_array_equal(
        oracle.sides(cells), np.delete(patterns.masks[cells], [3, 4, 5], axis=1)
    )
    centres = patterns.directions @ oracle.basis
    np.testing.assert_array_equal(
        centres @ oracle.normals.T > 0, oracle.sides(np.arange(oracle.n_cells))
    )


def test_chunks_do_not_change_the_result(monkeypatch):
    X = np.random.default_rng(12).integers(-2, 3, (9, 3)).astype(np.float64)
    v = np.random.default_rng(13).standard_normal(9)
    patterns = enumerate_patterns(X)
    whole = CellOracle(X, patterns)
    monkeypatch.setattr("cvxnn.oracle.cells._CHUNK_WORK", 7 * whole.normals.size)
    parts = CellOracle(X, patterns)
    for name in ("starts", "rows", "neighbours", "cover"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    np.testing.assert_array_equal(
        whole.price(v[:, None]).cell_bounds, parts.price(v[:, None]).cell_bounds
    )
    np.testing.assert_array_equal(whole.price(v[:, None]).points, parts.price(v[:, None]).points)
