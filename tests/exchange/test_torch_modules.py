"""Networks as PyTorch modules that can be trained, stored and read back."""

import io
import pickle

import numpy as np
import pytest
from exchange.outputs import by_torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from networks.cases import CASES, IMAGES, RELU
from sentences import refused

from cvxnn import InputError, TwoLayerNetwork, from_torch, to_torch

torch = pytest.importorskip("torch")

X = RELU.data
each_kind = pytest.mark.parametrize("kind", CASES.values(), ids=CASES)


def module_of(kind, m=7, dtype=None):
    return to_torch(kind.make(m), image_shape=kind.image_shape, dtype=dtype)


# The penalty of others is a gauge, of another norm, of moduli, or of the cubes of three layers.
OTHERS = ("linear", "circular", "l1", "signs", "polynomial", "deep", "parallel")


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith(OTHERS)])
def test_what_is_trained_are_the_weights_with_the_same_penalty(name):
    network, module = CASES[name].make(7), module_of(CASES[name])
    squares = sum(float((part.detach() ** 2).sum()) for part in module.parameters())
    skip = getattr(network, "skip_weights", None)
    if skip is not None:
        # That of a skip connection is no square, or nothing.
        squares += 2.0 * np.linalg.norm(skip) * (not network.skip_is_free) - skip @ skip
    # The bias of the last layer, which costs nothing.
    squares -= network.intercept**2
    assert 0.5 * squares == pytest.approx(network.penalty(), rel=1e-12)
    module(torch.tensor(CASES[name].channels_first)).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


@pytest.mark.parametrize("name", ["linear", "circular 5"])
def test_linear_networks_are_one_linear_function(name):
    network = CASES[name].make(7)
    (parameter,) = module_of(CASES[name]).parameters()
    assert np.array_equal(parameter.detach().numpy(), network.coefficients.reshape(1, -1))


def test_gates_are_stored_and_not_trained():
    module = module_of(CASES["gated"])
    assert {name for name, _ in module.named_parameters()} == {"0.hidden.weight", "1.weight"}
    assert set(module.state_dict()) == {"0.gates", "0.hidden.weight", "1.weight"}
    module = to_torch(CASES["gated"].make(7), has_ones=True)
    assert {"0.gates", "0.gate_biases"} <= set(module.state_dict())
    assert {name for name, _ in module.named_buffers()} == {"0.gates", "0.gate_biases"}


def test_signs_are_stored_and_not_trained():
    module = module_of(CASES["signs"])
    assert {name for name, _ in module.named_parameters()} == {"1.weight"}
    assert set(module.state_dict()) == {"0.left", "0.right", "1.weight"}
    biased = {name for name, _ in to_torch(CASES["signs"].make(7), has_ones=True).named_buffers()}
    assert biased == {"0.left", "0.right", "0.left_biases", "0.right_biases"}


def test_layers_of_a_convolutional_network():
    for name in (name for name in IMAGES if not name.startswith("polynomial")):
        slope = CASES[name].make(1).slope
        kinds = ["Conv", "LeakyReLU" if slope else "ReLU", "Pool", "Flatten", "Linear"]
        layers = [type(layer).__name__ for layer in module_of(CASES[name])]
        assert all(kind in layer for kind, layer in zip(kinds, layers, strict=True)), name


@each_kind
def test_a_stored_module_comes_back_and_the_module_is_a_copy_that_can_be_trained(kind):
    network, inputs = kind.make(7), torch.tensor(kind.channels_first)
    module = to_torch(network, image_shape=kind.image_shape)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other = module_of(kind)
    with torch.no_grad():
        for tensor in other.state_dict().values():
            tensor.zero_()
    assert not other(inputs).any()
    other.load_state_dict(torch.load(file, weights_only=True))
    copy = pickle.loads(pickle.dumps(module))
    assert torch.equal(other(inputs), module(inputs)) and torch.equal(copy(inputs), module(inputs))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    before = module(inputs)
    before.sum().backward()
    optimizer.step()
    assert not torch.equal(module(inputs), before) and network == kind.make(7)
    if kind is RELU:
        assert from_torch(module) != network


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_parameters_and_gates_are_of_the_dtype(dtype):
    for name, kind in CASES.items():
        module = module_of(kind, dtype=getattr(torch, dtype))
        found = {tensor.dtype for tensor in module.state_dict().values()}
        assert found == {getattr(torch, dtype)}, name


def test_the_random_numbers_of_torch_are_not_touched():
    state = torch.get_rng_state()
    for name, kind in CASES.items():
        for m in (7, 0):
            module_of(kind, m)
            assert torch.equal(torch.get_rng_state(), state), name


def test_the_module_of_a_sum_needs_the_size_of_the_images():
    with pytest.raises(InputError, match=r'module of pooling="sum" needs; got None'):
        to_torch(CASES["geometry 2, sum"].make(4))


@pytest.mark.parametrize("dtype", ["float32", np.float64, 64])
def test_other_torch_dtypes_are_refused(dtype):
    with pytest.raises(InputError, match=r"dtype must be one of torch\.float64, torch\.float32, "):
        to_torch(RELU.make(1), dtype=dtype)


def test_weights_too_large_for_the_torch_dtype_are_refused():
    network = TwoLayerNetwork([[1e39]], [1.0])
    with pytest.raises(InputError, match=r"too large for torch\.float32; use dtype=torch\.float64"):
        to_torch(network, dtype=torch.float32)


# ---------------------------------------------------------------------------------- and back

weights = st.floats(-1e100, 1e100)


@given(st.data(), st.integers(0, 5), st.integers(1, 4), st.booleans())
def test_a_network_survives_the_round_trip(data, m, d, has_ones):
    hidden = data.draw(arrays(np.float64, (m, d + has_ones), elements=weights))
    network = TwoLayerNetwork(hidden, data.draw(arrays(np.float64, m, elements=weights)))
    assert from_torch(to_torch(network, has_ones=has_ones)) == network


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.booleans(), st.booleans())
def test_a_module_is_read_as_the_same_function(seed, width, hidden_bias, output_bias):
    torch.manual_seed(seed)
    module = torch.nn.Sequential(
        torch.nn.Linear(3, width, bias=hidden_bias, dtype=torch.float64),
        torch.nn.ReLU(),
        torch.nn.Linear(width, 1, bias=output_bias, dtype=torch.float64),
    )
    network = from_torch(module)
    assert network.n_features == 3 + (hidden_bias or output_bias)
    with torch.no_grad():
        values = module(torch.from_numpy(X[:, :-1])).numpy()[:, 0]
    assert np.abs(network.forward(X[:, : network.n_features]) - values).max() <= 1e-12
    # And there again, whatever became of the output bias.
    again = values
    if network.n_features == 4:
        again = by_torch(network, X[:, :-1], has_ones=True)[:, 0]
    assert np.abs(again - values).max() <= 1e-12


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_smaller_torch_dtypes_round(dtype):
    network, kind = RELU.make(7), getattr(torch, dtype)
    read = from_torch(to_torch(network, has_ones=True, dtype=kind))
    error = np.abs(read.hidden_weights - network.hidden_weights)
    assert (error <= torch.finfo(kind).eps * np.abs(network.hidden_weights)).all()


def test_from_torch_reads_several_outputs():
    rng = np.random.default_rng(0)
    shared = TwoLayerNetwork(*np.split(rng.standard_normal((5, 6)), 2, axis=1))
    assert from_torch(to_torch(shared, has_ones=True)) == shared
    networks = [RELU.make(m) for m in (7, 1, 0)]
    read = from_torch(to_torch(networks))
    X = rng.standard_normal((9, read.n_features))
    values = np.column_stack([network(X) for network in networks])
    assert read.n_outputs == 3 and np.abs(read(X) - values).max() <= 1e-12


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("slope 0.2", "Linear, LeakyReLU, Linear"),
        ("ReLU and skip", "Linear, ReLU, Linear, add, Linear, add"),
        ("gated", "Linear, linear, ge, mul, Linear"),
        ("geometry 2, average", "Conv2d, ReLU, AdaptiveAvgPool2d, Flatten, Linear"),
        ("linear", "Flatten, Linear"),
        ("circular 5", "Linear"),
    ],
)
def test_from_torch_refuses_other_kinds(name, words):
    refused(lambda: from_torch(to_torch(CASES[name].make(3))), rf"got a Sequential\({words}\)")


def test_from_torch_refuses_single_layers():
    refused(lambda: from_torch(torch.nn.Linear(2, 1)), "got a Linear")
