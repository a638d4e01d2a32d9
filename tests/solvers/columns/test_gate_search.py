"""The search on gates, round by round: optimality conditions, proofs, pruning, stops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import LOSSES, draw_rows, masks_of

from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers.gated import GatedRows
from cvxnn.losses import as_loss
from cvxnn.problems import Problem
from cvxnn.solvers.columns.gate_search import GatedNeurons, GateSearch
from cvxnn.solvers.columns.group_lasso import GroupLasso

any_loss = pytest.mark.parametrize("loss", LOSSES)
TOL = 1e-9


def search_on(X, y, gates, beta=0.1, loss="squared", deadline=None):
    problem = Problem.of(GatedRows.of(X, gates), y, beta, as_loss(loss))
    return GateSearch(problem, Deadline() if deadline is None else deadline)


def random_search(loss="squared", n=30, d=3, count=60, beta=0.1, seed=0):
    X, y = draw_rows(loss, n, d, seed)
    gates = np.random.default_rng(seed).standard_normal((count, d))
    return X, y, gates, search_on(X, y, gates, beta, loss)


def run(search, tol=TOL):
    while search.gap > tol and search.stalled < 3.0:
        search.step(tol)
    return search


def value_of(X, y, beta, loss, search):
    """Prediction and objective of its neurons, in the coordinates of X."""
    neurons = search.neurons.turned(search.basis.T)
    assert np.allclose(np.linalg.norm(neurons.directions, axis=1), 1.0)
    assert (neurons.sizes > 0.0).all()
    assert np.array_equal(neurons.outputs, np.ones((len(neurons), 1)))
    prediction = ((X @ neurons.gates.T >= 0.0) * (X @ neurons.rays.T)).sum(axis=1)
    return prediction, as_loss(loss).value(prediction, y) + beta * neurons.sizes.sum()


@any_loss
def test_the_optimality_conditions_hold_at_the_end(loss):
    X, y, gates, search = random_search(loss)
    run(search, 1e-11)
    search.finish(1e-11, quick=False)
    v = -as_loss(loss).gradient(value_of(X, y, 0.1, loss, search)[0], y)
    lengths = [np.linalg.norm(X.T @ (v * (X @ gate >= 0.0))) for gate in gates]
    assert max(lengths) <= 0.1 * (1.0 + 1e-4)
    for gate, direction in zip(search.neurons.gates, search.neurons.directions, strict=True):
        correlation = X.T @ (v * (X @ gate >= 0.0))
        assert np.allclose(correlation, 0.1 * direction, atol=1e-4 * 0.1)


@any_loss
@settings(max_examples=4)
@given(seed=st.integers(0, 999))
def test_every_round_leaves_a_valid_answer(loss, seed):
    X, y, gates, search = random_search(loss, n=9, d=2, count=8, beta=0.02, seed=seed)
    chosen, masks = as_loss(loss), masks_of(X, gates)
    assert search.objective == chosen.value(np.zeros(9), y)
    before = search.objective, search.bound
    while search.gap > 1e-6:
        search.step(1e-6)
        assert value_of(X, y, 0.02, loss, search)[1] == pytest.approx(search.objective, rel=1e-12)
        # The bound is what its proof says, and this is proven of every gate.
        assert search.bound == search.proof.bound(search.problem)
        lengths = np.linalg.norm((masks * search.dual_point[:, None]).T @ X, axis=1)
        assert lengths.max() <= search.proof.oracle_bound * (1.0 + 1e-12)
        assert search.objective <= before[0]
        assert search.bound >= before[1]
        assert search.n_blocks >= len(search.neurons)
        before = search.objective, search.bound
    assert search.final_proofs(quick=False) == (search.proof, search.proof)


def test_few_rows_are_searched_in_their_span():
    X, y, gates, few = random_search(n=12, count=20)
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((30, 3)))[0].T
    many = search_on(X @ turn, y, gates @ turn)
    assert few.basis.shape == (3, 3)
    assert many.basis.shape == (30, 12)
    assert np.allclose(many.basis.T @ many.basis, np.eye(12))
    assert run(many).objective == pytest.approx(run(few).objective, rel=1e-8)
    value = value_of(X @ turn, y, 0.1, "squared", many)[1]
    assert value == pytest.approx(many.objective, rel=1e-12)
    many.finish(TOL, quick=False)
    value = value_of(X @ turn, y, 0.1, "squared", many)[1]
    assert value == pytest.approx(many.objective, rel=1e-12)


@pytest.mark.parametrize("quick", [False, True])
def test_dependent_neurons_are_pruned_at_the_end_and_gates_are_in_order(quick):
    # Both gates are open on all rows: the optimum leaves the shares open.
    X, y = np.array([[1.0], [2.0]]), np.array([1.0, 2.5])
    search = run(search_on(X, y, np.array([[1.0], [0.0]]), beta=0.5), 1e-6)
    assert len(search.neurons) == 2
    search.finish(1e-6, quick=quick)
    assert len(search.neurons) == 1
    assert value_of(X, y, 0.5, "squared", search)[1] == pytest.approx(search.objective, rel=1e-14)
    assert search.gap <= 1e-6
    X, y, gates, many = random_search()
    run(many).finish(TOL, quick=quick)
    assert 1 < len(many.neurons) <= len(X)
    places = [np.flatnonzero((gates == gate).all(axis=1))[0] for gate in many.neurons.gates]
    assert places == sorted(places)


def test_what_pruning_would_cost_is_not_paid(monkeypatch):
    _, _, _, search = random_search()
    run(search)
    before, gates = search.objective, len(search.neurons)
    monkeypatch.setattr(
        "cvxnn.solvers.columns.gate_search.prune_scales",
        lambda columns, sizes, deadline: [0.5 * sizes],
    )
    search.finish(TOL, quick=False)
    assert (search.objective, len(search.neurons)) == (before, gates)


def test_a_system_without_a_solution_ends_the_search(monkeypatch):
    _, _, _, search = random_search()
    search.step(TOL)
    neurons, objective, bound = search.neurons, search.objective, search.bound

    def fail(self, point):
        raise np.linalg.LinAlgError("singular")

    monkeypatch.setattr(GroupLasso, "step", fail)
    search.step(TOL)
    assert search.stalled >= 3.0
    assert (search.neurons, search.objective, search.bound) == (neurons, objective, bound)


@pytest.mark.long
def test_rounds_count_as_stalled_once_smoothing_costs_nothing():
    # Nothing can reach a gap of 0: rounding ends it.
    _, _, _, search = random_search()
    seen = [search.stalled]
    while search.stalled < 3.0:
        search.step(1e-16)
        seen.append(search.stalled)
    assert seen[-13:] == [0.25 * k for k in range(13)]
    assert 0.0 <= search.gap < 1e-9


def test_nothing_is_stalled_on_the_path_to_a_small_beta(monkeypatch):
    _, _, _, search = random_search(beta=1e-4)
    monkeypatch.setattr(GroupLasso, "step", lambda self, point: point)
    monkeypatch.setattr(GroupLasso, "is_solved", lambda self, point: False)
    for _ in range(20):
        search.step(TOL)
    assert search.stalled == 0.0


def test_the_deadline_ends_a_round_and_leaves_what_there_is():
    X, y, gates, search = random_search()
    search.step(TOL)
    search.deadline = Deadline(0.0)
    with pytest.raises(OutOfTimeError):
        search.step(TOL)
    assert value_of(X, y, 0.1, "squared", search)[1] == pytest.approx(search.objective, rel=1e-12)
    search.finish(TOL, quick=False)
    assert value_of(X, y, 0.1, "squared", search)[1] == pytest.approx(search.objective, rel=1e-12)
    with pytest.raises(OutOfTimeError):
        search_on(X, y, gates, deadline=Deadline(0.0))


def test_neurons_keep_their_gates():
    rng = np.random.default_rng(0)
    gates, blocks = rng.standard_normal((2, 5, 3))
    neurons = GatedNeurons.on(gates, blocks)
    assert np.allclose(neurons.rays, blocks)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    index = np.array([3, 1])
    moved = neurons.turned(turn).sized(np.arange(5.0)).select(index)
    assert isinstance(moved, GatedNeurons)
    assert np.array_equal(moved.gates, gates[index])
    assert np.array_equal(moved.sizes, [3.0, 1.0])
    assert np.allclose(moved.directions, neurons.directions[index] @ turn)
    alive = neurons.select(np.arange(5) > 2)
    assert np.array_equal(alive.gates, gates[3:])
