"""Networks for PyTorch and ONNX: the same outputs, and one sentence where there is no way."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import cvxnn
from cvxnn import exchange
from cvxnn.errors import InputError
from cvxnn.exchange import from_torch, save_onnx, to_onnx, to_torch
from cvxnn.networks import TwoLayerNetwork

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.standard_normal((20, 3)), np.ones(20)])
NETWORKS = {
    "seven neurons": TwoLayerNetwork(RNG.standard_normal((7, 4)), RNG.standard_normal(7)),
    "one neuron": TwoLayerNetwork(RNG.standard_normal((1, 4)), [-2.0]),
    "no neurons": TwoLayerNetwork(np.empty((0, 4)), []),
}
SEVERAL = list(NETWORKS.values())


def run_torch(network: Any, *, has_ones: bool, dtype: Any = None) -> np.ndarray:
    torch = pytest.importorskip("torch")
    module = to_torch(network, has_ones=has_ones, dtype=dtype)
    rows = torch.from_numpy(X[:, :-1] if has_ones else X)
    with torch.no_grad():
        return module(rows.to(dtype or torch.float64)).numpy()


def run_onnx(network: Any, *, has_ones: bool, dtype: str = "float64") -> np.ndarray:
    reference = pytest.importorskip("onnx.reference")
    model = to_onnx(network, has_ones=has_ones, dtype=dtype)
    rows = X[:, :-1] if has_ones else X
    (values,) = reference.ReferenceEvaluator(model).run(None, {"X": rows.astype(dtype)})
    assert values.dtype == dtype
    return values


RUNS = pytest.mark.parametrize("run", [run_torch, run_onnx])
ONES = pytest.mark.parametrize("has_ones", [False, True])


@RUNS
@ONES
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_outputs_are_those_of_the_network(run: Any, network: TwoLayerNetwork, has_ones: bool):
    values = run(network, has_ones=has_ones)
    assert values.shape == (20, 1)
    assert np.abs(values[:, 0] - network.forward(X)).max() <= 1e-12


@RUNS
@ONES
def test_several_networks_have_an_output_each(run: Any, has_ones: bool):
    values = run(SEVERAL, has_ones=has_ones)
    expected = np.column_stack([network.forward(X) for network in SEVERAL])
    assert values.shape == (20, 3)
    assert np.abs(values - expected).max() <= 1e-12


@RUNS
def test_a_list_of_one_is_the_network(run: Any):
    network = NETWORKS["seven neurons"]
    assert np.array_equal(run([network], has_ones=True), run(network, has_ones=True))


# ------------------------------------------------------------------------------ refusals of both


@pytest.fixture(params=["torch", "onnx"])
def export(request: pytest.FixtureRequest) -> Any:
    pytest.importorskip(request.param)
    return {"torch": to_torch, "onnx": to_onnx}[request.param]


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        ("network", "a TwoLayerNetwork or a list of them, got a str."),
        ([NETWORKS["no neurons"], None], "a TwoLayerNetwork or a list of them, got a NoneType."),
        ([], "the same number of features, got no network."),
        (
            [TwoLayerNetwork([[1.0]], [1.0]), NETWORKS["no neurons"]],
            "the same number of features, got 1 and 4.",
        ),
    ],
)
def test_what_is_no_network_is_refused(export: Any, network: Any, sentence: str):
    with pytest.raises(InputError) as error:
        export(network)
    assert str(error.value).endswith(sentence)
    assert "\n" not in str(error.value)


def test_a_solution_is_refused_with_advice(export: Any):
    solution = cvxnn.solve(X, X[:, 0], beta=1.0)
    with pytest.raises(InputError, match="got a Solution; pass its attribute network"):
        export(solution)


def test_a_network_of_ones_alone_is_refused(export: Any):
    with pytest.raises(InputError, match="a column besides that of ones"):
        export(TwoLayerNetwork([[1.0]], [1.0]), has_ones=True)


def test_has_ones_is_a_flag(export: Any):
    with pytest.raises(InputError, match="has_ones must be True or False, got 1"):
        export(NETWORKS["one neuron"], has_ones=1)


@pytest.mark.parametrize(
    ("missing", "call", "package"),
    [
        ("torch", lambda: to_torch(NETWORKS["one neuron"]), r"PyTorch.*'cvxnn\[torch\]'"),
        ("onnx", lambda: to_onnx(NETWORKS["one neuron"]), r"onnx.*'cvxnn\[onnx\]'"),
        ("onnx", lambda: save_onnx(NETWORKS["one neuron"], "a.onnx"), r"onnx.*'cvxnn\[onnx\]'"),
    ],
)
def test_a_missing_package_is_named(
    missing: str, call: Any, package: str, monkeypatch: pytest.MonkeyPatch
):
    for name in [missing, *(name for name in sys.modules if name.startswith(f"{missing}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=f"needs {package}") as error:
        call()
    assert "\n" not in str(error.value)
    assert str(error.value).count(". ") == 0


# --------------------------------------------------------------------------------------- PyTorch

weights = st.floats(-1e100, 1e100)


@given(st.data(), st.integers(0, 5), st.integers(1, 4), st.booleans())
def test_a_network_survives_the_round_trip(data: Any, m: int, d: int, has_ones: bool):
    pytest.importorskip("torch")
    hidden = data.draw(arrays(np.float64, (m, d + has_ones), elements=weights))
    network = TwoLayerNetwork(hidden, data.draw(arrays(np.float64, m, elements=weights)))
    assert from_torch(to_torch(network, has_ones=has_ones)) == network


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.booleans(), st.booleans())
def test_a_module_is_read_as_the_same_function(
    seed: int, width: int, hidden_bias: bool, output_bias: bool
):
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    module = torch.nn.Sequential(
        torch.nn.Linear(3, width, bias=hidden_bias, dtype=torch.float64),
        torch.nn.ReLU(),
        torch.nn.Linear(width, 1, bias=output_bias, dtype=torch.float64),
    )
    network = from_torch(module)
    assert network.n_features == 3 + (hidden_bias or output_bias)
    with torch.no_grad():
        values = module(torch.from_numpy(X[:, :3])).numpy()[:, 0]
    assert np.abs(network.forward(X[:, : network.n_features]) - values).max() <= 1e-12
    # And there again, whatever became of the output bias.
    again = run_torch(network, has_ones=True)[:, 0] if network.n_features == 4 else values
    assert np.abs(again - values).max() <= 1e-12


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_smaller_torch_dtypes_round(dtype: str):
    torch = pytest.importorskip("torch")
    kind = getattr(torch, dtype)
    network = NETWORKS["seven neurons"]
    module = to_torch(network, has_ones=True, dtype=kind)
    assert {parameter.dtype for parameter in module.parameters()} == {kind}
    read = from_torch(module)
    error = np.abs(read.hidden_weights - network.hidden_weights)
    assert (error <= torch.finfo(kind).eps * np.abs(network.hidden_weights)).all()


@pytest.mark.parametrize("dtype", ["float32", np.float64, 64])
def test_other_torch_dtypes_are_refused(dtype: Any):
    pytest.importorskip("torch")
    with pytest.raises(InputError, match=r"dtype must be one of torch\.float64, torch\.float32, "):
        to_torch(NETWORKS["one neuron"], dtype=dtype)


def test_weights_too_large_for_the_torch_dtype_are_refused():
    torch = pytest.importorskip("torch")
    network = TwoLayerNetwork([[1e39]], [1.0])
    with pytest.raises(InputError, match=r"too large for torch\.float32; use dtype=torch\.float64"):
        to_torch(network, dtype=torch.float32)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_the_random_numbers_of_torch_are_not_touched(network: TwoLayerNetwork):
    torch = pytest.importorskip("torch")
    state = torch.get_rng_state()
    to_torch(network)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_module_is_a_copy_that_can_be_trained():
    torch = pytest.importorskip("torch")
    network = NETWORKS["seven neurons"]
    before = network.forward(X)
    module = to_torch(network, has_ones=True)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    module(torch.from_numpy(X[:, :3])).sum().backward()
    optimizer.step()
    assert from_torch(module) != network
    assert np.array_equal(network.forward(X), before)


@pytest.mark.parametrize(
    "module", [None, NETWORKS["one neuron"], ([[1.0]], [1.0])], ids=["None", "network", "pair"]
)
def test_from_torch_reads_torch_alone(module: Any):
    with pytest.raises(InputError, match=r"torch\.nn\.Sequential\(Linear, ReLU, Linear\), got a"):
        from_torch(module)


def test_from_torch_refuses_several_outputs():
    pytest.importorskip("torch")
    with pytest.raises(InputError, match="one output, got 3"):
        from_torch(to_torch(SEVERAL))


def test_from_torch_refuses_single_layers():
    torch = pytest.importorskip("torch")
    with pytest.raises(InputError, match="got a Linear"):
        from_torch(torch.nn.Linear(2, 1))


# ------------------------------------------------------------------------------------------ ONNX


def test_versions_shapes_and_names_of_an_onnx_model():
    onnx = pytest.importorskip("onnx")
    model = to_onnx(
        SEVERAL,
        has_ones=True,
        input_name="features",
        output_name="scores",
        metadata={"beta": 0.5, "names": ["a", "b"]},
    )
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 8
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert (model.producer_name, model.producer_version) == ("cvxnn", cvxnn.__version__)
    (entry,), (result,) = model.graph.input, model.graph.output
    shapes = [
        [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (entry, result)
    ]
    assert (entry.name, result.name, shapes) == ("features", "scores", [["n", 3], ["n", 3]])
    metadata = {prop.key: json.loads(prop.value) for prop in model.metadata_props}
    assert metadata == {"beta": 0.5, "names": ["a", "b"]}


def test_float32_rounds():
    network = NETWORKS["seven neurons"]
    values = run_onnx(network, has_ones=True, dtype="float32")[:, 0]
    assert values == pytest.approx(network.forward(X), rel=1e-5, abs=1e-5)


def test_weights_too_large_for_float32_are_refused():
    pytest.importorskip("onnx")
    with pytest.raises(InputError, match="too large for float32; use dtype='float64'"):
        to_onnx(TwoLayerNetwork([[1.0]], [-1e39]), dtype="float32")


def test_weights_too_many_for_a_file_are_refused(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("onnx")
    monkeypatch.setattr(exchange, "_MAX_BYTES", 8 * 35)
    assert len(to_onnx(NETWORKS["seven neurons"]).graph.initializer) == 2
    monkeypatch.setattr(exchange, "_MAX_BYTES", 8 * 35 - 1)
    with pytest.raises(InputError, match="2 GiB at most"):
        to_onnx(NETWORKS["seven neurons"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dtype": "float16"}, "dtype must be one of 'float64', 'float32', got 'float16'"),
        ({"input_name": ""}, "two different names, .* got '' and 'values'"),
        ({"input_name": "values"}, "two different names, .* got 'values' and 'values'"),
        ({"output_name": "sums"}, "none of activations, .*; got 'X' and 'sums'"),
        ({"output_name": 3}, "two different names, .* got 'X' and 3"),
        ({"metadata": {1: "one"}}, "mapping whose keys are text"),
        ({"metadata": ["one"]}, "mapping whose keys are text"),
        ({"metadata": {"one": object()}}, "what JSON can hold, but Object of type object"),
    ],
)
def test_options_of_onnx_are_checked(options: dict[str, Any], sentence: str):
    pytest.importorskip("onnx")
    with pytest.raises(InputError, match=sentence):
        to_onnx(NETWORKS["one neuron"], **options)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_saved_model_is_the_model(network: TwoLayerNetwork, tmp_path: Path):
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "network.onnx"
    options = {"has_ones": True, "dtype": "float32", "metadata": {"beta": 1.0}}
    save_onnx(network, path, **options)
    assert onnx.load(path) == to_onnx(network, **options)
    assert os.listdir(tmp_path) == ["network.onnx"]


def test_a_file_of_another_kind_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"must end in \.onnx, got '.*network\.npz'"):
        save_onnx(NETWORKS["one neuron"], tmp_path / "network.npz")
    assert os.listdir(tmp_path) == []


def test_a_failed_export_leaves_the_file_as_it_was(tmp_path: Path):
    pytest.importorskip("onnx")
    path = tmp_path / "network.onnx"
    save_onnx(NETWORKS["one neuron"], path)
    before = path.read_bytes()
    with pytest.raises(InputError):
        save_onnx(NETWORKS["one neuron"], path, dtype="int8")
    assert path.read_bytes() == before
