"""The convolutional network: values by explicit loops, and what a value is."""

from __future__ import annotations

import numpy as np
import pytest
from exchange.kinds import GEOMETRIES
from networks.cases import convolutional_values, maps_by_loops

from cvxnn import ConvolutionalNetwork, InputError, TwoLayerNetwork

each_geometry = pytest.mark.parametrize("shape, filter_shape, stride, padding", GEOMETRIES)
each_activation = pytest.mark.parametrize("slope", [0.0, 0.1, -1.0])


def draw(shape, filter_shape, *, m=4, has_biases=True, **settings):
    """A network, and data for it."""
    rng = np.random.default_rng(0)
    filters, output = rng.standard_normal((m, *filter_shape)), rng.standard_normal(m)
    biases = rng.standard_normal(m) if has_biases else None
    return ConvolutionalNetwork(filters, output, biases, **settings), rng.standard_normal(shape)


@each_geometry
@each_activation
@pytest.mark.parametrize("pooling", ["sum", "average", "max"])
@pytest.mark.parametrize("has_biases", [True, False])
def test_values_are_the_formula(shape, filter_shape, stride, padding, slope, pooling, has_biases):
    network, data = draw(
        shape, filter_shape, has_biases=has_biases,
        stride=stride, padding=padding, slope=slope, pooling=pooling,
    )  # fmt: skip
    maps = maps_by_loops(network, data).astype(float)
    values = convolutional_values(network, data).astype(float)
    assert np.allclose(network.forward(data), values, atol=1e-12)
    feature_maps = network.feature_maps(data)
    assert feature_maps.ndim == len(filter_shape) + 1
    assert np.allclose(feature_maps.reshape(maps.shape), maps, atol=1e-12)


def test_a_network_without_filters_is_zero():
    network, images = draw((5, 7, 6), (3, 2, 1), m=0)
    assert np.array_equal(network.forward(images), np.zeros(5))


def test_one_patch_is_the_fully_connected_network():
    network, images = draw((6, 4, 3, 2), (4, 3, 2))
    rows = np.column_stack([images.reshape(6, -1), np.ones(6)])
    hidden = np.column_stack([network.filters.reshape(4, -1), network.biases])
    dense = TwoLayerNetwork(hidden, network.output_weights)
    y = np.arange(6.0)
    assert np.allclose(network(images), dense(rows))
    assert network.penalty() == pytest.approx(dense.penalty(), rel=1e-14)
    assert network.objective(images, y, 0.3) == pytest.approx(dense.objective(rows, y, 0.3))


def test_many_images_are_taken_in_parts(monkeypatch):
    network, images = draw((50, 7, 6), (3, 2, 1), padding=1)
    whole = network.forward(images)
    monkeypatch.setattr("cvxnn.architectures.convolutional._BUFFER_BYTES", 8 * 7 * 200)
    assert np.allclose(network.forward(images), whole, rtol=1e-13)


@pytest.mark.parametrize(
    "shape, message",
    [
        ((5,), r"images must be of shape \(n, height, width\)"),
        ((5, 7, 6, 2), "must have the 1 channels of the filters"),
        ((5, 2, 6), "at most 2 x 6, the padded image"),
    ],
)
def test_bad_images_are_one_sentence(shape, message):
    network, _ = draw((5, 7, 6), (3, 2, 1))
    for call in (network.forward, network.feature_maps):
        with pytest.raises(InputError, match=message) as error:
            call(np.ones(shape))
        assert "\n" not in str(error.value)
