"""cvxnn solve: the network, the model file, the report, the exit code."""

import contextlib
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


def test_json_is_the_solution_of_the_library(solve):
    result = solve("--json")
    expected = cvxnn.solve(X_BIAS, Y, 0.01)
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    for name in ("objective", "dual_bound", "gap", "n_neurons", "n_patterns", "message"):
        assert found[name] == getattr(expected, name), name
    assert found["status"] == "OPTIMAL" and found["message"] == cvxnn.Status.OPTIMAL.value
    assert found["gap"] <= found["tol"] == 1e-6 and found["n_patterns"] == 0
    assert (found["method"], found["beta"], found["model"]) == ("global", 0.01, None)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_model_has_the_network_and_where_it_comes_from(record, tmp_path, suffix):
    out = tmp_path / f"model{suffix}"
    found = record("--out", out)
    network, metadata = TwoLayerNetwork.load_with_metadata(out)
    assert found["model"] == str(out) and network.n_neurons == found["n_neurons"]
    assert network.objective(X_BIAS, Y, 0.01) == pytest.approx(found["objective"], rel=1e-12)
    columns = {"feature_names": ["x"], "target": "y", "bias": True, "mean": None, "scale": None}
    figures = {name: found[name] for name in ("objective", "dual_bound", "gap")}
    settings = {"beta": 0.01, "method": "global", "status": "OPTIMAL"}
    assert metadata == columns | figures | settings | {"cvxnn_version": cvxnn.__version__}


def test_table_shows_the_figures_and_the_sentence(solve, tmp_path):
    out = tmp_path / "model.npz"
    result = solve("--out", out, "--method", "exact")
    solution = cvxnn.solve(X_BIAS, Y, 0.01, method="exact")
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if line.strip())
    assert result.stdout.startswith("v.csv: 1 feature and a bias -> y\n")
    assert lines["objective"].split()[0] == f"{solution.objective:.10g}"
    assert lines["lower"].split()[:2] == ["bound", f"{solution.dual_bound:.10g}"]
    assert lines["neurons"].split()[0] == str(solution.n_neurons)
    assert lines["patterns"].split()[0] == "12" and lines["model"] == str(out)
    page = result.stdout.splitlines()
    (row,) = [line for line in page if line.startswith("  model ")]
    (above,) = [line for line in page if line.startswith("  neurons ")]
    assert row.index(str(out)) == above.index(lines["neurons"])
    assert "OPTIMAL  The certified gap is within tol" in result.stdout and result.stderr == ""


def test_quiet_prints_nothing_and_saves(solve, tmp_path):
    out = tmp_path / "model.npz"
    result = solve("--out", out, "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    assert TwoLayerNetwork.load(out).n_features == 2


def test_without_bias_the_features_are_all_there_is(record, tmp_path):
    out = tmp_path / "model.npz"
    found = record("--no-bias", "--out", out, "--method", "exact")
    network, metadata = TwoLayerNetwork.load_with_metadata(out)
    assert (metadata["bias"], network.n_features, found["n_patterns"]) == (False, 1, 2)


def test_target_is_found_by_name(record, tmp_path, table):
    swapped = table(tmp_path / "swapped.csv", "y,x", np.column_stack([Y, X_BIAS[:, 0]]))
    assert record()["objective"] == record(data=swapped)["objective"]


def test_standardize_trains_on_mean_0_and_deviation_1(record, tmp_path, table):
    rng = np.random.default_rng(0)
    a = 1e3 + 50 * rng.normal(size=8)
    y, out = rng.normal(size=8), tmp_path / "m.npz"
    data = table(tmp_path / "d.csv", "a,constant,y", np.column_stack([a, np.full(8, 0.1), y]))
    found = record("--standardize", "--out", out, data=data, beta=0.1)
    X = np.column_stack([(a - a.mean()) / a.std(), np.zeros(8), np.ones(8)])
    assert found["objective"] == pytest.approx(cvxnn.solve(X, y, 0.1).objective, rel=2e-6)
    metadata = TwoLayerNetwork.load_with_metadata(out)[1]
    assert metadata["mean"] == pytest.approx([a.mean(), 0.1])
    assert metadata["scale"] == [pytest.approx(a.std()), 1.0]


def test_sampled_is_the_same_for_the_same_seed(record):
    options = ("--method", "sampled", "--n-samples", 20, "--seed", 3)
    first, second = record(*options), record(*options)
    expected = cvxnn.solve(X_BIAS, Y, 0.01, method=cvxnn.Sampled(20), random_state=3)
    assert first["objective"] == second["objective"] == expected.objective
    assert first["method"] == "sampled" and first["n_patterns"] == expected.n_patterns <= 12


def test_stopped_early_saves_and_exits_with_1(solve, tmp_path):
    out = tmp_path / "model.npz"
    options = ("--max-iter", 1, "--proof-time", 0.1, "--out", out, "--json")
    result = solve(*options, data=RING, target="label", beta=1e-4)
    found = json.loads(result.stdout)
    assert (result.exit_code, found["status"]) == (1, "ITERATION_LIMIT")
    assert found["gap"] is None or found["gap"] > 1e-6
    assert result.stderr == f"warning: {cvxnn.Status.ITERATION_LIMIT.value}\n"
    assert TwoLayerNetwork.load_with_metadata(out)[1]["status"] == "ITERATION_LIMIT"


@pytest.mark.long
def test_what_would_narrow_the_gap_is_said_in_the_words_of_the_options(solve, tmp_path, table):
    # More features than an oracle can take, and more rows.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((520, 10))
    y = np.maximum(X[:, 0], 0.0) + 0.3 * rng.standard_normal(520)
    names = ",".join(f"x{j}" for j in range(10))
    data = table(tmp_path / "wide.csv", f"{names},y", np.column_stack([X, y]))
    options = {"data": data, "beta": 80.0}
    shown = " ".join(solve("--proof-time", 0.3, **options).stdout.split())
    assert "STATIONARY" in shown and "Note The gap " in shown
    assert "larger --beta or fewer columns narrow it" in shown
    result = solve("--proof-time", 0.3, "--json", **options)
    assert json.loads(result.stdout)["status"] == "STATIONARY" and result.exit_code == 1
    warning, note = result.stderr.splitlines()
    assert warning == f"warning: {cvxnn.Status.STATIONARY.value}"
    assert note.startswith("note: The gap ") and "proof_time" not in note
    assert solve("--proof-time", 0.3, "--quiet", **options).stderr.count("note: The gap ") == 1
    options |= {"beta": 0.01}
    over = solve("--proof-time", 0, "--time-limit", 0.05, "--quiet", **options).stderr
    assert "note: Raise --time-limit for a better network; the gap of this network " in over
    assert "with a larger --proof-time." in over


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--beta", 1, "--n-samples", 5), "--n-samples is for --method sampled"),
        *(
            (("--beta", beta), "error: --beta must be a finite number above 0")
            for beta in ("0", "-1", "nan", "inf")
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(refused, v_shape, options, sentence):
    assert sentence in refused("solve", v_shape, "--target", "y", *options)


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
    (tmp_path / "words.csv").write_text("x,y\nno,number\n")
    arguments = ("--target", "y", "--beta", 1, "--out", tmp_path / out)
    found = refused("solve", tmp_path / "words.csv", *arguments)
    assert found.startswith(f"error: {sentence}")


def test_full_disk_does_not_cost_the_result(solve, tmp_path, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("cvxnn.networks.storage.atomic_write", full)
    result = solve("--out", tmp_path / "model.npz", "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["status"], found["model"]) == (2, "OPTIMAL", None)
    assert "No space left on device" in result.stderr


def test_more_patterns_than_memory_names_the_option(refused, tmp_path, table):
    rows = np.random.default_rng(0).normal(size=(200, 31))
    data = table(tmp_path / "wide.csv", ",".join(f"c{j}" for j in range(31)), rows)
    sentence = refused("solve", data, "--target", "c0", "--beta", 1, "--method", "exact")
    assert "patterns" in sentence and "On the command line that is --method sampled." in sentence


def pressing(number):
    """In the place of the live view: a signal after the first round, no race with a clock."""

    return contextlib.contextmanager(lambda _: (yield lambda _: signal.raise_signal(number)))


def assert_interrupted(code, stdout, stderr, out, number):
    found = json.loads(stdout)
    network, metadata = TwoLayerNetwork.load_with_metadata(out)
    assert (code, found["status"], metadata["status"]) == (128 + number, *["INTERRUPTED"] * 2)
    assert stderr == f"warning: {cvxnn.Status.INTERRUPTED.value}\n"
    assert network.objective(*cvxnn.load_ring(), 1e-4) == pytest.approx(
        found["objective"], rel=1e-12
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_shows_the_best_network(solve, tmp_path, monkeypatch, number):
    out = tmp_path / "model.npz"
    monkeypatch.setattr("cvxnn.progress.live_progress", pressing(number))
    result = solve("--out", out, "--json", data=RING, target="label", beta=1e-4)
    assert_interrupted(result.exit_code, result.stdout, result.stderr, out, number)


# Jobs in the background of a script ignore Ctrl-C, but not SIGTERM.
IN_THE_BACKGROUND = """
import contextlib, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
import cvxnn.progress
press = lambda _: signal.raise_signal(signal.SIGTERM)
cvxnn.progress.live_progress = contextlib.contextmanager(lambda _: (yield press))
from cvxnn.cli import main
main()
"""


@pytest.mark.long
def test_a_signal_saves_and_shows_the_best_network_of_a_job_in_the_background(start, tmp_path):
    out = tmp_path / "model.npz"
    options = ("--target", "label", "--beta", 1e-4, "--out", out, "--json")
    process = start("-c", IN_THE_BACKGROUND, "solve", RING, *options)
    stdout, stderr = process.communicate()
    assert_interrupted(process.returncode, stdout, stderr, out, signal.SIGTERM)


def test_a_table_of_words_is_one_for_fit(refused, tmp_path):
    table = tmp_path / "words.csv"
    table.write_text("city,y\nOslo,1\nBergen,2\n")
    assert refused("solve", table, "--target", "y", "--beta", 1).endswith(
        "line 2, column 'city': 'Oslo' is not a number; 'cvxnn fit' takes such tables."
    )
