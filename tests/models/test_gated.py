"""Gated networks: closed forms, many gates, and their place beside ReLU networks."""

import numpy as np
import pytest
from programs import LOSSES, draw_rows
from sklearn.exceptions import ConvergenceWarning

import cvxnn
from cvxnn import Gated, Status, enumerate_patterns, solve
from cvxnn.losses import as_loss
from cvxnn.solvers.columns.group_lasso import GroupLasso

any_loss = pytest.mark.parametrize("loss", LOSSES)


def solve_gated(X, y, beta, gates=None, **options):
    own = {name: options.pop(name) for name in ("n_gates", "skip") if name in options}
    return solve(X, y, beta, model=Gated(gates, **own), **options)


@any_loss
@pytest.mark.parametrize("beta", [2.0, 0.1, 1e-4])
def test_the_network_attains_the_optimum_of_the_program(loss, beta):
    X, y = draw_rows(loss, 40, 4)
    solution = solve_gated(X, y, beta, loss=loss, n_gates=200, tol=1e-8)
    network = solution.network
    assert solution.status is Status.OPTIMAL
    products = network.hidden_weights * network.output_weights[:, None]
    masks = X @ network.gates.T >= 0.0
    program = as_loss(loss).value((masks * (X @ products.T)).sum(axis=1), y)
    program += beta * np.linalg.norm(products, axis=1).sum()
    assert program == pytest.approx(solution.objective, rel=1e-9)
    assert (network.output_weights > 0.0).all()
    assert len(np.unique(masks, axis=1).T) == network.n_neurons


@any_loss
def test_a_tiny_beta_is_reached_by_falling_ones(loss):
    X, y = draw_rows(loss, 80, 5)
    solutions = [solve_gated(X, y, beta, loss=loss, n_gates=100) for beta in (1e-5, 1e-6)]
    for solution in solutions:
        assert solution.status is Status.OPTIMAL
    # Targets are fitted in the end: what is left is the price of the least weights.
    prices = [solution.objective / solution.beta for solution in solutions]
    assert prices[0] < prices[1] * (1.0 + 1e-6)
    if loss != "logistic":
        assert prices[0] == pytest.approx(prices[1], rel=1e-3)


@any_loss
def test_more_gates_than_the_first_working_set(loss):
    X, y = draw_rows(loss, 30, 3, seed=8)
    gates = enumerate_patterns(X).directions
    assert len(gates) > 800
    everything = solve_gated(X, y, 0.1, gates, loss=loss, tol=1e-8)
    # Gates that are missing are found: those of the optimum alone are no worse.
    assert everything.status is Status.OPTIMAL
    few = solve_gated(X, y, 0.1, everything.network.gates, loss=loss, tol=1e-8)
    assert few.objective == pytest.approx(everything.objective, rel=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_gated_relu_and_decomposed_networks_are_in_order(seed):
    X, y = draw_rows("squared", 10, 3, seed)
    patterns = enumerate_patterns(X)
    assert len(patterns) == 92
    gated = solve_gated(X, y, 0.1, patterns.directions)
    relu = solve(X, y, 0.1, method="exact")
    assert gated.dual_bound <= relu.objective
    penalties = []
    for method in ("minimum_norm", "closed_form"):
        network = gated.network.to_relu(X, method)
        assert relu.dual_bound <= network.objective(X, y, 0.1)
        penalties.append(network.penalty())
    assert penalties[0] <= penalties[1]


@pytest.mark.parametrize("beta", [0.5, 30.0])
def test_orthonormal_rows_of_one_gate_are_a_block_soft_threshold(beta):
    # X = I and the gate 0: 1/2 ||w - y||^2 + beta ||w||.
    y = 3.0 * np.random.default_rng(0).standard_normal(7)
    length = float(np.linalg.norm(y))
    value = beta * length - 0.5 * beta**2 if beta < length else 0.5 * length**2
    solution = solve_gated(np.eye(7), y, beta, np.zeros((1, 7)), tol=1e-10)
    assert solution.objective == pytest.approx(value, rel=1e-9)


@any_loss
def test_more_features_than_rows(loss):
    X, y = draw_rows(loss, 12, 3)
    gates = np.random.default_rng(4).standard_normal((50, 3))
    few = solve_gated(X, y, 0.3, gates, loss=loss, tol=1e-9)
    # The same rows in a space of thirty dimensions.
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((30, 3)))[0].T
    many = solve_gated(X @ turn, y, 0.3, gates @ turn, loss=loss, tol=1e-9)
    assert many.objective == pytest.approx(few.objective, rel=1e-8) and many.gap <= 1e-9


def test_gates_of_the_same_pattern_count_once_in_any_unit():
    X, y = draw_rows("squared", 15, 3)
    gates = np.random.default_rng(4).standard_normal((6, 3))
    plain = solve_gated(X, y, 0.3, gates)
    assert solve_gated(X, y, 0.3, np.vstack([gates, 2.0 * gates, gates])).network == plain.network
    for unit in (1e80, 1e-80):
        scaled = solve_gated(X, y, 0.3, gates * unit)
        assert scaled.objective == pytest.approx(plain.objective, rel=1e-6)


def test_a_system_that_cannot_be_solved_ends_the_run(monkeypatch):
    X, y = draw_rows("squared", 20, 3)

    def fail(self, point):
        raise np.linalg.LinAlgError("singular")

    monkeypatch.setattr(GroupLasso, "step", fail)
    with pytest.warns(ConvergenceWarning, match="Rounding .* raise tol or beta, or scale"):
        solution = solve_gated(X, y, 0.1)
    assert solution.status is Status.NUMERICAL_ERROR
    # What the first gate does alone, and nothing after it.
    assert solution.network.n_neurons == 1
    assert solution.dual_bound <= solution.objective < 0.5 * float(y @ y)


def test_blocks_that_depend_on_each_other_are_pruned():
    # On these rows the gate 1 and the skip see the same: the optimum leaves the shares open.
    X, y = np.array([[1.0], [2.0]]), np.array([1.0, 2.5])
    solution = solve_gated(X, y, 0.5, [[1.0]], skip="penalised")
    assert solution.status is Status.OPTIMAL and solution.network.n_neurons == 1
    # One slope w: 5 w^2 / 2 - 6 w + |w| / 2 + const.
    w = (6.0 - 0.5) / 5.0
    assert solution.objective == pytest.approx(0.5 * (1.0 + 6.25) - 2.5 * w**2, rel=1e-6)


def test_models_with_the_same_settings_are_equal():
    gates = np.eye(2)
    models = [Gated(), Gated(n_gates=7), Gated(skip="penalised"), Gated(gates), Gated(2.0 * gates)]
    again = [Gated(), Gated(n_gates=7), Gated(skip="penalised"), Gated([[1, 0], [0, 1]])]
    for k, model in enumerate(models):
        assert [model == other for other in again] == [k == j for j in range(len(again))]
    assert Gated() != "gated" and len({*models[:4], *again}) == 4


# ------------------------------------------------------------------ gates in two layers

DEEP = np.random.default_rng(7)
ROWS, SINES = DEEP.standard_normal((40, 3)), DEEP.standard_normal(40)
FIRST, SECOND = DEEP.standard_normal((5, 3)), DEEP.standard_normal((4, 3))


def deep(**settings):
    return cvxnn.Gated(FIRST, depth=3, second_gates=SECOND, **settings)


def test_three_layers_are_a_group_lasso_over_products_of_patterns():
    cp = pytest.importorskip("cvxpy")
    one, two = (ROWS @ gates.T >= 0.0 for gates in (FIRST, SECOND))
    masks = np.unique((one[:, :, None] & two[:, None]).reshape(40, -1), axis=1)
    solution = cvxnn.solve(ROWS, SINES, 1.0, model=deep())
    assert solution.status is cvxnn.Status.OPTIMAL and solution.n_patterns == masks.shape[1]
    W = cp.Variable((masks.shape[1], 3))
    f = sum((mask[:, None] * ROWS) @ W[j] for j, mask in enumerate(masks.T))
    size = cp.sum(cp.norm(W, axis=1))
    program = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(f - SINES) + size))
    assert solution.objective == pytest.approx(program.solve(solver="CLARABEL"), rel=1e-6)
    network, again = solution.network, solution.certificate
    assert network.depth == 3 and again.verify(ROWS, SINES, network=network).accepted
    sizes = [np.linalg.norm(network.hidden_weights, axis=1), np.abs(network.inner_weights)]
    for each in sizes:
        np.testing.assert_allclose(each, np.abs(network.output_weights), rtol=1e-12)


def test_gates_of_zeros_in_the_second_layer_are_two_layers():
    shallow = cvxnn.solve(ROWS, SINES, 1.0, model=cvxnn.Gated(FIRST))
    same = cvxnn.Gated(FIRST, depth=3, second_gates=np.zeros((1, 3)))
    assert cvxnn.solve(ROWS, SINES, 1.0, model=same).objective == pytest.approx(
        shallow.objective, rel=1e-6
    )
    both = cvxnn.Gated(FIRST, depth=3, second_gates=np.vstack([SECOND, np.zeros(3)]))
    assert cvxnn.solve(ROWS, SINES, 1.0, model=both).objective < shallow.objective


def test_gates_of_both_layers_may_be_drawn_or_given():
    for model in (
        cvxnn.Gated(n_gates=6, depth=3, n_second_gates=3),
        cvxnn.Gated(FIRST, depth=3, n_second_gates=3),
        cvxnn.Gated(n_gates=6, depth=3, second_gates=SECOND),
        deep(skip="penalised"),
    ):
        solution = cvxnn.solve(ROWS, SINES, 1.0, model=model, intercept=True)
        assert solution.status is cvxnn.Status.OPTIMAL
        assert solution.certificate.verify(ROWS, SINES, network=solution.network).accepted
    outputs = cvxnn.solve(ROWS, np.stack([SINES, ROWS[:, 0]], 1), 1.0, model=deep())
    assert outputs.status is cvxnn.Status.OPTIMAL and outputs.network.n_outputs == 2


def test_depth_is_refused_where_it_is_none_and_told_in_a_sentence():
    refusals = {
        "depth must be 2 or 3, got 4": lambda: cvxnn.Gated(depth=4),
        "second_gates are for depth=3": lambda: cvxnn.Gated(FIRST, second_gates=SECOND),
        "n_second_gates are for depth=3": lambda: cvxnn.Gated(FIRST, n_second_gates=99),
        "second_gates must have the 3 features": lambda: cvxnn.Gated(
            FIRST, depth=3, second_gates=np.ones((2, 2))
        ).rows(ROWS),
        "to_relu is for networks of two layers": lambda: cvxnn.solve(
            ROWS, SINES, 1.0, model=deep()
        ).network.to_relu(ROWS),
    }
    for says, refused in refusals.items():
        with pytest.raises(cvxnn.InputError, match=says):
            refused()
    assert repr(deep()).endswith("depth=3, second_gates=array of shape (4, 3), n_second_gates=10)")
    assert deep() == deep() != cvxnn.Gated(FIRST, depth=3, second_gates=-SECOND)
    assert hash(deep()) == hash(deep())


def test_a_certificate_of_three_layers_is_none_of_two():
    solution = cvxnn.solve(ROWS, SINES, 1.0, model=deep())
    shallow = cvxnn.solve(ROWS, SINES, 1.0, model=cvxnn.Gated(FIRST))
    assert "depth 2" in solution.certificate.verify(ROWS, SINES, network=shallow.network).reason
