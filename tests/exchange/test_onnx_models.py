"""ONNX models: versions, names, shapes, metadata and files."""

import json
import os

import pytest
from networks.cases import CASES, RELU, ROWS
from sentences import refused

import cvxnn
from cvxnn import InputError, TwoLayerNetwork, save_onnx, to_onnx
from cvxnn.exchange import onnx_graph

onnx = pytest.importorskip("onnx")


def shape_of(value):
    return [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]


def test_versions_shapes_and_names_of_an_onnx_model():
    networks, given = [RELU.make(m) for m in (7, 1, 0)], {"beta": 0.5, "names": ["a", "b"]}
    names = {"input_name": "features", "output_name": "scores"}
    model = to_onnx(networks, has_ones=True, metadata=given, **names)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 8
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert (model.producer_name, model.producer_version) == ("cvxnn", cvxnn.__version__)
    (entry,), (result,) = model.graph.input, model.graph.output
    assert (entry.name, result.name) == ("features", "scores")
    assert shape_of(entry) == shape_of(result) == ["n", 3]
    assert {prop.key: json.loads(prop.value) for prop in model.metadata_props} == given


@pytest.mark.parametrize(
    ("name", "image_shape", "expected"),
    [
        ("geometry 0, sum", None, ["n", 1, "length"]), ("geometry 1, average", (9, 2), ["n", 2, 9]),
        ("geometry 4, max", None, ["n", 3, "height", "width"]),
        ("geometry 4, sum", (7, 6), ["n", 3, 7, 6]), ("linear", None, ["n", 5, 3]),
        ("circular 5", None, ["n", 5]),
    ],
)  # fmt: skip
def test_channels_are_first_and_sides_free_where_they_may_be(name, image_shape, expected):
    model = to_onnx(CASES[name].make(2), image_shape=image_shape)
    assert shape_of(model.graph.input[0]) == expected


def test_weights_too_large_for_float32_are_refused():
    with pytest.raises(InputError, match="too large for float32; use dtype='float64'"):
        to_onnx(TwoLayerNetwork([[1.0]], [-1e39]), dtype="float32")


def test_weights_too_many_for_a_file_are_refused(monkeypatch):
    monkeypatch.setattr(onnx_graph, "_MAX_BYTES", 8 * 35)
    assert len(to_onnx(RELU.make(7)).graph.initializer) == 2
    monkeypatch.setattr(onnx_graph, "_MAX_BYTES", 8 * 35 - 1)
    refused(lambda: to_onnx(RELU.make(7)), "2 GiB at most")


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
def test_options_of_onnx_are_checked(options, sentence):
    refused(lambda: to_onnx(RELU.make(1), **options), sentence)


def test_a_saved_model_is_the_model(tmp_path):
    path = tmp_path / "network.onnx"
    for name, case in CASES.items():
        options = {"has_ones": name in ROWS, "image_shape": case.image_shape}
        options |= {"dtype": "float32", "metadata": {"beta": 1.0}}
        for network in (case.make(7), case.make(0)):
            save_onnx(network, path, **options)
            assert onnx.load(path) == to_onnx(network, **options), name
            assert os.listdir(tmp_path) == ["network.onnx"]


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"must end in \.onnx, got '.*network\.npz'"):
        save_onnx(RELU.make(1), tmp_path / "network.npz")
    assert os.listdir(tmp_path) == []


def test_a_failed_export_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "network.onnx"
    save_onnx(RELU.make(1), path)
    before = path.read_bytes()
    with pytest.raises(InputError):
        save_onnx(RELU.make(1), path, dtype="int8")
    assert path.read_bytes() == before
