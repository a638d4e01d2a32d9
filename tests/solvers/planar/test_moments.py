"""Moments, and what is built on them, against the same sums over explicit rows."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from least_squares import least_squares
from problems import with_bias
from row_kinds import FloatArray, Generator, seeds

from cvxnn.oracle.circle import CircularRows
from cvxnn.problems import Neurons
from cvxnn.solvers.atoms import neuron_objective, reweigh
from cvxnn.solvers.lasso.gram_lasso import gram_lasso
from cvxnn.solvers.lasso.nonnegative_lasso import nonnegative_lasso
from cvxnn.solvers.newton.slope_chain import SlopeChain
from cvxnn.solvers.planar.moments import Moments
from cvxnn.solvers.planar.newton import MomentObjective, merge_arcs

KINDS = ("bias", "two features", "grid", "grid and bias", "one feature")
all_kinds = pytest.mark.parametrize("kind", KINDS)


def make_moments(kind: str, rng: Generator, n: int) -> Moments:
    x = rng.standard_normal(n)
    rows = {
        "bias": with_bias(x),
        "two features": rng.standard_normal((n, 2)),
        "grid": np.vstack([rng.integers(-2, 3, (n, 2)), np.eye(2)]),
        "grid and bias": with_bias(rng.integers(-3, 4, n)),
        "one feature": x[:, None],
    }
    circle = CircularRows.of(np.asarray(rows[kind], dtype=float))
    return Moments(circle, rng.standard_normal(len(circle.rows)))


def make_neurons(moments: Moments, rng: Generator, k: int = 4) -> tuple[FloatArray, FloatArray]:
    """Rays in general position, except for one on a hyperplane; and signs."""
    rays = rng.standard_normal((k, 2))
    normal = moments.circle.normals[rng.integers(moments.circle.n_classes)]
    rays[0] = [-normal[1], normal[0]]
    if moments.circle.rank == 1:
        rays = np.column_stack([rng.standard_normal(k), np.zeros(k)])
    return rays, rng.choice([-1.0, 1.0], k)


def drawn(
    kind: str, seed: int, n: int, k: int = 4
) -> tuple[Generator, Moments, FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    moments = make_moments(kind, rng, n)
    return rng, moments, *make_neurons(moments, rng, k)


def columns(moments: Moments, rays: FloatArray, signs: FloatArray) -> FloatArray:
    """``s_j D_j X`` side by side, shape (n, 2 k), by definition."""
    rows = moments.circle.rows
    sides = rows @ rays.T
    on = sides > 1e-12 * np.abs(rows) @ np.abs(rays).T
    return (on[:, :, None] * signs[:, None] * rows[:, None, :]).reshape(len(rows), -1)


@all_kinds
@given(seed=seeds, n=st.integers(1, 200))
def test_sums_over_ranges(kind, seed, n):
    _, moments, rays, signs = drawn(kind, seed, n)
    # The neuron on a hyperplane may count its rows in or out: leave it out here.
    rays, signs = rays[1:], signs[1:]
    J = columns(moments, rays, signs)
    gram, products = moments.gram(rays, signs)
    np.testing.assert_allclose(gram, J.T @ J, atol=1e-11)
    np.testing.assert_allclose(products, J.T @ moments.y, atol=1e-11)
    f = np.maximum(moments.circle.rows @ rays.T, 0.0) @ signs
    np.testing.assert_allclose(moments.prediction(rays, signs), f, atol=1e-12)
    assert moments.loss(rays, signs) == pytest.approx(0.5 * np.sum((f - moments.y) ** 2))
    pieces = moments.pieces(rays)
    inside = np.repeat(np.arange(len(pieces.on)), np.diff(pieces.ends))
    on = columns(moments, rays, np.ones(len(rays))).reshape(-1, len(rays), 2).any(axis=2)
    np.testing.assert_array_equal(pieces.on[inside], on)
    v = (moments.y - f)[:, None] * moments.circle.rows
    expected = np.array([v[a:b].sum(axis=0) for a, b in pairwise(pieces.ends)])
    np.testing.assert_allclose(moments.gradient(pieces, rays, signs), expected, atol=1e-11)


def test_many_rows_and_few_rows_agree():
    _, moments, rays, signs = drawn("two features", 0, 5000)
    f = moments.prediction(rays, signs)
    np.testing.assert_allclose(f, np.maximum(moments.circle.rows @ rays.T, 0.0) @ signs, atol=1e-11)
    assert moments.loss(rays, signs) == pytest.approx(0.5 * np.sum((f - moments.y) ** 2), rel=1e-13)
    pieces = moments.pieces(rays)
    slow = moments.slopes_of(pieces, moments.y - f)
    np.testing.assert_allclose(moments.gradient(pieces, rays, signs), slow, atol=1e-9)


def test_moments_of_few_rows_among_many_keep_their_digits():
    n = 100_000
    circle = CircularRows.of(with_bias(np.linspace(1.0, 2.0, n)))
    moments = Moments(circle, np.ones(n))
    # On for the rows up to one in the middle, and from one a little before.
    x = np.sort(circle.rows[:, 0])
    above, below = 0.5 * (x[n // 2] + x[n // 2 + 1]), 0.5 * (x[n // 2 - 8] + x[n // 2 - 7])
    rays = np.array([[-1.0, above], [1.0, -below]])
    gram, _ = moments.gram(rays, np.ones(2))
    both = ((circle.rows @ rays.T) > 0.0).all(axis=1)
    assert both.sum() == 8
    exact = circle.rows[both].T @ circle.rows[both]
    np.testing.assert_allclose(gram[:2, 2:], exact, rtol=1e-14)


@given(seed=seeds, dependent=st.booleans())
def test_gram_lasso_solves_the_lasso(seed, dependent):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((12, 9))
    if dependent:
        A[:, 6] = A[:, 0] + A[:, 1]
        A[:, 7] = A[:, 2]
        A[:, 8] = 0.0
    y, beta = rng.standard_normal(12), 0.3
    start = np.maximum(rng.standard_normal(9), 0.0)
    gram, target = A.T @ A, A.T @ y - beta
    c = gram_lasso(gram, target, start)
    if not dependent:
        centred = gram_lasso(gram, target - gram @ start, start, start)
        np.testing.assert_allclose(centred, c, atol=1e-9)
    best = nonnegative_lasso(A, y, beta)
    values = [0.5 * np.sum((A @ w - y) ** 2) + beta * w.sum() for w in (c, best)]
    assert (c >= 0.0).all()
    assert values[0] == pytest.approx(values[1], rel=1e-11)
    assert np.linalg.matrix_rank(A[:, c > 0.0]) == np.count_nonzero(c)


def test_gram_lasso_exchanges_dependent_columns():
    # Two columns span the plane; the third is a cheaper way to the target.
    A = np.array([[1.0, 0.0, 0.8], [0.0, 1.0, 0.8]])
    y, beta = np.array([10.0, 10.0]), 0.1
    c = gram_lasso(A.T @ A, A.T @ y - beta, np.array([9.9, 9.9, 0.0]))
    np.testing.assert_allclose(c, nonnegative_lasso(A, y, beta), atol=1e-12)


@all_kinds
@given(seed=seeds, n=st.integers(1, 60))
def test_reweighing_is_that_over_rows(kind, seed, n):
    _, moments, rays, signs = drawn(kind, seed, n)
    r = moments.circle.rank
    neurons = Neurons.of(rays[:, :r], signs[:, None])
    problem = least_squares(moments.circle.rows[:, :r], moments.y, 0.1)
    ends = MomentObjective(moments, 0.1).reweigh(neurons), reweigh(problem, neurons)
    values = [neuron_objective(problem, end) for end in ends]
    assert values[0] == pytest.approx(values[1], rel=1e-9)


@all_kinds
@given(seed=seeds, n=st.integers(2, 60))
def test_chain_solves_the_least_squares_problem(kind, seed, n):
    rng, moments, rays, signs = drawn(kind, seed, n)
    chain = SlopeChain.of(moments, rays, signs, 1e-9)
    roots = rng.standard_normal((len(rays), 2, 2))
    penalty = roots @ np.swapaxes(roots, 1, 2) + np.eye(2)
    linear = rng.standard_normal((len(rays), 2))
    v = rng.standard_normal(len(moments.y))
    moves, changes = chain.solve(penalty, linear, moments.slopes_of(chain.pieces, v))
    # Dense: the same pieces, the same moves.
    on = np.repeat(chain.pieces.on, np.diff(chain.pieces.ends), axis=0)
    J = (on[:, :, None] * signs[:, None] * moments.circle.rows[:, None, :]).reshape(len(v), -1)
    np.testing.assert_allclose(
        moments.add_slopes(chain.pieces, changes), J @ moves.ravel(), atol=1e-9
    )
    slope = J.T @ (v - J @ moves.ravel()) + linear.ravel()
    slope = slope.reshape(-1, 2) - np.einsum("kab,kb->ka", penalty, moves)
    inside = (np.swapaxes(chain.bases, 1, 2) @ slope[:, :, None])[:, :, 0]
    np.testing.assert_allclose(inside, 0.0, atol=1e-8)
    tight = chain.pieces.tight >= 0
    across = rays[tight, 0] * moves[tight, 1] - rays[tight, 1] * moves[tight, 0]
    np.testing.assert_allclose(across, 0.0, atol=1e-9)


@all_kinds
@given(seed=seeds, n=st.integers(1, 60))
def test_merging_keeps_the_output_and_pays_no_more(kind, seed, n):
    _, moments, rays, signs = drawn(kind, seed, n, 12)
    merged, kept = merge_arcs(moments, rays, signs)
    before, after = moments.prediction(rays, signs), moments.prediction(merged, kept)
    np.testing.assert_allclose(after, before, atol=1e-9 * (1.0 + np.abs(before).max()))
    paid = np.linalg.norm(rays, axis=1).sum()
    assert np.linalg.norm(merged, axis=1).sum() <= paid * (1.0 + 1e-12)
    arcs, tight = moments.locate(merged, 1e-9)
    for sign in (1.0, -1.0):
        own = arcs[(kept == sign) & (tight < 0)]
        assert len(np.unique(own)) == len(own)


@all_kinds
@given(seed=seeds, n=st.integers(2, 60))
def test_newton_descends(kind, seed, n):
    _, moments, rays, signs = drawn(kind, seed, n)
    of_moments = MomentObjective(moments, 0.1)
    before = of_moments.value(rays, signs)
    moved, kept = of_moments.descend(rays, signs, 5)
    assert of_moments.value(moved, kept) <= before * (1.0 + 1e-12)
    assert np.isfinite(moved).all()


@given(seed=seeds)
def test_stationary_residual(seed):
    _, moments, rays, signs = drawn("bias", seed, 40, 3)
    rays, signs = rays[1:], signs[1:]
    J = columns(moments, rays, signs)
    v = MomentObjective(moments, 0.1).stationary_residual(rays, signs)
    units = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    if np.linalg.cond(J) < 1e4:
        np.testing.assert_allclose(J.T @ v, 0.1 * units.ravel(), atol=1e-7)


def test_moments_of_targets_far_from_zero_keep_the_digits_of_what_is_left():
    rng = np.random.default_rng(5)
    circle = CircularRows.of(with_bias(rng.uniform(-2.0, 2.0, 5000)))
    left = rng.standard_normal(5000)
    near, far = Moments(circle, left), Moments(circle, 2.0**30 + left)
    left = far.y - 2.0**30
    # A neuron that is on everywhere fits the offset exactly; the others are small.
    rays = np.array([[0.0, 2.0**30], [1.0, 0.3], [-0.7, 0.2]])
    signs = np.array([1.0, -1.0, 1.0])
    near = Moments(circle, left)
    expected = near.loss(rays[1:], signs[1:])
    assert far.loss(rays, signs) == pytest.approx(expected, rel=1e-7)
    pieces = far.pieces(rays)
    same = near.gradient(near.pieces(rays[1:]), rays[1:], signs[1:])
    np.testing.assert_allclose(far.gradient(pieces, rays, signs), same, atol=1e-3)
