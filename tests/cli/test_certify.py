"""cvxnn certify: verdicts, exit codes, the neuron in the columns of the table, errors."""

import json
import re
import signal

import numpy as np
import pytest

import cvxnn
from cvxnn.interrupts import check_interrupt
from cvxnn.losses import HuberLoss, QuantileLoss, SquaredLoss
from cvxnn.networks import TwoLayerNetwork

X = np.column_stack([np.arange(-2.0, 4.0), np.ones(6)])
Y = np.abs(X[:, 0])


@pytest.fixture
def poor(tmp_path):
    """A network for y = |x| that misses the left half, with no word on its columns."""
    path = tmp_path / "poor.npz"
    TwoLayerNetwork([[1.0, 0.0]], [0.9]).save(path)
    return path


def words(text):
    return " ".join(text.split())


def test_a_fitted_model_is_optimal(run, model, v_shape):
    result = run("certify", model, v_shape)
    assert result.exit_code == 0 and result.stderr == ""
    text = words(result.stdout)
    assert text.startswith("v.npz on v.csv: 1 feature and a bias -> y, beta 0.01")
    assert "OPTIMAL The certified gap is within tol" in text and "One more neuron" not in text


def test_the_model_knows_its_beta_and_another_one_may_be_asked_for(run, model, v_shape):
    network, metadata = TwoLayerNetwork.load_with_metadata(model)
    record = json.loads(run("certify", model, v_shape, "--json").stdout)
    assert record["verdict"] == "OPTIMAL" and record["beta"] == 0.01
    assert record["objective"] == pytest.approx(metadata["objective"], rel=1e-12)
    result = run("certify", model, v_shape, "--beta", 0.5, "--json")
    record = json.loads(result.stdout)
    assert result.exit_code == 1 and record["verdict"] == "IMPROVABLE"
    assert record["objective"] == pytest.approx(network.objective(X, Y, 0.5), rel=1e-12)
    assert record["best_objective"] < record["objective"]
    assert result.stderr == "warning: The network is not optimal: a better one is known.\n"


def test_a_poor_network_gets_a_neuron(run, poor, v_shape):
    result = run("certify", poor, v_shape, "--target", "y", "--beta", 0.1)
    assert result.exit_code == 1
    text = words(result.stdout)
    assert "IMPROVABLE The network is not optimal" in text
    assert "One more neuron lowers the objective by" in text
    formula = re.search(r"\+ (\S+) relu\((\S+) x(?: ([+-]) (\S+))?\)", text)
    output, slope = float(formula[1]), float(formula[2])
    constant = float(f"{formula[3]}{formula[4]}") if formula[3] else 0.0
    network = TwoLayerNetwork([[1.0, 0.0], [slope, constant]], [0.9, output])
    promised = float(re.search(r"lowers the objective by (\S+):", text)[1])
    before = TwoLayerNetwork([[1.0, 0.0]], [0.9]).objective(X, Y, 0.1)
    assert before - network.objective(X, Y, 0.1) == pytest.approx(promised, rel=1e-3)


def test_a_model_without_columns_takes_all_but_the_target(run, poor, v_shape):
    result = run("certify", poor, v_shape, "--target", "y", "--beta", 0.1, "--json")
    note, warning = result.stderr.splitlines()
    assert note == (
        f"note: {poor} names no columns: its network reads all but 'y', in the order of the table, "
        "and then a column of ones."
    )
    assert warning.startswith("warning: The network is not optimal")
    record = json.loads(result.stdout)
    assert (record["features"], record["bias"], record["target"]) == (["x"], True, "y")
    assert len(record["improving_neuron"]["hidden_weights"]) == 2
    network = TwoLayerNetwork.load(poor)
    assert record["objective"] == pytest.approx(network.objective(X, Y, 0.1), rel=1e-12)


def test_standardized_columns_are_written_as_they_are_in_the_table(run, tmp_path, table):
    values = np.random.default_rng(0).standard_normal((30, 2)) * [2.0, 50.0] + [5.0, 300.0]
    y = np.abs(values[:, 0] - 5.0) - 0.01 * values[:, 1]
    path = tmp_path / "m.npz"
    data = table(tmp_path / "d.csv", "height,body mass,y", np.column_stack([values, y]))
    options = ("--target", "y", "--standardize", "--out", path, "--quiet")
    assert run("solve", data, "--beta", 3, *options).exit_code == 0
    record = json.loads(run("certify", path, data, "--beta", 0.3, "--json").stdout)
    text = words(run("certify", path, data, "--beta", 0.3).stdout)
    formula = re.search(
        r"([+-]) (\S+) relu\((\S+) height ([+-]) (\S+) body mass ([+-]) (\S+)\)", text
    )
    sign, output, first, *rest = formula.groups()
    second, constant = float("".join(rest[:2])), float("".join(rest[2:]))
    shown = float(sign + output) * np.maximum(values @ [float(first), second] + constant, 0.0)
    neuron = record["improving_neuron"]
    scaled = np.column_stack([(values - values.mean(0)) / values.std(0), np.ones(30)])
    exact = neuron["output_weight"] * np.maximum(scaled @ neuron["hidden_weights"], 0.0)
    assert shown == pytest.approx(exact, abs=2e-3 * np.abs(exact).max())


def test_many_columns_are_cut_short(run, tmp_path, table):
    values = np.random.default_rng(0).standard_normal((8, 12))
    path, header = tmp_path / "m.npz", ",".join([*(f"c{k}" for k in range(12)), "y"])
    data = table(tmp_path / "d.csv", header, np.column_stack([values, values[:, 0]]))
    TwoLayerNetwork(np.zeros((0, 12)), np.zeros(0)).save(path)
    result = run("certify", path, data, "--target", "y", "--beta", 0.01, "--time-limit", 2)
    text = words(result.stdout)
    assert "+ 4 smaller)" in text and "Note" not in text


def test_notes_are_printed(run, tmp_path, v_shape):
    path = tmp_path / "m.npz"
    TwoLayerNetwork([[4.0, 0.0]], [0.25]).save(path)
    text = words(run("certify", path, v_shape, "--target", "y", "--beta", 0.1).stdout)
    assert "Note Balancing its neurons (TwoLayerNetwork.balance)" in text


def test_notes_speak_of_options(run, poor, v_shape, monkeypatch):
    said = ("The gap may narrow with a larger time_limit.",)
    monkeypatch.setattr("cvxnn.training.certification_run.CertificationRun._notes", lambda _: said)
    arguments = ("certify", poor, v_shape, "--target", "y", "--beta", 0.1)
    known = "The gap may narrow with a larger --time-limit."
    assert json.loads(run(*arguments, "--json").stdout)["notes"] == [known]
    assert f"Note {known}" in words(run(*arguments).stdout)


def test_another_loss(run, poor, tmp_path, table):
    from cvxnn.losses import as_loss

    labels = np.where(np.abs(X[:, 0]) > 1.0, 1.0, -1.0)
    data = table(tmp_path / "labels.csv", "x,y", np.column_stack([X[:, 0], labels]))
    arguments = ("certify", poor, data, "--target", "y", "--beta", 0.1, "--loss", "logistic")
    record = json.loads(run(*arguments, "--json").stdout)
    assert record["loss"] == "logistic"
    expected = TwoLayerNetwork.load(poor).objective(X, labels, 0.1, as_loss("logistic"))
    assert record["objective"] == pytest.approx(expected, rel=1e-12)
    assert "logistic loss + beta/2 ||weights||^2" in words(run(*arguments).stdout)


def test_the_losses_are_those_of_the_library():
    from cvxnn.cli.options import Loss, NetworkLoss
    from cvxnn.losses import LOSSES

    assert {loss.value for loss in NetworkLoss} == set(LOSSES)
    # In a training on a table that of several classes is called logistic, as that of two.
    assert {loss.value for loss in Loss} == set(LOSSES) - {"softmax"}


def test_other_targets_may_be_named(run, refused, model, tmp_path, table):
    data = table(tmp_path / "new.csv", "z,x", np.column_stack([Y, X[:, 0]]))
    assert "has no column 'y'" in refused("certify", model, data)
    assert run("certify", model, data, "--target", "z").exit_code == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "does not say what beta is; give it with --beta."),
        (("--beta", 1), "does not say what it predicts; give the column with --target."),
        (("--beta", 1, "--target", "z"), "has no column 'z'"),
        (("--beta", 0, "--target", "y"), "beta must be a finite number above 0"),
        (("--beta", 1e300, "--target", "y"), "of size 4 and 4; give another --beta."),
        (("--beta", 1, "--target", "y", "--loss", "logistic"), "labels -1 and 1"),
        (("--beta", 1, "--target", "y", "--tol", 2), "tol must be below 1"),
        (("--beta", 1, "--target", "y", "--time-limit", -1), "time_limit must be"),
    ],
    ids=str,
)
def test_mistakes_are_sentences(refused, poor, v_shape, options, sentence):
    assert sentence in refused("certify", poor, v_shape, *options)


@pytest.mark.parametrize("command", ["certify", "verify"])
def test_networks_of_others_are_for_python(refused, tmp_path, v_shape, command):
    found = refused(command, tmp_path / "model.pt", v_shape, "--target", "y")
    assert "in Python, cvxnn.certify takes networks of PyTorch" in found


def test_models_that_do_not_fit_are_refused(refused, model, tmp_path, v_shape):
    wide, odd = tmp_path / "wide.npz", tmp_path / "odd.npz"
    TwoLayerNetwork([[1.0] * 5], [1.0]).save(wide)
    TwoLayerNetwork([[1.0]], [1.0]).save(odd, metadata={"beta": "one"})
    for arguments, sentence in (
        ((wide, v_shape, "--target", "y", "--beta", 1), "its network reads 5 features where the"),
        ((odd, v_shape, "--target", "y"), "has a beta that is no number"),
        ((model, v_shape, "--target", "x"), "The column 'x' is a feature of"),
    ):
        assert sentence in words(refused("certify", *arguments))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_shows_the_bound_so_far(run, poor, v_shape, monkeypatch, number):
    def press(*_):
        signal.raise_signal(number)
        check_interrupt()

    monkeypatch.setattr("cvxnn.training.certification_run.TrainingProver.improve", press)
    result = run("certify", poor, v_shape, "--target", "y", "--beta", 0.1)
    assert result.exit_code == 128 + number
    assert signal.getsignal(number) is {
        signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL
    }[number]  # fmt: skip
    assert "The search was interrupted." in words(result.stdout) and "lower bound" in result.stdout


def test_help_names_the_exit_codes(run):
    result = run("certify", "--help")
    assert result.exit_code == 0 and "0 the network is optimal" in words(result.stdout)


@pytest.fixture
def saved(tmp_path):
    """A file of a network for y = |x| as `cvxnn.certify` or `cvxnn.solve` leave it in Python."""

    def save(X, y, beta, **options):
        path = tmp_path / "theirs.npz"
        solution = cvxnn.solve(X, y, beta, **options)
        solution.network.save(path, certificate=solution.certificate)
        return path, solution

    return save


def test_beta_is_read_from_the_certificate_in_the_file(run, tmp_path, v_shape):
    path = tmp_path / "theirs.npz"
    network = TwoLayerNetwork([[1.0, 0.0]], [0.9])
    cvxnn.certify(network, X, Y, 0.1).save(path)
    result = run("certify", path, v_shape, "--target", "y", "--json")
    record = json.loads(result.stdout)
    assert (record["beta"], record["loss"]) == (0.1, "squared")
    assert record["objective"] == pytest.approx(network.objective(X, Y, 0.1), rel=1e-12)
    assert result.stderr.splitlines()[0] == f"note: beta is 0.1, as in the certificate of {path}."
    result = run("certify", path, v_shape, "--target", "y", "--beta", 0.2, "--json")
    assert json.loads(result.stdout)["beta"] == 0.2 and "as in the certificate" not in result.stderr


@pytest.mark.parametrize(
    ("name", "loss"), [("huber", HuberLoss(0.25)), ("quantile", QuantileLoss(0.8))]
)
def test_the_loss_is_read_with_its_number(run, saved, v_shape, name, loss):
    path, solution = saved(X, Y, 0.1, loss=loss)
    record = json.loads(run("certify", path, v_shape, "--target", "y", "--json").stdout)
    assert (record["verdict"], record["loss"]) == ("OPTIMAL", name)
    assert record["objective"] == pytest.approx(solution.objective, rel=1e-9)
    other = run("certify", path, v_shape, "--target", "y", "--loss", "squared", "--json")
    assert json.loads(other.stdout)["loss"] == "squared"


def test_classes_are_known_from_the_certificate(run, saved, tmp_path):
    path, solution = saved(X, np.eye(2)[[0, 0, 1, 1, 0, 1]], 0.1, loss="softmax", tol=1e-3)
    data = tmp_path / "classes.csv"
    data.write_text("x,kind\n-2,a\n-1,a\n0,b\n1,b\n2,a\n3,b\n")
    result = run("certify", path, data, "--target", "kind", "--tol", 1e-2, "--json")
    record = json.loads(result.stdout)
    assert record["objective"] == pytest.approx(solution.objective, rel=1e-9)


def test_a_loss_of_their_own_is_for_python(refused, saved, v_shape):
    class Doubled(SquaredLoss):
        """A subclass, of which a file has the name alone."""

    path, _ = saved(X, Y, 0.1, loss=Doubled())
    assert "was trained with Doubled, which is no loss of cvxnn" in refused(
        "certify", path, v_shape, "--target", "y"
    )
