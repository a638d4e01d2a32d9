"""What is for ReLU without a skip connection refuses other networks in one sentence."""

import numpy as np
import pytest

import cvxnn
from cvxnn import GatedNetwork
from cvxnn.errors import InputError
from cvxnn.networks import TwoLayerNetwork, check_plain
from cvxnn.plotting import plot_neurons
from cvxnn.results import ImprovingNeuron

X, Y, BETA = np.array([[1.0, 2.0], [-1.0, 0.5], [0.3, -1.0]]), np.array([1.0, -1.0, 0.5]), 0.1
PLAIN = TwoLayerNetwork([[1.0, 0.0]], [1.0])
NEURON = ImprovingNeuron(np.array([1.0, 0.0]), 1.0, value=2.0, size=1.0, decrease=1.0)
OTHERS = [
    TwoLayerNetwork([[1.0, 0.0]], [1.0], slope=0.1),
    TwoLayerNetwork([[1.0, 0.0]], [1.0], skip_weights=[0.0, 0.0]),
    GatedNetwork([[1.0, 0.0]], [[1.0, 0.0]], [1.0]),
]
CALLS = {
    "certify": lambda network: cvxnn.certify(network, X, Y, BETA),
    "descent from": lambda network: cvxnn.descent_path(network, PLAIN, X, Y, BETA),
    "descent to": lambda network: cvxnn.descent_path(PLAIN, network, X, Y, BETA),
    "optimal set": lambda network: cvxnn.OptimalSet(X, Y, BETA, network),
    "violation": lambda network: cvxnn.OptimalSet(X, Y, BETA).violation(network),
    "plot": lambda network: plot_neurons([PLAIN, network]),
    "improvement": NEURON.added_to,
}


@pytest.mark.parametrize("network", OTHERS, ids=repr)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_other_networks_are_refused(call, network):
    with pytest.raises(InputError, match="must be a TwoLayerNetwork") as error:
        call(network)
    assert "\n" not in str(error.value)
    if isinstance(network, TwoLayerNetwork):
        assert "of slope 0 without a skip connection" in str(error.value)
        assert str(error.value).endswith(f"got {network!r}.")


def test_plain_networks_pass():
    assert check_plain(PLAIN, "network") is PLAIN
    assert PLAIN.is_plain and not any(each.is_plain for each in OTHERS[:2])
    assert NEURON.added_to(PLAIN).n_neurons == 2
