"""Local search: objectives and gradients against other computations, records, divergence."""

import sys

import numpy as np
import pytest
from sentences import refused

from cvxnn.networks import TwoLayerNetwork
from cvxnn.training.certification import certify

torch = pytest.importorskip("torch")

from cvxnn.baselines import local_search  # noqa: E402
from cvxnn.baselines.trials import ParallelNetworks, curvature  # noqa: E402

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.standard_normal((9, 2)), np.ones(9)])
Y = RNG.standard_normal(9)
BETA = 0.1
WIDTH = 6
OPTIMIZERS = ("sgd", "adam", "lbfgs")


def random_network(seed):
    rng = np.random.default_rng(seed)
    return TwoLayerNetwork(rng.standard_normal((WIDTH, 3)), rng.standard_normal(WIDTH))


def search(**options):
    arguments = {"width": WIDTH, "iterations": 40, "n_trials": 3, "n_records": 5} | options
    return local_search(X, Y, BETA, **arguments)


# ------------------------------------------------------------------ objective and gradient


def test_the_objective_of_every_network_in_the_batch_is_2():
    networks = [random_network(seed) for seed in range(4)]
    batch = ParallelNetworks(X, Y, BETA, networks)
    expected = [network.objective(X, Y, BETA) for network in networks]
    np.testing.assert_allclose(batch.objective(batch.residual()).numpy(), expected, rtol=1e-13)


def test_the_gradient_is_that_of_finite_differences():
    batch = ParallelNetworks(X, Y, BETA, [random_network(seed) for seed in range(2)])
    batch.differentiate(batch.residual())
    step = 1e-6
    for entry in range(len(batch.parameters)):
        values = []
        for sign in (1.0, -2.0):
            batch.parameters[entry] += sign * step
            values.append(float(batch.objective(batch.residual()).sum()))
        batch.parameters[entry] += step
        difference = (values[0] - values[1]) / (2.0 * step)
        assert float(batch.gradient[entry]) == pytest.approx(difference, rel=1e-6, abs=1e-6)


def test_an_inactive_neuron_feels_the_penalty_only():
    data = np.array([[1.0], [2.0]])
    batch = ParallelNetworks(data, np.ones(2), 0.5, [TwoLayerNetwork([[-3.0]], [2.0])])
    batch.differentiate(batch.residual())
    np.testing.assert_array_equal(batch.gradient.numpy(), [-1.5, 1.0])


def test_curvature_is_the_largest_eigenvalue_of_the_jacobians_gram_matrix():
    network = random_network(3)
    active = (X @ network.hidden_weights.T > 0.0).astype(float)
    jacobian = np.hstack(
        [active[:, [j]] * a * X for j, a in enumerate(network.output_weights)]
        + [network.activations(X)]
    )
    largest = np.linalg.eigvalsh(jacobian @ jacobian.T)[-1]
    assert curvature(X, network) == pytest.approx(largest, rel=1e-3)


def test_a_network_without_active_neurons_has_no_curvature():
    assert curvature(np.array([[1.0]]), TwoLayerNetwork([[-1.0]], [1.0])) == 0.0


# ------------------------------------------------------------------ the steps of torch.optim


def torch_objective(hidden, output):
    data, target = torch.from_numpy(X), torch.from_numpy(Y)
    residual = torch.relu(data @ hidden.T) @ output - target
    penalty = hidden.square().sum() + output.square().sum()
    return 0.5 * residual.square().sum() + 0.5 * BETA * penalty


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_trajectory_is_that_of_torch(optimizer):
    ours = search(optimizer=optimizer, step_size=1e-2, momentum=0.8)
    for trial in range(3):
        start = search(optimizer=optimizer, step_size=1e-300, iterations=1).networks[trial]
        weights = [
            torch.tensor(start.hidden_weights, requires_grad=True),
            torch.tensor(start.output_weights, requires_grad=True),
        ]
        if optimizer == "sgd":
            method = torch.optim.SGD(weights, lr=1e-2, momentum=0.8)
        else:
            method = torch.optim.Adam(weights, lr=1e-2)
        for _ in range(40):
            method.zero_grad()
            torch_objective(*weights).backward()
            method.step()
        network = ours.networks[trial]
        np.testing.assert_allclose(network.hidden_weights, weights[0].detach().numpy(), rtol=1e-9)
        np.testing.assert_allclose(network.output_weights, weights[1].detach().numpy(), rtol=1e-9)


# ------------------------------------------------------------------ what a search returns


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_losses_are_objectives_and_fall(optimizer):
    found = search(optimizer=optimizer)
    assert found.losses.shape == found.seconds.shape == (3, 5)
    assert found.iterations.tolist() == [0, 10, 20, 30, 40] and found.monitored is None
    expected = [network.objective(X, Y, BETA) for network in found.networks]
    np.testing.assert_array_equal(found.objectives, expected)
    np.testing.assert_allclose(found.losses[:, -1], expected, rtol=1e-12)
    assert (found.losses[:, -1] < found.losses[:, 0]).all()
    assert (np.diff(found.seconds, axis=1) >= 0.0).all()
    assert found.best.objective(X, Y, BETA) == found.objectives.min()
    assert 0.0 < found.seconds.max() <= found.elapsed
    assert (found.n_trials, found.n_diverged) == (3, 0)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_trial_beats_the_certified_bound(optimizer):
    found = search(optimizer=optimizer, iterations=500)
    bound = certify(found.best, X, Y, BETA).dual_bound
    assert (found.objectives >= bound).all() and found.objectives.min() < 1.5 * bound


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_single_neuron_reaches_the_closed_form(optimizer):
    # max_u |y'(Xu)_+| = 5 and ||(Xu)_+||^2 = 5 at beta 1: 1/2 y'y - (5 - 1)^2 / (2 5) = 0.9.
    found = local_search(
        [[1.0], [2.0]], [1.0, 2.0], 1.0, width=3, optimizer=optimizer, iterations=3000
    )
    assert found.objectives.min() == pytest.approx(0.9, rel=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_seed_fixes_the_search(optimizer):
    first, again = search(optimizer=optimizer), search(optimizer=optimizer)
    assert first.networks == again.networks
    np.testing.assert_array_equal(first.losses, again.losses)
    assert first.networks != search(optimizer=optimizer, random_state=1).networks


def test_a_trial_does_not_depend_on_how_many_there_are():
    few = search(step_size=1e-3, n_trials=2)
    many = search(step_size=1e-3, n_trials=5)
    np.testing.assert_allclose(few.losses, many.losses[:2], rtol=1e-12)


def test_initial_weights_are_uniform_as_those_of_torch():
    network = search(step_size=1e-300, iterations=1, width=4000, n_trials=1).networks[0]
    for weights, bound in [(network.hidden_weights, 3**-0.5), (network.output_weights, 4000**-0.5)]:
        assert np.abs(weights).max() <= bound
        assert weights.std() == pytest.approx(bound / 3**0.5, rel=0.05)
    layer = torch.nn.Linear(3, 4000, bias=False, dtype=torch.float64)
    assert float(layer.weight.detach().abs().max()) == pytest.approx(3**-0.5, rel=1e-2)


def test_outputs_are_monitored_at_every_record():
    rows = np.array([[0.5, -1.0, 1.0], [2.0, 0.0, 1.0]])
    found = search(X_monitor=rows)
    assert found.monitored is not None and found.monitored.shape == (3, 5, 2)
    for trial, network in enumerate(found.networks):
        np.testing.assert_array_equal(found.monitored[trial, -1], network.forward(rows))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_divergence_is_reported_and_the_last_finite_network_kept(optimizer):
    found = search(optimizer=optimizer, step_size=1e150, X_monitor=X, iterations=4)
    assert found.n_diverged == 3
    assert np.isinf(found.losses[:, -1]).all() and np.isfinite(found.losses[:, 0]).all()
    assert np.isfinite(found.objectives).all() and found.monitored is not None
    np.testing.assert_array_equal(np.isnan(found.monitored[:, :, 0]), np.isinf(found.losses))


def test_one_trial_may_diverge_while_others_go_on():
    weights = random_network(0)
    large = TwoLayerNetwork(1e3 * weights.hidden_weights, weights.output_weights)
    from cvxnn.baselines.trials import Trials

    trials = Trials(X, Y, BETA, [large, weights], np.array([0, 50, 100]), None, None)
    trials.run("sgd", 1e-3, 0.9)
    assert np.isinf(trials.losses[0, 1:]).all() and np.isfinite(trials.losses[1]).all()
    assert trials.networks[0] == large


def test_lbfgs_ends_where_there_is_no_progress():
    found = local_search(
        [[1.0]], [1.0], 0.1, width=2, optimizer="lbfgs", iterations=1000, n_records=11
    )
    assert found.iterations[-1] == 1000
    np.testing.assert_array_equal(found.losses[:, -1], found.losses[:, -2])


def test_the_callback_hears_of_every_record():
    for optimizer, calls in [("sgd", 5), ("lbfgs", 15)]:
        fractions = []
        search(optimizer=optimizer, callback=fractions.append)
        assert len(fractions) == calls and fractions == sorted(fractions) and fractions[-1] == 1.0


def test_an_interrupt_comes_through():
    def interrupt(fraction):
        if fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(callback=interrupt)


def test_few_iterations_are_recorded_once_each():
    assert search(iterations=3, n_records=200).iterations.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"optimizer": "newton"}, "optimizer must be one of 'sgd', 'adam', 'lbfgs'"),
        ({"momentum": 1.0}, "momentum must be a number of at least 0 and below 1"),
        ({"momentum": -0.1}, "momentum must be a number of at least 0 and below 1, got -0.1"),
        ({"width": 0}, "width must be an integer of at least 1"),
        ({"n_records": 1}, "n_records must be an integer of at least 2"),
        ({"step_size": 0.0}, "step_size must be None or a finite number above 0"),
        ({"X_monitor": [[1.0]]}, "X_monitor must have the 3 columns of X, got 1"),
    ],
)
def test_arguments_are_checked(options, sentence):
    refused(lambda: search(**options), sentence)


def test_without_torch_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    refused(lambda: search(), r"pip install 'cvxnn\[study\]'")
