"""cvxnn fit: the network, the model file, the report, the exit code."""

import errno
import json
import os
import signal
from importlib import resources

import numpy as np
import pytest

import cvxnn
from cvxnn.networks import TwoLayerNetwork

RING = resources.files("cvxnn") / "data" / "ring.csv"
X_BIAS = np.column_stack([np.arange(-2.0, 4.0), np.ones(6)])
Y = np.abs(X_BIAS[:, 0])


def test_json_is_the_solution_of_the_library(run, v_shape):
    result = run("fit", v_shape, "--target", "y", "--beta", 0.01, "--json")
    expected = cvxnn.solve(X_BIAS, Y, 0.01)

    record = json.loads(result.stdout)
    assert result.exit_code == 0 and result.stderr == "" and record["status"] == "OPTIMAL"
    assert record["message"] == cvxnn.Status.OPTIMAL.value
    assert record["objective"] == expected.objective and record["dual_bound"] == expected.dual_bound
    assert record["gap"] == expected.gap <= record["tol"] == 1e-6
    assert record["n_neurons"] == expected.n_neurons
    assert record["n_patterns"] == expected.n_patterns == 0 and record["method"] == "global"
    assert record["beta"] == 0.01 and record["model"] is None


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_model_has_the_network_and_where_it_comes_from(run, v_shape, tmp_path, suffix):
    out = tmp_path / f"model{suffix}"
    result = run("fit", v_shape, "--target", "y", "--beta", 0.01, "--out", out, "--json")
    record = json.loads(result.stdout)
    network, metadata = TwoLayerNetwork.load_with_metadata(out)

    assert record["model"] == str(out) and network.n_neurons == record["n_neurons"]
    assert network.objective(X_BIAS, Y, 0.01) == pytest.approx(record["objective"], rel=1e-12)
    assert metadata == {
        "feature_names": ["x"],
        "target": "y",
        "bias": True,
        "mean": None,
        "scale": None,
        "beta": 0.01,
        "method": "global",
        "objective": record["objective"],
        "dual_bound": record["dual_bound"],
        "gap": record["gap"],
        "status": "OPTIMAL",
        "cvxnn_version": cvxnn.__version__,
    }


def test_table_shows_the_figures_and_the_sentence(run, v_shape, tmp_path):
    out = tmp_path / "model.npz"
    result = run("fit", v_shape, "--target", "y", "--beta", 0.01, "--out", out, "--method", "exact")
    solution = cvxnn.solve(X_BIAS, Y, 0.01, method="exact")
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if line.strip())

    assert result.stdout.startswith("v.csv: 1 feature and a bias -> y\n")
    assert lines["objective"].split()[0] == f"{solution.objective:.10g}"
    assert lines["lower"].split()[:2] == ["bound", f"{solution.dual_bound:.10g}"]
    assert lines["neurons"].split()[0] == str(solution.n_neurons)
    assert lines["patterns"].split()[0] == "12" and lines["model"] == str(out)
    assert "OPTIMAL  The certified gap is within tol" in result.stdout and result.stderr == ""


def test_quiet_prints_nothing_and_saves(run, v_shape, tmp_path):
    out = tmp_path / "model.npz"
    result = run("fit", v_shape, "--target", "y", "--beta", 0.01, "--out", out, "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    assert TwoLayerNetwork.load(out).n_features == 2


def test_without_bias_the_features_are_all_there_is(run, v_shape, tmp_path):
    out = tmp_path / "model.npz"
    arguments = ("--target", "y", "--beta", 0.01, "--no-bias", "--out", out, "--json")
    arguments += ("--method", "exact")
    result = run("fit", v_shape, *arguments)
    network, metadata = TwoLayerNetwork.load_with_metadata(out)
    assert metadata["bias"] is False and network.n_features == 1
    assert json.loads(result.stdout)["n_patterns"] == 2


def test_target_is_found_by_name(run, v_shape, tmp_path):
    swapped = tmp_path / "swapped.csv"
    swapped.write_text("y,x\n2,-2\n1,-1\n0,0\n1,1\n2,2\n3,3\n")
    records = [
        json.loads(run("fit", path, "--target", "y", "--beta", 0.01, "--json").stdout)
        for path in (v_shape, swapped)
    ]
    assert records[0]["objective"] == records[1]["objective"]


def test_standardize_trains_on_mean_0_and_deviation_1(run, tmp_path):
    rng = np.random.default_rng(0)
    features = np.column_stack([1e3 + 50 * rng.normal(size=8), np.full(8, 0.1)])
    y = rng.normal(size=8)
    data, out = tmp_path / "d.csv", tmp_path / "m.npz"
    rows = np.column_stack([features, y]).tolist()
    data.write_text("a,constant,y\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows))

    arguments = ("--target", "y", "--beta", 0.1, "--standardize", "--out", out, "--json")
    record = json.loads(run("fit", data, *arguments).stdout)

    a = features[:, 0]
    X = np.column_stack([(a - a.mean()) / a.std(), np.zeros(8), np.ones(8)])
    assert record["objective"] == pytest.approx(cvxnn.solve(X, y, 0.1).objective, rel=2e-6)
    metadata = TwoLayerNetwork.load_with_metadata(out)[1]
    assert metadata["mean"] == pytest.approx([a.mean(), 0.1])
    assert metadata["scale"] == [pytest.approx(a.std()), 1.0]


def test_sampled_is_the_same_for_the_same_seed(run, v_shape):
    arguments = ("--target", "y", "--beta", 0.01, "--method", "sampled", "--n-samples", 20)
    first, second = (
        json.loads(run("fit", v_shape, *arguments, "--seed", 3, "--json").stdout) for _ in range(2)
    )
    X, y = X_BIAS, Y
    expected = cvxnn.solve(X, y, 0.01, method=cvxnn.Sampled(20), random_state=3)
    assert first["objective"] == second["objective"] == expected.objective
    assert first["method"] == "sampled" and first["n_patterns"] == expected.n_patterns <= 12


def test_stopped_early_saves_and_exits_with_1(run, tmp_path):
    out = tmp_path / "model.npz"
    arguments = ("--target", "label", "--beta", 1e-4, "--max-iter", 1, "--out", out, "--json")
    result = run("fit", RING, *arguments)
    record = json.loads(result.stdout)
    assert result.exit_code == 1 and record["status"] == "ITERATION_LIMIT"
    assert record["gap"] is None or record["gap"] > 1e-6
    assert result.stderr == f"warning: {cvxnn.Status.ITERATION_LIMIT.value}\n"
    assert TwoLayerNetwork.load_with_metadata(out)[1]["status"] == "ITERATION_LIMIT"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--beta", 1, "--n-samples", 5), "--n-samples is for --method sampled"),
        *(
            (("--beta", beta), "error: beta must be a finite number above 0")
            for beta in ("0", "-1", "nan", "inf")
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(refused, v_shape, options, sentence):
    assert sentence in refused("fit", v_shape, "--target", "y", *options)


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        ("model.txt", "A model file ends in .npz or .safetensors"),
        ("missing/model.npz", "Cannot write the file, its folder does not exist"),
        ("folder.npz", "Cannot write the file, it is a folder"),
    ],
)
def test_out_is_checked_before_the_data_are_read(refused, tmp_path, out, sentence):
    (tmp_path / "folder.npz").mkdir()
    arguments = ("--target", "y", "--beta", 1, "--out", tmp_path / out)
    found = refused("fit", tmp_path / "no-such-data.csv", *arguments)
    assert found.startswith(f"error: {sentence}")


def test_full_disk_does_not_cost_the_result(run, v_shape, tmp_path, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("cvxnn.networks.files.atomic_write", full)
    out = tmp_path / "model.npz"
    result = run("fit", v_shape, "--target", "y", "--beta", 0.01, "--out", out, "--json")
    record = json.loads(result.stdout)
    assert result.exit_code == 2 and record["status"] == "OPTIMAL" and record["model"] is None
    assert "No space left on device" in result.stderr


def test_more_patterns_than_memory_names_the_option(refused, tmp_path):
    data = tmp_path / "wide.csv"
    rows = np.random.default_rng(0).normal(size=(200, 31)).tolist()
    header = ",".join(f"c{j}" for j in range(31))
    data.write_text(header + "\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows))
    sentence = refused("fit", data, "--target", "c0", "--beta", 1, "--method", "exact")
    assert "patterns" in sentence and "On the command line that is --method sampled." in sentence


# A run that sends itself a signal after its first round: no race with a clock. Jobs in the
# background of a script ignore Ctrl-C, but not SIGTERM.
INTERRUPTED_RUN = """
import contextlib, signal, sys
if sys.argv.pop(1) == "background":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
number = int(sys.argv.pop(1))
import cvxnn.cli.train as training

@contextlib.contextmanager
def live_progress(wanted):
    yield lambda progress: signal.raise_signal(number)

training.live_progress = live_progress
from cvxnn.cli import main
main()
"""


@pytest.mark.parametrize(
    ("where", "number"),
    [("foreground", signal.SIGINT), ("foreground", signal.SIGTERM), ("background", signal.SIGTERM)],
)
def test_a_signal_saves_and_shows_the_best_network(start, tmp_path, where, number):
    out = tmp_path / "model.npz"
    arguments = ("fit", RING, "--target", "label", "--beta", 1e-4, "--out", out, "--json")
    process = start("-c", INTERRUPTED_RUN, where, int(number), *arguments)
    stdout, stderr = process.communicate()
    record = json.loads(stdout)
    assert process.returncode == 128 + number and record["status"] == "INTERRUPTED"
    assert stderr == f"warning: {cvxnn.Status.INTERRUPTED.value}\n"
    network, metadata = TwoLayerNetwork.load_with_metadata(out)
    X, y = cvxnn.load_ring()
    assert metadata["status"] == "INTERRUPTED"
    assert network.objective(X, y, 1e-4) == pytest.approx(record["objective"], rel=1e-12)
