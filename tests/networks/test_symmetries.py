"""Each symmetry keeps what it says: the function, or the values on X, and the penalty."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentences import refused

from cvxnn.networks import TwoLayerNetwork
from cvxnn.networks.pruning import prune_scales


@st.composite
def cases(draw):
    """A network with repeated, opposite, unbalanced and dead neurons, and data."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n, m, d = draw(st.integers(1, 8)), draw(st.integers(1, 12)), draw(st.integers(1, 4))
    hidden, output = rng.standard_normal((m, d)), rng.standard_normal(m)
    copies = rng.integers(m, size=m)
    again = rng.random(m) < 0.3
    hidden[again] = rng.choice([-1.0, 0.5, 2.0], size=(again.sum(), 1)) * hidden[copies[again]]
    factors = 10.0 ** rng.uniform(-2.0, 2.0, m)
    hidden, output = hidden * factors[:, None], output / factors
    hidden[rng.random(m) < 0.1] = 0.0
    output[rng.random(m) < 0.1] = 0.0
    network = TwoLayerNetwork(
        hidden,
        output,
        slope=draw(st.sampled_from([0.0, 0.1, -1.0, 1.0])),
        skip_weights=rng.standard_normal(d) if draw(st.booleans()) else None,
        skip_is_free=draw(st.booleans()),
    )
    return network, rng.standard_normal((n, d)), rng


def assert_same_values(new, old, X):
    assert new._settings == old._settings and np.array_equal(new.skip_weights, old.skip_weights)
    w = np.zeros(X.shape[1]) if old.skip_weights is None else old.skip_weights
    size = np.abs(X) @ np.abs(old.hidden_weights).T @ np.abs(old.output_weights)
    size += 1e-6 * np.abs(X) @ np.abs(w)
    assert (np.abs(new.forward(X) - old.forward(X)) <= 1e-9 * size.max(initial=1e-300)).all()


def elsewhere(network, rng):
    return rng.standard_normal((20, network.n_features))


@given(cases())
def test_permute_keeps_function_and_penalty(case):
    network, _, rng = case
    order = rng.permutation(network.n_neurons)
    permuted = network.permute(order)
    assert np.array_equal(permuted.output_weights, network.output_weights[order])
    assert permuted.permute(np.argsort(order)) == network
    assert_same_values(permuted, network, elsewhere(network, rng))
    assert permuted.penalty() == pytest.approx(network.penalty(), rel=1e-13)


@given(cases(), st.integers(1, 5))
def test_split_keeps_function_and_penalty(case, parts):
    network, _, rng = case
    split = network.split(int(rng.integers(network.n_neurons)), rng.dirichlet(np.ones(parts)))
    assert split.n_neurons == network.n_neurons + parts - 1
    assert_same_values(split, network, elsewhere(network, rng))
    assert split.penalty() == pytest.approx(network.penalty(), rel=1e-12)


@given(cases())
def test_merge_undoes_split(case):
    network, _, rng = case
    network = network.balance()
    if network.n_neurons == 0:
        return
    j = int(rng.integers(network.n_neurons))
    merged = network.split(j, [0.3, 0.7]).merge(j, j + 1)
    np.testing.assert_allclose(merged.hidden_weights, network.hidden_weights, rtol=1e-12)
    np.testing.assert_allclose(merged.output_weights, network.output_weights, rtol=1e-12)


@given(cases())
def test_merging_rays_keeps_the_function(case):
    network, _, rng = case
    merged = network.merge_all()
    assert_same_values(merged, network, elsewhere(network, rng))
    assert merged.penalty() <= network.penalty() * (1.0 + 1e-12)
    rays = merged.hidden_weights / np.linalg.norm(merged.hidden_weights, axis=1, keepdims=True)
    same = np.sign(merged.output_weights)[:, None] == np.sign(merged.output_weights)
    apart = np.linalg.norm(rays[:, None] - rays, axis=2)
    assert (apart[same & ~np.eye(len(rays), dtype=bool)] > 1e-10).all()


@given(cases())
def test_merging_cells_keeps_the_values_on_the_data(case):
    network, X, _ = case
    merged = network.merge_all(X)
    assert_same_values(merged, network, X)
    assert merged.penalty() <= network.penalty() * (1.0 + 1e-12)
    sides = np.sign(np.where(np.abs(X @ merged.hidden_weights.T) < 1e-9, 0.0, 1.0))
    sides = sides * np.sign(X @ merged.hidden_weights.T)
    for i in range(merged.n_neurons):
        for j in range(i):
            one_sign = merged.output_weights[i] * merged.output_weights[j] > 0.0
            assert not one_sign or (sides[:, i] * sides[:, j] < 0).any()


@given(cases())
def test_merging_two_neurons_of_a_cell(case):
    network, X, _ = case
    network = network.balance()
    products = X @ network.hidden_weights.T
    for i in range(network.n_neurons):
        for j in range(i):
            if (
                network.output_weights[i] * network.output_weights[j] > 0.0
                and (products[:, i] * products[:, j] > 0.0).all()
            ):
                merged = network.merge(i, j, X)
                assert merged.n_neurons == network.n_neurons - 1
                assert_same_values(merged, network, X)
                assert merged.penalty() <= network.penalty() * (1.0 + 1e-12)


@given(cases())
def test_pruning_leaves_independent_activations(case):
    network, X, _ = case
    pruned = network.prune(X)
    assert_same_values(pruned, network, X)
    assert pruned.penalty() <= network.penalty() * (1.0 + 1e-12)
    assert pruned.n_neurons <= min(len(X), network.n_neurons)
    activations = pruned.activations(X)
    lengths = np.linalg.norm(activations, axis=0)
    assert (lengths > 0.0).all()
    if pruned.n_neurons:
        assert np.linalg.svd(activations / lengths, compute_uv=False)[-1] > 1e-13


def test_pruning_moves_keep_the_sum_and_never_cost():
    rng = np.random.default_rng(1)
    columns, sizes = rng.standard_normal((6, 20)), rng.uniform(0.1, 2.0, 20)
    before = np.ones(20)
    moves = list(prune_scales(columns, sizes))
    assert len(moves) == 14
    for after in moves:
        assert (after >= 0.0).all() and ((after == 0.0) & (before > 0.0)).sum() >= 1
        assert (after[before == 0.0] == 0.0).all()
        np.testing.assert_allclose(columns @ after, columns.sum(axis=1), atol=1e-12)
        assert sizes @ after <= sizes @ before + 1e-12
        before = after


def test_merging_with_a_dead_neuron_drops_it():
    network = TwoLayerNetwork([[1.0], [0.0], [2.0]], [1.0, 3.0, -1.0])
    assert network.merge(1, 0) == TwoLayerNetwork([[1.0], [2.0]], [1.0, -1.0])
    assert TwoLayerNetwork([[0.0], [0.0]], [1.0, 1.0]).merge(0, 1).n_neurons == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: f.permute([0, 0]), "each of the neurons 0 to 1 once"),
        (lambda f: f.permute([0]), "each of the neurons 0 to 1 once"),
        (lambda f: f.split(2, [1.0]), "neuron must be a neuron, 0 to 1, got 2"),
        (lambda f: f.split(0, [0.5, 0.6]), "sum 1, got 1.1"),
        (lambda f: f.split(0, [-0.5, 1.5]), "none below 0"),
        (lambda f: f.split(0, []), "at least one entry"),
        (lambda f: f.merge(0, 0), "two neurons, got 0 twice"),
        (lambda f: f.merge(0, 1), "one sign that are on one ray"),
        (lambda f: f.merge(0, 1, [[1.0, 0.0]]), "share a closed cell"),
        (lambda f: f.prune([[1.0]]), "X must have the 2 features of the network, got 1"),
    ],
)
def test_wrong_arguments(call, message):
    refused(lambda: call(TwoLayerNetwork([[1.0, 0.0], [-1.0, 0.0]], [1.0, 1.0])), message)


def test_a_network_of_no_neurons_has_none_to_split():
    empty = TwoLayerNetwork(np.zeros((0, 2)), [])
    refused(lambda: empty.split(0, [1.0]), "neuron must be a neuron, but the network has none")
    assert empty.balance() == empty
    assert empty.merge_all() == empty.permute([]) == empty.prune([[1.0, 2.0]]) == empty
