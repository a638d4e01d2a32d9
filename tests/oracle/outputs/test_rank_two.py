"""The rank-two oracle of several outputs against brute force, and against that of one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle.outputs.norms import dual_points, mass, norms
from oracle.test_rank_two import KINDS, make_rows
from problems import with_bias
from row_kinds import FloatArray, seeds

from cvxnn.oracle.outputs.rank_two import RankTwoOutputsOracle
from cvxnn.oracle.rank_two import RankTwoOracle


def candidates(X: FloatArray, V: FloatArray) -> FloatArray:
    """Directions of the largest values: ends of arcs, and singular vectors of every arc."""
    live = X[X.any(axis=1)]
    if len(live) == 0:
        return np.eye(2)
    turned = np.column_stack([-live[:, 1], live[:, 0]])
    turned /= np.hypot(*turned.T)[:, None]
    rays = np.vstack([turned, -turned])
    angles = np.unique(np.arctan2(rays[:, 1], rays[:, 0]))
    middles = angles + 0.5 * np.diff(angles, append=angles[0] + 2.0 * np.pi)
    inside = np.column_stack([np.cos(middles), np.sin(middles)])
    sums = np.einsum("ai,id,ij->adj", (inside @ X.T > 0.0).astype(float), X, V)
    singular = np.linalg.svd(sums)[0][:, :, 0]
    return np.vstack([rays, inside, singular, -singular])


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds, n=st.integers(1, 30), c=st.integers(1, 5), which=st.integers(0, 5))
def test_the_bound_is_tight_and_never_below(kind, seed, n, c, which):
    rng = np.random.default_rng(seed)
    X = make_rows(kind, rng, n)
    V = list(dual_points(rng, n, c).values())[which]
    price = RankTwoOutputsOracle(X).price(V)
    slack = 1e-12 * mass(X, V)
    anywhere = rng.standard_normal((100, X.shape[1]))
    assert price.bounds.shape == (1,)
    assert norms(X, V, anywhere).max() <= price.bound
    if X.shape[1] == 2:
        best = norms(X, V, candidates(X, V)).max()
        assert best * (1.0 - 1e-17) - 1e-17 * slack <= price.bound
        assert price.bound <= best * (1.0 + 1e-10) + slack
    assert (np.diff(price.values) <= 0.0).all()
    if len(price.values):
        np.testing.assert_allclose(np.linalg.norm(price.directions, axis=1), 1.0, rtol=1e-14)
        np.testing.assert_allclose(np.linalg.norm(price.outputs, axis=1), 1.0, rtol=1e-14)
        sums = np.maximum(X @ price.directions.T, 0.0).T @ V
        attained = (sums * price.outputs).sum(axis=1)
        np.testing.assert_allclose(attained, price.values, rtol=1e-12, atol=slack)
        assert price.bound - price.values[0] <= 1e-10 * price.bound + slack


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds, n=st.integers(1, 40))
def test_one_output(kind, seed, n):
    rng = np.random.default_rng(seed)
    X, V = make_rows(kind, rng, n), rng.standard_normal((n, 1))
    price, other = RankTwoOutputsOracle(X).price(V), RankTwoOracle(X).price(V)
    slack = 1e-13 * mass(X, V)
    assert price.bound == pytest.approx(other.bound, rel=1e-10, abs=slack)
    kept, scalar = (p.values[p.values > slack] for p in (price, other))
    if kind in ("bias", "two features"):
        np.testing.assert_allclose(kept, scalar, rtol=1e-10)


def test_finds_every_local_maximum_and_nothing_else():
    angles = np.linspace(0.0, 2.0 * np.pi, 4001)[:-1]
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 40))
        X, V = rng.standard_normal((n, 2)), rng.standard_normal((n, 3))
        # Where no row is active there is only rounding.
        price = RankTwoOutputsOracle(X).price(V, 1e-9 * mass(X, V))
        around = np.arctan2(price.directions[:, 1], price.directions[:, 0])
        for turn in (-1e-6, 1e-6):
            beside = np.column_stack([np.cos(around + turn), np.sin(around + turn)])
            assert (norms(X, V, beside) <= price.values + 1e-13 * mass(X, V)).all()
        heights = norms(X, V, circle)
        summit = (heights > np.roll(heights, 1)) & (heights > np.roll(heights, -1))
        for angle in angles[summit & (heights > 1e-9 * mass(X, V))]:
            distance = np.abs((around - angle + np.pi) % (2.0 * np.pi) - np.pi)
            assert distance.min() <= 2.0 * np.pi / 4000


def test_threshold_and_most_and_depth_choose_among_the_maxima():
    rng = np.random.default_rng(0)
    X, V = with_bias(rng.standard_normal(3000)), rng.standard_normal((3000, 3))
    everything = RankTwoOutputsOracle(X, most=10**6).price(V)
    few = RankTwoOutputsOracle(X, most=5).price(V)
    np.testing.assert_array_equal(few.values, everything.values[:5])
    enough = float(everything.values[12])
    above = RankTwoOutputsOracle(X).price(V, enough)
    np.testing.assert_array_equal(above.values, everything.values[:12])
    hills = RankTwoOutputsOracle(X, depth=0.5).price(V, enough)
    assert 0 < len(hills.values) < 12
    assert few.bound == above.bound == hills.bound == everything.bound


@pytest.mark.parametrize(("of_rows", "of_dual"), [(-300, 0), (0, -900), (300, 300), (-300, 900)])
def test_scales(of_rows, of_dual):
    rng = np.random.default_rng(2)
    X, V = rng.standard_normal((20, 2)), rng.standard_normal((20, 3))
    plain = RankTwoOutputsOracle(X).price(V)
    scaled = RankTwoOutputsOracle(X * 2.0**of_rows).price(V * 2.0**of_dual)
    scale = 2.0 ** (of_rows + of_dual)
    np.testing.assert_allclose(scaled.values, plain.values * scale, rtol=1e-14)
    assert scaled.bound == pytest.approx(plain.bound * scale, rel=1e-13)


def test_small_rows_beside_large_dual_points():
    X, V = np.array([[1e-200, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 1e-200]])
    price = RankTwoOutputsOracle(X).price(V)
    assert price.bound == pytest.approx(1e-200, rel=1e-12)
    assert price.bound >= norms(X, V, np.eye(2)).max()


def test_nearly_parallel_rows_are_worth_twice_the_precision():
    """Time stamps: rows of length 1e9 whose sums cancel to a few units."""
    rng = np.random.default_rng(0)
    X = with_bias(1e9 + np.arange(300.0))
    V = rng.standard_normal((300, 3))
    V -= X @ np.linalg.lstsq(X, V, rcond=None)[0]
    price = RankTwoOutputsOracle(X).price(V)
    assert price.bound - price.values[0] <= 1e-9 * price.bound
    assert norms(X, V, price.directions[:1])[0] == pytest.approx(price.bound, rel=1e-3)


def test_nothing_to_price():
    oracle = RankTwoOutputsOracle(np.zeros((3, 2)))
    assert oracle.price(np.ones((3, 2))).bound == 0.0
    assert len(RankTwoOutputsOracle(np.eye(2)).price(np.zeros((2, 4))).proposals) == 0


def test_dual_points_that_hardly_meet_any_row():
    X, V = np.array([[1e-150, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 1e-160]])
    price = RankTwoOutputsOracle(X).price(V)
    assert 1e-150 <= price.bound <= 1e-150 * (1.0 + 1e-12)
    X, V = np.array([[1e-150, 0.0], [0.0, 1.0]]), np.array([[0.0, 1e-150], [0.0, 0.0]])
    assert 1e-300 <= RankTwoOutputsOracle(X).price(V).bound <= 1e-300 * (1.0 + 1e-12)
