"""Every kind of network for PyTorch and ONNX: the same outputs, or one sentence why not."""

import re
import sys
import warnings

import numpy as np
import pytest
from exchange.outputs import by_onnx, by_torch
from networks.cases import CASES, RELU, ROWS
from sentences import refused
from variants import with_long

import cvxnn
from cvxnn import ConvolutionalNetwork, TwoLayerNetwork, from_torch, save_onnx, to_onnx, to_torch

each_run = pytest.mark.parametrize("run", [by_torch, by_onnx])
each_kind = pytest.mark.parametrize("kind", CASES.values(), ids=CASES)


def assert_outputs(kind, networks, values, tol):
    expected = np.column_stack([network.forward(kind.data) for network in networks])
    assert values.shape == expected.shape
    assert np.abs(values - expected).max() <= tol * max(np.abs(expected).max(), 1.0)


@each_run
@each_kind
def test_outputs_are_those_of_the_networks(run, kind):
    """One network, one without neurons, and several as one."""
    for sizes, dtype, tol in (
        ((7,), "float64", 1e-13), ((0,), "float64", 1e-13), ((7, 1, 0), "float64", 1e-13),
        ((1,), "float32", 1e-5), ((7, 1, 0), "float32", 1e-5),
    ):  # fmt: skip
        networks = [kind.make(m) for m in sizes]
        values = run(networks, kind.channels_first, dtype, image_shape=kind.image_shape)
        assert values.dtype == dtype
        assert_outputs(kind, networks, values, tol)


@each_run
@pytest.mark.parametrize("kind", ROWS.values(), ids=ROWS)
def test_the_column_of_ones_becomes_biases(run, kind):
    for sizes in ((7,), (0,), (7, 1, 0)):
        networks = [kind.make(m) for m in sizes]
        assert_outputs(kind, networks, run(networks, kind.data[:, :-1], has_ones=True), 1e-13)


@each_run
def test_a_network_is_a_list_of_one(run):
    network, rows = RELU.make(7), RELU.data
    assert np.array_equal(run([network], rows), run(network, rows))


@each_run
def test_networks_of_several_outputs(run):
    rng, X = np.random.default_rng(0), RELU.data
    several = [
        TwoLayerNetwork(
            rng.standard_normal((m, X.shape[1])), rng.standard_normal((m, c)), slope=0.1
        )
        for m, c in ((4, 2), (0, 3))
    ]
    networks = [several[0].with_intercept([1.0, -2.0]), several[1]]
    assert_outputs(RELU, networks[:1], run(networks[0], X), 1e-13)
    assert_outputs(RELU, networks, run(networks, X), 1e-13)
    assert_outputs(RELU, networks, run(networks, X[:, :-1], has_ones=True), 1e-13)


@each_run
@pytest.mark.parametrize("pooling", ["sum", "average", "max"])
def test_convolutional_networks_of_several_outputs(run, pooling):
    rng = np.random.default_rng(2)
    images = rng.standard_normal((5, 7, 6))
    networks = [
        ConvolutionalNetwork(
            rng.standard_normal((m, 3, 2, 1)), rng.standard_normal((m, *c)), rng.standard_normal(m),
            stride=2, padding=1, pooling=pooling, slope=0.1, intercept=b,
        )
        for m, c, b in ((4, (2,), [1.0, -2.0]), (0, (3,), 0.0), (3, (), 0.5))
    ]  # fmt: skip
    shape = {"image_shape": (7, 6)}
    for several in (networks, networks[:1], networks[1:2]):
        values = np.column_stack([network(images) for network in several])
        np.testing.assert_allclose(run(several, images[:, None], **shape), values, atol=1e-12)


@pytest.mark.long
@each_run
@with_long("pooling", ["average", "sum", "max"])
def test_a_trained_network_of_images_with_an_intercept(run, pooling):
    rng = np.random.default_rng(0)
    images = rng.standard_normal((6, 4, 3))
    model = cvxnn.Conv(2, pooling=pooling, bias=True)
    method = cvxnn.Global(certify=False, polish=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solution = cvxnn.solve(
            images, rng.standard_normal(6), 0.2, model=model, method=method, intercept=True
        )
    values = run(solution.network, images[:, None], image_shape=(4, 3))
    np.testing.assert_allclose(values[:, 0], solution.network(images), atol=1e-12)


@each_run
def test_skip_connections_and_biases_of_some_networks_are_zeros_of_the_others(run):
    one = CASES["slope 0.2 and skip"]
    networks = [one.make(3), CASES["slope 0.2"].make(2)]
    assert_outputs(one, networks, run(networks, one.data), 1e-13)
    filters = np.random.default_rng(0).standard_normal((2, 3, 2, 1))
    images = np.random.default_rng(1).standard_normal((5, 7, 6))
    networks = [
        ConvolutionalNetwork(filters, [1.0, 2.0], biases, pooling="max")
        for biases in (None, [0.5, -1.0])
    ]
    values = run(networks, images[:, None])
    assert np.allclose(values, np.column_stack([n.forward(images) for n in networks]))


@each_run
@pytest.mark.parametrize("name", ["geometry 2, sum", "geometry 2, average", "geometry 2, max"])
def test_images_of_any_size_are_taken(run, name):
    network = CASES[name].make(4)
    for shape in ((2, 9, 4), (3, 3, 2)):
        images = np.random.default_rng(1).standard_normal(shape)
        image_shape = shape[1:] if "sum" in name else None
        values = run(network, images[:, None], "float32", image_shape=image_shape)
        assert np.allclose(values[:, 0], network.forward(images), atol=1e-4)


# --------------------------------------------------------------------------------- refusals


@pytest.fixture(params=["torch", "onnx"])
def export(request):
    pytest.importorskip(request.param)
    return {"torch": to_torch, "onnx": to_onnx}[request.param]


CONVOLUTIONAL = CASES["geometry 2, average"]


AVERAGE, ONE = CONVOLUTIONAL.make(2), TwoLayerNetwork([[1.0]], [1.0])
SIDES = "image_shape must be the height and width"
LIKE = [
    ([], "of the same kind, got no network."),
    ([RELU.make(1), CASES["gated"].make(1)], "got GatedNetwork and TwoLayerNetwork."),
    ([ONE, RELU.make(0)], "the same number of features, got 1 and 4."),
    (
        [TwoLayerNetwork([[1.0]], [1.0], slope=s) for s in (0.5, 1, 1)],
        "same slope, got 0.5 and 1.0.",
    ),
    (
        [ConvolutionalNetwork([[[1.0]]], [1.0], stride=s) for s in (1, 2)],
        "the same stride, got 1 and 2.",
    ),
    (
        [ConvolutionalNetwork([f], [1.0]) for f in ([[1.0]], [[1.0], [2.0]])],
        "the same shape of a filter, got (1, 1) and (2, 1).",
    ),
    (
        [cvxnn.LinearCNN([[1.0]], [w]) for w in ([1.0], [1.0, 2.0])],
        "the same shape of the coefficients, got (1, 1) and (2, 1).",
    ),
    (
        [cvxnn.CircularCNN([w], [w]) for w in ([1.0], [1.0, 2.0])],
        "the same shape of the coefficients, got (1,) and (2,).",
    ),
]
REFUSED = [
    ("network", {}, "must be a network of cvxnn or a list of them, got a str."),
    ([RELU.make(0), None], {}, "a network of cvxnn or a list of them, got a NoneType."),
    *((networks, {}, re.escape(sentence)) for networks, sentence in LIKE),
    (ONE, {"has_ones": True}, "a column besides that of ones"),
    (RELU.make(1), {"has_ones": 1}, "has_ones must be True or False, got 1"),
    *(
        (CASES[name].make(2), {"has_ones": True}, r"is for .*: a \w+ has no weights of a column")
        for name in ("geometry 2, average", "linear")
    ),
    *(
        (CASES[name].make(2), {"image_shape": (2, 2)}, "for a ConvolutionalNetwork, .* has weights")
        for name in (*ROWS, "linear")
    ),
    *((AVERAGE, {"image_shape": shape}, SIDES) for shape in ((7,), (7, 6, 1, 1), 7, "76")),
    (AVERAGE, {"image_shape": (2, 6)}, "image_shape must not be smaller than a filter"),
    (AVERAGE, {"image_shape": (7, 0)}, "image_shape must be"),
]


def test_what_is_no_network_or_does_not_fit_is_refused(export):
    for network, options, says in REFUSED:
        refused(lambda given=network, more=options: export(given, **more), says)


def test_a_solution_is_refused_with_advice(export):
    solution = cvxnn.solve(RELU.data, RELU.data[:, 0], beta=1.0)
    refused(lambda: export(solution), "got a Solution; pass its attribute network")


@pytest.mark.parametrize(
    ("missing", "call", "package"),
    [
        ("torch", to_torch, r"PyTorch.*'cvxnn\[torch\]'"),
        ("onnx", to_onnx, r"onnx.*'cvxnn\[onnx\]'"),
        ("onnx", lambda network: save_onnx(network, "a.onnx"), r"onnx.*'cvxnn\[onnx\]'"),
    ],
)
def test_a_missing_package_is_named(missing, call, package, monkeypatch):
    for module in [missing, *(name for name in sys.modules if name.startswith(f"{missing}."))]:
        monkeypatch.setitem(sys.modules, module, None)
    for name in ("ReLU", "gated", "geometry 2, average"):
        refused(lambda name=name: call(CASES[name].make(1)), f"needs {package}")


@pytest.mark.parametrize(
    "module", [None, RELU.make(1), ([[1.0]], [1.0])], ids=["None", "network", "pair"]
)
def test_from_torch_reads_torch_alone(module):
    refused(lambda: from_torch(module), r"torch\.nn\.Sequential\(Linear, ReLU, Linear\), got a")
