"""certify: the objective and the proof are of the network that was given."""

import os
import signal
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from perceptrons import perceptron
from problems import SMALL_PROBLEMS, each_with_long, with_bias
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from variants import with_long

import cvxnn
from cvxnn import to_torch
from cvxnn.certificates import spectral_proof
from cvxnn.errors import InputError
from cvxnn.layers import Layer
from cvxnn.losses import HuberLoss, Loss, SquaredLoss, as_loss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.oracle import BranchAndBound
from cvxnn.oracle.branch_and_bound import ClimbAndBound
from cvxnn.problems import Problem
from cvxnn.relaxation import choice
from cvxnn.results import NetworkCertificate, Progress, Status, Verdict
from cvxnn.training import solve
from cvxnn.training.certification import certify
from cvxnn.training.path import largest_beta

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((20, 2))
TARGET = np.abs(FEATURES[:, 0]) - 0.5 * FEATURES[:, 1] + 0.1 * RNG.standard_normal(20)
ONES = with_bias(FEATURES)
BETA = 0.2


@cache
def best():
    """The solution; computed once, where a test asks for it."""
    return solve(ONES, TARGET, BETA, tol=1e-8)


def perturbed(network: TwoLayerNetwork) -> TwoLayerNetwork:
    rng = np.random.default_rng(1)
    return TwoLayerNetwork(
        network.hidden_weights + 0.3 * rng.standard_normal(network.hidden_weights.shape),
        network.output_weights + 0.3 * rng.standard_normal(network.n_neurons),
    )


def assert_consistent(
    certificate: NetworkCertificate, data: Any, y: Any, loss: Loss | None = None
) -> None:
    """What every certificate must satisfy, whatever the network."""
    rows = with_bias(np.asarray(data)) if certificate.has_ones else np.asarray(data)
    network, beta = certificate.network, certificate.beta
    loss = SquaredLoss() if loss is None else loss
    assert certificate.objective == network.objective(rows, y, beta, loss)
    assert certificate.balanced_objective == network.balance().objective(rows, y, beta, loss)
    assert certificate.balanced_objective <= certificate.objective * (1.0 + 1e-12)
    assert 0.0 - 1e-12 <= certificate.dual_bound <= certificate.objective * (1.0 + 1e-12)
    assert certificate.largest_value <= certificate.oracle_bound * (1.0 + 1e-9)
    if certificate.verdict is Verdict.OPTIMAL:
        assert certificate.gap <= certificate.tol
        assert certificate.improving_neuron is None
        assert certificate.better_network is None
    if (neuron := certificate.improving_neuron) is not None:
        improved = neuron.added_to(network).objective(rows, y, beta, loss)
        promised = certificate.objective - neuron.decrease
        assert improved == pytest.approx(promised, rel=1e-9)
        v = -loss.gradient(network.forward(rows), np.asarray(y))
        activations = np.maximum(rows @ neuron.direction, 0.0)
        assert np.linalg.norm(neuron.direction) == pytest.approx(1.0)
        assert neuron.value == pytest.approx(neuron.sign * v @ activations)
        assert beta < neuron.value <= certificate.largest_value
    if (better := certificate.better_network) is not None:
        assert better.network.objective(rows, y, beta, loss) < certificate.objective


def as_torch(network: TwoLayerNetwork) -> Any:
    """A network on features and ones as Linear layers with hidden biases."""
    pytest.importorskip("torch")
    return to_torch(network, has_ones=True)


def as_regressor(network: TwoLayerNetwork, constant: float = 0.0) -> MLPRegressor:
    """A network on features and ones as a fitted regressor."""
    return perceptron(network.hidden_weights, network.output_weights, constant, alpha=BETA)


ROUTES = {
    "network": (lambda network: network, ONES),
    "pair": (lambda network: (network.hidden_weights, network.output_weights), ONES),
    "torch": (as_torch, FEATURES),
    "scikit-learn": (as_regressor, FEATURES),
}


@pytest.mark.parametrize("route", ROUTES)
def test_trained_and_perturbed_networks_by_every_route(route):
    convert, data = ROUTES[route]
    certificate = certify(convert(best().network), data, TARGET, BETA)
    assert certificate.verdict is Verdict.OPTIMAL
    assert certificate.objective == pytest.approx(best().objective, rel=1e-12)
    assert_consistent(certificate, data, TARGET)
    network = perturbed(best().network)
    certificate = certify(convert(network), data, TARGET, BETA)
    assert certificate.verdict is Verdict.IMPROVABLE
    assert certificate.objective == pytest.approx(network.objective(ONES, TARGET, BETA))
    assert certificate.dual_bound == pytest.approx(best().objective, rel=1e-6)
    assert certificate.improving_neuron is not None
    better = certificate.better_network
    assert better.status is Status.OPTIMAL
    assert certify(better.network, ONES, TARGET, BETA).verdict is Verdict.OPTIMAL
    assert_consistent(certificate, data, TARGET)


@each_with_long([p for p in SMALL_PROBLEMS if len(p.X) <= 50])
def test_every_problem(problem):
    rng = np.random.default_rng(3)
    d = problem.X.shape[1]
    network = TwoLayerNetwork(rng.standard_normal((4, d)), rng.standard_normal(4))
    certificate = certify(network, problem.X, problem.y, problem.beta)
    assert_consistent(certificate, problem.X, problem.y)
    assert certificate.verdict is Verdict.IMPROVABLE
    optimum = problem.objective
    if optimum is not None:
        assert certificate.dual_bound <= optimum * (1.0 + 1e-6) + 1e-12
        assert certificate.dual_bound >= optimum * (1.0 - 1e-5) - 1e-12


@given(seed=st.integers(0, 2**16), n=st.integers(1, 6), d=st.integers(1, 3), m=st.integers(0, 4))
def test_any_network(seed, n, d, m):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    pair = rng.standard_normal((m, d)), rng.standard_normal(m)
    certificate = certify(pair, X, y, float(rng.uniform(0.05, 2.0)))
    assert_consistent(certificate, X, y)


def test_an_optimal_residual_needs_no_search():
    rounds: list[Progress] = []
    certificate = certify(best().network, ONES, TARGET, BETA, tol=1e-4, callback=rounds.append)
    assert certificate.verdict is Verdict.OPTIMAL
    assert rounds == []
    certify(perturbed(best().network), ONES, TARGET, BETA, callback=rounds.append)
    assert rounds


def test_tensors_are_taken_as_they_are():
    torch = pytest.importorskip("torch")
    tensors = [torch.tensor(array, requires_grad=True) for array in (ONES, TARGET)]
    certificate = certify(as_torch(best().network), tensors[0][:, :-1], tensors[1], BETA)
    assert certificate.verdict is Verdict.OPTIMAL
    assert_consistent(certificate, FEATURES, TARGET)


def rank_two(n: int) -> np.ndarray:
    """Three columns of rank two."""
    x = np.random.default_rng(2).standard_normal(n)
    return np.column_stack([x, np.ones(n), x + 1.0])


@pytest.mark.parametrize(
    "X",
    [
        rank_two(200)[:, :1],
        rank_two(200)[:, :2],
        pytest.param(rank_two(2000), marks=pytest.mark.long),
    ],
)
def test_rank_two_is_priced_without_a_tree(X, monkeypatch):
    y = np.sin(3.0 * X[:, 0])
    network = perturbed(solve(X, y, BETA).network)
    with monkeypatch.context() as patch:
        patch.setattr("cvxnn.oracle.choice.ClimbAndBound", None)
        certificate = certify(network, X, y, BETA)
        assert certify(solve(X, y, BETA).network, X, y, BETA).verdict is Verdict.OPTIMAL
    assert certificate.largest_value == pytest.approx(certificate.oracle_bound, rel=1e-9)
    assert_consistent(certificate, X, y)
    if len(X) == 200:
        searcher = ClimbAndBound(X, BranchAndBound(X), np.random.default_rng(0), most=32)
        tree = searcher.price((y - network.forward(X))[:, None], BETA)
        assert tree.values.max() == pytest.approx(certificate.largest_value, rel=1e-6)


def test_an_unbalanced_network_is_the_same_function_at_a_higher_price():
    factors = np.linspace(1.0, 3.0, best().n_neurons)
    hidden = best().network.hidden_weights * factors[:, np.newaxis]
    network = TwoLayerNetwork(hidden, best().network.output_weights / factors)
    certificate = certify(network, ONES, TARGET, BETA)
    assert certificate.verdict is Verdict.IMPROVABLE
    assert certificate.balanced_objective == pytest.approx(best().objective, rel=1e-12)
    assert certificate.improving_neuron is None
    assert f"lowers the objective to {best().objective:.10g}" in certificate.notes[-1]


def test_an_output_bias_is_paid_for():
    model = as_regressor(best().network, 0.25)
    certificate = certify(model, FEATURES, TARGET, BETA)
    residual = TARGET - model.predict(FEATURES)
    objective = 0.5 * residual @ residual + BETA * (best().network.penalty() + 0.25)
    assert certificate.objective == pytest.approx(objective, rel=1e-12)
    assert any("The output bias 0.25" in note for note in certificate.notes)
    assert_consistent(certificate, FEATURES, TARGET)


def test_data_in_other_units_than_those_of_the_training_are_suspected():
    other = certify(best().network, 1e3 * ONES, TARGET, BETA, time_limit=2.0)
    (note,) = [note for note in other.notes if "without neurons" in note]
    assert f"{0.5 * TARGET @ TARGET:.10g}" in note and "in its units" in note
    assert not any("without" in note for note in certify(best().network, ONES, TARGET, BETA).notes)


@pytest.mark.long
def test_too_many_patterns_still_give_a_bound_and_a_neuron():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((60, 10))
    y = np.maximum(X @ rng.standard_normal((10, 3)), 0.0).sum(axis=1)
    network = TwoLayerNetwork(0.1 * rng.standard_normal((5, 10)), 0.1 * rng.standard_normal(5))
    certificate = certify(network, X, y, 1.0, time_limit=0.5)
    assert certificate.verdict is Verdict.IMPROVABLE
    assert certificate.dual_bound > 0.0
    assert_consistent(certificate, X, y)


@pytest.mark.parametrize("is_best", [True, False])
@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_no_time_at_all_still_gives_a_bound(is_best, loss):
    network = best().network if is_best else perturbed(best().network)
    certificate = certify(network, ONES, TARGET, BETA, loss=loss, time_limit=1e-9)
    assert certificate.dual_bound > 0.0
    assert certificate.better_network is None
    assert (certificate.verdict is Verdict.UNDECIDED) == is_best
    assert_consistent(certificate, ONES, TARGET, as_loss(loss))


@pytest.mark.parametrize("beta", [1e-200, 1e200, 5e-324])
def test_beta_out_of_proportion_is_refused_before_any_work(beta, monkeypatch):
    monkeypatch.setattr("cvxnn.training.certification.CertificationRun", None)
    with pytest.raises(InputError, match="out of all proportion to X and y"):
        certify(best().network, ONES, TARGET, beta)


def test_ctrl_c_keeps_the_bound_so_far(monkeypatch):
    def press(_: Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    def throw(*_: object) -> None:
        raise KeyboardInterrupt

    network = perturbed(best().network)
    in_a_round = certify(network, ONES, TARGET, BETA, callback=press)
    monkeypatch.setattr("cvxnn.training.residual.oracle_for", throw)
    while_pricing = certify(network.balance(), ONES, TARGET, BETA)
    assert in_a_round.verdict is Verdict.IMPROVABLE
    assert while_pricing.verdict is Verdict.UNDECIDED
    for certificate in (in_a_round, while_pricing):
        assert certificate.interrupted and certificate.dual_bound > 0.0
        assert_consistent(certificate, ONES, TARGET)


@with_long(
    ("size_X", "size_y", "loss"),
    [
        (1e40, 1e40, SquaredLoss),
        (1e-60, 1.0, SquaredLoss),
        (1e-70, 1e-70, SquaredLoss),
        (1e-80, 1e-80, HuberLoss),
        (1e80, 1e80, HuberLoss),
    ],
    always=2,
)
def test_every_scale_is_certified_alike(size_X, size_y, loss):
    weight = np.sqrt(size_y / size_X)
    network = perturbed(best().network)
    deltas = [()] * 2 if loss is SquaredLoss else [(1.0,), (size_y,)]
    plain = certify(network, ONES, TARGET, BETA, loss=loss(*deltas[0]))
    scaled = certify(
        (network.hidden_weights * weight, network.output_weights * weight),
        ONES * size_X,
        TARGET * size_y,
        BETA * size_X * size_y,
        loss=loss(*deltas[1]),
    )
    assert scaled.verdict is plain.verdict
    for name in ("objective", "dual_bound", "balanced_objective"):
        assert getattr(scaled, name) == pytest.approx(getattr(plain, name) * size_y**2, rel=1e-6)
    decrease = scaled.improving_neuron.decrease
    if loss is SquaredLoss:
        assert decrease == pytest.approx(plain.improving_neuron.decrease * size_y**2, rel=1e-6)
    improved = scaled.improving_neuron.added_to(scaled.network)
    objective = improved.objective(ONES * size_X, TARGET * size_y, scaled.beta, loss(*deltas[1]))
    assert objective == pytest.approx(scaled.objective - decrease, rel=1e-9)
    assert objective < scaled.objective


def test_the_empty_network_and_zero_targets():
    empty = TwoLayerNetwork(np.zeros((0, 3)), np.zeros(0))
    certificate = certify(empty, ONES, np.zeros(20), BETA)
    assert certificate.verdict is Verdict.OPTIMAL
    assert certificate.objective == certificate.gap == 0.0
    certificate = certify(empty, ONES, TARGET, BETA)
    assert certificate.verdict is Verdict.IMPROVABLE
    assert_consistent(certificate, ONES, TARGET)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"network": "net"}, "network must be"),
        ({"X": FEATURES}, "reads 3 features, X has 2"),
        ({"X": [[np.nan] * 3]}, "X must be finite"),
        ({"y": TARGET[:3]}, "y has 3 entries"),
        ({"beta": 0.0}, "beta must be"),
        ({"tol": 1.0}, "tol must be below 1"),
        ({"time_limit": 0.0}, "time_limit must be"),
        ({"random_state": -1}, "random_state must be"),
        ({"callback": 3}, "callback must be callable"),
        ({"network": ([[1e200] * 3], [1e200])}, "objective of the network is beyond float64"),
        ({"loss": "magic"}, "loss must be one of"),
        ({"loss": "logistic", "y": np.arange(20.0)}, "labels -1 and 1"),
        ({"sample_weight": -np.ones(20)}, "at least 0"),
        ({"sample_weight": np.ones(3)}, "shape"),
        ({"sample_weight": np.zeros(20)}, "zero for every row"),
    ],
    ids=str,
)
def test_bad_input_is_named(arguments, sentence):
    good = {"network": best().network, "X": ONES, "y": TARGET, "beta": BETA}
    with pytest.raises(InputError, match=sentence) as error:
        certify(**(good | arguments))
    assert "\n" not in str(error.value)


def test_at_any_rank_the_bound_says_something():
    """Rank 10: no oracle ends, but all patterns of a dozen rows are one program."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((12, 10))
    y = np.maximum(X[:, 0], 0.0) - np.abs(X[:, 1]) + 0.1 * rng.standard_normal(12)
    beta, network = 1.0, solve(X, y, 1.0, max_iter=30, time_limit=3.0).network
    certificate = certify(network, X, y, beta)
    exact = solve(X, y, beta, method="exact")
    assert exact.status is Status.OPTIMAL
    spectral = 1.0 - spectral_proof(Layer(X), y - network.forward(X)).bound(
        Problem.of(Layer(X), y, beta, SquaredLoss())
    ) / network.objective(X, y, beta)
    assert certificate.dual_bound <= exact.objective * (1.0 + 1e-12)
    assert exact.objective <= certificate.objective * (1.0 + 1e-9)
    assert certificate.gap < 0.02 < 0.1 < spectral


@pytest.mark.long
def test_many_rows_are_proven_in_parts(monkeypatch):
    """The bound is below every network, and far above a spectral one."""
    monkeypatch.setattr(choice, "_TOGETHER", 40)
    rng = np.random.default_rng(5)
    X = np.column_stack([rng.standard_normal((80, 10)), np.ones(80)])
    y = np.maximum(X[:, 0], 0.0) - np.abs(X[:, 1]) + 0.1 * rng.standard_normal(80)
    beta = 0.2 * largest_beta(X, y)
    hidden = 0.8 * np.vstack([np.eye(11)[:2], -np.eye(11)[1]])
    network = TwoLayerNetwork(hidden, 0.8 * np.array([1.0, -1.0, -1.0]))
    certificate = certify(network, X, y, beta)
    problem = Problem.of(Layer(X), y, beta, SquaredLoss())
    spectral = spectral_proof(Layer(X), y - network.forward(X)).bound(problem)
    assert spectral < certificate.dual_bound <= certificate.objective
    assert certificate.gap < 0.75 * (1.0 - spectral / certificate.objective)


def test_beta_is_that_of_a_fitted_estimator_and_else_has_to_be_given():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 2)), rng.standard_normal(20)
    model = cvxnn.ConvexReLURegressor(0.3).fit(X, y)
    for fitted in (model, make_pipeline(StandardScaler(), model).fit(X, y)):
        assert cvxnn.certify(fitted, X, y).beta == 0.3
    with pytest.raises(
        cvxnn.InputError, match=r"beta must be given, .* table of docs/guide/numbers\.md"
    ):
        cvxnn.certify(model.network_, X, y)
