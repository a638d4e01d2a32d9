"""cvxnn verify: exit codes, files of solve and fit, changed tables and files."""

import json

import numpy as np
import pytest

import cvxnn
from cvxnn.networks import TwoLayerNetwork


def words(text):
    return " ".join(text.split())


def test_a_model_of_solve_is_confirmed(run, model, v_shape):
    result = run("verify", model, v_shape)
    assert result.exit_code == 0 and result.stderr == ""
    assert "CONFIRMED The bound is confirmed." in words(result.stdout)
    record = json.loads(run("verify", model, v_shape, "--json").stdout)
    _, metadata = TwoLayerNetwork.load_with_metadata(model)
    assert record["accepted"] and record["is_recomputed"] and record["loss"] == "squared"
    assert record["bound"] == pytest.approx(metadata["dual_bound"], rel=1e-9)
    assert record["objective"] == pytest.approx(metadata["objective"], rel=1e-9)


def test_standardised_columns_are_read_as_in_training(run, solve, v_shape, tmp_path):
    path = tmp_path / "standardised.npz"
    assert solve("--standardize", "--out", path).exit_code == 0
    assert run("verify", path, v_shape).exit_code == 0


def test_another_table_is_found(run, model, v_shape, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text(v_shape.read_text().replace("3,3", "3,4"), encoding="utf-8")
    result = run("verify", model, other)
    assert result.exit_code == 1
    assert "NOT CONFIRMED The data are not those" in words(result.stdout)
    record = json.loads(run("verify", model, other, "--ignore-fingerprint", "--json").stdout)
    assert not record["accepted"] and record["bound"] <= record["objective"]


def test_a_time_limit(run, model, v_shape):
    assert run("verify", model, v_shape, "--time-limit", 5).exit_code == 0
    result = run("verify", model, v_shape, "--time-limit", 0)
    assert result.exit_code == 2 and "--time-limit must be" in result.stderr


def test_a_network_of_another_kind_is_not_confirmed(run, model, v_shape, tmp_path):
    network, metadata = TwoLayerNetwork.load_with_metadata(model)
    other = tmp_path / "other.npz"
    certificate = cvxnn.load_certificate(model)
    network.with_intercept(0.5).save(other, metadata, certificate)
    result = run("verify", other, v_shape)
    assert result.exit_code == 1 and "has the intercept 0.5" in words(result.stdout)
    record = json.loads(run("verify", other, v_shape, "--ignore-fingerprint", "--json").stdout)
    assert not record["accepted"] and record["objective"] is None and record["gap"] is None
    assert record["intercept"] is False and record["settings"] == []


def test_without_a_certificate(run, v_shape, tmp_path):
    path = tmp_path / "plain.npz"
    TwoLayerNetwork([[1.0, 0.0]], [0.9]).save(path)
    result = run("verify", path, v_shape, "--target", "y")
    assert result.exit_code == 2 and "has no certificate" in result.stderr


def test_a_model_of_fit_is_confirmed(run, tmp_path):
    pytest.importorskip("skops")
    rng = np.random.default_rng(0)
    path, model = tmp_path / "table.csv", tmp_path / "model.skops"
    lines = [
        f"{a:.17g},{'red' if a > 0.3 else 'blue'},{abs(a) + 0.1 * b:.17g}"
        for a, b in rng.standard_normal((30, 2))
    ]
    path.write_text("\n".join(["size,colour,price", *lines, lines[0]]), encoding="utf-8")
    assert run("fit", path, "--target", "price", "--beta", 0.3, "--out", model).exit_code == 0
    result = run("verify", model, path)
    assert result.exit_code == 0 and "CONFIRMED" in result.stdout
    assert run("verify", model, path, "--target", "size").exit_code == 2
    path.write_text("\n".join(["size,colour,price", *lines[1:], lines[1]]), encoding="utf-8")
    result = run("verify", model, path)
    assert result.exit_code == 1 or "is for" in result.stderr


def test_rows_that_were_held_out_are_known(run, tmp_path):
    pytest.importorskip("skops")
    rng = np.random.default_rng(0)
    path, model = tmp_path / "table.csv", tmp_path / "model.skops"
    lines = [f"{a:.17g},{'yes' if a + b > 0.0 else 'no'}" for a, b in rng.standard_normal((40, 2))]
    path.write_text("\n".join(["size,sold", *lines]), encoding="utf-8")
    fit = ("fit", path, "--target", "sold", "--beta", 0.3, "--holdout", 0.25, "--seed", 3)
    assert run(*fit, "--out", model).exit_code == 0
    record = json.loads(run("verify", model, path, "--json").stdout)
    assert record["accepted"] and record["network"] == "relu" and record["loss"] == "logistic"
    # A row more, and it is another table: nothing is taken away from it.
    path.write_text("\n".join(["size,sold", *lines, lines[0]]), encoding="utf-8")
    assert run("verify", model, path).exit_code != 0


@pytest.mark.long
def test_the_bound_of_a_relaxation_is_confirmed(run, tmp_path):
    """Of more rows than a search over signs takes, in a file of fit."""
    pytest.importorskip("skops")
    rng = np.random.default_rng(0)
    path, model = tmp_path / "table.csv", tmp_path / "model.skops"
    X = rng.standard_normal((600, 10))
    y = np.maximum(X[:, 0], 0.0) + 0.3 * rng.standard_normal(600)
    names = ",".join([*(f"x{k}" for k in range(10)), "y"])
    np.savetxt(path, np.column_stack([X, y]), delimiter=",", header=names, comments="")
    fit = ("fit", path, "--target", "y", "--beta", 60, "--proof-time", 1, "--out", model)
    assert run(*fit).exit_code == 0
    record = json.loads(run("verify", model, path, "--json").stdout)
    assert record["accepted"] and "multipliers" in record["how"]
    assert run(*fit[:-3], -1, "--out", model).exit_code == 2


ROWS = np.random.default_rng(0).standard_normal((12, 2))
SIGNALS = np.random.default_rng(1).standard_normal((10, 5))
# What a network reads, and its model: rows and signals are in a table.
KINDS = {
    "relu": (ROWS, cvxnn.ReLU(skip="penalised")),
    "gated": (ROWS, cvxnn.Gated(n_gates=6)),
    "three layers": (ROWS, cvxnn.Gated(n_gates=5, depth=3, n_second_gates=3)),
    "polynomial": (ROWS, cvxnn.Polynomial()),
    "quantized": (ROWS, cvxnn.Quantized()),
    "parallel": (ROWS[:5], cvxnn.Parallel()),
    "ramps": (ROWS[:, :1], cvxnn.Parallel(bias="free")),
    "circular": (ROWS, cvxnn.CircularConv()),
    "signals": (SIGNALS, cvxnn.Conv(2)),
    "squares of signals": (SIGNALS, cvxnn.Polynomial(filter_size=3)),
}
ARRAYS = {
    "images": (SIGNALS.reshape(5, 5, 2)[:, :4], cvxnn.Conv((2, 1))),
    "patches": (cvxnn.image_patches(SIGNALS, 2), cvxnn.LinearConv()),
}


@pytest.fixture
def saved(tmp_path):
    """A trained network with its certificate, X, and y, of a kind."""

    def train(X, model, **options):
        y = np.maximum(X, 0.0).reshape(len(X), -1).sum(axis=1) - 1.0
        solution = cvxnn.solve(X, y, 0.5, model=model, tol=1e-4, **options)
        path = tmp_path / "network.npz"
        solution.network.save(path, certificate=solution.certificate)
        return path, solution, y

    return train


@pytest.mark.parametrize("name", KINDS)
def test_networks_of_every_kind_are_confirmed_on_a_table(run, saved, tmp_path, name):
    X, model = KINDS[name]
    path, solution, y = saved(X, model)
    table = tmp_path / "table.csv"
    names = ",".join([*(f"x{k}" for k in range(X.shape[1])), "y"])
    np.savetxt(table, np.column_stack([X, y]), "%.17g", ",", header=names, comments="")
    record = json.loads(run("verify", path, table, "--target", "y", "--json").stdout)
    assert record["accepted"] and record["is_recomputed"], record["message"]
    assert solution.dual_bound * (1.0 - 1e-3) <= record["bound"] <= solution.objective
    assert record["objective"] == pytest.approx(solution.objective, rel=1e-9)
    # Of other data it is refused.
    np.savetxt(table, np.column_stack([X, y[::-1]]), "%.17g", ",", header=names, comments="")
    assert run("verify", path, table, "--target", "y").exit_code == 1


@pytest.mark.parametrize("name", [*ARRAYS, "polynomial"])
def test_arrays_are_data_too(run, saved, tmp_path, name):
    X, model = (ARRAYS | KINDS)[name]
    weights = np.linspace(0.5, 2.0, len(X))
    path, solution, y = saved(X, model, sample_weight=weights)
    data = tmp_path / "data.npz"
    np.savez_compressed(data, X=X, y=y, sample_weight=weights)
    record = json.loads(run("verify", path, data, "--json").stdout)
    assert record["accepted"] and record["is_recomputed"], record["message"]
    assert record["objective"] == pytest.approx(solution.objective, rel=1e-9)
    np.savez(data, X=X, y=y)
    assert run("verify", path, data).exit_code == 1


def test_mistakes_with_arrays(refused, run, saved, tmp_path):
    path, _, y = saved(ROWS, cvxnn.Quantized())
    data = tmp_path / "data.npz"
    np.savez(data, X=ROWS)
    assert "has no array of the name y" in refused("verify", path, data)
    assert "leave --target out" in refused("verify", path, data, "--target", "y")
    np.savez(data, X=np.array([object()]), y=y)
    assert "is damaged, or no .npz" in refused("verify", path, data)
    assert run("verify", path, tmp_path / "none.npz").exit_code == 2
    table = tmp_path / "table.csv"
    np.savetxt(table, np.column_stack([ROWS, y]), delimiter=",", header="a,b,y", comments="")
    assert "names no columns" in run("verify", path, table, "--target", "a").stderr


def test_a_certificate_alone_is_confirmed(run, refused, v_shape, tmp_path):
    X, y = np.arange(-2.0, 4.0)[:, None], np.abs(np.arange(-2.0, 4.0))
    path, network = tmp_path / "certificate.npz", TwoLayerNetwork([[1.0], [-1.0]], [0.9, 0.9])
    # For a table as it is, of data with ones, and as `certify` appends the ones to it.
    for rows, note in (
        (X, "all but 'y', in the order of the table."),
        (np.column_stack([X, np.ones(6)]), "for a column of ones beside these"),
    ):
        certificate = cvxnn.solve(rows, y, 0.01).certificate
        certificate.save(path)
        result = run("verify", path, v_shape, "--target", "y", "--json")
        record = json.loads(result.stdout)
        assert record["accepted"] and record["is_recomputed"] is False, record["message"]
        assert record["bound"] == pytest.approx(certificate.dual_bound, rel=1e-6)
        assert note in result.stderr
        data = tmp_path / "data.npz"
        np.savez(data, X=X, y=y)
        assert run("verify", path, data).exit_code == 0
    cvxnn.certify(network, X, y, 0.01).certificate.save(path)
    shown = words(run("verify", path, v_shape, "--target", "y").stdout)
    assert "CONFIRMED" in shown and "as the certificate says" in shown
    assert "give the column with --target" in refused("verify", path, v_shape)
    result = run("verify", path, v_shape, "--target", "x")
    assert result.exit_code == 1 and "NOT CONFIRMED The data are not those" in words(result.stdout)
    assert "holds a certificate alone, and no network" in refused("predict", path, v_shape)


def test_a_certificate_alone_of_several_outputs(run, tmp_path, table):
    X = np.random.default_rng(0).standard_normal((8, 1))
    Y = np.column_stack([np.abs(X[:, 0]), X[:, 0]])
    path = tmp_path / "certificate.npz"
    cvxnn.solve(X, Y, 0.1, tol=1e-3).certificate.save(path)
    data = table(tmp_path / "table.csv", "x,a,b", np.column_stack([X, Y]))
    result = run("verify", path, data, "--target", "a", "--target", "b")
    assert result.exit_code == 0, result.output
