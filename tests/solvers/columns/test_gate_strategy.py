"""What comes before the first round: gates that are drawn, the opening and its proof."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import LOSSES, draw_rows

from cvxnn import sample_patterns
from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers.gated import GatedRows
from cvxnn.losses import as_loss
from cvxnn.problems import Problem
from cvxnn.solvers.columns.gate_draws import GateDraws
from cvxnn.solvers.columns.gate_strategy import GateStrategy

any_loss = pytest.mark.parametrize("loss", LOSSES)


def strategy_of(X, y, beta, gates=None, loss="squared", fixed=None):
    fixed = np.zeros((0, X.shape[1])) if fixed is None else fixed
    draws = GateDraws(X, 40, np.random.default_rng(3)) if gates is None else None
    rows = GatedRows.of(X, fixed if gates is None else gates)
    return GateStrategy(Problem.of(rows, y, beta, as_loss(loss)), draws)


def finish(search):
    while search.gap > 1e-8:
        search.step(1e-8)
    return search


def objective_of(X, y, beta, loss, neurons):
    outputs = (X @ neurons.gates.T >= 0.0) * (X @ neurons.rays.T)
    return as_loss(loss).value(outputs.sum(axis=1), y) + beta * neurons.sizes.sum()


def test_gates_are_drawn_as_patterns_are_sampled_with_those_given_after_them():
    X, y = draw_rows("squared", 20, 3)
    strategy = strategy_of(X, y, 0.1, fixed=np.zeros((1, 3)))
    drawn = finish(strategy.open(Deadline()))
    gates = np.vstack([sample_patterns(X, 40, 3).directions, np.zeros(3)])
    assert strategy.n_patterns == len(gates)
    given_gates = finish(strategy_of(X, y, 0.1, gates).open(Deadline()))
    assert drawn.objective == given_gates.objective
    assert np.array_equal(drawn.neurons.gates, given_gates.neurons.gates)
    assert strategy_of(X, y, 0.1, gates).n_patterns == len(gates)


@pytest.mark.parametrize("unit", [2.0**-90, 2.0**90])
def test_the_unit_of_the_rows_that_are_drawn_through_does_not_matter(unit):
    X, _ = draw_rows("squared", 20, 3)
    gates = [
        GateDraws(rows, 40, np.random.default_rng(3)).draw(Deadline()) for rows in (X, unit * X)
    ]
    assert np.array_equal(gates[0], unit * gates[1])


def test_gates_are_drawn_under_the_deadline():
    X, y = draw_rows("squared", 20, 3)
    strategy = strategy_of(X, y, 0.1)
    with pytest.raises(OutOfTimeError):
        strategy.open(Deadline(0.0))
    assert strategy.n_patterns == 0
    # Those that were drawn stay.
    strategy.open(Deadline())
    count = strategy.n_patterns
    assert count > 20
    strategy.open(Deadline())
    assert strategy.n_patterns == count


@any_loss
def test_the_opening_is_the_best_neuron_of_the_gate_with_the_largest_correlation(loss):
    X, y = draw_rows(loss, 20, 3)
    gates = np.random.default_rng(1).standard_normal((9, 3))
    v = -as_loss(loss).gradient(np.zeros(20), y)
    pulls = np.array([X.T @ (v * (X @ gate >= 0.0)) for gate in gates])
    best = int(np.linalg.norm(pulls, axis=1).argmax())
    neurons = strategy_of(X, y, 0.1, gates, loss).opening()
    assert np.array_equal(neurons.gates, gates[[best]])
    assert np.allclose(neurons.directions[0], pulls[best] / np.linalg.norm(pulls[best]))
    objective = objective_of(X, y, 0.1, loss, neurons)
    assert objective < as_loss(loss).value(np.zeros(20), y)
    for factor in (0.99, 1.01):
        other = neurons.sized(factor * neurons.sizes)
        assert objective_of(X, y, 0.1, loss, other) > objective


@any_loss
def test_the_opening_before_gates_are_drawn_is_better_than_nothing(loss):
    X, y = draw_rows(loss, 20, 3)
    neurons = strategy_of(X, y, 0.1, loss=loss).opening()
    assert len(neurons) == 1
    assert objective_of(X, y, 0.1, loss, neurons) < as_loss(loss).value(np.zeros(20), y)


@pytest.mark.parametrize("gates", [None, np.eye(3)], ids=["drawn", "given"])
def test_there_is_no_opening_from_the_largest_beta_on(gates):
    X, y = draw_rows("squared", 20, 3)
    neurons = strategy_of(X, y, 1e3, gates).opening()
    assert len(neurons) == 0
    assert neurons.gates.shape == (0, 3)


@any_loss
@settings(max_examples=4)
@given(seed=st.integers(0, 999), is_drawn=st.booleans())
def test_the_first_proof_holds_for_all_gates_there_may_be(loss, seed, is_drawn):
    X, y = draw_rows(loss, 6, 2, seed)
    gates = np.random.default_rng(seed).standard_normal((4, 2))
    strategy = strategy_of(X, y, 0.1, None if is_drawn else gates, loss)
    proof = strategy.first_proof()
    assert np.array_equal(proof.v, -as_loss(loss).gradient(np.zeros(6), y))
    masks = np.array(list(product([0.0, 1.0], repeat=6))) if is_drawn else gates @ X.T >= 0.0
    lengths = np.linalg.norm((masks * proof.v) @ X, axis=1)
    assert lengths.max() <= proof.oracle_bound
    search = finish(strategy.open(Deadline()))
    bound = proof.bound(search.problem)
    assert bound <= search.objective
    # It does not do better than the search, which starts from the same point.
    assert bound <= search.bound
    assert bound <= objective_of(X, y, 0.1, loss, strategy.opening())
