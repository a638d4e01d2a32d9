"""The layer of max pooling: outputs by loops, its parts, and what is proven without cells."""

import numpy as np

from cvxnn.layers.max_pooling import MaxLayer, max_layer


def test_outputs_are_maxima_also_of_parts_and_in_chunks(monkeypatch):
    rng = np.random.default_rng(0)
    patches, hidden, weights = (rng.standard_normal(shape) for shape in ((7, 4, 3), (5, 3), 5))
    layer = max_layer(patches, has_bias=False)
    expected = [
        sum(a * max(0.0, *(x @ u for x in image)) for u, a in zip(hidden, weights, strict=True))
        for image in patches
    ]
    assert layer.n_predictions == 7
    assert np.allclose(layer.forward(hidden, weights), expected)
    root = rng.random(7) + 0.1
    assert np.allclose(layer.weighted(root).forward(hidden, weights), root * expected)
    twice = layer.weighted(root).weighted(root)
    assert np.allclose(twice.forward(hidden, weights), root**2 * expected)
    assert np.allclose(twice.lengths, root**2 * layer.lengths)
    some = twice.take(np.array([2, 4]))
    assert np.allclose(some.forward(hidden, weights), (root**2 * expected)[[2, 4]])
    assert np.shares_memory(twice.rows, layer.rows)
    chosen = np.array([5, 0, 3])
    assert np.allclose(layer.take(chosen).forward(hidden, weights), np.take(expected, chosen))
    monkeypatch.setattr("cvxnn.layers.rows._CHUNK", 30)
    assert np.allclose(layer.forward(hidden, weights), expected)
    parts = list(layer.tiles(5))
    assert len(parts) > 1
    assert np.allclose(
        np.concatenate([part.forward(hidden, weights) for _, part in parts]), expected
    )


def test_a_bias_is_a_constant_of_every_patch():
    patches = np.random.default_rng(0).standard_normal((5, 3, 2))
    layer = max_layer(patches, has_bias=True)
    u = np.array([[0.3, -0.2, 0.7]])
    products = patches @ u[0, :2] + 0.7
    assert np.allclose(layer.activations(u)[:, 0], np.maximum(products, 0.0).max(axis=1))


def test_nothing_is_above_the_bound_of_lengths():
    rng = np.random.default_rng(0)
    layer, v = max_layer(rng.standard_normal((6, 3, 2)), has_bias=False), rng.standard_normal(6)
    directions = rng.standard_normal((10_000, 2))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    values = layer.activations(directions).T @ v
    assert np.abs(values).max() <= layer.bound(v)
    # One image at its longest patch.
    one = MaxLayer(np.array([[0.0, 2.0], [1.0, 0.0]]), 2)
    assert 6.0 <= one.bound(np.array([3.0])) <= 6.0 * (1.0 + 1e-12)


def test_scores_are_those_of_the_activations():
    rng = np.random.default_rng(2)
    layer = max_layer(rng.standard_normal((6, 3, 2)), has_bias=False).weighted(rng.random(6) + 0.1)
    v, U = rng.standard_normal(6), rng.standard_normal((5, 2))
    values, slopes = layer.scores(v, U)
    np.testing.assert_allclose(values, v @ layer.activations(U), atol=1e-12)
    # Linear between two kinks, which are far from here.
    step = 1e-7 * rng.standard_normal(U.shape)
    ahead = v @ layer.activations(U + step)
    np.testing.assert_allclose(ahead - values, (slopes * step).sum(axis=1), atol=1e-13)


def test_a_maximum_is_not_read_like_relu():
    layer = max_layer(np.ones((2, 3, 2)), has_bias=False)
    assert layer.precisely(np.ones((1, 2)), np.ones(1)) is None
    for name in ("read", "readout", "mixed", "turned", "with_slope", "with_readout"):
        assert not hasattr(layer, name)
    scaled = layer.in_units(4.0)
    np.testing.assert_array_equal(scaled.rows, layer.rows / 4.0)
    assert (layer.unit, scaled.unit, scaled.n_patches) == (1.0, 0.25, 3)
