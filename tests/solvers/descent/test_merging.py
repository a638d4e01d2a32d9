"""Merged neurons: what is one stays the same function, and what is not stays apart."""

import numpy as np

from cvxnn.problems import Neurons
from cvxnn.solvers.descent.merging import merged

SAME = 0.95


def drawn(k, d=6, c=3, seed=0):
    rng = np.random.default_rng(seed)
    return Neurons.of_weights(rng.standard_normal((k, d)), rng.standard_normal((k, c)))


def test_parts_of_a_neuron_are_that_neuron():
    whole = drawn(5)
    shares = np.array([0.2, 0.5, 0.3])
    parts = whole.select(np.repeat(np.arange(5), 3)).sized(np.outer(whole.sizes, shares).ravel())
    joined = merged(parts, SAME)
    assert len(joined) == 5
    X = np.random.default_rng(1).standard_normal((40, 6))
    for one, other in ((joined, whole), (joined, parts)):
        f, g = (np.maximum(X @ n.rays.T, 0.0) @ n.outputs for n in (one, other))
        np.testing.assert_allclose(f, g, atol=1e-12)
    np.testing.assert_allclose(joined.sizes.sum(), whole.sizes.sum(), rtol=1e-12)


def test_neurons_that_differ_in_one_layer_stay_apart():
    one = drawn(1)
    opposite = one.joined(one.directions, -one.outputs).sized(np.ones(2))
    assert len(merged(opposite, SAME)) == 2
    other = one.joined(-one.directions, one.outputs).sized(np.ones(2))
    assert merged(other, SAME) is other


def test_lengths_are_one_and_the_intercept_stays():
    whole = drawn(4)
    rng = np.random.default_rng(2)
    near = Neurons(
        np.vstack([whole.directions, whole.directions + 0.05 * rng.standard_normal((4, 6))]),
        rng.uniform(0.1, 1.0, 8),
        np.vstack([whole.outputs] * 2),
        intercept=np.arange(3.0),
    )
    near = Neurons(
        near.directions / np.linalg.norm(near.directions, axis=1, keepdims=True),
        near.sizes, near.outputs, intercept=near.intercept,
    )  # fmt: skip
    joined = merged(near, SAME)
    assert len(joined) == 4 and (joined.sizes > 0.0).all()
    assert 0.95 * near.sizes.sum() <= joined.sizes.sum() <= near.sizes.sum()
    np.testing.assert_allclose(np.linalg.norm(joined.directions, axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(joined.outputs, axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(joined.intercept, np.arange(3.0))


def test_no_neurons_stay_none():
    assert len(merged(Neurons.none(4, 2), SAME)) == 0


def test_neurons_far_beyond_size_one_are_merged():
    whole = drawn(4)
    twice = whole.joined(whole.directions, whole.outputs).sized(np.full(8, 1e200))
    np.testing.assert_allclose(merged(twice, SAME).sizes, np.full(4, 2e200))
