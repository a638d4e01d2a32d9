"""Convolutional networks: dense networks on patches, closed forms, maps and memory."""

import numpy as np
import pytest
from networks.cases import CASES, IMAGES, RELU, maps_by_loops
from programs import draw_images, patches_by_loops
from variants import with_long

import cvxnn
from cvxnn import Conv, Status
from cvxnn.patterns import enumerate_patterns


def solve(images, y, beta, filter_size, **options):
    """With settings of the model among the options; max pooling by listing its patterns."""
    own = {"pooling", "bias", "slope", "stride", "padding"} & options.keys()
    model = Conv(filter_size, **{name: options.pop(name) for name in own})
    method = "exact" if model.pooling == "max" else "global"
    return cvxnn.solve(images, y, beta, model=model, **({"method": method} | options))


# ------------------------------------------------------------------ trained


@pytest.mark.parametrize("pooling", ["sum", "average", "max"])
@with_long("bias", [True, False])
def test_one_patch_is_the_fully_connected_network(pooling, bias):
    images, y = draw_images("squared", (9, 3, 1))
    rows = images.reshape(9, 3)
    rows = np.column_stack([rows, np.ones(9)]) if bias else rows
    dense = cvxnn.solve(rows, y, 0.1)
    solution = solve(images, y, 0.1, (3, 1), pooling=pooling, bias=bias)
    assert dense.status is solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(dense.objective, rel=1e-6)
    np.testing.assert_allclose(solution.network(images), dense.network(rows), atol=1e-3)
    if pooling == "max":
        assert solution.n_patterns == len(enumerate_patterns(rows))


def test_a_slope_of_one_is_a_linear_network_on_summed_patches():
    images, y = draw_images("squared", (8, 3, 3))
    summed = patches_by_loops(images, (2, 1)).sum(axis=1, keepdims=True)
    linear = cvxnn.solve(summed, y, 0.3, model="linear_conv")
    found = solve(images, y, 0.3, (2, 1), slope=1.0)
    assert found.objective == pytest.approx(linear.objective, rel=1e-6)


@pytest.mark.parametrize("pooling", ["sum", "max"])
def test_one_pixel_is_a_lasso_on_its_positive_and_negative_parts(pooling):
    # A filter of one pixel is u or -u: f = p pool_k (x_k)_+ + q pool_k (-x_k)_+ at |p| + |q|.
    images, y = draw_images("squared", (12, 3, 3), seed=4)
    pixels = images.reshape(12, -1)
    pool = np.sum if pooling == "sum" else np.max
    parts = np.column_stack([pool(np.maximum(s * pixels, 0.0), axis=1) for s in (1.0, -1.0)])
    best = np.inf
    for signs in np.array(np.meshgrid([-1, 0, 1], [-1, 0, 1])).reshape(2, -1).T:
        used = signs != 0
        c = np.zeros(2)
        gram = parts[:, used].T @ parts[:, used]
        c[used] = np.linalg.solve(gram, parts[:, used].T @ y - 0.4 * signs[used])
        if (c * signs >= 0.0).all():
            best = min(best, 0.5 * np.sum((parts @ c - y) ** 2) + 0.4 * np.abs(c).sum())
    assert solve(images, y, 0.4, 1, pooling=pooling).objective == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize(
    ("images", "options", "value"),
    [
        # One image: f = s at the price of |s| over the length of the sum of its patches.
        (np.ones((1, 4)), {}, 0.1 / 18**0.5 * 2.0 - 0.005 / 18),
        # All patches are equal: over the length of one.
        (np.ones((1, 4)), {"pooling": "max"}, 0.1 / 2**0.5 * 2.0 - 0.0025),
        # The constant alone: three patches (0, 0, 1), of length 3 together.
        (np.zeros((1, 4)), {"bias": True}, 0.1 / 3 * 2.0 - 0.005 / 9),
    ],
    ids=["sum", "max", "only the constant"],
)
def test_one_image_has_a_closed_form(images, options, value):
    methods = ("exact", "sampled") if "pooling" in options else ("global",)
    for method in methods:
        solution = solve(images, [2.0], 0.1, 2, method=method, **options)
        assert solution.status is Status.OPTIMAL
        assert solution.objective == pytest.approx(value, rel=1e-6)


# ------------------------------------------------------------------ the network


@pytest.mark.parametrize("name", [name for name in IMAGES if not name.startswith("polynomial")])
def test_feature_maps_are_the_formula(name):
    network, data = IMAGES[name].network, IMAGES[name].data
    maps = maps_by_loops(network, data).astype(float)
    feature_maps = network.feature_maps(data)
    assert feature_maps.ndim == len(network.filter_shape) + 1
    np.testing.assert_allclose(feature_maps.reshape(maps.shape), maps, atol=1e-12)


def test_many_images_are_taken_in_parts(monkeypatch):
    network = CASES["geometry 3, average"].network
    images = np.random.default_rng(0).standard_normal((50, 7, 6))
    whole = network.forward(images)
    parts = [network.forward(images[k : k + 7]) for k in range(0, 50, 7)]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-13)
    monkeypatch.setattr("cvxnn.layers.rows._CHUNK", 7 * 200)
    np.testing.assert_allclose(network.forward(images), whole, rtol=1e-13)


def test_networks_are_like_those_of_the_same_settings_and_sides():
    case = CASES["geometry 2, max"]
    assert case.make(2).is_like(case.make(5)) and not case.network.is_like(RELU.network)
    assert not case.network.is_like(case.made(slope=0.7))
    assert not case.network.is_like(case.made(filters=case.network.filters[:, :, :1]))
    assert not case.network.is_like(CASES["geometry 3, max"].network)
