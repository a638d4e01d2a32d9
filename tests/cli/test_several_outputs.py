"""Commands on several targets, and on classes that share neurons."""

import csv
import io
import json

import numpy as np
import pytest

import cvxnn
from cvxnn.networks import TwoLayerNetwork

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((40, 2))
KINDS = np.digitize(ROWS[:, 0], [-0.5, 0.5])
HIGH, WIDE = np.abs(ROWS[:, 0]), 100.0 * ROWS[:, 1] - 7.0


def read(text):
    header, *rows = csv.reader(io.StringIO(text))
    return dict(zip(header, np.array(rows, dtype=float).T, strict=True))


@pytest.fixture(scope="module")
def numbers(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("outputs") / "numbers.csv"
    return table(path, "a,b,high,wide", np.column_stack([ROWS, HIGH, WIDE]))


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    path = tmp_path_factory.mktemp("outputs") / "kinds.csv"
    names = np.array(["small", "middle", "large"])[KINDS]
    lines = [f"{a!r},{b!r},{name}" for (a, b), name in zip(ROWS.tolist(), names, strict=True)]
    path.write_text("\n".join(["a,b,kind", *lines]) + "\n")
    return path


BOTH = ("--target", "high", "--target", "wide")
SOLVE = (*BOTH, "--beta", 5.0)


@pytest.fixture(scope="module")
def network(run, numbers):
    path = numbers.with_suffix(".npz")
    result = run("solve", numbers, *SOLVE, "--standardize", "--out", path)
    assert result.exit_code == 0 and "2 features and a bias -> high, wide" in result.stdout
    return path


def test_solve_gives_the_network_of_the_library(run, numbers, network):
    found, metadata = TwoLayerNetwork.load_with_metadata(network)
    X = np.column_stack([(ROWS - ROWS.mean(axis=0)) / ROWS.std(axis=0), np.ones(len(ROWS))])
    expected = cvxnn.solve(X, np.column_stack([HIGH, WIDE]), 5.0)
    assert found.n_outputs == 2 and metadata["target"] == ["high", "wide"]
    assert metadata["objective"] == pytest.approx(expected.objective, rel=1e-6)
    record = json.loads(run("solve", numbers, *SOLVE, "--standardize", "--json").stdout)
    assert record["status"] == "OPTIMAL" and record["gap"] <= 1e-6


def test_predict_has_a_column_for_each_target(run, numbers, network):
    result = run("predict", network, numbers)
    columns = read(result.stdout)
    assert list(columns) == ["prediction of high", "prediction of wide"]
    errors = [np.mean((columns[f"prediction of {n}"] - y) ** 2) for n, y in _OBSERVED]
    assert errors[0] < 0.5 * HIGH.var() and errors[1] < 0.01 * WIDE.var()
    lines = result.stderr.splitlines()
    for (name, _), error, line in zip(_OBSERVED, errors, lines, strict=True):
        assert line.startswith(f"note: mean squared error on {name!r}: ")
        assert float(line.split(": ")[-1]) == pytest.approx(error)
    record = json.loads(run("predict", network, numbers, "--json").stdout)
    assert list(record["mean_squared_error"]) == list(record["predictions"]) == ["high", "wide"]
    assert record["predictions"]["wide"] == columns["prediction of wide"].tolist()


_OBSERVED = (("high", HIGH), ("wide", WIDE))


def test_a_table_may_have_one_of_the_targets(run, network, tmp_path, table):
    path = table(tmp_path / "new.csv", "b,wide,a", np.column_stack([ROWS[:, 1], WIDE, ROWS[:, 0]]))
    result = run("predict", network, path)
    assert list(read(result.stdout)) == ["prediction of high", "prediction of wide"]
    (line,) = result.stderr.splitlines()
    assert line.startswith("note: mean squared error on 'wide'")
    record = json.loads(run("predict", network, path, "--json").stdout)
    assert record["mean_squared_error"]["high"] is None


def test_targets_that_cannot_be_are_refused(refused, numbers):
    twice = ("--target", "high", "--target", "high", "--beta", 1.0)
    assert "The target 'high' is given 2 times." in refused("solve", numbers, *twice)
    all_four = [word for name in ("a", "b", "high", "wide") for word in ("--target", name)]
    words = "has no column besides the targets 'a', 'b', 'high', 'wide'"
    assert words in refused("solve", numbers, *all_four, "--beta", 1.0)
    assert "no column 'hgih'; did you mean 'high'" in refused(
        "solve", numbers, "--target", "wide", "--target", "hgih", "--beta", 1.0
    )
    exact = refused("solve", numbers, *SOLVE, "--method", "exact")
    assert "2 outputs are trained by method='global'" in exact


@pytest.mark.parametrize("command", ["certify", "verify"])
def test_several_outputs_are_not_judged(refused, numbers, network, command):
    words = f"has a network of 2 outputs; 'cvxnn {command}' is for those of one."
    assert words in refused(command, network, numbers)


def test_fit_of_several_targets(run, refused, numbers, tmp_path):
    pytest.importorskip("skops")
    out = tmp_path / "model.skops"
    options = (*BOTH, "--beta", 0.5, "--holdout", 0.25)
    record = json.loads(run("fit", numbers, *options, "--out", out, "--json").stdout)
    assert (record["task"], record["target"]) == ("regression", ["high", "wide"])
    assert record["holdout"]["r2"] > 0.9 and list(record["holdout"]["rmse"]) == ["high", "wide"]
    page = " ".join(run("fit", numbers, *options).stdout.split())
    assert "-> high, wide (2 numbers)" in page and "error of wide" in page
    result = run("predict", out, numbers)
    columns = read(result.stdout)
    assert list(columns) == ["prediction of high", "prediction of wide"]
    assert np.corrcoef(columns["prediction of wide"], WIDE)[0, 1] > 0.99
    assert [line.split(":")[1] for line in result.stderr.splitlines()] == [
        " mean squared error on 'high'", " mean squared error on 'wide'"
    ]  # fmt: skip
    for command in ("certify", "verify"):
        assert "has a network of 2 outputs" in refused(command, out, numbers)
    assert "no probabilities" in refused("predict", out, numbers, "--proba")


def test_rows_without_one_of_the_targets_are_left_out(run, numbers, tmp_path):
    pytest.importorskip("skops")
    path = tmp_path / "missing.csv"
    header, first, second, *rest = numbers.read_text().splitlines()
    first, second = first.rpartition(",")[0] + ",", second.replace(f",{float(HIGH[1])!r},", ",?,")
    path.write_text("\n".join([header, first, second, *rest]) + "\n")
    result = run("fit", path, *BOTH, "--beta", 0.5, "--json")
    assert json.loads(result.stdout)["n_rows"] == 38
    assert "1 row has no 'wide'" in result.stderr and "1 row has no 'high'" in result.stderr


def test_classes_and_numbers_are_no_targets_together(refused, kinds):
    pytest.importorskip("skops")
    words = refused("fit", kinds, "--target", "a", "--target", "kind", "--beta", 1.0)
    assert "'kind' is of classes: give it as the only --target" in words


def test_classes_share_neurons(run, kinds, tmp_path):
    pytest.importorskip("skops")
    from cvxnn.cli.table_models import load_table_model

    out = tmp_path / "model.skops"
    fit = run("fit", kinds, "--target", "kind", "--beta", 0.5, "--out", out, "--json")
    record = json.loads(fit.stdout)
    assert record["classes"] == ["large", "middle", "small"] and record["loss"] == "logistic"
    estimator = load_table_model(out).estimator
    assert estimator.network_.n_outputs == 3 and record["n_neurons"] == estimator.n_neurons_
    result = run("predict", out, kinds, "--proba")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    names = [f"probability of {name}" for name in record["classes"]]
    for row in rows:
        shares = [float(row[name]) for name in names]
        assert sum(shares) == pytest.approx(1.0)
        assert row["prediction"] == record["classes"][int(np.argmax(shares))]
    assert "accuracy on 'kind': " in result.stderr


def test_a_file_of_other_outputs_than_targets_is_refused(run, refused, numbers, tmp_path):
    path = tmp_path / "odd.npz"
    metadata = {"feature_names": ["a", "b"], "target": "high", "bias": True}
    network = TwoLayerNetwork(np.ones((1, 3)), np.ones((1, 2)))
    network.save(path, metadata=metadata | {"mean": None, "scale": None})
    words = "names 1 targets, and its network has 2 outputs"
    assert words in refused("predict", path, numbers)
