"""Layers: what is read from the activations of rows, and its adjoint."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from cvxnn.array_types import FloatArray
from cvxnn.layers import Layer, Mixture, row_chunks

seeds = st.integers(0, 2**32 - 1)


def random_layer(rng: np.random.Generator, n: int, rows: int, d: int, kind: str) -> Layer:
    data = rng.standard_normal((n if kind == "plain" else rows, d))
    if kind == "plain":
        return Layer(data)
    dense = rng.standard_normal((n, rows)) * (rng.random((n, rows)) < 0.5)
    sparse = scipy.sparse.csr_array(dense)
    if kind == "mixed":
        sparse = Mixture(sparse, rng.standard_normal((n, 2)), rng.standard_normal((rows, 2)))
    return Layer(data, dense if kind == "dense" else sparse)


def in_long_doubles(readout):
    if not isinstance(readout, Mixture):
        return readout.toarray().astype(np.longdouble)
    left, right = readout.left.astype(np.longdouble), readout.right.astype(np.longdouble)
    return in_long_doubles(readout.sparse) - left @ right.T


def dense_readout(layer: Layer) -> FloatArray:
    return np.asarray(layer.read(np.eye(len(layer.rows))))


kinds = st.sampled_from(["plain", "dense", "sparse", "mixed"])


@given(seed=seeds, n=st.integers(1, 9), rows=st.integers(1, 9), kind=kinds)
def test_predictions_and_their_adjoint(seed, n, rows, kind):
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, n, rows, 3, kind)
    hidden, weights, v = rng.standard_normal((4, 3)), rng.standard_normal(4), rng.standard_normal(n)
    R = dense_readout(layer)
    columns = R @ np.maximum(layer.rows @ hidden.T, 0.0)
    assert (layer.n_predictions, layer.n_features) == (n, 3)
    np.testing.assert_allclose(layer.activations(hidden), columns, atol=1e-12)
    np.testing.assert_allclose(layer.forward(hidden, weights), columns @ weights, atol=1e-12)
    np.testing.assert_allclose(layer.pull(v), R.T @ v, atol=1e-13)
    unit = hidden / np.linalg.norm(hidden, axis=1, keepdims=True)
    assert (np.abs(layer.activations(unit)) <= layer.lengths[:, None] * (1.0 + 1e-12)).all()
    bound, quick = layer.bound(v), layer.bound(v, quick=True)
    assert np.abs(v @ layer.activations(unit)).max() <= min(bound, quick) * (1.0 + 1e-14)
    values, slopes = layer.scores(v, hidden)
    np.testing.assert_allclose(values, v @ layer.activations(hidden), atol=1e-12)
    # Linear between two kinks, which are far from here.
    step = 1e-7 * rng.standard_normal(hidden.shape)
    ahead = v @ layer.activations(hidden + step)
    np.testing.assert_allclose(ahead - values, (slopes * step).sum(axis=1), atol=1e-12)
    products = layer.rows @ hidden.T
    for slope in (-1.0, -0.3, 0.0, 0.1, 1.0, 2.0):
        leaky = R @ np.where(products > 0.0, products, slope * products)
        found = layer.with_slope(slope).activations(hidden)
        np.testing.assert_allclose(found, leaky, atol=1e-12)


@given(seed=seeds, n=st.integers(1, 9), rows=st.integers(1, 9), kind=kinds)
def test_layers_of_layers(seed, n, rows, kind):
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, n, rows, 3, kind)
    U, root, (left, right) = (
        rng.standard_normal((4, 3)),
        rng.uniform(0.5, 2.0, n),
        rng.standard_normal((2, n, 2)),
    )
    columns = layer.activations(U)
    np.testing.assert_allclose(layer.weighted(root).activations(U), root[:, None] * columns)
    mixed, mix = layer.mixed(Mixture.diagonal(root, left, right)), np.diag(root) - left @ right.T
    np.testing.assert_allclose(mixed.activations(U), mix @ columns, atol=1e-11)
    order = rng.permutation(n)[: max(1, n // 2)]
    np.testing.assert_allclose(layer.take(order).activations(U), columns[order], atol=1e-13)
    Q = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    np.testing.assert_allclose(layer.turned(Q).activations(U @ Q), columns, atol=1e-12)


@given(seed=seeds, n=st.integers(1, 12), rows=st.integers(1, 12), kind=kinds)
def test_parts_are_the_whole(seed, n, rows, kind):
    rng = np.random.default_rng(seed)
    layer, U = random_layer(rng, n, rows, 2, kind), rng.standard_normal((3, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cvxnn.layers.rows._CHUNK", 9)
        parts = list(layer.tiles(3))
        output = layer.forward(U, np.ones(3))
    whole = np.concatenate([part.activations(U) for _, part in parts])
    np.testing.assert_allclose(whole, layer.activations(U), atol=1e-13)
    np.testing.assert_allclose(output, whole.sum(axis=1), atol=1e-12)
    assert np.concatenate([np.arange(n)[outputs] for outputs, _ in parts]).tolist() == [*range(n)]


@given(seed=seeds, kind=st.sampled_from(["sparse", "mixed"]))
def test_rounding_of_a_dual_point_is_covered(seed, kind):
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, 30, 40, 3, kind)
    v = rng.standard_normal(30) * 10.0 ** rng.uniform(-8, 8, 30)
    exact = in_long_doubles(layer.readout).T @ v.astype(np.longdouble)
    error = np.abs(exact - layer.pull(v)) @ np.linalg.norm(layer.rows, axis=1)
    assert float(error) <= layer.pull_error(v)
    assert Layer(layer.rows).pull_error(rng.standard_normal(40)) == 0.0


@given(n=st.integers(0, 50), width=st.integers(0, 9))
def test_chunks_cover_every_row_once(n, width):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cvxnn.layers.rows._CHUNK", 20)
        chunks = list(row_chunks(n, width))
    rows = np.arange(n)
    np.testing.assert_array_equal(np.concatenate([rows[:0], *(rows[c] for c in chunks)]), rows)
    assert all(len(rows[c]) * width <= 20 for c in chunks)


@given(seed=seeds, n=st.integers(1, 6), rows=st.integers(1, 8), kind=kinds)
def test_the_gradient_is_the_slope_of_the_value(seed, n, rows, kind):
    rng = np.random.default_rng(seed)
    layer, U, a = random_layer(rng, n, rows, 3, kind), rng.standard_normal((2, 3)), np.ones(2)
    y = rng.standard_normal(layer.n_predictions)
    value, of_hidden, of_weights = layer.value_and_gradient(U, a, y)
    left = layer.forward(U, a) - y
    assert value == pytest.approx(0.5 * float(left @ left), rel=1e-12)
    step, turn = 1e-6 * rng.standard_normal(U.shape), 1e-6 * rng.standard_normal(2)
    ahead, behind = (
        layer.value_and_gradient(U + s * step, a + s * turn, y)[0] for s in (1.0, -1.0)
    )
    slope = float((of_hidden * step).sum() + of_weights @ turn)
    size = 1.0 + np.abs(of_hidden).max() + np.abs(of_weights).max()
    assert 0.5 * (ahead - behind) == pytest.approx(slope, abs=1e-8 * size)
