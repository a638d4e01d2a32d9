"""The program with kinks against Clarabel, closed forms, and its own optimality conditions."""

import clarabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from cvxnn.array_types import FloatArray
from cvxnn.solvers.newton.kink_program import Kinks, minimise_with_kinks

seeds = st.integers(0, 2**32 - 1)


def instance(seed: int, k: int, r: int, m: int) -> tuple[FloatArray, FloatArray, Kinks]:
    """A random program with m kinks, some of them without slack or curvature."""
    rng = np.random.default_rng(seed)
    J = rng.standard_normal((2 * k * r, k * r))
    rows = rng.standard_normal((m, r))
    kinks = Kinks(
        rows=rows / np.linalg.norm(rows, axis=1, keepdims=True),
        owner=np.sort(rng.integers(0, k, m)),
        slack=rng.choice([0.0, 1.0], m, p=[0.2, 0.8]) * rng.exponential(0.3, m),
        price=rng.exponential(1.0, m) + 0.01,
        curvature=rng.choice([0.0, 1.0], m) * rng.exponential(1.0, m),
    )
    return J.T @ J / (2 * k * r), rng.standard_normal((k, r)), kinks


def objective(H: FloatArray, g: FloatArray, kinks: Kinks, moves: FloatArray) -> float:
    """The model, term by term."""
    d = moves.ravel()
    value = 0.5 * d @ H @ d + g.ravel() @ d
    for i, j in enumerate(kinks.owner):
        p = max(-(kinks.slack[i] + kinks.rows[i] @ moves[j]), 0.0)
        value += kinks.price[i] * p + 0.5 * kinks.curvature[i] * p**2
    return float(value)


def solve_with_clarabel(
    H: FloatArray, g: FloatArray, kinks: Kinks
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Moves, and multipliers of ``p >= -(t + n'd)`` and of ``p >= 0``, in epigraph form."""
    (k, r), m = g.shape, len(kinks.owner)
    N = np.zeros((m, k, r))
    N[np.arange(m), kinks.owner] = kinks.rows
    P = sparse.csc_matrix(sparse.block_diag([sparse.csc_matrix(H), np.diag(kinks.curvature)]))
    A = -np.block([[N.reshape(m, k * r), np.eye(m)], [np.zeros((m, k * r)), np.eye(m)]])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    solution = clarabel.DefaultSolver(
        sparse.triu(P, format="csc"),
        np.concatenate([g.ravel(), kinks.price]),
        sparse.csc_matrix(A),
        np.concatenate([kinks.slack, np.zeros(m)]),
        [clarabel.NonnegativeConeT(2 * m)],
        settings,
    ).solve()
    z = np.array(solution.z)
    return np.array(solution.x)[: k * r].reshape(k, r), z[:m], z[m:]


@given(seed=seeds, k=st.integers(1, 4), r=st.integers(1, 4), m=st.integers(1, 30))
@settings(max_examples=40)
def test_clarabel_finds_the_same(seed, k, r, m):
    H, g, kinks = instance(seed, k, r, m)
    solution = minimise_with_kinks(H, g, kinks)
    moves, lam, mu = solve_with_clarabel(H, g, kinks)
    value = objective(H, g, kinks, solution.moves)
    assert value <= objective(H, g, kinks, moves) + 1e-10
    np.testing.assert_allclose(solution.moves, moves, atol=1e-5)
    # Strictly between 0 and the price: on the kink. At an end of it: not.
    surely = np.minimum(lam, mu) > 1e-3
    surely_not = np.abs(kinks.slack + kinks.products(moves)) > 1e-3
    assert solution.tight[surely].all()
    assert not solution.tight[surely_not].any()


@given(seed=seeds, k=st.integers(1, 5), r=st.integers(1, 5), m=st.integers(0, 60))
def test_the_gradient_is_a_sum_of_permitted_forces(seed, k, r, m):
    H, g, kinks = instance(seed, k, r, m)
    solution = minimise_with_kinks(H, g, kinks)
    distance = kinks.slack + kinks.products(solution.moves)
    assert (np.abs(distance[solution.tight]) <= 1e-7).all()
    crossed = ~solution.tight & (distance < 0.0)
    force = np.where(crossed, kinks.price - kinks.curvature * distance, 0.0)
    gradient = (H @ solution.moves.ravel()).reshape(k, r) + g - kinks.spread(force, k)
    for j in range(k):
        rows = kinks.rows[solution.tight & (kinks.owner == j)]
        forces = np.linalg.lstsq(rows.T, gradient[j], rcond=None)[0] if len(rows) else np.zeros(0)
        np.testing.assert_allclose(forces @ rows, gradient[j], atol=1e-6)


def test_without_kinks_it_is_a_linear_system():
    H, g, kinks = instance(0, 3, 2, 0)
    solution = minimise_with_kinks(H, g, kinks)
    np.testing.assert_allclose(H @ solution.moves.ravel(), -g.ravel(), atol=1e-12)
    assert solution.tight.shape == (0,)
    # A singular matrix is no error.
    H, g = np.diag([1.0, 0.0]), np.array([[2.0, 0.0]])
    moves = minimise_with_kinks(H, g, instance(0, 1, 2, 0)[2]).moves
    np.testing.assert_allclose(moves, [[-2.0, 0.0]], atol=1e-12)


@pytest.mark.parametrize(
    ("price", "curvature", "move", "tight"),
    [
        (0.2, 0.0, -0.8, False),  # crossed: -1 + price
        (0.2, 1.0, -0.65, False),  # crossed: 2 d = -1 + price - 1/2
        (2.0, 0.0, -0.5, True),  # too dear
        (2.0, 5.0, -0.5, True),
    ],
)
def test_one_kink_by_hand(price, curvature, move, tight):
    # 1/2 d^2 + d with a kink at -1/2.
    kinks = Kinks(
        rows=np.ones((1, 1)),
        owner=np.zeros(1, dtype=np.int64),
        slack=np.array([0.5]),
        price=np.array([price]),
        curvature=np.array([curvature]),
    )
    solution = minimise_with_kinks(np.eye(1), np.ones((1, 1)), kinks)
    np.testing.assert_allclose(solution.moves, [[move]], atol=1e-8)
    assert solution.tight.tolist() == [tight]


def test_more_tight_kinks_than_dimensions():
    # Twelve hyperplanes through the point where the neuron is: it does not move.
    angles = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)
    kinks = Kinks(
        rows=np.column_stack([np.cos(angles), np.sin(angles)]),
        owner=np.zeros(12, dtype=np.int64),
        slack=np.zeros(12),
        price=np.full(12, 5.0),
        curvature=np.zeros(12),
    )
    solution = minimise_with_kinks(np.eye(2), np.array([[1.0, -2.0]]), kinks)
    np.testing.assert_allclose(solution.moves, 0.0, atol=1e-8)


@given(seed=seeds, k=st.integers(1, 4), m=st.integers(0, 12))
def test_sums_over_the_terms_of_a_neuron(seed, k, m):
    _, moves, kinks = instance(seed, k, 3, m)
    weights = np.random.default_rng(seed).standard_normal(m)
    spread, outer = np.zeros((k, 3)), np.zeros((k, 3, 3))
    for i, j in enumerate(kinks.owner):
        spread[j] += weights[i] * kinks.rows[i]
        outer[j] += weights[i] * np.outer(kinks.rows[i], kinks.rows[i])
    np.testing.assert_allclose(kinks.spread(weights, k), spread, atol=1e-13)
    np.testing.assert_allclose(kinks.outer(weights, k), outer, atol=1e-13)
    none = objective(np.zeros((3 * k, 3 * k)), np.zeros((k, 3)), kinks, moves)
    assert kinks.cost(moves) == pytest.approx(none, rel=1e-12, abs=1e-14)
