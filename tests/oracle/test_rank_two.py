"""The rank-two oracle against the oracle over cells and against brute force."""

import math

import numpy as np
import pytest
import rational
from hypothesis import given
from hypothesis import strategies as st
from problems import PROBLEMS, problem_ids, with_bias
from row_kinds import FloatArray, Generator, seeds

from cvxnn.oracle import CellOracle
from cvxnn.oracle.circle import CircularRows
from cvxnn.oracle.rank_two import RankTwoOracle
from cvxnn.patterns import enumerate_patterns

PLANAR = [p for p in PROBLEMS if np.linalg.matrix_rank(p.X) <= 2]


def rows_of_kinds(rng: Generator, n: int) -> dict[str, FloatArray]:
    x = rng.standard_normal(n)
    plane = rng.standard_normal((n, 2))
    return {
        "bias": with_bias(x),
        "two features": plane,
        "grid": rng.integers(-2, 3, (n, 2)).astype(float),
        # Integers would cancel without rounding.
        "tenths": 0.1 * rng.integers(-3, 4, (n, 2)),
        "grid and bias": with_bias(rng.integers(-3, 4, n).astype(float)),
        "low rank": plane @ rng.standard_normal((2, 4)),
        "one feature": x[:, None],
        "repeated": plane[rng.integers(0, max(1, n // 3), n)],
        "parallel": plane[rng.integers(0, max(1, n // 3), n)] * x[:, None],
        "badly scaled": with_bias(x) * [1e-5, 1e4],
        "far from the origin": with_bias(1e3 + x),
        "zero rows": plane * (x > 0)[:, None],
        "constant": np.tile([[1.0, -2.0]], (n, 1)),
    }


def make_rows(kind: str, rng: Generator, n: int) -> FloatArray:
    return rows_of_kinds(rng, n)[kind]


KINDS = [*rows_of_kinds(np.random.default_rng(0), 1)]


def value(X: FloatArray, v: FloatArray, directions: FloatArray) -> FloatArray:
    """``v'(X u)_+`` for every direction."""
    return np.asarray(np.maximum(X @ directions.T, 0.0).T @ v)


def brute_force(X: FloatArray, v: FloatArray) -> float:
    """Maximum of ``|v'(Xu)_+|`` over the unit circle for X with two columns, O(n^2)."""
    live = X[X.any(axis=1)]
    if len(live) == 0:
        return 0.0
    turned = np.column_stack([-live[:, 1], live[:, 0]])
    rays = np.vstack([turned, -turned])
    angles = np.sort(np.unique(np.arctan2(rays[:, 1], rays[:, 0])))
    middles = angles + 0.5 * np.diff(angles, append=angles[0] + 2 * np.pi)
    inside = np.column_stack([np.cos(middles), np.sin(middles)])
    gradients = ((X @ inside.T > 0.0) * v[:, None]).T @ X
    points = np.vstack([rays, gradients, -gradients])
    lengths = np.linalg.norm(points, axis=1)
    units = points[lengths > 0.0] / lengths[lengths > 0.0, None]
    return float(np.abs(value(X, v, units)).max(initial=0.0))


def rounding(X: FloatArray, v: FloatArray) -> float:
    return 1e-13 * float(np.abs(v) @ np.linalg.norm(X, axis=1))


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds, n=st.integers(1, 60))
def test_the_bound_is_tight_never_below_and_that_of_the_cells(kind, seed, n):
    rng = np.random.default_rng(seed)
    X, v = make_rows(kind, rng, n), rng.standard_normal(n)
    oracle, slack = RankTwoOracle(X), rounding(X, v)
    price = oracle.price(v[:, None])
    if n < 15:
        cells = CellOracle(X, enumerate_patterns(X)).price(v[:, None]).bound
        assert abs(price.bound - cells) <= 1e-12 * cells + slack
    if X.shape[1] == 2:
        exact = rational.largest(X, v)
        assert exact * (1.0 - 1e-15) <= price.bound <= exact * (1.0 + 1e-12) + slack
    anywhere = rng.standard_normal((200, X.shape[1]))
    anywhere /= np.linalg.norm(anywhere, axis=1, keepdims=True)
    assert np.abs(value(X, v, anywhere)).max() <= price.bound
    # Directions attain their values, the largest first.
    attained = price.signs * value(X, v, price.directions)
    np.testing.assert_allclose(price.values, attained, rtol=1e-12, atol=slack)
    np.testing.assert_allclose(np.linalg.norm(price.directions, axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(price.points @ oracle.basis.T, price.directions, atol=1e-15)
    assert (np.diff(price.values) <= 0.0).all()
    if len(price.values):
        assert price.bound - price.values[0] <= 1e-12 * price.bound + slack


def test_a_slope_of_zero_at_the_end_of_the_walk():
    """Its two computations rounded to opposite signs once, and the maximum was lost."""
    X = 0.1 * np.array([[-1, -2], [3, 2], [3, -2], [0, 3], [-3, -3]])
    v = 0.1 * np.array([-1, 0, -3, 0, 2])
    bound = RankTwoOracle(X).price(v[:, None]).bound
    assert brute_force(X, v) <= bound <= brute_force(X, v) + rounding(X, v)


@given(seed=seeds, n=st.integers(3, 8))
def test_dual_points_of_one_decimal(seed, n):
    rng = np.random.default_rng(seed)
    X, v = make_rows("tenths", rng, n), 0.1 * rng.integers(-3, 4, n)
    bound = RankTwoOracle(X).price(v[:, None]).bound
    assert brute_force(X, v) - rounding(X, v) <= bound <= brute_force(X, v) + rounding(X, v)


@pytest.mark.parametrize("exponent", [-900, -300, 300, 900])
def test_scale_of_the_dual_point(exponent):
    rng = np.random.default_rng(2)
    oracle, v = RankTwoOracle(rng.standard_normal((20, 2))), rng.standard_normal(20)
    plain, scaled = oracle.price(v[:, None]), oracle.price((v * 2.0**exponent)[:, None])
    np.testing.assert_array_equal(scaled.values, plain.values * 2.0**exponent)
    assert scaled.bound == pytest.approx(plain.bound * 2.0**exponent, rel=1e-15)


@given(seed=seeds, n=st.integers(3, 40), has_bias=st.booleans())
def test_finds_every_local_maximum_and_nothing_else(seed, n, has_bias):
    rng = np.random.default_rng(seed)
    X = with_bias(rng.standard_normal(n)) if has_bias else rng.standard_normal((n, 2))
    v = rng.standard_normal(n)
    pricing = RankTwoOracle(X).price(v[:, None])
    step = 1e-6
    around = np.arctan2(pricing.directions[:, 1], pricing.directions[:, 0])
    for turn in (-step, step):
        beside = np.column_stack([np.cos(around + turn), np.sin(around + turn)])
        assert (pricing.signs * value(X, v, beside) <= pricing.values + rounding(X, v)).all()
    angles = np.linspace(0.0, 2.0 * np.pi, 4001)[:-1]
    grid = value(X, v, np.column_stack([np.cos(angles), np.sin(angles)]))
    for sign in (1.0, -1.0):
        heights = sign * grid
        summit = (heights > np.roll(heights, 1)) & (heights > np.roll(heights, -1))
        found = around[pricing.signs == sign]
        for angle in angles[summit & (heights > rounding(X, v))]:
            distance = np.abs((found - angle + np.pi) % (2.0 * np.pi) - np.pi)
            assert distance.min() <= 2.0 * np.pi / 4000


def test_enough_and_most_and_depth_choose_among_the_maxima():
    rng = np.random.default_rng(0)
    X, v = with_bias(rng.standard_normal(3000)), rng.standard_normal(3000)
    everything = RankTwoOracle(X, most=10**6).price(v[:, None])
    assert len(everything.values) > 25
    few = RankTwoOracle(X, most=10).price(v[:, None])
    np.testing.assert_array_equal(few.values, everything.values[:10])
    enough = float(everything.values[20])
    above = RankTwoOracle(X).price(v[:, None], enough)
    np.testing.assert_array_equal(above.values, everything.values[:20])
    hills = RankTwoOracle(X, depth=0.5).price(v[:, None], enough)
    assert 0 < len(hills.values) < 20
    assert hills.values[0] == above.values[0]
    assert np.isin(hills.values, above.values).all()
    assert few.bound == above.bound == hills.bound == everything.bound


def test_more_maxima_than_a_buffer_holds():
    # Alternating signs on a fine grid: nearly every row is a summit.
    x = np.linspace(-1.0, 1.0, 30_000)
    v = np.where(np.arange(len(x)) % 2 == 0, 1.0, -1.0)
    rows = CircularRows.of(with_bias(x))
    everything = RankTwoOracle(rows, most=10**6).price(v[:, None])
    assert len(everything.values) > 10_000
    largest = RankTwoOracle(rows, most=70).price(v[:, None])
    np.testing.assert_array_equal(largest.values, everything.values[:70])


def test_rounding_does_not_grow_with_the_rows():
    rng = np.random.default_rng(1)
    n = 200_000
    X = with_bias(rng.uniform(-2.0, 2.0, n))
    v = rng.standard_normal(n)
    v -= X @ np.linalg.lstsq(X, v, rcond=None)[0]
    pricing = RankTwoOracle(X).price(v[:, None])
    # Exact sums of products that round once each.
    exact = math.fsum((np.maximum(X @ pricing.directions[0], 0.0) * v).tolist())
    size = float(np.abs(v) @ np.linalg.norm(X, axis=1))
    assert abs(pricing.signs[0] * exact - pricing.values[0]) <= 2e-16 * size
    assert pricing.bound - pricing.values[0] <= 5e-15 * size


@pytest.mark.parametrize("problem", PLANAR, ids=problem_ids)
def test_the_registry(problem):
    oracle = RankTwoOracle(problem.X)
    cells = CellOracle(problem.X, enumerate_patterns(problem.X)).price(problem.y[:, None]).bound
    slack = 1e-12 * cells + 10.0 * rounding(problem.X, problem.y)
    assert abs(oracle.price(problem.y[:, None]).bound - cells) <= slack


def test_higher_rank_is_refused():
    with pytest.raises(ValueError, match="rank 3"):
        RankTwoOracle(np.eye(3))


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds, n=st.integers(1, 40))
def test_circular_rows(kind, seed, n):
    X = make_rows(kind, np.random.default_rng(seed), n)
    circle = CircularRows.of(X)
    assert sorted(circle.order) == np.flatnonzero(X.any(axis=1)).tolist()
    lengths = np.linalg.norm(circle.rows, axis=1)
    outside = circle.rows[:, : circle.rank] @ circle.basis.T - X[circle.order]
    assert (np.linalg.norm(outside, axis=1) <= circle.row_error).all()
    p = circle.n_classes
    around = np.vstack([circle.normals, -circle.normals[:1]])
    crosses = around[:-1, 0] * around[1:, 1] - around[:-1, 1] * around[1:, 0]
    assert (crosses > 0.0).all() or p == 1
    sides = np.repeat([1.0, -1.0], [circle.starts[p], len(circle.rows) - circle.starts[p]])
    own = sides[:, None] * circle.normals[circle.class_of_row()]
    apart = np.linalg.norm(circle.rows - lengths[:, None] * own, axis=1)
    assert (apart <= circle.row_error).all()
    assert (circle.row_error <= 1e-9 * lengths).all()


def test_rows_that_differ_by_rounding_are_one_hyperplane():
    x = np.array([0.1, 0.2, 0.3, -0.7])
    X = with_bias(np.concatenate([x, x * (1.0 + 1e-13)]))
    assert CircularRows.of(X).n_classes == 4
    # Also where the half circle begins.
    angles = np.array([0.3, 1e-13, np.pi - 1e-13, 2.0, np.pi])
    assert CircularRows.of(np.column_stack([np.cos(angles), np.sin(angles)])).n_classes == 3
