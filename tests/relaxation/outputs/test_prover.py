"""Bounds of several outputs by the relaxation: never above an optimum, and how close."""

import math
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
from oracle.outputs.norms import climbed, norms
from variants import with_long

import cvxnn
from cvxnn import interrupts
from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer
from cvxnn.losses import HuberLoss, SoftmaxLoss, SquaredLoss, WeightedLoss
from cvxnn.oracle.outputs.spectral import spectral_outputs_bound
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.outputs.prover import OutputsProver
from cvxnn.relaxation.prover import RelaxationProver

LOSSES = {"squared": SquaredLoss(), "huber": HuberLoss(0.5), "softmax": SoftmaxLoss()}


def drawn(seed, loss, n=12, d=3, c=3):
    """Rows with a column of ones, and targets of c outputs or classes."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])
    Y = np.maximum(X @ rng.standard_normal((d, c)), 0.0) + 0.3 * rng.standard_normal((n, c))
    return X, np.eye(c)[np.arange(n) % c] if loss.has_labels else Y


def nothing(problem):
    """What is known before: the objective of no loss at all."""
    return DualProof(np.zeros_like(problem.Y), np.zeros(1), "cells")


def neurons_of(network):
    return replace(
        Neurons.of_weights(network.hidden_weights, network.output_weights),
        intercept=network.intercept,
    )


def improved(problem, neurons, *, block=50, largest=50, most=200, deadline=UNLIMITED, **others):
    prover = OutputsProver(problem, block=block, largest=largest, most=most, **others)
    return prover.improve(neurons, nothing(problem), 1e-6, deadline)


def check_oracle(X, proof, seed):
    """The bound of the oracle against directions that are looked for."""
    starts = np.random.default_rng(seed).standard_normal((40, X.shape[1]))
    found = np.vstack([starts, climbed(X, proof.V, starts)])
    assert proof.bounds[0] >= norms(X, proof.V, found).max() * (1.0 - 1e-14)


CASES = [
    (name, d, c, weighted, intercept)
    for name in LOSSES
    for d, c, weighted, intercept in [(2, 2, False, False), (3, 3, True, False), (3, 2, True, True)]
]
# Each loss with one of the shapes, and each shape with some loss, before the others.
ORDER = [3 * k + k % 3 for k in range(len(LOSSES))]
ORDER += [k for k in range(len(CASES)) if k not in ORDER]


@with_long(
    "name, d, c, weighted, intercept, block",
    [(*CASES[k], block) for k, block in zip(ORDER, cycle((5, 12, 5, 12, 12)), strict=False)],
)
def test_never_above_the_optimum(name, d, c, weighted, intercept, block):
    loss = LOSSES[name]
    X, Y = drawn(d + c, loss, d=d, c=c)
    weights = np.exp2(np.arange(12.0) / 4.0 - 2.0) if weighted else None
    arguments = {"loss": loss, "sample_weight": weights, "intercept": intercept}
    solution = cvxnn.solve(X, Y, beta=0.4, tol=1e-6, **arguments)
    problem = Problem.checked(Layer(X), Y, 0.4, loss, weights, intercept)
    proof = improved(problem, neurons_of(solution.network), block=block, intercept=intercept)
    bound = proof.bound(problem)
    assert bound <= solution.objective + solution.objective_error
    assert bound >= solution.objective * (0.9 if block == 12 else 0.6)
    assert proof.kind == "relaxation" and proof.bounds.shape == (1,)
    check_oracle(X, proof, d)
    if intercept:
        assert all(math.fsum(column) == 0.0 for column in proof.V.T)
    if loss.has_labels:
        assert all(math.fsum(row) == 0.0 for row in proof.V)


@pytest.mark.long
def test_an_output_of_zeros_changes_little():
    """One output and a second one that is 0: the same optimum, and bounds next to each other."""
    X, Y = drawn(4, SquaredLoss())
    y = Y[:, 0]
    beta = 0.2 * cvxnn.largest_beta(X, y)
    solution = cvxnn.solve(X, y, beta=beta)
    one = Problem.of(Layer(X), y, beta, SquaredLoss())
    two = Problem(Layer(X), np.column_stack([y, 0.0 * y]), beta, SquaredLoss())
    network = solution.network
    alone = Neurons.of_weights(network.hidden_weights, network.output_weights)
    both = replace(alone, outputs=np.column_stack([alone.signs, 0.0 * alone.signs]))
    first = DualProof(np.zeros((12, 1)), np.zeros(2), "cells")
    bound = improved(two, both, most=600).bound(two)
    known = RelaxationProver(one, most=600).improve(alone, first, 1e-6, UNLIMITED).bound(one)
    assert bound <= solution.objective + solution.objective_error
    assert bound == pytest.approx(known, rel=0.02)


@pytest.mark.long
def test_what_is_worked_on_is_said_until_there_is_no_more():
    X, Y = drawn(5, SquaredLoss(), n=16)
    problem = Problem(Layer(X), Y, 0.4, SquaredLoss())
    for largest, stages in ((4, [True]), (16, [False, False, True])):
        seen = []
        improved(
            problem, Neurons.none(3, 3), block=4, largest=largest, most=900, on_stage=seen.append
        )
        assert seen == stages


@pytest.mark.long
def test_more_rows_in_a_block_are_tighter_and_blocks_are_merged():
    X, Y = drawn(5, SquaredLoss(), n=16)
    problem = Problem(Layer(X), Y, 0.4, SquaredLoss())
    none = Neurons.none(3, 3)
    small, merged, whole = (
        improved(problem, none, block=block, largest=largest, most=900).bound(problem)
        for block, largest in ((4, 4), (4, 16), (16, 16))
    )
    assert small < merged
    assert merged == pytest.approx(whole, rel=5e-3)


@pytest.mark.long
@with_long("slope", [0.2, -1.0])
def test_a_readout(slope):
    X, Y = drawn(6, SquaredLoss())
    layer = Layer(X).with_slope(slope)
    solution = cvxnn.solve(X, Y, beta=0.4, model=cvxnn.ReLU(slope), tol=1e-6)
    problem = Problem(layer, Y, 0.4, SquaredLoss())
    proof = improved(problem, neurons_of(solution.network))
    assert 0.8 * solution.objective <= proof.bound(problem)
    assert proof.bound(problem) <= solution.objective + solution.objective_error
    U = np.random.default_rng(0).standard_normal((200, 3))
    units = U / np.linalg.norm(U, axis=1, keepdims=True) * (1.0 - 1e-15)
    assert proof.bounds[0] >= np.linalg.norm(proof.V.T @ layer.activations(units), axis=0).max()


@pytest.mark.long
@pytest.mark.parametrize(
    "loss, intercept", [(SoftmaxLoss(), True), (SquaredLoss(), False)], ids=["softmax", "squared"]
)
def test_rows_of_zeros_and_copies(loss, intercept):
    X, Y = drawn(7, loss)
    X[3] = 0.0
    X[5] = X[4]
    solution = cvxnn.solve(X, Y, beta=0.4, loss=loss, intercept=intercept, tol=1e-6)
    problem = Problem(Layer(X), Y, 0.4, loss)
    proof = improved(problem, neurons_of(solution.network), intercept=intercept)
    bound = proof.bound(problem)
    assert 0.9 * solution.objective <= bound <= solution.objective + solution.objective_error


def test_no_rows_at_all_say_anything():
    problem = Problem(Layer(np.zeros((3, 2))), np.ones((3, 2)), 0.5, SquaredLoss())
    assert improved(problem, Neurons.none(2, 2)).bound(problem) == pytest.approx(3.0)


@with_long(("rows", "targets"), [(2.0**200, 2.0**-150), (2.0**-300, 2.0**100)])
def test_units_of_the_data(rows, targets):
    X, Y = drawn(8, SquaredLoss())
    plain = Problem(Layer(X), Y, 0.3, SquaredLoss())
    scaled = Problem(Layer(rows * X), targets * Y, 0.3 * rows * targets, SquaredLoss())
    one, two = (
        improved(problem, Neurons.none(3, 3), most=60, threads=1).bound(problem)
        for problem in (plain, scaled)
    )
    assert two == pytest.approx(one * targets**2, rel=1e-9)


@with_long("beta", [1e-140, 1e-12, 1e140])
@pytest.mark.parametrize("loss", [SquaredLoss(), SoftmaxLoss()])
def test_any_beta(beta, loss):
    X, Y = drawn(9, loss)
    problem = Problem(Layer(X), Y, beta, loss)
    bound = improved(problem, Neurons.none(3, 3), most=40).bound(problem)
    # At least what is known before, but for rounding, and at most the value without neurons.
    assert nothing(problem).bound(problem) <= bound <= problem.value(np.zeros_like(Y))


def test_a_bad_network_does_no_harm():
    X, Y = drawn(10, SquaredLoss())
    problem, rng = Problem(Layer(X), Y, 0.3, SquaredLoss()), np.random.default_rng(0)
    bad = Neurons.of_weights(1e20 * rng.standard_normal((5, 3)), rng.standard_normal((5, 3)))
    none = improved(problem, Neurons.none(3, 3), most=60, threads=1)
    found = improved(problem, bad, most=60, threads=1)
    assert found.bound(problem) == pytest.approx(none.bound(problem), rel=1e-9)


@pytest.mark.long
def test_rows_of_no_weight_to_speak_of():
    X, Y = drawn(11, SquaredLoss())
    loss = WeightedLoss(SquaredLoss(), np.r_[np.full(6, 1e-9), np.ones(6)])
    problem = Problem(Layer(X), Y, 0.1, loss)
    solution = cvxnn.solve(X, Y, beta=0.1, sample_weight=loss.weights, tol=1e-6)
    bound = improved(problem, neurons_of(solution.network)).bound(problem)
    assert 0.8 * solution.objective <= bound <= solution.objective + solution.objective_error


def test_a_better_proof_is_kept():
    X, Y = drawn(12, SquaredLoss())
    problem = Problem(Layer(X), Y, 0.3, SquaredLoss())
    best = improved(problem, Neurons.none(3, 3), most=100)
    kept = OutputsProver(problem, most=1).improve(Neurons.none(3, 3), best, 1e-6, UNLIMITED)
    assert kept is best


@pytest.mark.long
def test_a_deadline_and_the_gap_end_it():
    X, Y = drawn(13, SquaredLoss(), n=60, d=6)
    problem, none = Problem(Layer(X), Y, 0.3, SquaredLoss()), Neurons.none(6, 3)
    assert improved(problem, none, most=None, deadline=Deadline(0.3)).bound(problem) > 0.0
    first, passed = nothing(problem), Deadline(0.0)
    assert OutputsProver(problem).improve(none, first, 1e-6, passed) is first
    # Bounds are reported, each the best so far, and none after the gap is closed.
    seen = []
    prover = OutputsProver(problem, on_bound=seen.append)
    last = prover.improve(none, first, 0.8, UNLIMITED)
    values = [proof.bound(problem) for proof in seen]
    assert seen[-1] is last and values == sorted(values)
    least = 0.2 * problem.value(np.zeros_like(Y))
    assert sum(value >= least for value in values) <= 2


def test_an_interrupt_is_raised_by_the_next_check():
    X, Y = drawn(14, SquaredLoss())
    problem = Problem(Layer(X), Y, 0.3, SquaredLoss())
    with pytest.raises(KeyboardInterrupt), interrupts.deferred_interrupts():
        interrupts.interrupt(2, None)
        improved(problem, Neurons.none(3, 3), most=None)
        interrupts.check_interrupt()


@pytest.mark.long
def test_threads_change_no_more_than_rounding():
    X, Y = drawn(15, SoftmaxLoss(), n=12)
    problem = Problem(Layer(X), Y, 0.3, SoftmaxLoss())
    one, two = (
        improved(problem, Neurons.none(3, 3), block=3, largest=6, most=100, threads=threads)
        for threads in (1, 3)
    )
    assert two.bound(problem) == pytest.approx(one.bound(problem), rel=1e-4)


def test_many_rows_are_in_small_blocks(monkeypatch):
    monkeypatch.setattr("cvxnn.relaxation.outputs.prover._PAIRS", 24 * 6)
    monkeypatch.setattr("cvxnn.relaxation.outputs.prover._FEWEST", 2)
    X, Y = drawn(17, SquaredLoss(), n=24)
    problem, none = Problem(Layer(X), Y, 0.3, SquaredLoss()), Neurons.none(3, 3)
    few, same = (
        improved(problem, none, block=block, largest=block, most=60, threads=1).bound(problem)
        for block in (24, 6)
    )
    assert few == same


def test_multipliers_of_the_iteration_are_worth_it():
    """Against what an eigenvalue says of the same dual point."""
    X, Y = drawn(16, SquaredLoss(), n=40, d=8)
    beta = 1.0
    problem = Problem(Layer(X), Y, beta, SquaredLoss())
    proof = improved(problem, Neurons.none(8, 3), most=200)
    assert proof.bounds[0] < 0.8 * spectral_outputs_bound(X, proof.V)
