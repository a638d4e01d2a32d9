"""Two-layer networks whose neurons several outputs share."""

import copy
import pickle

import numpy as np
import pytest
from sentences import refused

from cvxnn import ConvolutionalNetwork, TwoLayerNetwork
from cvxnn.losses import SoftmaxLoss, SquaredLoss


def drawn(m=6, d=3, c=2, seed=0, **settings):
    rng = np.random.default_rng(seed)
    return TwoLayerNetwork(rng.standard_normal((m, d)), rng.standard_normal((m, c)), **settings)


def data(n=8, d=3, seed=1):
    return np.random.default_rng(seed).standard_normal((n, d))


@pytest.mark.parametrize("slope", [0.0, 0.1, -1.0])
def test_each_output_is_that_of_a_network_of_its_own(slope):
    network, X = drawn(slope=slope, intercept=[0.5, -2.0]), data()
    values = network(X)
    assert values.shape == (8, 2)
    for k in range(2):
        alone = TwoLayerNetwork(
            network.hidden_weights, network.output_weights[:, k],
            slope=slope, intercept=network.intercept[k],
        )  # fmt: skip
        np.testing.assert_allclose(values[:, k], alone(X), rtol=1e-13)
        np.testing.assert_allclose(network(X[0])[k], alone(X[0]), rtol=1e-13)
    rows = network.predict_on(network.rows(X))
    np.testing.assert_allclose(rows.values, values, rtol=1e-13)
    precise = rows.precise()
    assert (np.abs(precise.high - values) <= rows.error).all()


def test_objective():
    network, X = drawn(), data()
    Y = np.eye(2)[np.arange(8) % 2]
    squares = (network.hidden_weights**2).sum() + (network.output_weights**2).sum()
    assert network.penalty() == pytest.approx(0.5 * squares)
    expected = 0.5 * ((network(X) - Y) ** 2).sum() + 0.3 * 0.5 * squares
    assert network.objective(X, Y, 0.3) == pytest.approx(expected)
    of_softmax = network.objective(X, Y, 0.3, SoftmaxLoss())
    assert of_softmax == pytest.approx(SoftmaxLoss().value(network(X), Y) + 0.15 * squares)
    evaluation = network.evaluate(X, Y, 0.3, SquaredLoss())
    assert evaluation.error < 1e-13 * evaluation.value
    refused(lambda: network.objective(X, Y[:, 0], 0.3), r"y must be of shape \(8, 2\)")
    refused(lambda: network.objective(X, Y @ np.ones((2, 3)), 0.3), r"got shape \(8, 3\)")
    refused(
        lambda: TwoLayerNetwork([[1.0]], [1.0]).objective([[1.0]] * 2, np.eye(2), 1.0), "y must"
    )


def test_what_leaves_the_function_as_it_is():
    network, X = drawn(), data()
    balanced = network.balance()
    np.testing.assert_allclose(balanced(X), network(X), rtol=1e-12)
    norms = [
        np.linalg.norm(part, axis=1) for part in (balanced.hidden_weights, balanced.output_weights)
    ]
    np.testing.assert_allclose(*norms, rtol=1e-14)
    assert balanced.penalty() < network.penalty()
    order = [3, 1, 0, 2, 5, 4]
    np.testing.assert_allclose(network.permute(order)(X), network(X), rtol=1e-12)
    split = network.split(2, [0.25, 0.75])
    assert split.n_neurons == 7 and split.penalty() == pytest.approx(network.penalty())
    np.testing.assert_allclose(split(X), network(X), rtol=1e-12)
    again = split.merge(2, 3)
    assert again.n_neurons == 6
    np.testing.assert_allclose(again(X), network(X), rtol=1e-12)
    assert split.merge_all().n_neurons == 6
    refused(lambda: network.merge(0, 1), "cannot be merged")


def test_neurons_of_a_cell_merge_if_their_outputs_are_parallel():
    hidden, output = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[1.0, 2.0], [2.0, 4.0], [2.0, 1.0]]
    network, X = TwoLayerNetwork(hidden, output), [[1.0, 2.0], [-1.0, -1.0]]
    merged = network.merge_all(X)
    assert merged.n_neurons == 2 and merged.penalty() < network.penalty()
    np.testing.assert_allclose(merged(X), network(X), rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_pruned_networks_have_independent_parts(n):
    network, X = drawn(m=20), data(n)
    pruned = network.prune(X)
    np.testing.assert_allclose(pruned(X), network(X), rtol=1e-9, atol=1e-12)
    assert pruned.penalty() <= network.penalty() * (1.0 + 1e-12)
    parts = np.maximum(X @ pruned.hidden_weights.T, 0.0)[:, None] * pruned.output_weights.T
    columns = parts.reshape(2 * n, -1)
    assert np.linalg.matrix_rank(columns) == pruned.n_neurons <= 2 * n


def test_files_copies_and_words(tmp_path):
    network = drawn(intercept=[1.0, 2.0])
    network.save(tmp_path / "network.npz")
    for other in (
        TwoLayerNetwork.load(tmp_path / "network.npz"),
        pickle.loads(pickle.dumps(network)),
        copy.deepcopy(network),
    ):
        assert other == network and hash(other) == hash(network)
        np.testing.assert_array_equal(other.intercept, [1.0, 2.0])
    assert repr(network) == (
        "TwoLayerNetwork(n_neurons=6, n_features=3, n_outputs=2, intercept=(1.0, 2.0))"
    )
    none = TwoLayerNetwork(np.zeros((0, 3)), np.zeros((0, 2)))
    assert none(data()).shape == (8, 2) and not none(data()).any()
    assert network.with_intercept(0.0).intercept.tolist() == [0.0, 0.0]
    refused(lambda: drawn(intercept=[1.0]), "intercept must be a number, or of shape")
    refused(lambda: drawn(skip_weights=[1.0] * 3), "skip_weights must be None")
    refused(lambda: TwoLayerNetwork([[1.0]], np.ones((1, 2, 1))), "output_weights must be")


# ------------------------------------------------------------------ filters


def filters(c=2, **settings):
    rng = np.random.default_rng(2)
    return ConvolutionalNetwork(
        rng.standard_normal((5, 2, 3, 1)), rng.standard_normal((5, c)), rng.standard_normal(5),
        **settings,
    )  # fmt: skip


@pytest.mark.parametrize("pooling", ["sum", "average", "max"])
@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_each_output_of_filters_is_that_of_a_network_of_its_own(pooling, slope):
    settings = {"stride": 2, "padding": 1, "pooling": pooling, "slope": slope}
    network = filters(**settings, intercept=[0.5, -2.0])
    images = np.random.default_rng(3).standard_normal((6, 5, 7))
    values = network(images)
    assert values.shape == (6, 2) and network.n_outputs == 2
    for k in range(2):
        alone = ConvolutionalNetwork(
            network.filters, network.output_weights[:, k], network.biases, **settings,
            intercept=network.intercept[k],
        )  # fmt: skip
        np.testing.assert_allclose(values[:, k], alone(images), rtol=1e-13)
        np.testing.assert_allclose(network.feature_maps(images), alone.feature_maps(images))
    rows = network.predict_on(network.rows(images))
    assert (np.abs(rows.values - values) <= 2.0 * rows.error).all()
    if rows.precise is not None:
        precise = rows.precise()
        assert (np.abs(precise.high - values) <= rows.error + precise.error).all()
    squares = sum((part**2).sum() for part in (network.filters, network.output_weights))
    assert network.penalty() == pytest.approx(0.5 * (squares + (network.biases**2).sum()))


def test_files_copies_and_words_of_filters(tmp_path):
    network = filters(intercept=[1.0, 2.0], pooling="average")
    network.save(tmp_path / "network.npz")
    for other in (
        ConvolutionalNetwork.load(tmp_path / "network.npz"),
        pickle.loads(pickle.dumps(network)),
        copy.deepcopy(network),
    ):
        assert other == network and hash(other) == hash(network)
    assert repr(network) == (
        "ConvolutionalNetwork(n_neurons=5, filter_shape=(2, 3, 1), n_outputs=2, "
        "pooling='average', intercept=(1.0, 2.0))"
    )
    assert network.is_like(network.with_intercept(0.0)) and not network.is_like(filters(c=3))
    none = ConvolutionalNetwork(np.zeros((0, 2, 1)), np.zeros((0, 3)))
    assert none(np.ones((4, 5))).shape == (4, 3) and none.n_outputs == 3
    refused(lambda: filters(c=1), "output_weights must be 1-D for one output")
    refused(lambda: filters(intercept=[1.0]), "intercept must be a number, or of shape")
