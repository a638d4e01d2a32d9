"""Gated and linear networks of several outputs, against nuclear norms by cvxpy and closed forms."""

import numpy as np
import pytest
from exchange.outputs import by_onnx, by_torch
from scipy.special import softmax
from sentences import refused

import cvxnn
from cvxnn import Gated, GatedNetwork, Status, enumerate_patterns, largest_beta, solve
from cvxnn.errors import InputError
from cvxnn.losses import as_loss

LOSSES = ("squared", "huber", "logistic", "squared_hinge", "softmax")
each_loss = pytest.mark.parametrize("loss", LOSSES)
each_intercept = pytest.mark.parametrize("intercept", [False, True])
TOL = 1e-8


def draw(loss="squared", n=12, d=3, c=3, seed=0):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((n, d)), 2.0 * rng.standard_normal((n, c))
    if loss == "softmax":
        return X, np.eye(c)[np.arange(n) % c]
    return X, np.where(Y > 0.0, 1.0, -1.0) if loss in ("logistic", "squared_hinge") else Y


def gates_of(count=5, d=3, seed=1):
    return np.random.default_rng(seed).standard_normal((count, d))


def loss_in_cvxpy(cp, loss, F, Y, weights):
    rows = {
        "squared": lambda: 0.5 * cp.sum(cp.square(F - Y), axis=1),
        "huber": lambda: 0.5 * cp.sum(cp.huber(F - Y), axis=1),
        "logistic": lambda: cp.sum(cp.logistic(-cp.multiply(Y, F)), axis=1),
        "squared_hinge": lambda: 0.5 * cp.sum(cp.square(cp.pos(1.0 - cp.multiply(Y, F))), axis=1),
        "softmax": lambda: cp.log_sum_exp(F, axis=1) - cp.sum(cp.multiply(Y, F), axis=1),
    }
    return weights @ rows[loss]()


def optimum(X, Y, beta, gates, loss="squared", weights=None, *, intercept=False):
    """Of the program of nuclear norms, by Clarabel."""
    cp = pytest.importorskip("cvxpy")
    masks = np.unique(X @ gates.T >= 0.0, axis=1).T
    (n, d), c = X.shape, Y.shape[1]
    Z = [cp.Variable((d, c)) for _ in masks]
    F = sum((mask[:, None] * X) @ each for mask, each in zip(masks, Z, strict=True))
    if intercept:
        F = F + np.ones((n, 1)) @ cp.Variable((1, c))
    data = loss_in_cvxpy(cp, loss, F, Y, np.ones(n) if weights is None else weights)
    program = cp.Problem(cp.Minimize(data + beta * sum(map(cp.normNuc, Z))))
    return float(program.solve(solver="CLARABEL"))


def assert_optimal(solution, value):
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(value, rel=1e-6)
    assert solution.dual_bound == pytest.approx(value, rel=1e-6)
    assert solution.dual_bound <= value * (1.0 + 1e-6)


@each_loss
@each_intercept
def test_cvxpy_finds_the_same_value(loss, intercept):
    (X, Y), gates = draw(loss), gates_of()
    options = {"loss": loss, "intercept": intercept, "tol": TOL}
    solution = solve(X, Y, 0.4, model=Gated(gates), **options)
    assert_optimal(solution, optimum(X, Y, 0.4, gates, loss, intercept=intercept))
    assert solution.network.objective(X, Y, 0.4, as_loss(loss)) == pytest.approx(
        solution.objective, rel=1e-12
    )
    assert solution.certificate.verify(X, Y, network=solution.network).accepted


@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_linear_networks_skip_connections_and_weights_of_rows(loss):
    X, Y = draw(loss, seed=3)
    linear, gates = np.zeros((1, 3)), gates_of(3)
    weights = np.arange(12.0) % 4.0
    alone = solve(X, Y, 0.3, model=Gated(linear), loss=loss, tol=TOL)
    assert_optimal(alone, optimum(X, Y, 0.3, linear, loss))
    assert not alone.network.gates.any()
    both = solve(
        X, Y, 0.3, model=Gated(gates, skip="penalised"), loss=loss, tol=TOL, sample_weight=weights
    )
    assert_optimal(both, optimum(X, Y, 0.3, np.vstack([gates, linear]), loss, weights))


def test_orthonormal_rows_of_one_gate_are_a_soft_threshold_of_singular_values():
    # X'X = I and the gate 0: the singular values of X'Y, less beta.
    rng = np.random.default_rng(0)
    X, Y = np.linalg.qr(rng.standard_normal((9, 5)))[0], 3.0 * rng.standard_normal((9, 4))
    left, sizes, right = np.linalg.svd(X.T @ Y, full_matrices=False)
    for beta in (0.5, 2.0, 4.0):
        Z = (left * np.maximum(sizes - beta, 0.0)) @ right
        value = 0.5 * ((X @ Z - Y) ** 2).sum() + beta * np.maximum(sizes - beta, 0.0).sum()
        solution = solve(X, Y, beta, model=Gated(np.zeros((1, 5))), tol=1e-10)
        assert solution.objective == pytest.approx(value, rel=1e-9)
        network = solution.network
        assert network.n_neurons == (sizes > beta).sum()
        np.testing.assert_allclose(network(X), X @ Z, atol=1e-4)
    assert largest_beta(X, Y, model=Gated(np.zeros((1, 5)))) == pytest.approx(sizes[0], rel=1e-12)


@pytest.mark.parametrize("loss", LOSSES[:2])
def test_one_output_beside_another_that_is_zero_is_the_one_alone(loss):
    X, Y = draw(loss, n=20, c=1)
    options = {"model": Gated(gates_of(9)), "loss": loss, "tol": 1e-10}
    one = solve(X, Y[:, 0], 0.3, **options)
    two = solve(X, np.column_stack([np.zeros(20), Y]), 0.3, **options)
    assert two.objective == pytest.approx(one.objective, rel=1e-8)
    assert two.dual_bound == pytest.approx(one.dual_bound, rel=1e-8)
    # Targets along one vector are those of one output, too, where squares are added.
    if loss == "squared":
        three = solve(X, Y @ np.array([[0.6, 0.0, -0.8]]), 0.3, **options)
        assert three.objective == pytest.approx(one.objective, rel=1e-8)


def test_the_bound_of_all_patterns_is_one_for_relu():
    X, Y = draw(n=7, d=2, c=2, seed=4)
    gated = solve(X, Y, 0.3, model=Gated(enumerate_patterns(X).directions))
    relu = solve(X, Y, 0.3)
    assert gated.status is relu.status is Status.OPTIMAL
    assert gated.dual_bound <= relu.objective
    least, closed = (gated.network.to_relu(X, m) for m in ("minimum_norm", "closed_form"))
    for network in (least, closed):
        np.testing.assert_allclose(network(X), gated.network(X), rtol=1e-9, atol=1e-11)
        assert relu.dual_bound <= network.objective(X, Y, 0.3)
        assert network.n_outputs == 2 and network.n_neurons <= 2 * gated.n_neurons
    assert gated.network.penalty() <= least.penalty() <= closed.penalty() * (1.0 + 1e-9)


def test_linear_neurons_become_exact_pairs_of_relu():
    network = GatedNetwork(
        np.zeros((2, 2)), [[3.0, 4.0], [1.0, 0.0]], [[0.0, 5.0], [0.0, 0.0]], intercept=[1.0, -1.0]
    )
    X = np.random.default_rng(0).standard_normal((5, 2))
    pair = network.to_relu(X)
    assert pair.n_neurons == 2
    np.testing.assert_allclose(pair(10.0 * X), network(10.0 * X), rtol=1e-12, atol=1e-12)
    none = GatedNetwork(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros((0, 3))).to_relu(X)
    assert none(X).shape == (5, 3) and not none(X).any()


@each_loss
@each_intercept
def test_nothing_is_learned_from_the_largest_beta_on(loss, intercept):
    (X, Y), model = draw(loss), Gated(gates_of())
    options = {"model": model, "loss": loss, "intercept": intercept}
    largest = largest_beta(X, Y, **options)
    assert solve(X, Y, largest * (1.0 + 1e-6), **options).n_neurons == 0
    assert solve(X, Y, 0.99 * largest, **options, tol=1e-7).n_neurons > 0


def test_the_path_and_drawn_gates():
    X, Y = draw("softmax", n=30)
    options = {"model": Gated(n_gates=20), "loss": "softmax", "intercept": True}
    path = cvxnn.regularization_path(X, Y, 4, **options)
    assert (path.gaps <= 1e-6).all() and (np.diff(path.objectives) < 0.0).all()
    assert path.n_neurons[0] == 0
    assert path.solutions[-1].n_patterns > 10
    assert largest_beta(X, Y, **options) >= path.betas[1]


def test_more_features_than_rows_and_many_outputs():
    X, Y = draw(n=8, d=3, c=12)
    gates = gates_of(6)
    few = solve(X, Y, 0.5, model=Gated(gates), tol=TOL)
    assert_optimal(few, optimum(X, Y, 0.5, gates))
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((20, 3)))[0].T
    many = solve(X @ turn, Y, 0.5, model=Gated(gates @ turn), tol=TOL)
    assert many.objective == pytest.approx(few.objective, rel=1e-7)


@pytest.mark.long
def test_random_starts_are_not_below():
    from scipy.optimize import minimize

    X, Y = draw("softmax", seed=7)
    gates = gates_of(4)
    solution = solve(X, Y, 0.5, model=Gated(gates), loss="softmax", tol=TOL)
    masks, loss, rng = np.repeat(X @ gates.T >= 0.0, 3, axis=1), as_loss("softmax"), gates_of
    k = masks.shape[1]

    def objective(theta):
        U, A = theta[: 3 * k].reshape(k, 3), theta[3 * k :].reshape(k, 3)
        active = (X @ U.T) * masks
        pull = loss.gradient(active @ A, Y)
        slopes = ((pull @ A.T) * masks).T @ X + 0.5 * U, active.T @ pull + 0.5 * A
        value = loss.value(active @ A, Y) + 0.25 * float(theta @ theta)
        return value, np.concatenate([part.ravel() for part in slopes])

    starts = (rng(6 * k, 1, seed).ravel() for seed in range(40))
    lowest = min(minimize(objective, start, jac=True).fun for start in starts)
    assert solution.dual_bound <= lowest
    assert lowest == pytest.approx(solution.objective, rel=1e-6)


def test_limits_leave_a_network_and_a_bound():
    X, Y = draw(n=60, d=5, c=4)
    model = Gated(n_gates=50)
    with pytest.warns(Warning, match="max_iter"):
        short = solve(X, Y, 0.1, model=model, max_iter=1)
    assert short.n_neurons > 0 and short.dual_bound < short.objective
    with pytest.warns(Warning, match="time_limit"):
        shortest = solve(X, Y, 0.1, model=model, time_limit=1e-6)
    assert shortest.n_neurons == 1 and shortest.objective < 0.5 * (Y**2).sum()
    assert np.isfinite(shortest.gap)


def test_several_outputs_are_those_of_networks_of_their_own():
    rng = np.random.default_rng(0)
    gates, hidden, output = (rng.standard_normal(shape) for shape in [(5, 3), (5, 3), (5, 2)])
    network, X = GatedNetwork(gates, hidden, output, intercept=[0.5, -2.0]), gates_of(8)
    for k in range(2):
        alone = GatedNetwork(gates, hidden, output[:, k], intercept=network.intercept[k])
        np.testing.assert_allclose(network(X)[:, k], alone(X), rtol=1e-13)
    assert (
        repr(network)
        == "GatedNetwork(n_neurons=5, n_features=3, n_outputs=2, intercept=(0.5, -2.0))"
    )
    assert network.penalty() == pytest.approx(0.5 * ((hidden**2).sum() + (output**2).sum()))
    refused(lambda: GatedNetwork(gates, hidden, output[:4]), "one for each row", InputError)
    refused(lambda: GatedNetwork(gates, hidden, output[:, :1]), "must be 1-D", InputError)
    refused(
        lambda: GatedNetwork(gates, hidden, output, intercept=[1.0, 2.0, 3.0]), "intercept",
        InputError,
    )  # fmt: skip


def test_files_keep_several_outputs(tmp_path):
    (X, Y), model = draw("softmax"), Gated(gates_of())
    solution = solve(X, Y, 0.4, model=model, loss="softmax", intercept=True)
    for name in ("network.npz", "network.safetensors"):
        if name.endswith("safetensors"):
            pytest.importorskip("safetensors")
        solution.network.save(tmp_path / name, certificate=solution.certificate)
        network, _ = cvxnn.load_network(tmp_path / name)
        assert network == solution.network and hash(network) == hash(solution.network)
        np.testing.assert_array_equal(network(X), solution.network(X))


@pytest.mark.parametrize("run", [by_torch, by_onnx])
def test_exports_have_the_same_values(run):
    X, _ = draw()
    rng = np.random.default_rng(0)
    hidden, output = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
    network = GatedNetwork(gates_of(), hidden, output, intercept=[0.5, -2.0])
    np.testing.assert_allclose(run(network, X), network(X), rtol=1e-12)
    shares = softmax(network(X), axis=1)
    np.testing.assert_allclose(run(network, X, probabilities=True), shares, rtol=1e-10)


def test_neurons_are_those_of_the_network_in_other_words():
    rng = np.random.default_rng(0)
    hidden, output = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
    output[2] = 0.0
    network = GatedNetwork(gates_of(), hidden, output, intercept=[0.5, -2.0])
    again = Gated().network(Gated().neurons(network), (3,))
    X, _ = draw()
    assert again.n_neurons == 4 and again.penalty() < network.penalty()
    np.testing.assert_allclose(again(X), network(X), rtol=1e-12)
    one = GatedNetwork(gates_of(), hidden, output[:, 0])
    np.testing.assert_allclose(Gated().network(Gated().neurons(one), (3,))(X), one(X), rtol=1e-12)
