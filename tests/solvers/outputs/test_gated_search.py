"""The search on gates with several outputs: derivatives, rounds, proofs, singular triples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from variants import with_long

from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers.gated import GatedRows
from cvxnn.losses import SoftmaxLoss, as_loss
from cvxnn.problems import Problem
from cvxnn.solvers.outputs.gates.function import GatedFunction, Weights
from cvxnn.solvers.outputs.gates.neurons import GateTriples
from cvxnn.solvers.outputs.gates.search import GatedOutputsSearch
from cvxnn.solvers.outputs.gates.strategy import GatedOutputsStrategy

LOSSES = ("squared", "huber", "logistic", "squared_hinge", "softmax")
each_loss = pytest.mark.parametrize("loss", LOSSES)
each_kind_with_long = with_long("loss", ["softmax", "squared", "logistic"])
each_intercept = pytest.mark.parametrize("intercept", [False, True])


def problem_of(loss="squared", n=20, d=3, c=3, count=8, beta=0.3, seed=0):
    rng = np.random.default_rng(seed)
    X, gates = rng.standard_normal((n, d)), rng.standard_normal((count, d))
    Y = 2.0 * rng.standard_normal((n, c))
    if loss == "softmax":
        Y = np.eye(c)[np.arange(n) % c]
    elif loss in ("logistic", "squared_hinge"):
        Y = np.where(Y > 0.0, 1.0, -1.0)
    return Problem(GatedRows.of(X, gates), Y, beta, as_loss(loss))


def run(search, tol=1e-8):
    while search.gap > tol and search.stalled < 3.0:
        search.step(tol)
    return search


def prediction_of(problem, search):
    neurons, X = search.neurons.turned(search.basis.T), problem.rows.X
    np.testing.assert_allclose(np.linalg.norm(neurons.directions, axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(neurons.outputs, axis=1), 1.0, rtol=1e-12)
    active = (X @ neurons.gates.T >= 0.0) * (X @ neurons.rays.T)
    return active @ neurons.outputs + neurons.intercept


@each_loss
@each_intercept
def test_derivatives_are_those_of_differences(loss, intercept):
    problem, rng = problem_of(loss), np.random.default_rng(1)
    weights = Weights(*(rng.standard_normal(shape) for shape in [(5, 3), (5, 3), 3]))
    sides = problem.rows.masks[:5].T.astype(float)
    function = GatedFunction(
        problem, problem.rows.X, sides, weights, Deadline(), intercept=intercept
    )
    point, move = weights.flat, rng.standard_normal(33)
    if not intercept:
        move[-3:] = 0.0
    value, gradient = function.value_and_gradient(point)
    active = (problem.rows.X @ weights.hidden.T) * sides
    expected = problem.value(active @ weights.output + weights.b)
    expected += 0.15 * ((weights.hidden**2).sum() + (weights.output**2).sum())
    assert value == pytest.approx(expected, rel=1e-13)
    ends = [function.value_and_gradient(point + t * move) for t in (1e-6, -1e-6)]
    assert gradient @ move == pytest.approx((ends[0][0] - ends[1][0]) / 2e-6, rel=1e-6, abs=1e-6)
    curvature = function.curvature(point)
    found = (ends[0][1] - ends[1][1]) / 2e-6
    np.testing.assert_allclose(curvature.product(move), found, rtol=1e-4, atol=1e-4)
    columns = np.array([curvature.product(unit) for unit in np.eye(33)])
    np.testing.assert_allclose(columns, columns.T, atol=1e-10)
    # Without what the layers have in common, which the diagonal has nothing of.
    kept = slice(None) if intercept else slice(0, 30)
    np.testing.assert_allclose(curvature.sizes[kept], np.diag(columns)[kept], rtol=1e-10)


@each_loss
@each_intercept
def test_the_optimality_conditions_hold_at_the_end(loss, intercept):
    problem = problem_of(loss)
    search = run(GatedOutputsSearch(problem, Deadline(), intercept=intercept))
    search.finish(1e-8, quick=False)
    assert search.gap <= 1e-8
    V = problem.residual(prediction_of(problem, search))
    correlations = [problem.rows.X[mask].T @ V[mask] for mask in problem.rows.masks]
    assert max(np.linalg.norm(each, 2) for each in correlations) <= 0.3 * (1.0 + 1e-5)
    if intercept:
        np.testing.assert_allclose(V.sum(axis=0), 0.0, atol=1e-6)
    places = {gate.tobytes(): k for k, gate in enumerate(problem.rows.gates)}
    neurons = search.neurons
    for gate, u, a in zip(neurons.gates, neurons.directions, neurons.outputs, strict=True):
        pull = correlations[places[gate.tobytes()]] @ a
        np.testing.assert_allclose(pull, 0.3 * u, atol=1e-4)


@each_kind_with_long
@settings(max_examples=5)
@given(seed=st.integers(0, 999))
def test_every_round_leaves_a_valid_answer(loss, seed):
    problem = problem_of(loss, n=9, d=2, c=2, beta=0.02, seed=seed)
    search = GatedOutputsSearch(problem, Deadline(), intercept=False)
    assert search.objective == problem.value(np.zeros((9, 2)))
    before = search.objective, search.bound
    for _ in range(3):
        search.step(1e-6)
        value = problem.value(prediction_of(problem, search), float(search.neurons.sizes.sum()))
        assert value == pytest.approx(search.objective, rel=1e-11)
        assert search.bound == search.proof.bound(problem)
        V = search.proof.V
        norms = [np.linalg.norm(problem.rows.X[m].T @ V[m], 2) for m in problem.rows.masks]
        assert max(norms) <= search.proof.oracle_bound * (1.0 + 1e-12)
        assert search.objective <= before[0] * (1.0 + 1e-13) and search.bound >= before[1]
        before = search.objective, search.bound


def test_recomposed_triples_are_the_same_sums_of_least_penalty():
    rng = np.random.default_rng(0)
    weights = Weights(rng.standard_normal((7, 4)), rng.standard_normal((7, 2)), np.zeros(2))
    gates = np.array([3, 1, 3, 3, 1, 3, 8])
    weights.hidden[6] = 0.0
    triples = GateTriples(weights, gates).recomposed(1e-9)
    assert triples.gates.tolist() == [1, 1, 3, 3]
    for gate in (1, 3):
        before, after = (
            each.weights.hidden[each.gates == gate].T @ each.weights.output[each.gates == gate]
            for each in (GateTriples(weights, gates), triples)
        )
        np.testing.assert_allclose(after, before, atol=1e-13)
        sizes = np.linalg.svd(before, compute_uv=False)
        np.testing.assert_allclose(triples.sizes[triples.gates == gate], sizes, rtol=1e-12)
    halves = triples.scaled(np.array([0.5, 0.0, 2.0, 1.0]))
    assert halves.gates.tolist() == [1, 3, 3]
    np.testing.assert_allclose(halves.sizes, triples.sizes[[0, 2, 3]] * [0.5, 2.0, 1.0])
    nothing = GateTriples.none(4, np.zeros(2))
    assert len(nothing.recomposed(1e-9)) == 0


def test_few_rows_are_searched_in_their_span():
    few = problem_of(n=10, count=6)
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((30, 3)))[0].T
    rows = GatedRows.of(few.rows.X @ turn, few.rows.gates @ turn)
    many = GatedOutputsSearch(few.on(rows), Deadline(), intercept=False)
    assert many.basis.shape == (30, 10)
    run(many).finish(1e-8, quick=False)
    one = run(GatedOutputsSearch(few, Deadline(), intercept=False))
    assert many.objective == pytest.approx(one.objective, rel=1e-7)
    value = few.value(prediction_of(few.on(rows), many), float(many.neurons.sizes.sum()))
    assert value == pytest.approx(many.objective, rel=1e-11)


@pytest.mark.parametrize("quick", [False, True])
def test_dependent_neurons_are_pruned_at_the_end(quick):
    # Both gates are open on all rows: the optimum leaves the shares open.
    X, Y = np.array([[1.0], [2.0]]), np.array([[1.0, 0.5], [2.5, 0.0]])
    problem = Problem(GatedRows.of(X, np.array([[1.0], [0.0]])), Y, 0.5, as_loss("squared"))
    search = run(GatedOutputsSearch(problem, Deadline(), intercept=False), 1e-7)
    assert len(search.neurons) == 2
    search.finish(1e-6, quick=quick)
    assert len(search.neurons) == 1 and search.gap <= 1e-6
    value = problem.value(prediction_of(problem, search), float(search.neurons.sizes.sum()))
    assert value == pytest.approx(search.objective, rel=1e-12)


@each_intercept
def test_a_small_beta_is_reached(intercept):
    problem = problem_of("softmax", n=12, beta=1e-3)
    search = run(GatedOutputsSearch(problem, Deadline(), intercept=intercept), 1e-6)
    assert search.gap <= 1e-6
    assert search.objective < 0.05 * problem.value(np.zeros_like(problem.Y))


def test_the_deadline_ends_a_round_and_leaves_what_there_is():
    problem = problem_of()
    search = GatedOutputsSearch(problem, Deadline(), intercept=False)
    search.step(1e-8)
    search.deadline = Deadline(0.0)
    with pytest.raises(OutOfTimeError):
        search.step(1e-8)
    search.finish(1e-8, quick=False)
    value = problem.value(prediction_of(problem, search), float(search.neurons.sizes.sum()))
    assert value == pytest.approx(search.objective, rel=1e-12)
    with pytest.raises(OutOfTimeError):
        GatedOutputsSearch(problem, Deadline(0.0), intercept=False)


def test_rounding_ends_the_rounds():
    search = GatedOutputsSearch(problem_of(), Deadline(), intercept=False)
    while search.stalled < 3.0:
        search.step(1e-16)
    assert 0.0 <= search.gap < 1e-9


@each_intercept
def test_the_opening_is_the_best_first_neuron(intercept):
    problem = problem_of("softmax")
    strategy = GatedOutputsStrategy(problem, intercept=intercept)
    nothing, first = strategy.nothing(), strategy.opening()
    assert len(nothing) == 0 and len(first) == 1
    X = problem.rows.X
    active = (X @ first.gates.T >= 0.0) * (X @ first.rays.T)
    value = problem.value(active @ first.outputs + first.intercept, float(first.sizes.sum()))
    assert value < problem.value(np.broadcast_to(nothing.intercept, problem.Y.shape))
    proof = strategy.first_proof()
    assert proof.bound(problem) <= value
    assert isinstance(problem.loss, SoftmaxLoss) and proof.bounds.shape == (1,)
    heavy = GatedOutputsStrategy(problem_of("softmax", beta=1e3), intercept=intercept)
    assert len(heavy.opening()) == 0
