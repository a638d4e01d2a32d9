"""The polytope by itself, on simplices and products of them, where everything is known."""

import numpy as np
import pytest
from variants import with_long

from cvxnn.landscape.polytope import Polytope
from cvxnn.landscape.smallest import fewest_exactly, fewest_greedily


def simplices(*sizes: int) -> Polytope:
    """A product of standard simplices: equations ``sum = 1`` over groups of weights."""
    blocks = np.repeat(np.arange(len(sizes)), sizes)
    columns = (blocks == np.arange(len(sizes))[:, None]).astype(float)
    return Polytope(columns, 1.0 / np.repeat(sizes, sizes))


@with_long("sizes", [(3, 2), (2, 3, 4), (1,), (2,), (5,), (2, 2)], always=2)
def test_products_of_simplices(sizes):
    polytope = simplices(*sizes)
    assert polytope.dimension == sum(sizes) - len(sizes)
    vertices = polytope.vertices(most=10_000)
    assert len(vertices) == np.prod(sizes)
    assert set(np.unique(vertices.round(9))) <= {0.0, 1.0}
    np.testing.assert_allclose(polytope.centre @ np.ones(sum(sizes)), len(sizes))
    assert (polytope.centre > 0.0).all() and polytope.support.all()
    for found in (fewest_exactly(polytope), fewest_greedily(polytope)):
        assert np.count_nonzero(found.weights) == len(sizes) >= found.lower_bound
    assert fewest_exactly(polytope).lower_bound == len(sizes)


@pytest.mark.long
def test_samples_of_a_simplex_are_uniform():
    """Each weight of a uniform point has mean 1 / k and variance (k - 1) / (k^2 (k + 1))."""
    points = simplices(4).sample(2000, np.random.default_rng(0))
    assert (points >= 0.0).all()
    np.testing.assert_allclose(points.sum(axis=1), 1.0)
    np.testing.assert_allclose(points.mean(axis=0), 0.25, atol=0.02)
    np.testing.assert_allclose(points.var(axis=0), 3.0 / 80.0, atol=0.006)


def test_a_weight_that_is_always_zero_has_no_part_in_the_dimension():
    # w_0 + w_1 = 1 and w_2 + w_3 = 0: the last two are 0.
    columns = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    polytope = Polytope(columns, np.array([1.0, 0.0, 0.0, 0.0]))
    assert polytope.support.tolist() == [True, True, False, False]
    assert polytope.dimension == 1 and len(polytope.vertices(most=10)) == 2


def test_lengths_of_columns_do_not_matter():
    rng = np.random.default_rng(0)
    columns, lengths = np.abs(rng.standard_normal((3, 6))), 10.0 ** rng.uniform(-3.0, 3.0, 6)
    plain = Polytope(columns, np.ones(6))
    scaled = Polytope(columns * lengths, 1.0 / lengths)
    assert plain.dimension == scaled.dimension == 3
    np.testing.assert_allclose(
        plain.vertices(most=100), scaled.vertices(most=100) * lengths, rtol=1e-9, atol=1e-12
    )


def test_a_subset_sum_needs_the_exact_search():
    """Vertices of a transport polytope have 5 positive weights in general, the best has 3."""
    rows, columns = np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.2, 0.5])
    A = np.vstack([np.kron(np.eye(3), np.ones(3)), np.kron(np.ones(3), np.eye(3))])
    polytope = Polytope(A, np.outer(rows, columns).ravel())
    found = fewest_exactly(polytope)
    assert (np.count_nonzero(found.weights), found.lower_bound) == (3, 3)
    np.testing.assert_allclose(A @ found.weights, np.concatenate([rows, columns]), atol=1e-12)
