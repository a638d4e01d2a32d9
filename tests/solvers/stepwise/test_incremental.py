"""One neuron a round: the optimum of the method "global", its starts, and its refits."""

import numpy as np
import pytest
import scipy.optimize
from variants import with_long

import cvxnn
from cvxnn import Incremental, Status
from cvxnn.layers import Layer
from cvxnn.losses import as_loss
from cvxnn.oracle.choice import Effort, oracle_for
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.squares import refitted
from cvxnn.solvers.stepwise.neurons import classifier

# Most of these runs end before their tolerance.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def draw(n, d, seed=0, kind="numbers"):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    y = np.sin(2.0 * X[:, 0]) + 0.1 * rng.standard_normal(n)
    if kind == "labels":
        return X, np.where(y > 0.0, 1.0, -1.0)
    return X, np.abs(np.round(3.0 * y)) + 1.0 if kind == "counts" else y


@pytest.mark.parametrize(
    "shape", [(30, 1), (40, 2), (15, 3), pytest.param((40, 4), marks=pytest.mark.long)]
)
def test_the_optimum_is_that_of_a_search_that_moves_neurons(shape):
    X, y = draw(*shape)
    beta = 0.1 * cvxnn.largest_beta(X, y)
    best = cvxnn.solve(X, y, beta)
    solution = cvxnn.solve(X, y, beta, method="incremental")
    assert solution.status is Status.OPTIMAL and solution.method == "incremental"
    assert solution.objective == pytest.approx(best.objective, rel=2e-6)
    assert solution.dual_bound <= best.objective * (1.0 + 1e-9)
    assert solution.n_neurons <= len(y)


@with_long(
    ("loss", "kind"),
    [("logistic", "labels"), ("poisson", "counts"), ("huber", "numbers"), ("hinge", "labels")],
    always=2,
)
def test_other_losses_have_their_optimum(loss, kind):
    X, y = draw(20, 3, kind=kind)
    best = cvxnn.solve(X, y, 0.2, loss=loss)
    solution = cvxnn.solve(X, y, 0.2, loss=loss, method="incremental")
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(best.objective, rel=2e-6)


@with_long(
    "model",
    [
        cvxnn.ReLU(-1.0), cvxnn.ReLU(0.2, "penalised"), cvxnn.ReLU(0.2, "free"),
        cvxnn.Conv((1, 2), pooling="average", bias=True),
    ],
    ids=repr,
)  # fmt: skip
@with_long("intercept", [True, False])
def test_other_models_and_intercepts_have_theirs(model, intercept):
    X, y = draw(14, 3)
    y = y + intercept * 3.0
    X = X[:, None, :] if isinstance(model, cvxnn.Conv) else X
    options = {"model": model, "intercept": intercept, "max_iter": 500, "tol": 1e-5}
    best = cvxnn.solve(X, y, 0.2, **options)
    solution = cvxnn.solve(X, y, 0.2, method="incremental", **options)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(best.objective, rel=2e-5)


def test_weights_of_rows_count():
    X, y = draw(15, 3)
    weights = np.random.default_rng(1).integers(0, 3, 15).astype(float)
    repeated = np.repeat(np.arange(15), weights.astype(int))
    solution = cvxnn.solve(X, y, 0.2, method="incremental", sample_weight=weights)
    best = cvxnn.solve(X[repeated], y[repeated], 0.2)
    assert solution.objective == pytest.approx(best.objective, rel=2e-6)


def test_a_round_adds_one_neuron_and_never_loses():
    X, y = draw(60, 2)
    solution = cvxnn.solve(X, y, 0.1, method="incremental")
    objectives = [entry.objective for entry in solution.history]
    neurons = [entry.n_neurons for entry in solution.history]
    assert (np.diff(objectives) <= 0.0).all() and (np.diff(neurons) <= 1).all()
    assert neurons[0] == 1 and all(entry.n_blocks <= 1 for entry in solution.history)
    assert all(entry.dual_bound <= solution.objective for entry in solution.history)


def test_weights_are_corrected_totally():
    """After each round no neuron of the network gains by another weight."""
    X, y = draw(40, 2)
    solution = cvxnn.solve(X, y, 0.3, method=Incremental(certify=False), max_iter=4)
    network = solution.network
    left = y - network(X)
    units = network.hidden_weights / np.linalg.norm(network.hidden_weights, axis=1)[:, None]
    slopes = np.sign(network.output_weights) * (left @ np.maximum(X @ units.T, 0.0))
    np.testing.assert_allclose(slopes, 0.3, rtol=1e-9)


@pytest.mark.long
def test_without_a_certificate_the_end_is_stationary():
    X, y = draw(40, 7)
    method = Incremental(certify=False, n_starts=4, proof_time=0.0)
    solution = cvxnn.solve(X, y, 2.0, method=method)
    assert solution.status in (Status.STATIONARY, Status.OPTIMAL)
    best = cvxnn.solve(X, y, 2.0, method=cvxnn.Global(certify=False))
    assert solution.dual_bound <= best.objective


def test_a_network_to_start_from_saves_rounds():
    X, y = draw(60, 2)
    first = cvxnn.solve(X, y, 0.1, method="incremental")
    again = cvxnn.solve(X, y, 0.1, method="incremental", warm_start=first.network)
    assert again.status is Status.OPTIMAL and again.n_iter < first.n_iter


@pytest.mark.parametrize("n_starts", [0, 1.5, None])
def test_starts_are_counted(n_starts):
    with pytest.raises(cvxnn.InputError, match="n_starts must be an integer of at least 1"):
        Incremental(n_starts)


def test_the_classifier_separates_what_can_be_separated():
    rng = np.random.default_rng(0)
    X, u = rng.standard_normal((50, 4)), np.array([1.0, -1.0, 0.5, 0.0])
    v = np.sign(X @ u) * rng.uniform(0.5, 2.0, 50)
    w = classifier(X, v)
    assert np.linalg.norm(w) == pytest.approx(1.0)
    assert (np.sign(X @ w) == np.sign(v)).mean() >= 0.96
    np.testing.assert_allclose(classifier(1e120 * X, 1e-200 * v), w, atol=1e-4)
    for rows, duals in ((X, 0.0 * v), (0.0 * X, v)):
        assert np.linalg.norm(classifier(rows, duals)) == 1.0


def test_the_neuron_of_a_classifier_is_near_the_best():
    """A start for ascents: with one more there is as good as the oracle on most residuals."""
    reached = []
    for seed in range(10):
        X, v = draw(60, 3, seed)
        best = oracle_for(Layer(X), Effort()).price(v[:, None]).bound
        w = classifier(X, v)
        reached.append(max(abs(v @ np.maximum(s * (X @ w), 0.0)) for s in (1, -1)) / best)
    assert np.median(reached) > 0.5


@pytest.mark.parametrize(
    ("loss", "kind"),
    [("squared", "numbers"), ("huber", "numbers"), ("logistic", "labels"), ("gamma", "counts")],
)
def test_refitted_weights_are_those_of_another_solver(loss, kind):
    X, y = draw(30, 3, kind=kind)
    rng = np.random.default_rng(1)
    directions = rng.standard_normal((8, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    signs = np.where(np.arange(8) % 2, 1.0, -1.0)
    problem = Problem.of(Layer(X), y, 0.3, as_loss(loss))
    found = refitted(problem, Neurons(directions, np.zeros(8), signs[:, None]))
    reached = problem.value(problem.rows.forward(found.rays, found.signs), found.sizes.sum())
    columns = np.maximum(X @ directions.T, 0.0) * signs

    def value(sizes):
        f = columns @ sizes
        slope = columns.T @ problem.loss.gradient(f, y) + 0.3
        return problem.value(f, sizes.sum()), slope

    other = scipy.optimize.minimize(
        value, np.zeros(8), jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * 8,
        options={"ftol": 1e-15, "gtol": 1e-10},
    )  # fmt: skip
    assert reached == pytest.approx(other.fun, rel=1e-8)
