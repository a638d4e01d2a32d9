"""The over-estimator of a cone: above the function, convex, exact where nothing is undecided."""

import numpy as np
import pytest

from cvxnn.array_types import FloatArray
from cvxnn.oracle import tree_kernels as shared
from cvxnn.oracle.outputs import tree_kernels as tree

Generator = np.random.Generator


def cone(rng: Generator, r: int, width: float) -> FloatArray:
    """Generators of a cone of some width, unit vectors."""
    w = rng.standard_normal(r) + width * rng.standard_normal((r, r))
    return w / np.linalg.norm(w, axis=1)[:, None]


def over(
    w: FloatArray, normals: FloatArray, omega: FloatArray, base: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Heights at the generators, what they are made of, and the shares of the rows."""
    r, c = base.shape
    entries = np.column_stack([np.arange(len(omega)), normals @ w.T])
    centre = w.sum(axis=0)
    ahead = omega.T @ np.maximum(normals @ centre, 0.0) + base.T @ centre
    ahead /= np.linalg.norm(ahead)
    parts, rises, out = np.empty((r, 2 + c)), np.empty((len(omega), 2)), np.empty(r)
    tree.overestimate(
        w @ base, ahead, omega, entries, 0, len(omega), parts, rises, np.empty((2, r)), out
    )
    return out, parts, rises


@pytest.mark.parametrize(("r", "c"), [(2, 2), (3, 1), (3, 3), (5, 2)])
def test_it_is_above_the_function_in_the_cone(r, c):
    rng = np.random.default_rng(10 * r + c)
    for _ in range(60):
        w = cone(rng, r, 10.0 ** rng.uniform(-3.0, 0.0))
        normals, omega = rng.standard_normal((9, r)), rng.standard_normal((9, c))
        inside = rng.random((9, r)) @ w
        normals -= ((normals * inside).sum(1) / (inside**2).sum(1))[:, None] * inside
        base = rng.standard_normal((r, c)) * rng.choice([0.0, 1.0, 10.0])
        heights, _, _ = over(w, normals, omega, base)
        shares = rng.random((200, r)) ** 3
        points = shares @ w
        values = np.linalg.norm(np.maximum(points @ normals.T, 0.0) @ omega + points @ base, axis=1)
        assert (values <= shares @ heights * (1.0 + 1e-12) + 1e-12).all()


def test_it_is_close_where_rows_change_sign_far_from_the_centre():
    """A row that is undecided by a hair counts as linear: no half of its modulus is lost."""
    rng = np.random.default_rng(0)
    w, base = np.eye(3), rng.standard_normal((3, 2))
    normals = np.array([[1.0, 1.0, -1e-9], [-1.0, -2.0, 1e-9]])
    omega = rng.standard_normal((2, 2))
    heights, _, _ = over(w, normals, omega, base)
    exact = np.linalg.norm(np.maximum(normals @ w.T, 0.0).T @ omega + w @ base, axis=1)
    np.testing.assert_allclose(heights, exact, atol=1e-8)


def test_rows_of_a_child():
    """Rows of one sign are settled with their outputs, the others kept."""
    rng = np.random.default_rng(0)
    r, c, p = 3, 2, 200
    w = cone(rng, r, 0.3)
    normals, omega = rng.standard_normal((p, r)), rng.standard_normal((p, c))
    scale = 1.0 / np.linalg.norm(w[0] + w[2])
    child = w.copy()
    child[2] = (w[0] + w[2]) * scale
    products = normals @ child.T
    entries = np.zeros((2 * p, r + 1))
    entries[:p, 0], entries[:p, 1:] = np.arange(p), normals @ w.T
    links = np.zeros((1, shared.N_LINKS), dtype=np.int64)
    links[0, shared.COUNT], links[0, shared.RIGHT], links[0, shared.REPLACED] = p, 2, 2
    links[0, shared.FRESH] = 1
    sums, value, sizes = np.zeros((2, 1, r * c)), np.empty(c), np.linalg.norm(omega, axis=1)
    begin, end, spread = tree.read_rows(
        0, links, scale, omega, sizes, sums, entries, np.empty(r * c), value
    )
    on, off = (products >= 0.0).all(axis=1), (products <= 0.0).all(axis=1)
    kept = ~on & ~off
    assert (begin, end) == (p, p + kept.sum())
    assert np.array_equal(entries[begin:end, 0], np.flatnonzero(kept))
    assert np.allclose(entries[begin:end, 1:], products[kept])
    assert np.allclose(sums[:, 0].sum(axis=0).reshape(r, c), products[on].T @ omega[on])
    middle = np.maximum(products[kept].sum(axis=1), 0.0)
    assert np.allclose(value, middle @ omega[kept])
    assert spread == pytest.approx(sizes[kept] @ np.abs(products[kept]).max(axis=1))


def test_the_edge_where_the_bound_is_farthest_above_itself():
    rng = np.random.default_rng(1)
    r, c = 4, 2
    w = cone(rng, r, 0.5)
    normals, omega = rng.standard_normal((8, r)), rng.standard_normal((8, c))
    heights, parts, rises = over(w, normals, omega, rng.standard_normal((r, c)))
    entries = np.column_stack([np.arange(8.0), normals @ w.T])
    edge = tree.choose_edge(w, parts, rises, heights, entries, 0, 8, np.empty((2, r, r)))
    gaps = np.zeros((r, r))
    for i in range(r):
        for j in range(i):
            ends = entries[:, [1 + i, 1 + j]]
            chord = np.maximum(ends, 0.0).sum(axis=1) - np.maximum(ends.sum(axis=1), 0.0)
            along = parts[i, 0] + parts[j, 0] - chord @ rises[:, 0]
            across = parts[i, 1] + parts[j, 1] - chord @ rises[:, 1]
            across += np.linalg.norm(parts[i, 2:] + parts[j, 2:])
            gaps[i, j] = heights[i] + heights[j] - np.hypot(max(along, 0.0), across)
    assert edge == tuple(np.unravel_index(gaps.argmax(), gaps.shape))[::-1]
    # Where the bound is linear the longest edge is as good as any.
    even, none = np.zeros((r, 2 + c)), np.zeros((0, r + 1))
    even[:, 0] = 1.0
    edge = tree.choose_edge(w, even, none[:, :2], np.ones(r), none, 0, 0, np.empty((2, r, r)))
    lengths = np.tril(np.linalg.norm(w[:, None] - w[None], axis=2))
    assert edge == tuple(np.unravel_index(lengths.argmax(), lengths.shape))[::-1]
