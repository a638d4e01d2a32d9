"""Bounds by leaves against sub-networks drawn at random, whatever the coefficients."""

import numpy as np
import pytest

from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.oracle import RankTwoOracle
from cvxnn.oracle.parallel.leaves import LeafOracle, Leaves, two_layer_oracle


def sub_networks(rng, X, count=4000, width=3):
    """Activations of sub-networks of size one, shape (count, n)."""
    W = rng.standard_normal((count, width, X.shape[1]))
    b = rng.standard_normal((count, width))
    W /= np.linalg.norm(W.reshape(count, -1), axis=1)[:, None, None]
    b /= np.linalg.norm(b, axis=1)[:, None]
    return np.maximum(np.einsum("knj,kj->kn", np.maximum(X @ W.transpose(0, 2, 1), 0.0), b), 0.0)


def random_leaves(rng, n, splits=6):
    leaves = Leaves.roots(n)
    for _ in range(splits):
        k = int(rng.integers(len(leaves)))
        open_rows = np.flatnonzero(leaves.choices[k] == 0)
        if len(open_rows):
            leaves = leaves.split([(k, int(rng.choice(open_rows)))])
    return leaves.with_coefficients(rng.standard_normal((len(leaves), n)))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
def test_no_sub_network_is_above_the_bound(seed, scale):
    rng = np.random.default_rng(seed)
    n = 2 + seed
    X = rng.standard_normal((n, 2)) * 10.0 ** rng.integers(-3, 3, size=(n, 1))
    X[0] = X[-1]
    v = scale * rng.standard_normal(n)
    leaves = random_leaves(rng, n)
    leaves = leaves.with_coefficients(scale * leaves.coefficients)
    price = LeafOracle(RankTwoOracle(X)).price(leaves, v)
    values = sub_networks(rng, X) @ v
    above, below = price.of_signs(leaves)
    assert values.max() <= above and -values.min() <= below
    assert price.largest == max(above, below)


def test_the_bound_is_attained_where_all_signs_are_chosen_and_coefficients_are_the_weights():
    # With c = w on active rows, 0 on inactive ones: the largest value of a linear function on
    # G, which a single neuron attains.
    X, v = np.eye(2), np.array([3.0, 4.0])
    leaves = Leaves.roots(2).split([(0, 0), (1, 0)]).split([(k, 1) for k in range(4)])
    leaves = leaves.with_coefficients(np.maximum(leaves.signs[:, None] * v, 0.0))
    price = LeafOracle(RankTwoOracle(X)).price(leaves, v)
    np.testing.assert_allclose(price.of_signs(leaves), [5.0, 0.0], rtol=1e-12)


def test_coefficients_that_would_not_do_are_set_to_zero():
    leaves = Leaves.roots(3).split([(0, 1)]).with_coefficients(np.ones((3, 3)))
    np.testing.assert_array_equal(leaves.coefficients > 0.0, leaves.choices == 1)


def test_splits_keep_the_rest_and_put_the_parts_at_the_end():
    leaves = Leaves.roots(3).split([(1, 2)])
    assert leaves.signs.tolist() == [1.0, -1.0, -1.0]
    assert leaves.choices.tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, -1]]
    assert Leaves.parents(2, [(1, 2)]) == [0, 1, 1]


def test_a_deadline_ends_the_pricing():
    X = np.random.default_rng(0).standard_normal((5, 3))
    oracle = LeafOracle(two_layer_oracle(X))
    with pytest.raises(OutOfTimeError):
        oracle.price(Leaves.roots(5), np.ones(5), deadline=Deadline(0.0))
