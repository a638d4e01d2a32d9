"""The oracle of max pooling against all directions, least squares, and its own formula."""

import numpy as np
import pytest
from scipy.optimize import nnls

from cvxnn.oracle import MaxCellOracle


def draw(n=6, n_patches=3, h=3, n_directions=200_000):
    """Patches, a dual point, unit directions, and the cells of some of them."""
    rng = np.random.default_rng(0)
    patches, v = rng.standard_normal((n, n_patches, h)), rng.standard_normal(n)
    directions = rng.standard_normal((n_directions, h))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    products = np.einsum("nkh,mh->mnk", patches, directions[:20_000])
    winners = np.where(products.max(axis=2) > 0.0, products.argmax(axis=2), -1)
    return patches, v, directions, np.unique(winners, axis=0)


def outputs(patches, directions):
    return np.maximum(np.einsum("nkh,mh->mnk", patches, directions).max(axis=2), 0.0)


@pytest.mark.parametrize("size", [1.0, 1e-180, 1e150])
def test_the_bound_is_above_all_directions_and_reached_by_one(size):
    patches, v, directions, winners = draw()
    pricing = MaxCellOracle(patches, winners, np.zeros(len(winners))).price((v * size)[:, None])
    values = np.abs(outputs(patches, directions) @ v)
    assert values.max() <= pricing.bound / size <= 1.01 * values.max()
    half, cell = np.unravel_index(pricing.cell_bounds.argmax(), pricing.cell_bounds.shape)
    best = pricing.points[half, cell] / size
    reached = (outputs(patches, best[None] / np.linalg.norm(best)) @ v)[0]
    assert (reached if half == 0 else -reached) == pytest.approx(pricing.bound / size, rel=1e-12)


def test_every_cell_has_its_own_maximum():
    patches, v, _, winners = draw()
    oracle = MaxCellOracle(patches, winners, np.zeros(len(winners)))
    pricing = oracle.price(v[:, None])
    for c in range(0, len(winners), 7):
        maps, cones = oracle.maps([c])[0], oracle.cones([c])[0]
        # Rows of the cone, written out.
        for i, k in enumerate(winners[c]):
            won = patches[i, k] if k >= 0 else np.zeros(3)
            assert np.array_equal(maps[i], won)
            rows = np.array([won if q == k else won - patches[i, q] for q in range(3)])
            expected = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            assert np.allclose(cones[3 * i : 3 * i + 3], expected)
        for half, sign in enumerate((1.0, -1.0)):
            least = nnls(cones.T, -sign * (maps.T @ v))[1]
            assert pricing.cell_bounds[half, c] == pytest.approx(least, rel=1e-9, abs=1e-9)
            if least > 1e-6:
                assert np.allclose(cones @ pricing.points[half, c] >= -1e-9, True)


def test_cells_below_what_is_asked_for_are_not_refined():
    patches, v, _, winners = draw()
    oracle = MaxCellOracle(patches, winners, np.zeros(len(winners)))
    full = oracle.price(v[:, None])
    enough = 0.5 * full.bound
    pricing = oracle.price(v[:, None], enough)
    assert pricing.bound == pytest.approx(full.bound, rel=1e-12)
    assert (pricing.cell_bounds >= full.cell_bounds * (1.0 - 1e-12)).all()
    assert np.array_equal(pricing.cell_bounds > enough, full.cell_bounds > enough)
    assert np.array_equal(pricing.points.any(axis=2), full.cell_bounds > enough)


def test_a_reach_covers_what_is_that_far_outside():
    patches, v, directions, winners = draw(n=3, n_patches=2, h=2)
    tight = MaxCellOracle(patches, winners, np.zeros(len(winners)))
    for t in (1e-3, 0.1):
        pricing = MaxCellOracle(patches, winners, np.full(len(winners), t)).price(v[:, None])
        values = outputs(patches, directions) @ v
        for c in range(len(winners)):
            inside = (tight.cones([c])[0] @ directions.T >= -t).all(axis=0)
            assert values[inside].max() <= pricing.cell_bounds[0, c]
            assert (-values[inside]).max() <= pricing.cell_bounds[1, c]


def test_zeros_and_equal_patches_are_no_constraint():
    patches = np.array([[[1.0, 2.0], [1.0, 2.0], [0.0, 0.0]]])
    oracle = MaxCellOracle(patches, np.array([[0], [-1]]), np.zeros(2))
    most = oracle.price(np.array([3.0])[:, None]).cell_bounds
    assert most[0] == pytest.approx([3.0 * 5**0.5, 0.0], abs=1e-12)
    assert most[1] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert oracle.price(np.zeros(1)[:, None]).bound == pytest.approx(0.0, abs=1e-200)
