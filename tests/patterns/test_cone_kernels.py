"""The kernels of conic projection, each against a few lines of numpy and scipy."""

from itertools import product

import numpy as np
from cones import project_on_cone
from hypothesis import given
from hypothesis import strategies as st
from row_kinds import FloatArray, Generator, seeds

from cvxnn.patterns.cone_kernels import cover_errors, price_cells, project, scratch


def run_project(
    g: FloatArray, rows: FloatArray, signs: FloatArray, chosen: np.ndarray, enough: float = 0.0
) -> tuple[float, FloatArray, np.ndarray, FloatArray]:
    """Norm, multipliers, rows and projection, from the kernel and fresh scratch space."""
    work = scratch(*rows.shape)
    norm, size = project(g, rows, signs, chosen, enough, work)
    return norm, work[1][:size], work[0][:size], work[2]


def words_of(sides: np.ndarray) -> np.ndarray:
    """Sides of up to 64 hyperplanes as one word for each cell."""
    return (sides.astype(np.uint64) << np.arange(sides.shape[1], dtype=np.uint64)).sum(
        axis=1, keepdims=True, dtype=np.uint64
    )


def unit_rows(rng: Generator, p: int, r: int) -> FloatArray:
    rows = rng.integers(-2, 3, (p, r)) + rng.choice([0.0, 1.0]) * rng.standard_normal((p, r))
    rows[~rows.any(axis=1)] = 1.0
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@given(seed=seeds, p=st.integers(1, 8), r=st.integers(1, 5), scale=st.sampled_from([1e-9, 1, 1e9]))
def test_project_is_nnls(seed, p, r, scale):
    rng = np.random.default_rng(seed)
    rows, signs = unit_rows(rng, p, r), rng.choice([-1.0, 1.0], p)
    g = scale * rng.standard_normal(r)
    chosen = np.flatnonzero(rng.random(p) < 0.8)
    norm, rho, active, z = run_project(g, rows, signs, chosen)
    expected, point = project_on_cone(signs[chosen, None] * rows[chosen], g)
    np.testing.assert_allclose(norm, expected, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(z, point, rtol=0, atol=1e-12 * scale)
    # What makes the norm a proof, whatever the algorithm did.
    assert (rho >= 0.0).all()
    assert np.isin(active, chosen).all()
    rebuilt = g + (rho * signs[active]) @ rows[active]
    np.testing.assert_allclose(z, rebuilt, rtol=0, atol=1e-14 * scale * (1 + rho.sum() / scale))
    np.testing.assert_allclose(np.linalg.norm(z), norm, rtol=1e-14)


@given(seed=seeds, fraction=st.floats(0.0, 2.0))
def test_project_may_stop_at_enough(seed, fraction):
    rng = np.random.default_rng(seed)
    rows, signs, g = unit_rows(rng, 7, 4), np.ones(7), rng.standard_normal(4)
    enough = fraction * float(np.linalg.norm(g))
    exact = run_project(g, rows, signs, np.arange(7))[0]
    norm = run_project(g, rows, signs, np.arange(7), enough)[0]
    assert norm >= exact * (1.0 - 1e-12)
    assert norm <= enough or norm == exact


@given(seed=seeds, p=st.integers(1, 7), r=st.integers(1, 4), with_facets=st.booleans())
def test_price_cells_is_nnls(seed, p, r, with_facets):
    rng = np.random.default_rng(seed)
    rows = unit_rows(rng, p, r)
    sides = rng.random((5, p)) < 0.5
    words = np.array(
        [[sum(1 << j for j in np.flatnonzero(side))] for side in sides], dtype=np.uint64
    )
    positive, negative = rng.standard_normal((2, p))
    parts = [np.flatnonzero(rng.random(p) < 0.6) for _ in sides]
    starts = np.cumsum([0, *map(len, parts)]) if with_facets else np.zeros(0, dtype=np.int64)
    cover = rng.choice([0.0, 0.1], 5)
    bounds, points = price_cells(
        words, rows, starts, np.concatenate(parts), positive, negative, cover, 0.0
    )
    mass = np.abs(positive).sum() + np.abs(negative).sum()
    for cell, half in product(range(5), range(2)):
        own = parts[cell] if with_facets else np.arange(p)
        signs = np.where(sides[cell], 1.0, -1.0)
        g = np.where(sides[cell], positive, negative) @ rows * (1.0, -1.0)[half]
        norm, z = project_on_cone(signs[own, None] * rows[own], g)
        expected = norm + cover[cell] * mass
        np.testing.assert_allclose(bounds[half, cell], expected, rtol=0, atol=1e-11)
        np.testing.assert_allclose(points[half, cell], z, rtol=0, atol=1e-11)
        assert bounds[half, cell] >= expected * (1.0 - 1e-15)


@given(seed=seeds, p=st.integers(1, 8), r=st.integers(1, 4))
def test_cover_errors_are_how_far_outer_cones_reach(seed, p, r):
    """For every row that is not chosen the distance of the row from the cone of the chosen."""
    rng = np.random.default_rng(seed)
    rows = unit_rows(rng, p, r)
    sides = rows @ rng.standard_normal((r, 4)) > 0
    words = words_of(sides.T)
    parts = [np.flatnonzero(rng.random(p) < 0.7) for _ in range(4)]
    errors = cover_errors(words, rows, np.cumsum([0, *map(len, parts)]), np.concatenate(parts))
    for side, own, error in zip(sides.T, parts, errors, strict=True):
        signed = np.where(side, 1.0, -1.0)[:, None] * rows
        others = np.setdiff1d(np.arange(p), own)
        reach = [project_on_cone(signed[own], -signed[k])[0] for k in others]
        np.testing.assert_allclose(error, max(reach, default=0.0), rtol=0, atol=1e-12)
        assert error == 0.0 or error >= max(reach) * (1.0 - 1e-14)
