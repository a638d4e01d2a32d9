"""Bounds of the relaxation: never above an optimum, valid for both signs, and how close."""

import numpy as np
import pytest
from variants import with_long

import cvxnn
from cvxnn import interrupts
from cvxnn.backends.devices import Device
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer
from cvxnn.losses import HuberLoss, LogisticLoss, SquaredHingeLoss, SquaredLoss, WeightedLoss
from cvxnn.oracle import CellOracle
from cvxnn.patterns import enumerate_patterns
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.iteration import Numbers
from cvxnn.relaxation.outputs.prover import OutputsProver
from cvxnn.relaxation.prover import RelaxationProver


def small(n=14, d=3, seed=0):
    """Waves with noise, and a column of ones."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])
    return X, np.sin(2.0 * X[:, 0]) + 0.5 * rng.standard_normal(n)


def neurons_of(solution):
    return Neurons.of_weights(solution.network.hidden_weights, solution.network.output_weights)


def first_proof(problem):
    return spectral_proof(problem.rows, problem.residual_at_zero)


def improved(problem, neurons, *, block=50, largest=50, most=400, tol=1e-6, deadline=UNLIMITED):
    prover = RelaxationProver(problem, block=block, largest=largest, most=most)
    return prover.improve(neurons, first_proof(problem), tol, deadline)


@with_long("seed, block", [(0, 5), (1, 14), (2, 5)], ids=str)
def test_never_above_the_optimum_and_close(seed, block):
    X, y = small(seed=seed)
    beta = 0.1 * cvxnn.largest_beta(X, y)
    solution = cvxnn.solve(X, y, beta=beta)
    problem = Problem.of(Layer(X), y, beta, SquaredLoss())
    proof = improved(problem, neurons_of(solution), block=block)
    assert proof.kind == "relaxation" and proof.bounds.shape == (2,)
    bound = proof.bound(problem)
    assert bound <= solution.objective + solution.objective_error
    # Gaps of the relaxation itself: 0 to 0.05 with all pairs, more where pairs are left out.
    assert bound >= solution.objective * (0.94 if block == 14 else 0.85)
    exact = CellOracle(X, enumerate_patterns(X)).price(proof.V).bounds
    assert (proof.bounds >= exact * (1.0 - 1e-9)).all()


@pytest.mark.parametrize("outputs", [1, 3])
def test_tensors_of_a_device_prove_what_arrays_of_numpy_do(outputs):
    torch = pytest.importorskip("torch")
    pytest.importorskip("array_api_compat")
    device = Device("torch", torch.device("cpu"))
    X, y = small(n=24)
    Y = y[:, None] * np.array([1.0, 0.5, -1.0])[:outputs] + np.eye(24)[:, :outputs]
    problem = Problem(Layer(X), Y, 0.3, SquaredLoss())
    kind = RelaxationProver if outputs == 1 else OutputsProver
    found = []
    for numbers in (Numbers(), Numbers.on(device, "float64"), Numbers.on(device)):
        prover = kind(problem, block=12, largest=24, most=150, numbers=numbers, threads=1)
        nothing = DualProof(problem.Y, np.array([np.inf] * (2 if outputs == 1 else 1)), "none")
        proof = prover.improve(Neurons.none(3, outputs), nothing, 1e-6, UNLIMITED)
        assert isinstance(proof.V, np.ndarray) and proof.V.dtype == np.float64
        found.append(proof.bound(problem))
    assert 0.0 < found[0] < problem.value(0.0 * problem.target)
    assert found[1] == pytest.approx(found[0], rel=1e-3)
    assert found[2] == pytest.approx(found[0], rel=1e-2)


LOSSES = {
    "logistic": LogisticLoss(),
    "huber": HuberLoss(0.4),
    "squared hinge": SquaredHingeLoss(),
    "weighted": WeightedLoss(SquaredLoss(), np.exp2(np.arange(14.0) / 4.0 - 2.0)),
}


@pytest.mark.long
@with_long("loss", LOSSES.values(), ids=LOSSES)
def test_every_loss(loss):
    X, y = small()
    y = np.where(y > 0.0, 1.0, -1.0) if loss.has_labels else y
    inner = loss.loss if isinstance(loss, WeightedLoss) else loss
    weights = loss.weights if isinstance(loss, WeightedLoss) else None
    beta = 0.1 * cvxnn.largest_beta(X, y, loss=inner, sample_weight=weights)
    solution = cvxnn.solve(X, y, beta=beta, loss=inner, sample_weight=weights)
    problem = Problem.of(Layer(X), y, beta, loss)
    bound = improved(problem, neurons_of(solution)).bound(problem)
    assert 0.9 * solution.objective <= bound <= solution.objective + solution.objective_error


@pytest.mark.parametrize(("rows", "targets"), [(2.0**200, 2.0**-150), (2.0**-300, 2.0**100)])
def test_units_of_the_data(rows, targets):
    X, y = small()
    plain = Problem.of(Layer(X), y, 0.3, SquaredLoss())
    scaled = Problem.of(Layer(rows * X), targets * y, 0.3 * rows * targets, SquaredLoss())
    bounds = [
        improved(problem, Neurons.none(3), most=60).bound(problem) for problem in (plain, scaled)
    ]
    assert bounds[1] / targets**2 == pytest.approx(bounds[0], rel=1e-12)


@pytest.mark.long
def test_it_stops_at_the_tolerance_or_where_it_gains_no_more(monkeypatch):
    X, y = small()
    beta = 0.3 * cvxnn.largest_beta(X, y)
    solution = cvxnn.solve(X, y, beta=beta)
    problem = Problem.of(Layer(X), y, beta, SquaredLoss())
    proof = improved(problem, neurons_of(solution), most=None, tol=0.2)
    assert proof.bound(problem) >= 0.8 * solution.objective
    # The network of twice the objective cannot be proven: it comes to rest by itself.
    far = neurons_of(solution)
    improved(problem, far.sized(2.0 * far.sizes), most=None)


def test_without_time_the_proof_is_the_one_before():
    X, y = small()
    problem = Problem.of(Layer(X), y, 0.3, SquaredLoss())
    first = first_proof(problem)
    prover = RelaxationProver(problem)
    assert prover.improve(Neurons.none(3), first, 1e-6, Deadline(0.0)) is first
    best = DualProof.of(np.zeros(14), 0.0, "cells")
    kept = RelaxationProver(problem, most=1).improve(Neurons.none(3), best, 1e-6, UNLIMITED)
    assert kept.bound(problem) >= best.bound(problem)


def test_a_deadline_leaves_a_bound():
    X, y = small(60, 4)
    problem = Problem.of(Layer(X), y, 0.3, SquaredLoss())
    first = first_proof(problem)
    proof = improved(problem, Neurons.none(4), most=None, deadline=Deadline(0.3))
    assert proof.bound(problem) >= first.bound(problem)


def test_an_interrupt_is_raised_by_the_next_check():
    X, y = small()
    problem = Problem.of(Layer(X), y, 0.3, SquaredLoss())
    with pytest.raises(KeyboardInterrupt), interrupts.deferred_interrupts():
        interrupts.interrupt(2, None)
        improved(problem, Neurons.none(3))


@pytest.mark.parametrize("beta", [1e-140, 1e-12, 1e140])
def test_any_beta(beta):
    X, y = small()
    problem = Problem.of(Layer(X), y, beta, SquaredLoss())
    bound = improved(problem, Neurons.none(3), most=40).bound(problem)
    # Without neurons; and no more than the price of some that interpolate.
    assert 0.0 <= bound <= 0.5 * float(y @ y)


def test_a_bad_network_does_no_harm():
    X, y = small()
    problem = Problem.of(Layer(X), y, 0.3, SquaredLoss())
    rng = np.random.default_rng(0)
    bad = Neurons.of(1e40 * rng.standard_normal((5, 3)), np.ones((5, 1)))
    none = improved(problem, Neurons.none(3), most=60)
    assert improved(problem, bad, most=60).bound(problem) == pytest.approx(none.bound(problem))


def test_rows_of_zeros():
    problem = Problem.of(Layer(np.zeros((3, 2))), np.ones(3), 0.3, SquaredLoss())
    assert improved(problem, Neurons.none(2), most=30).bound(problem) == pytest.approx(1.5)


@pytest.mark.long
def test_rows_of_zeros_cost_no_bound():
    """Beside others they add their loss to the optimum, and to the bound."""
    X, y = small()
    beta = 0.2 * cvxnn.largest_beta(X, y)
    solution = cvxnn.solve(X, y, beta=beta)
    X, y = np.vstack([X, np.zeros((26, 3))]), np.append(y, np.full(26, 0.5))
    problem = Problem.of(Layer(X), y, beta, SquaredLoss())
    optimum = solution.objective + 0.5 * 26 * 0.25
    bound = improved(problem, neurons_of(solution), block=10, largest=10).bound(problem)
    assert 0.9 * optimum <= bound <= optimum + solution.objective_error


@pytest.mark.long
def test_blocks_are_merged_where_they_bring_no_more():
    X, y = small()
    beta = 0.1 * cvxnn.largest_beta(X, y)
    solution = cvxnn.solve(X, y, beta=beta)
    problem = Problem.of(Layer(X), y, beta, SquaredLoss())
    alone = improved(problem, neurons_of(solution), block=4, largest=4, most=1000)
    merged = improved(problem, neurons_of(solution), block=4, largest=16, most=1000)
    gaps = [1.0 - proof.bound(problem) / solution.objective for proof in (alone, merged)]
    assert 0.0 <= gaps[1] < 0.8 * gaps[0]


@pytest.mark.long
def test_what_is_worked_on_is_said_until_there_is_no_more():
    X, y = small(n=16)
    problem = Problem.of(Layer(X), y, 0.1 * cvxnn.largest_beta(X, y), SquaredLoss())
    for largest, stages in ((4, [True]), (16, [False, False, True])):
        seen = []
        prover = RelaxationProver(
            problem, block=4, largest=largest, most=2000, on_stage=seen.append
        )
        prover.improve(Neurons.none(3), first_proof(problem), 1e-6, UNLIMITED)
        assert seen == stages
