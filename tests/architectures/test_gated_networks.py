"""GatedNetwork: values, immutability."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from cvxnn import GatedNetwork, InputError
from cvxnn.losses import LogisticLoss


def random_network(m=4, d=3, seed=0):
    rng = np.random.default_rng(seed)
    return GatedNetwork(*rng.standard_normal((2, m, d)), rng.standard_normal(m))


def test_values_follow_the_definition():
    network = random_network()
    X = np.random.default_rng(1).standard_normal((6, 3))
    values = [
        sum(
            float(g @ x >= 0.0) * (x @ u) * a
            for g, u, a in zip(
                network.gates, network.hidden_weights, network.output_weights, strict=True
            )
        )
        for x in X
    ]
    assert np.allclose(network.forward(X), values)
    assert np.array_equal(network(X), network.forward(X))


def test_a_gate_is_open_on_its_boundary_and_the_gate_zero_everywhere():
    network = GatedNetwork([[1.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]], [1.0, 1.0])
    rows = [[0.0, 5.0], [-1.0, 5.0], [1.0, 5.0]]
    assert np.array_equal(network.forward(rows), [5.0, -1.0, 6.0])


def test_gates_that_are_the_weights_are_relu():
    rng = np.random.default_rng(2)
    U, a, X = rng.standard_normal((5, 3)), rng.standard_normal(5), rng.standard_normal((7, 3))
    assert np.allclose(GatedNetwork(U, U, a).forward(X), np.maximum(X @ U.T, 0.0) @ a)


def test_penalty_and_objective_leave_the_gates_out():
    network = GatedNetwork([[7.0, 7.0]], [[3.0, 4.0]], [1.0])
    assert network.penalty() == 13.0
    X, y = [[1.0, 0.0], [-1.0, 0.0]], [1.0, -1.0]
    assert network.objective(X, y, 2.0) == 0.5 * (2.0**2 + 1.0) + 26.0
    logistic = np.log1p(np.exp(-3.0)) + np.log(2.0) + 26.0
    assert network.objective(X, y, 2.0, LogisticLoss()) == pytest.approx(logistic)


def test_networks_are_immutable_and_compare_by_their_arrays():
    network = random_network()
    same = GatedNetwork(network.gates.copy(), network.hidden_weights, network.output_weights)
    assert network == same
    assert hash(network) == hash(same)
    assert network != GatedNetwork(-network.gates, network.hidden_weights, network.output_weights)
    assert network != "network"
    for array in (network.gates, network.hidden_weights, network.output_weights):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
    back = pickle.loads(pickle.dumps(network))
    assert back == network
    assert not back.gates.flags.writeable
    assert repr(network) == "GatedNetwork(n_neurons=4, n_features=3)"


def test_no_neurons_are_the_network_zero():
    network = GatedNetwork(np.zeros((0, 2)), np.zeros((0, 2)), [])
    assert np.array_equal(network.forward([[1.0, 2.0]]), [0.0])
    assert network.penalty() == 0.0


@pytest.mark.parametrize(
    "gates, hidden, output, message",
    [
        ([1.0], [[1.0]], [1.0], r"gates must be of shape \(1, 1\), one for each row"),
        ([[1.0]], [[1.0, 2.0]], [1.0], r"gates must be of shape \(1, 2\)"),
        ([[np.nan]], [[1.0]], [1.0], "gates must be finite"),
        ([[1.0]], [[np.inf]], [1.0], "hidden_weights must be finite"),
        ([[1.0]], [[1.0]], [1.0, 2.0], "one for each row of hidden_weights"),
        ([[1.0]], [[1.0]], ["a"], "output_weights must be numeric"),
    ],
)
def test_bad_weights_are_one_sentence(gates, hidden, output, message):
    with pytest.raises(InputError, match=message):
        GatedNetwork(gates, hidden, output)


def test_rows_of_other_features_are_refused():
    with pytest.raises(InputError, match="X must have the 3 features of the network, got 2"):
        random_network().forward(np.ones((4, 2)))
