"""cvxnn predict: columns by name, predictions, errors."""

import json
import os

import numpy as np
import pytest
from sklearn.metrics import mean_squared_error, r2_score

from cvxnn.networks import TwoLayerNetwork


def column(text):
    header, *cells = text.splitlines()
    assert header == "prediction"
    return np.array([float(cell) for cell in cells])


@pytest.fixture
def expected(model):
    return TwoLayerNetwork.load(model).forward(np.column_stack([np.arange(-2.0, 4.0), np.ones(6)]))


def test_predictions_are_those_of_the_network_to_the_last_bit(run, model, v_shape, expected):
    result = run("predict", model, v_shape)
    assert result.exit_code == 0 and np.array_equal(column(result.stdout), expected)
    assert np.allclose(expected, [2, 1, 0, 1, 2, 3], atol=0.1)


def test_scores_go_to_stderr(run, model, v_shape, expected):
    y = np.array([2, 1, 0, 1, 2, 3])
    error, r2 = mean_squared_error(y, expected) ** 0.5, r2_score(y, expected)
    words = f"note: scores on 'y': R2 {r2:.4g}, RMSE {error:.4g}\n"
    assert run("predict", model, v_shape).stderr == words


def test_other_columns_and_orders_do_not_matter(run, model, tmp_path, expected):
    data = tmp_path / "new.csv"
    names = ["Ann", "Bob, Jr", "Cy", "Di", "Eve", "Flo"]
    rows = "".join(f'"{name}",{x}\n' for name, x in zip(names, range(-2, 4), strict=True))
    data.write_text("who,x\n" + rows)
    result = run("predict", model, data)
    assert np.array_equal(column(result.stdout), expected) and result.stderr == ""


def test_standardization_is_repeated_also_for_one_row(run, v_shape, tmp_path):
    out, one = tmp_path / "m.npz", tmp_path / "one.csv"
    arguments = ("--target", "y", "--beta", 0.01, "--standardize", "--out", out, "--quiet")
    assert run("solve", v_shape, *arguments).exit_code == 0
    x = np.arange(-2.0, 4.0)
    X = np.column_stack([(x - x.mean()) / x.std(), np.ones(6)])
    predictions = column(run("predict", out, v_shape).stdout)
    assert np.array_equal(predictions, TwoLayerNetwork.load(out).forward(X))
    one.write_text("x\n3\n")
    assert column(run("predict", out, one).stdout) == pytest.approx(predictions[-1:], rel=1e-12)


def test_out_gets_the_predictions_and_stdout_nothing(run, model, v_shape, tmp_path, expected):
    out = tmp_path / "predictions.csv"
    result = run("predict", model, v_shape, "--out", out)
    assert result.stdout == "" and np.array_equal(column(out.read_text()), expected)


def test_json(run, model, v_shape, tmp_path, expected):
    record = json.loads(run("predict", model, v_shape, "--json").stdout)
    y = np.array([2, 1, 0, 1, 2, 3])
    error, r2 = mean_squared_error(y, expected) ** 0.5, r2_score(y, expected)
    assert record == {
        "n_rows": 6,
        "scores": {"rmse": pytest.approx(error, rel=1e-9), "r2": pytest.approx(r2, rel=1e-12)},
        "predictions": expected.tolist(),
    }
    out = tmp_path / "p.csv"
    record = json.loads(run("predict", model, v_shape, "--json", "--out", out).stdout)
    assert record["out"] == str(out) and "predictions" not in record
    assert np.array_equal(column(out.read_text()), expected)


@pytest.mark.parametrize("cell", ["", "?", "nan"])
def test_unknown_targets_do_not_stop_predictions(run, model, tmp_path, cell):
    data = tmp_path / "new.csv"
    data.write_text(f"x,y\n1,1\n2,{cell}\n")
    result = run("predict", model, data)
    assert result.exit_code == 0 and len(column(result.stdout)) == 2
    assert result.stderr == ("note: no scores: column 'y' has cells that are no finite numbers.\n")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("X,z\n1,2\n", "has no column 'x'. Its columns are 'X', 'z'."),
        ("x\n1\ntwo\n", "line 3, column 'x': 'two' is not a number"),
        ("x\n1\n1e200\n", "at row 1, column 0"),
        ("x\n1\n-1e101\n", "at row 1, column 0"),
        ("x\n1\n1e-200\n", "at row 1, column 0"),
    ],
)
def test_data_that_solve_would_refuse_leave_no_output_file(
    refused, model, tmp_path, content, sentence
):
    data, out = tmp_path / "new.csv", tmp_path / "p.csv"
    data.write_text(content)
    assert sentence in refused("predict", model, data, "--out", out) and not out.exists()


def test_inputs_are_not_overwritten(refused, model, v_shape):
    before = v_shape.read_bytes(), model.read_bytes()
    for path in (v_shape, model):
        assert "would overwrite an input" in refused("predict", model, v_shape, "--out", path)
    assert (v_shape.read_bytes(), model.read_bytes()) == before


def test_model_errors_are_sentences(refused, v_shape, tmp_path):
    names = ("damaged", "unnamed", "half", "wide")
    damaged, unnamed, half, wide = (tmp_path / f"{name}.npz" for name in names)
    damaged.write_bytes(b"PK\x03\x04 nothing that follows makes sense")
    TwoLayerNetwork([[1.0]], [1.0]).save(unnamed)
    TwoLayerNetwork([[1.0]], [1.0]).save(half, metadata={"feature_names": ["x"]})
    metadata = {"feature_names": ["x"], "target": "y", "bias": False, "mean": None, "scale": None}
    TwoLayerNetwork([[1.0, 1.0]], [1.0]).save(wide, metadata=metadata)
    for path, sentence in [
        (wide, "names other features than its network has"),
        (damaged, "is damaged"),
        (unnamed, "In Python, cvxnn.TwoLayerNetwork.load('unnamed.npz')(X) predicts, for X with"),
        (half, "does not say in full which columns its network reads."),
        (tmp_path / "missing.npz", "There is no such model file"),
        (tmp_path / "model.pt", "A model file ends in .skops, .npz or .safetensors"),
        (tmp_path, "A model file ends in .skops, .npz or .safetensors"),
    ]:
        assert sentence in refused("predict", path, v_shape)


@pytest.mark.long
def test_closed_pipe_ends_quietly(start, model, v_shape):
    reading, writing = os.pipe()
    os.close(reading)
    process = start("-m", "cvxnn", "predict", model, v_shape, stdout=writing)
    os.close(writing)
    _, stderr = process.communicate()
    assert process.returncode == 0 and stderr.startswith("note: scores on")
    assert len(stderr.splitlines()) == 1
