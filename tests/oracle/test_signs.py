"""The search over signs against all subsets of rows, each a least distance of its own."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from row_kinds import KINDS, seeds
from scipy.optimize import lsq_linear
from variants import with_long

from cvxnn import interrupts
from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import spectral_bound
from cvxnn.oracle import SignTree, sign_kernels, sign_search, tree_search
from cvxnn.oracle.branch_and_bound import ClimbAndBound

Generator = np.random.Generator


def problem(n: int, d: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal((n, 1))


def signs_of_rows(rng: Generator, n: int, d: int) -> FloatArray:
    return rng.choice([-1.0, 1.0], (n, d))


def largest_over_subsets(X: FloatArray, v: FloatArray) -> float:
    """``max_u |v'(Xu)_+|`` over the ball, by duality.

    Of the rows with positive weights a subset is on; the least distance of their sum from the
    box of the others is what it contributes.
    """
    best = 0.0
    for w in (v, -v):
        on, off = np.flatnonzero(w > 0.0), np.flatnonzero(w < 0.0)
        box = (-w[off] * X[off].T) if len(off) else np.zeros((X.shape[1], 1))
        for chosen in product((0.0, 1.0), repeat=len(on)):
            target = X[on].T @ (w[on] * np.array(chosen))
            fit = lsq_linear(box, target, (0.0, 1.0), method="bvls", tol=1e-14)
            best = max(best, float(np.linalg.norm(box @ fit.x - target)))
    return best


# ------------------------------------------------------------------------- proof


@pytest.mark.parametrize("kind", [KINDS["gaussian"], KINDS["parallel"], signs_of_rows])
@with_long("d", [10, 7, 13])
def test_bound_in_high_rank(kind, d):
    for seed in range(3):
        rng = np.random.default_rng([d, seed])
        X, v = kind(rng, 10, d), rng.standard_normal(10)
        truth = largest_over_subsets(X, v)
        price = SignTree(X).price(v[:, None], tol=1e-8)
        assert price.finished
        assert truth * (1.0 - 1e-9) <= price.bound <= truth * (1.0 + 2e-8)
        assert price.values[0] == pytest.approx(truth, rel=1e-8)
        attained = price.signs * (np.maximum(price.directions @ X.T, 0.0) @ v)
        np.testing.assert_allclose(attained, price.values, rtol=1e-12)
        below = SignTree(X).price(v[:, None], 1.5 * truth, tol=1e-6)
        assert below.finished
        assert truth * (1.0 - 1e-9) <= below.bound <= 1.5 * truth * (1.0 + 1e-6)
        assert len(below.values) == 0


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@settings(max_examples=12, deadline=None)
@given(seed=seeds)
def test_bound_of_rows_of_every_kind(kind, seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 7)), int(rng.integers(2, 6))
    X = kind(rng, n, d)
    v = rng.standard_normal(n) * 10.0 ** rng.integers(-8, 9, n)
    lengths = np.linalg.norm(X, axis=1)
    mass = float(np.abs(v) @ lengths)
    truth = largest_over_subsets(X, v)
    price = SignTree(X).price(v[:, None], tol=1e-9)
    assert price.finished
    # Rounding is that of the brute force, too.
    assert truth * (1.0 - 1e-9) - 1e-13 * mass <= price.bound
    assert price.bound <= truth * (1.0 + 2e-9) + 1e-9 * mass


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_a_bound_of_any_multipliers_holds_in_exact_arithmetic(scale):
    rng = np.random.default_rng(0)
    for _ in range(60):
        r, p = int(rng.integers(1, 6)), int(rng.integers(1, 9))
        normals = rng.standard_normal((p, r))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        omega = rng.standard_normal(p) * 10.0 ** rng.integers(-6, 3, p) * scale
        base = rng.standard_normal(r) * scale
        u = rng.standard_normal(r)
        u *= (1.0 - 1e-15) / np.linalg.norm(u)
        assert sum(Fraction(t) ** 2 for t in u) <= 1
        sides = np.where(normals @ u > 0.0, 1, -1)
        signs = np.where(rng.random(p) < 0.5, sides, 0) * (omega > 0.0)
        inside = rng.choice([0.0, 1e-12, 0.3, 0.5, 1.0 - 1e-15, 1.0], p)
        some = np.abs(omega) * 10.0 ** rng.uniform(-4, 2, p)
        x = np.where(omega < 0.0, inside * -omega, some)
        lam = float(x @ (signs == 0)) + float(rng.exponential()) * scale
        A, factor = np.zeros((r, r)), np.zeros((r, r))
        bound = sign_kernels.safe_bound(
            base, normals, omega, signs.astype(np.int8), x, lam, A, np.zeros(r), factor, np.zeros(r)
        )
        value = sum(Fraction(b) * Fraction(t) for b, t in zip(base, u, strict=True))
        for weight, normal in zip(omega, normals, strict=True):
            z = sum(Fraction(m) * Fraction(t) for m, t in zip(normal, u, strict=True))
            value += Fraction(weight) * max(z, 0)
        assert np.isfinite(bound)
        assert Fraction(bound) >= value


def test_the_bound_at_the_maximum_holds_in_exact_arithmetic():
    """Where all signs are fixed, nothing but rounding is between the bound and a value."""
    rng = np.random.default_rng(1)
    for _ in range(60):
        r, p = int(rng.integers(1, 6)), int(rng.integers(1, 9))
        normals = rng.standard_normal((p, r))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        omega, base = rng.standard_normal(p), rng.standard_normal(r)
        signs = rng.choice(np.array([-1, 1], dtype=np.int8), p)
        x = np.where(omega < 0.0, -0.5 * omega, 0.0)
        b, point = np.zeros(r), np.zeros(r)
        bound, value = sign_kernels.nearest_point(base, normals, omega, signs, x, 0.0, b, point)
        assert ((x >= 0.0) & (x <= np.maximum(-omega, 0.0))).all()
        slopes = np.where(omega > 0.0, np.where(signs > 0, omega, 0.0), -x)
        exact = [Fraction(t) for t in base]
        for f, normal in zip(slopes, normals, strict=True):
            exact = [e + Fraction(f) * Fraction(m) for e, m in zip(exact, normal, strict=True)]
        assert Fraction(bound) ** 2 >= sum(e**2 for e in exact)
        on = (signs > 0) & (omega > 0.0)
        convex = (on * omega) @ normals + base
        concave = omega < 0.0
        box = (-omega[concave] * normals[concave].T) if concave.any() else np.zeros((r, 1))
        fit = lsq_linear(box, convex, (0.0, 1.0), method="bvls", tol=1e-14)
        least = float(np.linalg.norm(box @ fit.x - convex))
        # A bound below a value of the function is good enough.
        assert least * (1.0 - 1e-12) <= bound <= max(least, value) * (1.0 + 1e-9) + 1e-12


def test_newton_steps_reach_the_centre():
    """With the barrier held fast, no small change of any multiplier lowers the merit."""
    rng = np.random.default_rng(2)
    r, p = 4, 9
    normals = rng.standard_normal((p, r))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    omega, base = rng.standard_normal(p), rng.standard_normal(r)
    signs = np.where(omega > 0.0, np.arange(p) % 3 - 1, 0).astype(np.int8)
    x = np.where(omega < 0.0, -0.5 * omega, 0.5 * np.abs(omega))
    lam, mu = float(x.sum()) + 1.0, 0.05
    A, factor, b, y = np.zeros((r, r)), np.zeros((r, r)), np.zeros(r), np.zeros(r)
    H = np.zeros((2, p + 1, p + 1))

    def bound_of(x, lam):
        kappa, _, _ = sign_kernels.build(base, normals, omega, signs, x, lam, A, b)
        assert sign_kernels.factorise(A, factor)
        return lam + kappa + sign_kernels.centre(factor, b, y)

    def merit(x, lam):
        return sign_kernels._merit(bound_of(x, lam), mu, factor, omega, signs, x)

    bound = bound_of(x, lam)
    for _ in range(30):
        other, bound = sign_kernels.improve(
            base, normals, omega, signs, x, lam, bound, mu, A, b, factor, y, np.zeros(p), *H
        )
        lam = other if other > 0.0 else lam
    least = merit(x, lam)
    for _ in range(200):
        change = 1e-3 * rng.standard_normal(p + 1)
        assert merit(x * (1.0 + change[:p]), lam + change[p]) >= least - 1e-12


# ------------------------------------------------------------------------ limits


@pytest.mark.parametrize("max_nodes", [0, 1, 5])
def test_bound_in_high_rank_holds_when_cut_short(max_nodes):
    X, v = problem(30, 10)
    truth = SignTree(X).price(v)
    cut = SignTree(X, max_nodes=max_nodes).price(v)
    assert not cut.finished
    assert truth.values[0] <= cut.bound <= spectral_bound(X, v[:, 0])


def test_a_bound_falls_while_there_is_time():
    X, v = problem(30, 10)
    bounds = [SignTree(X, max_nodes=k).price(v, 1e-3).bound for k in (0, 1, 4, 8, 1000)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] < bounds[0]


def test_deadline_that_has_passed():
    X, v = problem(30, 10)
    price = SignTree(X).price(v, deadline=Deadline(0.0))
    assert not price.finished
    assert price.bound == spectral_bound(X, v[:, 0])


def test_interrupt_stops_the_search_and_leaves_a_bound():
    X, v = problem(30, 10)
    tree = SignTree(X)
    interrupts._pending.set()
    price = tree.price(v)
    assert not price.finished
    with pytest.raises(KeyboardInterrupt):
        interrupts.check_interrupt()
    assert tree.price(v).bound <= price.bound < np.inf


def test_depth_first_where_memory_ends(monkeypatch):
    X, v = problem(40, 8)
    whole = SignTree(X).price(v)
    monkeypatch.setattr(sign_search, "SETTINGS", sign_search.Settings(pool=1, memory=1))
    deep = SignTree(X).price(v)
    assert deep.finished
    assert deep.n_nodes != whole.n_nodes
    assert deep.bound == pytest.approx(whole.bound, rel=1e-6)


def test_a_pool_that_grows(monkeypatch):
    X, v = problem(40, 8)
    whole = SignTree(X).price(v)
    monkeypatch.setattr(sign_search, "SETTINGS", sign_search.Settings(pool=1))
    grown = SignTree(X).price(v)
    assert (grown.bound, grown.n_nodes) == (whole.bound, whole.n_nodes)


# ----------------------------------------------------------------------- results


def test_starts_are_known_before_any_search():
    X, v = problem(30, 10)
    best = SignTree(X).price(v)
    known = SignTree(X, max_nodes=1).price(v, 0.5 * best.bound, starts=best.directions[:1])
    assert known.values[0] == pytest.approx(best.values[0])


def test_an_ascent_before_it_finds_more():
    X, v = problem(30, 10)
    tree = SignTree(X)
    price = ClimbAndBound(X, tree, np.random.default_rng(0), most=20).price(v, 1.0)
    assert price.kind == "signs"
    assert price.finished
    assert len(price.values) > 1
    assert price.bound == pytest.approx(tree.price(v).bound, rel=2e-6)


def test_results_do_not_depend_on_the_cores(monkeypatch):
    X, v = problem(30, 10)
    threads = SignTree(X).price(v, 1.0)
    monkeypatch.setattr(tree_search, "available_cores", lambda: 1)
    serial = SignTree(X).price(v, 1.0)
    assert (serial.bound, serial.n_nodes) == (threads.bound, threads.n_nodes)
    assert np.array_equal(serial.directions, threads.directions)


def test_nothing_to_price():
    price = SignTree(np.ones((3, 8))).price(np.zeros((3, 1)))
    assert price.finished
    assert price.bound == 0.0
    assert SignTree(np.zeros((3, 8))).price(np.ones((3, 1))).bound == 0.0
