"""The kernels of the tree against NumPy, node by node."""

import numpy as np
import pytest

from cvxnn.oracle import tree_kernels as tree


def random_cone(rng, r, width):
    """Unit generators around a random direction."""
    centre = rng.standard_normal(r)
    w = centre / np.linalg.norm(centre) + width * rng.standard_normal((r, r))
    return w / np.linalg.norm(w, axis=1)[:, None]


@pytest.mark.parametrize("width", [1.0, 1e-3, 1e-8])
def test_factors_of_the_generators(width):
    rng = np.random.default_rng(0)
    for r in (1, 2, 4, 6):
        w = random_cone(rng, r, width)
        q, factor = np.zeros((r, r)), np.zeros((r, r))
        for j in range(r):
            assert tree._append(w[j], j, q, factor)
        assert np.allclose(q @ q.T, np.eye(r), atol=1e-14)
        assert np.allclose(factor.T @ q, w, atol=1e-15)
        x = np.empty(r)
        c = w @ rng.standard_normal(r)
        tree._solve(q, factor, c, x)
        assert np.allclose(w @ x, c, atol=1e-14 * max(1.0, np.linalg.norm(x)))
        facets, heights = np.empty((r, r)), np.empty(r)
        tree._find_facets(q, factor, facets, heights)
        assert np.allclose(np.linalg.norm(facets, axis=1), 1.0)
        assert np.allclose(w @ facets.T, np.diag(heights), atol=1e-14)


def test_a_dependent_vector_is_refused():
    q, factor = np.zeros((2, 2)), np.zeros((2, 2))
    assert tree._append(np.array([1.0, 1.0]), 0, q, factor)
    assert not tree._append(np.array([2.0, 2.0]), 1, q, factor)


def entries_of(w, normals, omega):
    return np.column_stack([omega, normals @ w.T])


def concave_value(omega, normals, g, u):
    return u @ g + np.maximum(u @ normals.T, 0.0) @ omega


@pytest.mark.parametrize("r", [1, 2, 3, 5])
def test_certificate_and_point_meet(r):
    """Shortest certificate and best point of a concave function, from both sides."""
    rng = np.random.default_rng(r)
    for trial in range(12):
        w = random_cone(rng, r, 10.0 ** -rng.integers(0, 7))
        normals = rng.standard_normal((8, r))
        # Kinks through the cone.
        inside = rng.random((8, r)) @ w
        normals -= ((normals * inside).sum(1) / (inside**2).sum(1))[:, None] * inside
        omega = -rng.random(8) * (trial % 3 > 0)
        g = w.sum(axis=0) / r + rng.standard_normal(r)
        entries = entries_of(w, normals, omega)
        settled = w @ g
        signs = entries[:, 1:].sum(axis=1) > 0
        first = settled + (entries[signs, :1] * entries[signs, 1:]).sum(axis=0)
        goal = 1e9
        best = -np.inf
        z, mixed, point = np.empty(r), np.empty(r), np.empty(r)
        low, high = -1.0, 1e3
        for _ in range(40):
            goal = 0.5 * (low + high)
            value = tree.shorten(
                goal, first, settled, np.zeros(r), entries, 0, 8, w, z, mixed, -np.inf, point
            )
            # A proof, whatever the goal: no point of the cone is above |z|.
            assert (mixed - w @ z).max() <= 1e-12
            u = rng.random((20, r)) ** 4 @ w
            u /= np.linalg.norm(u, axis=1)[:, None]
            assert (concave_value(omega, normals, g, u) <= np.linalg.norm(z) + 1e-9).all()
            if value > -np.inf:
                assert value == pytest.approx(concave_value(omega, normals, g, point), abs=1e-9)
                best = max(best, value)
            if np.linalg.norm(z) <= goal:
                high = goal
            else:
                low = goal
        assert best <= high + 1e-9
        # Zero is in the ball: a negative function has the maximum zero.
        assert max(best, 0.0) == pytest.approx(max(high, 0.0), abs=1e-7)


def test_products_of_a_child():
    """Rows of one sign are settled, chords and gaps are those of the definition."""
    rng = np.random.default_rng(0)
    r, p = 3, 40
    w = random_cone(rng, r, 0.3)
    normals, omega = rng.standard_normal((p, r)), rng.standard_normal(p)
    scale = 1.0 / np.linalg.norm(w[0] + w[2])
    child = w.copy()
    child[2] = (w[0] + w[2]) * scale
    products = normals @ child.T
    entries = np.zeros((2 * p, r + 1))
    entries[:p] = entries_of(w, normals, omega)
    links = np.zeros((1, tree.N_LINKS), dtype=np.int64)
    links[0, tree.COUNT], links[0, tree.RIGHT], links[0, tree.REPLACED] = p, 2, 2
    links[0, tree.FRESH] = 1
    sums, chords, first = np.zeros((2, 1, r)), np.empty(r), np.empty(r)
    begin, end, spread, value = tree._read_products(
        0, links, scale, sums, entries, chords, first, np.empty(r)
    )
    on, off = (products >= 0.0).all(axis=1), (products <= 0.0).all(axis=1)
    kept = ~on & ~off
    assert (begin, end) == (p, p + kept.sum())
    assert np.allclose(entries[begin:end, 1:], products[kept])
    assert np.allclose(sums[:, 0].sum(axis=0), omega[on] @ products[on])
    convex = kept & (omega > 0)
    assert np.allclose(chords, omega[convex] @ np.maximum(products[convex], 0.0))
    middle = products.sum(axis=1)
    below = kept & (omega < 0) & (middle > 0)
    assert np.allclose(first, omega[below] @ products[below])
    assert spread == pytest.approx(np.abs(omega[kept]) @ np.abs(products[kept]).max(axis=1))
    assert value == pytest.approx(omega[kept] @ np.maximum(middle[kept], 0.0))
    gaps = np.empty((r, r))
    edge = tree._choose_edge(child, entries, begin, end, gaps)
    for i, j in ((1, 0), (2, 0), (2, 1)):
        ends = products[convex][:, [i, j]]
        gap = np.maximum(ends, 0.0).sum(axis=1) - np.maximum(ends.sum(axis=1), 0.0)
        assert gaps[i, j] == pytest.approx(omega[convex] @ gap)
    gaps[np.triu_indices(r)] = 0.0
    assert edge == tuple(np.unravel_index(gaps.argmax(), gaps.shape))[::-1]
