"""Bounds of several outputs from any multipliers: never below the maximum, and their claims."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from oracle.outputs.norms import climbed, dual_points, norms
from relaxation_instances import multipliers, random_moments, rows_and_weights
from scipy.optimize import minimize_scalar
from variants import with_long

from cvxnn.oracle.outputs.branch_and_bound import OutputsTree
from cvxnn.oracle.outputs.rank_two import RankTwoOutputsOracle
from cvxnn.relaxation.balls import over_balls
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.level import best_level
from cvxnn.relaxation.moments import Moments
from cvxnn.relaxation.outputs.safe_bound import (
    pairs_in_dual_cone,
    proven_of_outputs,
    safe_outputs_bound,
)
from cvxnn.relaxation.safe_bound import safe_bound


def in_blocks(blocks, V):
    """A dual point, shape (n, c), as weights, (B, c, b)."""
    return np.stack([blocks.scattered(v) for v in V.T], axis=1)


def largest_norm(X, V, rng):
    """``max ||V'(Xu)_+||`` over directions that climbs lead to."""
    rows = X[X.any(axis=1)]
    starts = np.vstack([rng.standard_normal((30, X.shape[1])), rows, -rows])
    directions = np.vstack([starts, climbed(X, V, starts)])
    return float(norms(X, V, directions).max())


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_never_below_what_is_found_on_nasty_instances(seed):
    rng = np.random.default_rng(seed)
    for _ in range(50):
        n, d, c = int(rng.integers(1, 9)), int(rng.integers(1, 6)), int(rng.integers(2, 5))
        X, _ = rows_and_weights(rng, n, d)
        points = list(dual_points(rng, n, c).values())
        V = points[rng.integers(len(points))]
        # Relative to the largest entries, so that no square leaves the range of float64.
        size, top = np.abs(X).max() or 1.0, np.abs(V).max() or 1.0
        rows_exponent, weights_exponent = rng.integers(-300, 300, 2) * (rng.random() < 0.3)
        a, b = np.ldexp(1.0, rows_exponent), np.ldexp(1.0, weights_exponent)
        blocks = Blocks.of(a * X, int(rng.integers(1, n + 1)))
        weights = in_blocks(blocks, b * V)
        bound = safe_outputs_bound(blocks.rows, weights, multipliers(rng, blocks.rows, weights))
        truth = largest_norm(X / size, V / top, rng) * size * top * (1.0 - 1e-14)
        assert bound >= truth * a * b


@with_long("seed", range(10), always=5)
def test_never_below_exact_oracles(seed):
    rng = np.random.default_rng(seed)
    n, d, c = int(rng.integers(3, 9)), int(rng.integers(2, 4)), int(rng.integers(2, 4))
    X, V = rng.standard_normal((n, d)), rng.standard_normal((n, c))
    exact = RankTwoOutputsOracle(X) if d == 2 else OutputsTree(X)
    least = exact.price(V, tol=1e-9).bound * (1.0 - 1e-8)
    blocks = Blocks.of(X, int(rng.integers(1, n + 1)))
    weights = in_blocks(blocks, V)
    for scale in (0.0, 0.03, 0.3):
        L = random_moments(rng, *blocks.rows.shape, scale, c)
        assert safe_outputs_bound(blocks.rows, weights, L) >= least


def exactly(array):
    """An array of rational numbers."""
    return np.vectorize(Fraction, otypes=[object])(array)


# Unit vectors with rational entries.
UNITS = {
    2: [(1, 0, 1), (0, -1, 1), (3, 4, 5), (-4, 3, 5), (5, -12, 13), (-8, -15, 17)],
    3: [(0, 0, 1, 1), (1, 2, 2, 3), (-2, 3, 6, 7), (4, -4, -7, 9), (-2, -1, 2, 3), (6, 6, -7, 11)],
}


@with_long("c", UNITS)
def test_the_claims_in_rational_numbers(c):
    """Every step of the derivation, for output weights and directions of grids."""
    rng = np.random.default_rng(7)
    for _ in range(12):
        n, d = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        X = np.ldexp(rng.integers(-64, 65, (n, d)).astype(float), -6)
        X[0, 0] = 1.0
        W = rng.standard_normal((c, n))
        W /= np.abs(W).max()
        given = random_moments(rng, 1, n, d, float(rng.choice([0.0, 0.1, 1.0])), c)
        # As float32 leaves them, not quite symmetric.
        inside = pairs_in_dual_cone(given._replace(pp=given.pp + 0.1 * np.triu(given.pp)))
        arrow = best_level(X[None], W[None], inside)
        bound = Fraction(proven_of_outputs(X[None], W[None], arrow))
        L, rows, weights = Moments(*map(exactly, arrow.multipliers)), exactly(X), exactly(W)
        # The multipliers are in the dual cone.
        assert (L.pp == L.pp.swapaxes(1, 2)).all() and (L.qq == L.qq.swapaxes(1, 2)).all()
        assert not any(part.any() for part in (L.corner, L.p, L.q, L.up, L.uq))
        assert (L.pp >= 0).all() and (L.qq >= 0).all()
        assert all(L.pq[0, i, j] >= 0 for i, j in product(range(n), repeat=2) if i != j)
        assert bound >= Fraction(arrow.level) + Fraction(arrow.ball) and arrow.ball >= 0.0
        for point in product(range(-3, 4), repeat=d):
            u = np.array([Fraction(k, 4) for k in point], dtype=object)
            if u @ u > 1:
                continue
            p, q = np.maximum(rows @ u, 0), np.maximum(-(rows @ u), 0)
            pairs = p @ L.pp[0] @ p + 2 * (p @ L.pq[0] @ q) + q @ L.qq[0] @ q
            for *a, length in UNITS[c]:
                value = sum(k * row @ p for k, row in zip(a, weights, strict=True))
                value = Fraction(value, length)
                assert sum(k * k for k in a) == length**2
                assert value <= value + pairs <= bound


@pytest.mark.long
def test_any_factor_proves_something_true():
    """Not a factor at all, for the matrix of other weights: the bound is loose, never wrong."""
    rng = np.random.default_rng(8)
    for _ in range(25):
        n, d, c = int(rng.integers(1, 7)), int(rng.integers(1, 5)), int(rng.integers(2, 4))
        X, V = rng.uniform(-1.0, 1.0, (n, d)), rng.uniform(-1.0, 1.0, (n, c))
        inside = pairs_in_dual_cone(random_moments(rng, 1, n, d, c=c))
        arrow = best_level(X[None], -V.T[None], inside)
        object.__setattr__(arrow, "level", float(rng.standard_normal()))
        object.__setattr__(arrow, "ball", float(abs(rng.standard_normal())))
        object.__setattr__(arrow, "corner", rng.standard_normal(arrow.corner.shape))
        truth = largest_norm(X, V, rng)
        assert proven_of_outputs(X[None], V.T[None], arrow) >= truth * (1.0 - 1e-14)


@pytest.mark.parametrize("exponents", [(200, -100), (-300, 50), (0, 300)])
def test_units_of_the_data_scale_the_bound(exponents):
    rng = np.random.default_rng(1)
    X, W = rng.standard_normal((2, 3, 2)), rng.standard_normal((2, 2, 3))
    L = random_moments(rng, 2, 3, 2, 0.1, 2)
    a, b = (2.0**k for k in exponents)
    pairs = {name: b / a * getattr(L, name) for name in ("pp", "pq", "qq")}
    scaled = safe_outputs_bound(a * X, b * W, L._replace(**pairs))
    assert scaled == pytest.approx(safe_outputs_bound(X, W, L) * a * b, rel=1e-12)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, 1e308])
def test_numbers_that_are_not_finite_prove_nothing(bad):
    rng = np.random.default_rng(9)
    X, W = rng.standard_normal((1, 3, 2)), rng.standard_normal((1, 2, 3))
    L = random_moments(rng, 1, 3, 2, c=2)
    truth = largest_norm(X[0], W[0].T, rng)
    for name in ("pp", "pq", "qq"):
        spoiled = getattr(L, name).copy()
        spoiled.flat[1] = bad
        assert safe_outputs_bound(X, W, L._replace(**{name: spoiled})) >= truth


def test_nothing_to_bound():
    L = random_moments(np.random.default_rng(0), 1, 2, 2, c=3)
    assert safe_outputs_bound(np.zeros((1, 2, 2)), np.ones((1, 3, 2)), L) == 0.0
    assert safe_outputs_bound(np.ones((1, 2, 2)), np.zeros((1, 3, 2)), L) == 0.0


def test_rounding_is_charged_no_more_than_needed():
    """A bound that is met: one row, whose maximum is its length times that of its weights."""
    L = random_moments(np.random.default_rng(0), 1, 1, 3, 0.0, 2)
    bound = safe_outputs_bound(np.array([[[1.0, 2.0, 2.0]]]), np.array([[[3.0], [4.0]]]), L)
    assert 15.0 <= bound <= 15.0 * (1.0 + 1e-3)


def test_an_output_of_zeros_changes_little():
    """The same pairs prove nearly the same of one output, for both of its signs."""
    rng = np.random.default_rng(4)
    for _ in range(10):
        X, w = rng.standard_normal((1, 6, 3)), rng.standard_normal((1, 6))
        # Multipliers of the head 1, as one output has them, are none for several.
        L = random_moments(rng, 1, 6, 3, 0.05)._replace(
            p=0.0 * w, q=0.0 * w, up=np.zeros((1, 3, 6)), uq=np.zeros((1, 3, 6))
        )
        of_two = L._replace(
            corner=np.zeros((1, 5, 5)), p=np.zeros((1, 2, 6)), q=np.zeros((1, 2, 6))
        )
        both = safe_outputs_bound(X, np.stack([w, 0.0 * w], axis=1), of_two)
        signs = [safe_bound(X, sign * w, L) for sign in (1.0, -1.0)]
        # With the head 1 the second moments of u may be more than 1/2 of the bound.
        assert max(signs) * (1.0 - 1e-9) <= both <= 2.0 * max(signs)


@pytest.mark.parametrize("c", [1, 2, 4])
def test_the_smallest_multiples_above_a_form(c):
    """Against the formula with one ratio, by another search."""
    rng = np.random.default_rng(c)
    for _ in range(10):
        S = rng.standard_normal((c + 3, c + 3))
        S = S + S.T
        lam, mu = over_balls(S, c)
        size = np.abs(S).sum()
        above = np.diag(np.r_[np.full(c, lam), np.full(3, mu)]) - S
        assert np.linalg.eigvalsh(above)[0] >= -1e-9 * size

        def scaled(r, S=S):
            D = np.diag(np.r_[np.full(c, np.exp(r)), np.full(3, np.exp(-r))])
            return 2.0 * np.cosh(2.0 * r) * max(np.linalg.eigvalsh(D @ S @ D)[-1], 0.0)

        best = min(minimize_scalar(scaled, (r, r + 0.3)).fun for r in (-1.0, 0.0, 1.0))
        if lam >= 0.0:
            assert lam + mu == pytest.approx(best, rel=1e-6)
        assert lam + mu <= best * (1.0 + 1e-6)
