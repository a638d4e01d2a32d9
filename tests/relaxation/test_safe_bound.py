"""Bounds from any multipliers: never below the maximum, and what they claim in rational numbers."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rational import largest
from relaxation_instances import multipliers, random_moments, rows_and_weights
from variants import with_long

from cvxnn.oracle import CellOracle
from cvxnn.oracle.branch_and_bound import BranchAndBound
from cvxnn.patterns import enumerate_patterns
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.level import best_level
from cvxnn.relaxation.moments import Moments, adjoint
from cvxnn.relaxation.safe_bound import in_dual_cone, proven, safe_bound


def largest_value(X, w, directions):
    """``max w'(Xu)_+`` over some directions, by plain sums; 0 for u = 0."""
    # Relative to the largest entries, so that no square leaves the range of float64.
    size, top = np.abs(X).max() or 1.0, np.abs(w).max() or 1.0
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    units = directions / np.where(lengths > 0.0, lengths, 1.0)
    # A hair shorter than 1, so that no unit vector is too long by rounding.
    active = np.maximum(units @ (X / size).T * (1.0 - 1e-15), 0.0)
    return float((active @ (w / top)).max(initial=0.0)) * size * top


def ascent(X, w, rng, starts=40):
    """Directions: random ones, and the gradients that they lead to."""
    size, top = np.abs(X).max() or 1.0, np.abs(w).max() or 1.0
    rows, weights = X / size, w / top
    found = [rng.standard_normal((starts, X.shape[1])), np.vstack([rows, -rows])]
    U = np.vstack(found)
    for _ in range(4):
        U = ((U @ rows.T > 0.0) * weights) @ rows
        found.append(U / (np.abs(U).max(axis=1, keepdims=True) + 1e-300))
    return np.vstack(found)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_never_below_what_is_found_on_nasty_instances(seed):
    rng = np.random.default_rng(seed)
    for _ in range(133):
        n, d = int(rng.integers(1, 9)), int(rng.integers(1, 6))
        X, w = rows_and_weights(rng, n, d)
        shift, pull = np.exp2(rng.integers(-400, 400, 2) * (rng.random() < 0.3))
        X, w = X * shift, w * pull
        blocks = Blocks.of(X, int(rng.integers(1, n + 1)))
        weights = blocks.scattered(w)
        bound = safe_bound(blocks.rows, weights, multipliers(rng, blocks.rows, weights))
        assert bound >= largest_value(X, w, ascent(X, w, rng)) * (1.0 - 1e-14)


@with_long("seed", range(12), always=6)
def test_never_below_exact_oracles(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(3, 9)), int(rng.integers(2, 5))
    X, w = rng.standard_normal((n, d)), rng.standard_normal(n)
    blocks = Blocks.of(X, int(rng.integers(1, n + 1)))
    exact = CellOracle(X, enumerate_patterns(X)).price(w[:, None]).bounds
    tree = BranchAndBound(X).price(w[:, None])
    for scale in (0.0, 0.03, 0.3):
        L = random_moments(rng, *blocks.rows.shape, scale)
        bounds = np.array(
            [safe_bound(blocks.rows, blocks.scattered(s * w), L) for s in (1.0, -1.0)]
        )
        # The oracles' bounds are as close as rounding and their tolerance.
        assert (bounds >= exact * (1.0 - 1e-9)).all()
        assert bounds.max() >= tree.bound * (1.0 - 2e-6)


@pytest.mark.long
def test_never_below_the_maximum_in_the_plane_in_rational_numbers():
    rng = np.random.default_rng(5)
    for _ in range(60):
        n = int(rng.integers(1, 7))
        X, w = rows_and_weights(rng, n, 2)
        blocks = Blocks.of(X, int(rng.integers(1, n + 1)))
        weights = blocks.scattered(w)
        L = multipliers(rng, blocks.rows, weights)
        bounds = [safe_bound(blocks.rows, s * weights, L) for s in (1.0, -1.0)]
        assert max(bounds) >= largest(X, w) * (1.0 - 4e-16)


def exactly(array):
    """An array of rational numbers."""
    return np.vectorize(Fraction, otypes=[object])(array)


def exact_form(X, w, L, z):
    """``<Lambda + sym(w), (1, u, p, q)(1, u, p, q)'>`` of one block, the corner left out."""
    u, p, q = z
    return (
        w @ p + 2 * (L.p[0] @ p + L.q[0] @ q)
        + 2 * (u @ L.up[0] @ p + u @ L.uq[0] @ q)
        + p @ L.pp[0] @ p + 2 * (p @ L.pq[0] @ q) + q @ L.qq[0] @ q
    )  # fmt: skip


def test_the_claims_in_rational_numbers():
    """Every step of the derivation, for directions of a grid in the ball."""
    rng = np.random.default_rng(7)
    for _ in range(25):
        n, d = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        X = np.ldexp(rng.integers(-64, 65, (n, d)).astype(float), -6)
        X[0, 0] = 1.0
        w = rng.standard_normal(n)
        w /= np.abs(w).max()
        given = random_moments(rng, 1, n, d, float(rng.choice([0.0, 0.1, 1.0])))
        # As float32 leaves them, not quite symmetric.
        inside = in_dual_cone(given._replace(pp=given.pp + 0.1 * np.triu(given.pp)))
        arrow = best_level(X[None], w[None], inside)
        bound = Fraction(proven(X[None], w[None], arrow))
        L, rows, weights = Moments(*map(exactly, arrow.multipliers)), exactly(X), exactly(w)
        # The multipliers are in the dual cone.
        assert (L.pp == L.pp.swapaxes(1, 2)).all() and (L.qq == L.qq.swapaxes(1, 2)).all()
        for head, tail in ((L.p, L.up), (L.q, L.uq)):
            assert (head >= 0).all() and ((tail**2).sum(axis=1) <= head**2).all()
        assert (L.pp >= 0).all() and (L.qq >= 0).all()
        assert all(L.pq[0, i, j] >= 0 for i, j in product(range(n), repeat=2) if i != j)
        level = Fraction(arrow.level) + Fraction(arrow.ball)
        assert bound >= level
        for point in product(range(-3, 4), repeat=d):
            u = np.array([Fraction(k, 4) for k in point], dtype=object)
            if u @ u > 1:
                continue
            t = rows @ u
            z = u, np.maximum(t, 0), np.maximum(-t, 0)
            form = exact_form(rows, weights, L, z)
            assert weights @ z[1] <= form <= bound


def test_any_factor_proves_something_true():
    """Not a factor at all, for the matrix of other weights: the bound is loose, never wrong."""
    rng = np.random.default_rng(8)
    for _ in range(80):
        n, d = int(rng.integers(1, 7)), int(rng.integers(1, 5))
        X, w = rng.uniform(-1.0, 1.0, (n, d)), rng.uniform(-1.0, 1.0, n)
        arrow = best_level(X[None], -w[None], in_dual_cone(random_moments(rng, 1, n, d)))
        object.__setattr__(arrow, "level", float(rng.standard_normal()))
        object.__setattr__(arrow, "corner", rng.standard_normal(arrow.corner.shape))
        truth = largest_value(X, w, ascent(X, w, rng))
        assert proven(X[None], w[None], arrow) >= truth * (1.0 - 1e-14)


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(-300, 300), st.integers(-300, 300))
def test_units_of_the_data_scale_the_bound(seed, rows_exponent, weights_exponent):
    rng = np.random.default_rng(seed)
    X, w = rng.standard_normal((2, 3, 2)), rng.standard_normal((2, 3))
    L = random_moments(rng, 2, 3, 2)
    plain = safe_bound(X, w, L)
    a, b = 2.0**rows_exponent, 2.0**weights_exponent
    heads = {name: b * getattr(L, name) for name in ("p", "q", "up", "uq")}
    pairs = {name: b / a * getattr(L, name) for name in ("pp", "pq", "qq")}
    scaled = safe_bound(a * X, b * w, L._replace(**heads, **pairs))
    assert scaled == pytest.approx(plain * a * b, rel=1e-12)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, 1e308])
def test_numbers_that_are_not_finite_prove_nothing(bad):
    rng = np.random.default_rng(9)
    X, w, L = (
        rng.standard_normal((1, 3, 2)),
        rng.standard_normal((1, 3)),
        random_moments(rng, 1, 3, 2),
    )
    for name in ("p", "q", "up", "uq", "pp", "pq", "qq"):
        spoiled = getattr(L, name).copy()
        spoiled.flat[0] = bad
        assert safe_bound(X, w, L._replace(**{name: spoiled})) >= safe_bound(X, w, L) * 0.5


def test_nothing_to_bound():
    L = random_moments(np.random.default_rng(0), 1, 2, 2)
    assert safe_bound(np.zeros((1, 2, 2)), np.ones((1, 2)), L) == 0.0
    assert safe_bound(np.ones((1, 2, 2)), np.zeros((1, 2)), L) == 0.0


def test_rounding_is_charged_no_more_than_needed():
    """A bound that is met: one row, whose maximum is its length."""
    L = random_moments(np.random.default_rng(0), 1, 1, 3, 0.0)
    x = np.array([[[1.0, 2.0, 2.0]]])
    bound = safe_bound(x, np.array([[1.0]]), L)
    assert 3.0 <= bound <= 3.0 * (1.0 + 1e-3)


def test_the_form_is_that_of_the_adjoint():
    """The two ways to write the quadratic form agree."""
    rng = np.random.default_rng(3)
    X, u, L = rng.standard_normal((1, 4, 3)), rng.standard_normal(3), random_moments(rng, 1, 4, 3)
    L = L._replace(corner=0.0 * L.corner)
    t = X[0] @ u
    z = np.concatenate([[1.0], u, np.abs(t)])
    form = exact_form(X[0], np.zeros(4), L, (u, np.maximum(t, 0.0), np.maximum(-t, 0.0)))
    assert form == pytest.approx(z @ adjoint(L, X, np)[0] @ z)
