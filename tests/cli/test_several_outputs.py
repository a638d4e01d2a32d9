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
        assert line.startswith(f"note: scores on {name!r}: R2 ")
        assert float(line.split("RMSE ")[-1]) == pytest.approx(error**0.5, rel=1e-3)
    record = json.loads(run("predict", network, numbers, "--json").stdout)
    assert list(record["scores"]) == list(record["predictions"]) == ["high", "wide"]
    assert record["predictions"]["wide"] == columns["prediction of wide"].tolist()


_OBSERVED = (("high", HIGH), ("wide", WIDE))


def test_a_table_may_have_one_of_the_targets(run, network, tmp_path, table):
    path = table(tmp_path / "new.csv", "b,wide,a", np.column_stack([ROWS[:, 1], WIDE, ROWS[:, 0]]))
    result = run("predict", network, path)
    assert list(read(result.stdout)) == ["prediction of high", "prediction of wide"]
    (line,) = result.stderr.splitlines()
    assert line.startswith("note: scores on 'wide'")
    record = json.loads(run("predict", network, path, "--json").stdout)
    assert record["scores"]["high"] is None


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


def in_words(text):
    return " ".join(text.split())


def test_a_network_of_several_targets_is_certified_and_verified(run, numbers, network):
    _, metadata = TwoLayerNetwork.load_with_metadata(network)
    record = json.loads(run("certify", network, numbers, "--json").stdout)
    assert record["verdict"] == "OPTIMAL" and record["target"] == ["high", "wide"]
    assert record["objective"] == pytest.approx(metadata["objective"], rel=1e-12)
    given = run("certify", network, numbers, *BOTH, "--json")
    assert json.loads(given.stdout)["dual_bound"] == record["dual_bound"]
    report = json.loads(run("verify", network, numbers, *BOTH, "--json").stdout)
    assert report["accepted"] and report["is_recomputed"]
    assert report["bound"] == pytest.approx(metadata["dual_bound"], rel=1e-6)
    turned = run("verify", network, numbers, "--target", "wide", "--target", "high")
    assert turned.exit_code == 1 and "The data are not those" in in_words(turned.stdout)


@pytest.mark.long
def test_a_neuron_of_several_outputs_is_shown_with_its_shares(run, numbers, network):
    arguments = ("certify", network, numbers, "--beta", 1)
    result, record = run(*arguments), json.loads(run(*arguments, "--json").stdout)
    assert result.exit_code == 1 and record["verdict"] == "IMPROVABLE"
    read, _ = TwoLayerNetwork.load_with_metadata(network)
    X = np.column_stack([(ROWS - ROWS.mean(axis=0)) / ROWS.std(axis=0), np.ones(len(ROWS))])
    Y = np.column_stack([HIGH, WIDE])

    def objective(hidden, output):
        fit = 0.5 * ((np.maximum(X @ hidden.T, 0.0) @ output - Y) ** 2).sum()
        return fit + 0.5 * ((hidden**2).sum() + (output**2).sum())

    before = objective(read.hidden_weights, read.output_weights)
    assert record["objective"] == pytest.approx(before, rel=1e-12)
    neuron = record["improving_neuron"]
    after = objective(
        np.vstack([read.hidden_weights, neuron["hidden_weights"]]),
        np.vstack([read.output_weights, neuron["output_weight"]]),
    )
    assert before - after == pytest.approx(neuron["decrease"], rel=1e-8)
    text = in_words(result.stdout)
    for name, share in zip(("high", "wide"), neuron["output_weight"], strict=True):
        assert f"{share:.4g} for {name}" in text
    assert "relu(" in text and " times " in text


def test_as_many_targets_as_outputs(run, refused, numbers, network, tmp_path):
    for command in ("certify", "verify"):
        words = "a network of 2 outputs: give a --target for each, in their order, got 1"
        assert words in refused(command, network, numbers, "--target", "high")
        twice = ("--target", "high", "--target", "high")
        assert "The target 'high' is given 2 times" in refused(command, network, numbers, *twice)
        feature = ("--target", "high", "--target", "a")
        assert "'a' is a feature of" in refused(command, network, numbers, *feature)
    plain = tmp_path / "plain.npz"
    TwoLayerNetwork.load(network).save(plain)
    result = run("certify", plain, numbers, *BOTH, "--beta", 5, "--time-limit", 0.01, "--json")
    assert (
        "reads all but 'high', 'wide', in the order of the table, and then a column"
        in result.stderr
    )
    assert json.loads(result.stdout)["features"] == ["a", "b"]


@pytest.fixture(scope="module")
def of_classes(kinds):
    """A network by softmax, saved without a word on its columns."""
    path = kinds.with_suffix(".npz")
    X = np.column_stack([ROWS, np.ones(len(ROWS))])
    # Large, middle and small: in the order of their names.
    solution = cvxnn.solve(X, np.eye(3)[2 - KINDS], 0.5, loss="softmax", tol=1e-6)
    solution.network.save(path, certificate=solution.certificate)
    return path, solution


@pytest.mark.long
def test_classes_in_one_column_are_the_outputs_in_order(run, refused, kinds, of_classes):
    path, solution = of_classes
    softmax = ("--beta", 0.5, "--loss", "softmax", "--tol", 1e-5)
    result = run("certify", path, kinds, "--target", "kind", *softmax, "--json")
    record = json.loads(result.stdout)
    assert record["verdict"] == "OPTIMAL" and record["loss"] == "softmax"
    assert record["objective"] == pytest.approx(solution.objective, rel=1e-12)
    assert "'kind' has the classes large, middle, small, in the order of" in result.stderr
    report = json.loads(run("verify", path, kinds, "--target", "kind", "--json").stdout)
    assert report["accepted"] and report["loss"] == "softmax"
    words = "one column of classes is for the softmax loss"
    squared = ("--beta", 0.5, "--loss", "squared")
    assert words in refused("certify", path, kinds, "--target", "kind", *squared)
    # Without an option the loss is that of the certificate in the file.
    known = run("certify", path, kinds, "--target", "kind", "--tol", 1e-5, "--json")
    assert json.loads(known.stdout)["objective"] == record["objective"]
    poor = run("certify", path, kinds, "--target", "kind", "--beta", 0.05, *softmax[2:])
    assert poor.exit_code == 1 and " for small" in in_words(poor.stdout)


def test_classes_may_be_numbers_and_must_be_as_many_as_outputs(run, refused, of_classes, tmp_path):
    path, solution = of_classes
    softmax = ("--target", "kind", "--beta", 0.5, "--loss", "softmax")

    def certified(labels):
        rows = zip(ROWS.tolist(), labels, strict=True)
        lines = [f"{a!r},{b!r},{label}" for (a, b), label in rows]
        table = tmp_path / "labels.csv"
        table.write_text("\n".join(["a,b,kind", *lines]) + "\n")
        return ("certify", path, table, *softmax)

    for labels in (2 - KINDS, 10 * (2 - KINDS) + 1):
        record = json.loads(run(*certified(labels), "--json").stdout)
        assert record["objective"] == pytest.approx(solution.objective, rel=1e-12)
    # Of the second class there is no row.
    few = np.where(KINDS == 1, 0, 2 - KINDS)
    record = json.loads(run(*certified(few), "--time-limit", 0.01, "--json").stdout)
    X = np.column_stack([ROWS, np.ones(len(ROWS))])
    logits = solution.network(X)
    entropy = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(ROWS)), few]
    expected = entropy.sum() + 0.5 * solution.network.penalty()
    assert record["objective"] == pytest.approx(expected, rel=1e-12)
    assert "has 2 different classes, and the network" in refused(*certified(few + 1))
    assert "column 'kind': the cell is empty" in refused(*certified(["", *few[1:]]))


def test_fit_of_several_targets(run, refused, numbers, tmp_path):
    pytest.importorskip("skops")
    out = tmp_path / "model.skops"
    options = (*BOTH, "--beta", 0.5, "--holdout", 0.25)
    record = json.loads(run("fit", numbers, *options, "--out", out, "--json").stdout)
    assert (record["task"], record["target"]) == ("regression", ["high", "wide"])
    assert record["holdout"]["r2"] > 0.9 and list(record["holdout"]["rmse"]) == ["high", "wide"]
    page = " ".join(run("fit", numbers, *options).stdout.split())
    assert "-> high, wide (2 numbers)" in page and "RMSE of wide" in page
    result = run("predict", out, numbers)
    columns = read(result.stdout)
    assert list(columns) == ["prediction of high", "prediction of wide"]
    assert np.corrcoef(columns["prediction of wide"], WIDE)[0, 1] > 0.99
    assert [line.split(":")[1] for line in result.stderr.splitlines()] == [
        " scores on 'high'", " scores on 'wide'"
    ]  # fmt: skip
    certified = json.loads(run("certify", out, numbers, "--json").stdout)
    assert certified["verdict"] == "OPTIMAL" and certified["target"] == ["high", "wide"]
    assert certified["objective"] == pytest.approx(record["objective"], rel=1e-9)
    assert json.loads(run("verify", out, numbers, *BOTH, "--json").stdout)["accepted"]
    for command in ("certify", "verify"):
        words = "predicts 'high', 'wide'; leave --target out"
        assert words in refused(command, out, numbers, "--target", "wide")
    assert "no probabilities" in refused("predict", out, numbers, "--proba")


def test_rows_that_were_held_out_are_left_out_of_certificates(run, kinds, tmp_path):
    pytest.importorskip("skops")
    out, table = tmp_path / "held.skops", kinds
    options = ("--target", "kind", "--beta", 0.5, "--holdout", 0.25, "--out", out, "--json")
    fit = run("fit", table, *options)
    record = json.loads(fit.stdout)
    for command, options in (("certify", ("--tol", 1e-4)), ("verify", ())):
        result = run(command, out, table, *options, "--json")
        found = json.loads(result.stdout)
        assert found["objective"] == pytest.approx(record["objective"], rel=1e-9)
        assert "left out: 10 rows that 'cvxnn fit' has held out." in result.stderr
    assert found["accepted"]


def test_rows_that_occur_twice_are_verified(run, kinds, tmp_path):
    """Also with other classes: the order in which they were merged is that of the training."""
    pytest.importorskip("skops")
    path, out = tmp_path / "twice.csv", tmp_path / "twice.skops"
    header, *lines = kinds.read_text().splitlines()
    others = [line.rpartition(",")[0] + ",middle" for line in lines[::3]]
    path.write_text("\n".join([header, *lines, *lines[:7], *others]) + "\n")
    assert run("fit", path, "--target", "kind", "--beta", 0.5, "--out", out).exit_code == 0
    assert json.loads(run("verify", out, path, "--json").stdout)["accepted"]


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
    words = refused("fit", kinds, "--target", "a", "--target", "b", "--loss", "logistic")
    assert "--loss logistic is for classes" in words


def test_classes_share_neurons(run, refused, kinds, tmp_path):
    pytest.importorskip("skops")
    from cvxnn.cli.table_models import load_table_model

    out = tmp_path / "model.skops"
    fit = run("fit", kinds, "--target", "kind", "--beta", 0.5, "--out", out, "--json")
    record = json.loads(fit.stdout)
    assert record["classes"] == ["large", "middle", "small"] and record["loss"] == "softmax"
    estimator = load_table_model(out).estimator
    assert estimator.network_.n_outputs == 3 and record["n_neurons"] == estimator.n_neurons_
    result = run("predict", out, kinds, "--proba")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    names = [f"probability of {name}" for name in record["classes"]]
    for row in rows:
        shares = [float(row[name]) for name in names]
        assert sum(shares) == pytest.approx(1.0)
        assert row["prediction"] == record["classes"][int(np.argmax(shares))]
    assert "scores on 'kind': accuracy " in result.stderr
    certificate = json.loads(run("certify", out, kinds, "--tol", 1e-4, "--json").stdout)
    assert certificate["objective"] == pytest.approx(record["objective"], rel=1e-9)
    assert certificate["loss"] == "softmax" and certificate["target"] == "kind"
    assert certificate["dual_bound"] <= record["objective"]
    report = json.loads(run("verify", out, kinds, "--json").stdout)
    assert report["accepted"] and report["objective"] == pytest.approx(record["objective"])
    assert "was trained with softmax" in refused("certify", out, kinds, "--loss", "logistic")


def test_a_file_of_other_outputs_than_targets_is_refused(run, refused, numbers, tmp_path):
    path = tmp_path / "odd.npz"
    metadata = {"feature_names": ["a", "b"], "target": "high", "bias": True}
    network = TwoLayerNetwork(np.ones((1, 3)), np.ones((1, 2)))
    network.save(path, metadata=metadata | {"mean": None, "scale": None})
    words = "names 1 targets, and its network has 2 outputs"
    assert words in refused("predict", path, numbers)
    words = "names 1 target, and its network has 2 outputs"
    assert words in refused("certify", path, numbers, "--beta", 1)
