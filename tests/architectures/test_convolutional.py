"""The convolutional network: values by explicit loops, and what a value is."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from exchange.kinds import GEOMETRIES

from cvxnn import ConvolutionalNetwork, InputError, TwoLayerNetwork
from cvxnn.losses import HuberLoss

each_geometry = pytest.mark.parametrize("shape, filter_shape, stride, padding", GEOMETRIES)
each_activation = pytest.mark.parametrize("slope", [0.0, 0.1, -1.0])


def draw(shape, filter_shape, *, m=4, has_biases=True, **settings):
    """A network, and data for it."""
    rng = np.random.default_rng(0)
    filters, output = rng.standard_normal((m, *filter_shape)), rng.standard_normal(m)
    biases = rng.standard_normal(m) if has_biases else None
    return ConvolutionalNetwork(filters, output, biases, **settings), rng.standard_normal(shape)


def maps_by_loops(network, data):
    """Activations of every filter at every place, shape (n, K, m)."""
    sides = network.filter_shape[:-1]
    pixels = data.reshape(*data.shape[: len(sides) + 1], -1)
    around = [(0, 0)] + [(network.padding, network.padding)] * len(sides) + [(0, 0)]
    padded = np.pad(pixels, around)
    steps = [
        range(0, whole - side + 1, network.stride)
        for whole, side in zip(padded.shape[1:-1], sides, strict=True)
    ]
    places = [(i, j) for i in steps[0] for j in steps[1]] if len(steps) == 2 else list(steps[0])
    maps = np.zeros((len(data), len(places), network.n_filters))
    for k, place in enumerate(places):
        start = place if isinstance(place, tuple) else (place,)
        window = tuple(slice(a, a + side) for a, side in zip(start, sides, strict=True))
        for j in range(network.n_filters):
            for i, image in enumerate(padded):
                maps[i, k, j] = np.sum(image[window] * network.filters[j])
    if network.biases is not None:
        maps += network.biases
    return np.where(maps > 0.0, maps, network.slope * maps)


@each_geometry
@each_activation
@pytest.mark.parametrize("pooling", ["sum", "average", "max"])
@pytest.mark.parametrize("has_biases", [True, False])
def test_values_are_the_formula(shape, filter_shape, stride, padding, slope, pooling, has_biases):
    network, data = draw(
        shape, filter_shape, has_biases=has_biases,
        stride=stride, padding=padding, slope=slope, pooling=pooling,
    )  # fmt: skip
    maps = maps_by_loops(network, data)
    pooled = {"sum": maps.sum, "average": maps.mean, "max": maps.max}[pooling](axis=1)
    assert np.allclose(network.forward(data), pooled @ network.output_weights, atol=1e-12)
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


def test_the_objective_is_its_formula():
    network, images = draw((5, 7, 6), (3, 2, 1))
    y, loss = np.ones(5), HuberLoss(0.3)
    squares = sum((part**2).sum() for part in (network.filters, network.biases))
    squares += (network.output_weights**2).sum()
    assert network.objective(images, y, 0.7, loss) == pytest.approx(
        loss.value(network.forward(images), y) + 0.35 * squares
    )


def test_many_images_are_taken_in_parts(monkeypatch):
    network, images = draw((50, 7, 6), (3, 2, 1), padding=1)
    whole = network.forward(images)
    monkeypatch.setattr("cvxnn.architectures.convolutional._BUFFER_BYTES", 8 * 7 * 200)
    assert np.allclose(network.forward(images), whole, rtol=1e-13)


def test_networks_are_values():
    network, _ = draw((5, 7, 6), (3, 2, 1), stride=2, slope=0.1)
    copy = pickle.loads(pickle.dumps(network))
    assert copy == network
    assert hash(copy) == hash(network)
    filters, output, biases = network.filters, network.output_weights, network.biases
    settings = {"stride": 2, "slope": 0.1}
    assert network == ConvolutionalNetwork(filters, output, biases, **settings)
    assert network != ConvolutionalNetwork(filters, output, biases, stride=2)
    assert network != ConvolutionalNetwork(filters, output, **settings)
    assert network != ConvolutionalNetwork(2.0 * filters, output, biases, **settings)
    assert network != TwoLayerNetwork(filters.reshape(4, -1), output)
    with pytest.raises(ValueError, match="read-only"):
        network.filters[0, 0] = 1.0
    with pytest.raises(AttributeError):
        network.stride = 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"filters": [[1.0]]}, "filters must be 3-D or 4-D with a row for each filter"),
        ({"filters": np.ones((1, 2, 0))}, "filters must be 3-D or 4-D"),
        ({"filters": [[[np.nan]]]}, "filters must be finite"),
        ({"output_weights": [1.0, 2.0]}, "a row for each of the 1 filters"),
        ({"output_weights": [[1.0]]}, "output_weights must be 1-D"),
        ({"biases": [1.0, 2.0]}, "biases must be None or one for each of the 1 filters"),
        ({"stride": 0}, "stride must be an integer"),
        ({"padding": -1}, "padding must be an integer"),
        ({"pooling": "median"}, "pooling must be one of 'sum', 'average', 'max'"),
        ({"slope": np.inf}, "slope must be a finite number"),
        ({"slope": "leaky"}, "slope must be a finite number"),
    ],
)
def test_bad_weights_are_one_sentence(arguments, message):
    plain = {"filters": [[[1.0]]], "output_weights": [1.0]}
    with pytest.raises(InputError, match=message) as error:
        ConvolutionalNetwork(**(plain | arguments))
    assert "\n" not in str(error.value)


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


def test_repr_names_what_is_not_the_default():
    network, _ = draw((5, 7, 6), (3, 2, 1), stride=2, slope=-1.0)
    assert repr(network) == (
        "ConvolutionalNetwork(n_filters=4, filter_shape=(3, 2, 1), stride=2, pooling='sum', "
        "slope=-1.0)"
    )
