"""Weights and biases of torch: what is read of them, in which precision, and what is said of it."""

import warnings

import numpy as np
import pytest
from sentences import refused

from cvxnn.errors import InputError
from cvxnn.exchange.foreign import read_network
from cvxnn.networks import TwoLayerNetwork

torch = pytest.importorskip("torch")
nn = torch.nn

X = np.random.default_rng(0).standard_normal((12, 2))


def function(read, data):
    return read.network.forward(read.data(data))


def sequential(d=2, hidden=True, output=True):
    """With biases or without."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(d, 5, bias=hidden), nn.ReLU(), nn.Linear(5, 1, bias=output))


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("output", [True, False])
def test_biases_are_weights_of_ones(hidden, output):
    model = sequential(hidden=hidden, output=output).double()
    read = read_network(model)
    with torch.no_grad():
        expected = model(torch.from_numpy(X)).numpy()[:, 0]
    assert np.abs(function(read, X) - expected).max() <= 1e-12
    assert read.has_ones == (hidden or output) and read.has_hidden_biases == hidden
    assert read.n_features == 2 and read.network.n_neurons == 5 + output
    assert (read.output_bias != 0.0) == output


def test_notes_say_what_is_penalised_and_how_much():
    read = read_network(sequential())
    plain = read.network.hidden_weights.copy()
    plain[:, -1] = 0.0
    output = read.network.output_weights.copy()
    output[-1] = 0.0
    shares = 0.5 * (read.network.hidden_weights[:-1, -1] ** 2).sum(), abs(read.output_bias)
    total = read.network.penalty() - TwoLayerNetwork(plain, output).penalty()
    assert sum(shares) == pytest.approx(total)
    notes = read.notes(read.data(X), 3.0)
    assert len(notes) == 3 and "column of ones was appended" in notes[0]
    assert f"({3.0 * shares[0]:.6g} of it)" in notes[1]
    assert f"({3.0 * shares[1]:.6g} of it)" in notes[2]


def test_notes_are_of_the_biases_and_columns_that_there_are():
    read = read_network(sequential(hidden=False))
    assert "has no biases; the lower bound holds" in read.notes(read.data(X), 1.0)[-1]
    read = read_network(sequential(hidden=False, output=False))
    assert read.notes(read.data(X), 1.0) == () and np.array_equal(read.data(X), X)
    read = read_network(sequential(3))
    data = np.insert(X, 1, 1.0, axis=1)
    assert "Column 1 of X is constant already" in read.notes(read.data(data), 1.0)[1]


def test_weights_of_every_precision_are_read_in_float64():
    model = sequential()
    exact = function(read_network(model), X)
    with torch.no_grad():
        single = model(torch.from_numpy(X).float()).numpy()[:, 0]
    assert np.abs(exact - single).max() <= 1e-5
    rounded = read_network(model.bfloat16()).network
    assert np.abs(function(read_network(model), X) - exact).max() <= 0.1
    assert rounded.hidden_weights.dtype == np.float64


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_a_pair_of_parameters_is_read(dtype):
    kind = {"bias": False, "dtype": getattr(torch, dtype)}
    first, last = nn.Linear(2, 3, **kind), nn.Linear(3, 1, **kind)
    network = read_network((first.weight, last.weight)).network
    assert np.array_equal(network.hidden_weights, first.weight.detach().double().numpy())
    assert np.array_equal(network.output_weights, last.weight[0].detach().double().numpy())


def test_data_that_are_tensors_are_read():
    read = read_network(([[1.0, -1.0]], [2.0]))
    assert np.array_equal(read.data(torch.from_numpy(X).requires_grad_()), X)
    assert np.abs(read.data(torch.from_numpy(X).bfloat16()) - X).max() <= 0.02
    with pytest.raises(InputError, match=r"X must be dense, .* X.to_dense\(\)"):
        read.data(torch.from_numpy(X).to_sparse())
    refused(lambda: read.data(torch.from_numpy(X).cfloat()), "X must be real")


def test_layers_without_values_are_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layers = nn.Linear(2, 3, device="meta"), nn.LazyLinear(3)
    for layer in layers:
        with pytest.raises(InputError, match=r"network\[0\].weight has no values yet"):
            read_network(nn.Sequential(layer, nn.ReLU(), nn.Linear(3, 1)))


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
def test_weights_that_a_hook_computes_are_refused():
    layer = nn.utils.weight_norm(nn.Linear(2, 3))
    refused(lambda: read_network(nn.Sequential(layer, nn.ReLU(), nn.Linear(3, 1))), "has hooks")


@pytest.mark.parametrize("place", [None, 0, 1, 2])
@pytest.mark.parametrize("change", ["_forward_hooks", "_forward_pre_hooks", "forward"])
def test_hooks_and_patched_modules_are_refused(change, place):
    model = sequential()
    module = model if place is None else model[place]
    if change == "forward":
        module.forward = lambda rows: 2.0 * type(module).forward(module, rows)
    else:
        getattr(module, change)[0] = print
    refused(lambda: read_network(model), r"has hooks or a forward of its own.* as a pair")
