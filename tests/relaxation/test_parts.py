"""A sum over parts: never above an optimum that is known exactly, and the same in any order."""

import pickle
import threading
import time
from functools import partial

import numpy as np
import pytest
from variants import with_long

import cvxnn
from cvxnn import interrupts
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.errors import InputError
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer
from cvxnn.losses import HuberLoss, LogisticLoss, SquaredHingeLoss, SquaredLoss, WeightedLoss
from cvxnn.oracle.choice import Effort, oracle_for
from cvxnn.oracle.price import Price
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.choice import prover_for
from cvxnn.relaxation.parts import PartsProver, alike, bound_part
from cvxnn.relaxation.prover import RelaxationProver
from cvxnn.verification.evidence import Pieces
from cvxnn.verification.parts import PartsEvidence

quick = partial(RelaxationProver, block=20, largest=20, most=100, threads=1)


class ExactProver:
    """The network's own dual point, priced exactly."""

    def __init__(self, problem):
        self.problem = problem

    def improve(self, incumbent, proof, tol, deadline):
        price: Price = oracle_for(self.problem.rows, Effort()).price(proof.V, self.problem.beta)
        return max(proof, DualProof.priced(proof.V, price), key=lambda one: one.bound(self.problem))


def ring(n=40):
    X, y = cvxnn.load_ring()
    return X[:n], y[:n]


def plane(n=60, seed=0):
    """Rank two, where the oracle is exact."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal(n), np.ones(n)])
    return X, np.sin(2.0 * X[:, 0]) + 0.3 * rng.standard_normal(n)


def solved(X, y, share, loss="squared", weights=None):
    beta = share * cvxnn.largest_beta(X, y, loss=loss, sample_weight=weights)
    solution = cvxnn.solve(X, y, beta=beta, loss=loss, sample_weight=weights)
    assert solution.status.is_success
    return beta, solution


def neurons_of(solution):
    return Neurons.of_weights(solution.network.hidden_weights, solution.network.output_weights)


def nothing(problem):
    """A proof that says nothing."""
    return DualProof.of(0.0 * problem.y, 0.0, "spectral")


def improved(problem, neurons, n_parts, make=quick, *, threads=2, deadline=UNLIMITED):
    prover = PartsProver(problem, n_parts, make, threads)
    return prover.improve(neurons, nothing(problem), 1e-6, deadline)


def check_bounds(problem, proof):
    """What is said of both signs, against the exact oracle."""
    exact = oracle_for(problem.rows, Effort()).price(proof.V, tol=1e-9)
    v, layer = proof.v, problem.rows
    for sign, bound in zip((1.0, -1.0), proof.bounds, strict=True):
        found = exact.directions[exact.signs == sign]
        values = sign * (v @ np.maximum(layer.rows @ found.T, 0.0))
        assert bound >= values.max(initial=0.0) * (1.0 - 1e-12)


@pytest.mark.parametrize("make", [quick, ExactProver], ids=["relaxation", "exact"])
@with_long("n_parts", [3, 7])
def test_never_above_the_optimum_in_rank_two(n_parts, make):
    X, y = plane()
    beta, solution = solved(X, y, 0.2)
    problem = Problem.of(Layer(X), y, beta, SquaredLoss())
    proof = improved(problem, neurons_of(solution), n_parts, make)
    assert proof.kind == "parts" and proof.bounds.shape == (2,)
    bound = proof.bound(problem)
    assert 0.3 * solution.objective < bound <= solution.objective + solution.objective_error
    check_bounds(problem, proof)


@with_long("n_parts", [2, 3])
def test_the_ring(n_parts):
    X, y = ring()
    beta, solution = solved(X, y, 0.3)
    problem = Problem.of(Layer(X), y, beta, SquaredLoss())
    proof = improved(problem, neurons_of(solution), n_parts)
    bound = proof.bound(problem)
    assert 0.5 * solution.objective < bound <= solution.objective + solution.objective_error
    check_bounds(problem, proof)


LOSSES = {
    "weighted logistic": WeightedLoss(LogisticLoss(), np.exp2(np.arange(30.0) / 7.5 - 2.0)),
    "huber": HuberLoss(0.4),
    "squared hinge": SquaredHingeLoss(),
}


@pytest.mark.long
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_every_loss(loss):
    X, y = plane(30)
    y = np.where(y > 0.0, 1.0, -1.0) if loss.has_labels else y
    inner, weights = (loss.loss, loss.weights) if isinstance(loss, WeightedLoss) else (loss, None)
    beta, solution = solved(X, y, 0.2, inner, weights)
    problem = Problem.of(Layer(X), y, beta, loss)
    for make in (quick, ExactProver):
        proof = improved(problem, neurons_of(solution), 4, make)
        bound = proof.bound(problem)
        assert 0.3 * solution.objective < bound <= solution.objective + solution.objective_error
        check_bounds(problem, proof)


def test_equal_parts_lose_nothing():
    """The same rows in every part: the sum is the optimum of all."""
    X, y = plane(30)
    beta, solution = solved(X, y, 0.2)
    rows = np.tile(np.arange(30), 3)
    problem = Problem.of(Layer(X[rows]), y[rows], 3.0 * beta, SquaredLoss())
    proofs = [
        bound_part(part, neurons_of(solution), ExactProver, 1e-6, None)
        for part in (problem.take(np.arange(30) + 30 * k) for k in range(3))
    ]
    bounds = [proof.bound(problem.take(np.arange(30))) for proof in proofs]
    assert sum(bounds) == pytest.approx(3.0 * solution.objective, rel=2e-6)


@pytest.mark.long
@pytest.mark.parametrize("n_parts", [6, 1])
def test_any_number_of_parts(n_parts):
    """One, and one row each."""
    X, y = plane(6)
    beta, solution = solved(X, y, 0.2)
    problem = Problem.of(Layer(X), y, beta, SquaredLoss())
    proof = improved(problem, neurons_of(solution), n_parts)
    assert 0.0 < proof.bound(problem) <= solution.objective + solution.objective_error


@pytest.mark.long
def test_rows_of_zeros():
    """Parts of nothing else pay their whole loss, and their share of beta is free."""
    X, y = plane(20)
    beta, solution = solved(X, y, 0.2)
    padded, targets = np.vstack([X, np.zeros((40, 2))]), np.append(y, np.full(40, 0.5))
    problem = Problem.of(Layer(padded), targets, beta, SquaredLoss())
    optimum = solution.objective + 0.5 * 40 * 0.25
    for n_parts in (2, 12):
        bound = improved(problem, neurons_of(solution), n_parts).bound(problem)
        assert 0.5 * 40 * 0.25 < bound <= optimum + solution.objective_error
    nothing_at_all = Problem.of(Layer(np.zeros((4, 2))), np.ones(4), 0.3, SquaredLoss())
    bound = improved(nothing_at_all, Neurons.none(2), 2).bound(nothing_at_all)
    assert bound == pytest.approx(2.0) and bound <= 2.0


@pytest.mark.long
def test_the_result_does_not_depend_on_the_number_of_threads():
    X, y = ring(20)
    problem = Problem.of(Layer(X), y, 1.0, SquaredLoss())
    one, three = (improved(problem, Neurons.none(3), 4, threads=k) for k in (1, 3))
    assert (one.V == three.V).all() and (one.bounds == three.bounds).all()


@pytest.mark.long
@pytest.mark.parametrize(("rows", "targets"), [(2.0**200, 2.0**-150), (2.0**-300, 2.0**100)])
def test_units_of_the_data(rows, targets):
    X, y = ring(15)
    plain = Problem.of(Layer(X), y, 1.0, SquaredLoss())
    scaled = Problem.of(Layer(rows * X), targets * y, rows * targets, SquaredLoss())
    bounds = [improved(one, Neurons.none(3), 3).bound(one) for one in (plain, scaled)]
    assert bounds[1] / targets**2 == pytest.approx(bounds[0], rel=1e-12)


def test_a_part_out_of_proportion_keeps_its_spectral_bound():
    X, y = np.array([[1.0], [1e-160]]), np.array([2.0, 1.0])
    problem = Problem.of(Layer(X), y, 0.5, SquaredLoss())
    with pytest.raises(InputError, match="proportion"):
        problem.take(np.array([1])).in_units()
    proof = improved(problem, Neurons.none(1), 2)
    # 1/2 2^2 - 1/2 (2 - 1/2)^2, and 1/2 that no neuron lowers.
    assert proof.bound(problem) == pytest.approx(0.875 + 0.5, rel=1e-6)
    assert proof.bound(problem) <= 0.875 + 0.5


def test_without_time_the_proof_is_the_one_before():
    X, y = ring()
    problem = Problem.of(Layer(X), y, 1.0, SquaredLoss())
    first = nothing(problem)
    prover = PartsProver(problem, 3, quick)
    assert prover.improve(Neurons.none(3), first, 1e-6, Deadline(0.0)) is first
    best = DualProof.of(np.zeros(40), -1.0, "cells")
    assert prover.improve(Neurons.none(3), best, 1e-6, UNLIMITED).bound(problem) > 0.0


def test_a_part_without_time_has_its_spectral_bound():
    X, y = ring()
    problem = Problem.of(Layer(X), y, 1.0, SquaredLoss())
    proof = bound_part(problem, Neurons.none(3), quick, 1e-6, 0.0)
    assert proof.kind == "spectral"
    assert proof.bounds == pytest.approx(spectral_proof(problem.rows, y).bounds)


class WaitingProver:
    """Notes the seconds it is given."""

    seconds: list[float]

    def __init__(self, problem):
        del problem

    def improve(self, incumbent, proof, tol, deadline):
        self.seconds.append(deadline.remaining)
        return proof


@pytest.mark.parametrize(("n_parts", "threads"), [(4, 1), (4, 2), (5, 2)])
def test_each_part_has_its_share_of_the_time(n_parts, threads):
    WaitingProver.seconds = []
    X, y = ring()
    problem = Problem.of(Layer(X), y, 1.0, SquaredLoss())
    improved(
        problem, Neurons.none(3), n_parts, WaitingProver, threads=threads, deadline=Deadline(1e6)
    )
    rounds = [-(-(n_parts - k) // threads) for k in range(n_parts)]
    # None has used any of it, which is left to those after it.
    expected = sorted(1e6 / left for left in rounds)
    assert sorted(WaitingProver.seconds) == pytest.approx(expected, rel=1e-3)


def test_an_interrupt_ends_all_parts_and_is_raised_by_the_next_check():
    X, y = ring()
    problem = Problem.of(Layer(X), y, 1.0, SquaredLoss())
    make = partial(RelaxationProver, threads=1)
    proofs = []
    with pytest.raises(KeyboardInterrupt), interrupts.deferred_interrupts():
        interrupts.interrupt(2, None)
        proofs.append(improved(problem, Neurons.none(3), 3, make))
    assert proofs[0].kind == "parts" and proofs[0].bound(problem) > 0.0


def test_an_interrupt_while_parts_are_worked_on():
    class UntilInterrupted:
        def __init__(self, problem):
            del problem

        def improve(self, incumbent, proof, tol, deadline):
            begun.set()
            while not interrupts.interrupt_pending():
                time.sleep(1e-3)
            return proof

    begun = threading.Event()
    X, y = ring()
    problem = Problem.of(Layer(X), y, 1.0, SquaredLoss())

    def press():
        begun.wait()
        interrupts._pending.set()

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        improved(problem, Neurons.none(3), 4, UntilInterrupted)
    presser.join()
    assert not interrupts.interrupt_pending()


def test_tasks_can_be_sent_elsewhere():
    X, y = ring()
    problem = Problem.of(Layer(X), y, 1.0, WeightedLoss(SquaredLoss(), np.arange(1.0, 41.0)))
    task = partial(bound_part, problem, Neurons.none(3), quick, 1e-6, None)
    here, there = task(), pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(task))()))
    assert (here.V == there.V).all() and (here.bounds == there.bounds).all()


@pytest.mark.parametrize(("n", "n_parts"), [(100, 3), (7, 7), (1000, 16)])
def test_parts_are_a_partition_into_equal_sizes(n, n_parts):
    X = np.random.default_rng(0).standard_normal((n, 4))
    parts = alike(X, n_parts, n)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(n))
    sizes = {len(part) for part in parts}
    assert len(parts) == n_parts and max(sizes) - min(sizes) <= 1


def test_similar_rows_go_to_different_parts():
    rng = np.random.default_rng(0)
    angles = rng.uniform(0.0, np.pi, 4000)
    X = np.column_stack([np.cos(angles), np.sin(angles)])
    means = np.array([np.sin(angles[part]).mean() for part in alike(X, 8, 4000)])
    drawn = np.array([np.sin(part).mean() for part in np.split(rng.permutation(angles), 8)])
    assert means.std() < 0.5 * drawn.std()


def test_parts_of_patches():
    """A network whose predictions sum over rows, by a prover that knows them."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((12, 2)), rng.standard_normal(12)
    layer = Layer(X).with_slope(-0.5)
    problem = Problem.of(layer, y, 0.5, SquaredLoss())
    solution = cvxnn.solve(X, y, beta=0.5, model=cvxnn.ReLU(slope=-0.5))
    bound = improved(problem, Neurons.none(2), 3, ExactProver).bound(problem)
    assert 0.0 < bound <= solution.objective + solution.objective_error


def test_the_choice_is_by_the_number_of_rows():
    y = np.ones(20_001)
    few = Problem.of(Layer(np.ones((5_000, 1))), y[:5_000], 1.0, SquaredLoss())
    many = Problem.of(Layer(np.ones((20_001, 1))), y, 1.0, SquaredLoss())
    assert isinstance(prover_for(few), RelaxationProver)
    prover = prover_for(many)
    assert isinstance(prover, PartsProver) and prover.n_parts == 8


@pytest.mark.long
def test_a_check_of_the_sum_finds_the_bound_that_was_proven():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 4))
    y = np.maximum(X[:, 0], 0.0) + 0.3 * rng.standard_normal(60)
    problem = Problem.of(Layer(X), y, 2.0, SquaredLoss())
    first = spectral_proof(problem.rows, y)
    proof = PartsProver(problem, 3, quick).improve(Neurons.none(4), first, 1e-6, UNLIMITED)
    assert proof.kind == "parts" and isinstance(proof.evidence, PartsEvidence)
    pieces = Pieces(X, proof.v, np.zeros(60))
    found = proof.evidence.bound(pieces, proof.oracle_bound)
    # The check looks for the last numbers anew, and may find better ones.
    assert 0.99 * proof.oracle_bound <= found <= (1.0 + 1e-6) * proof.oracle_bound
    # In the units of the data as in others.
    moved = proof.in_units(4.0, 0.5)
    again = moved.evidence.bound(Pieces(4.0 * X, moved.v, np.zeros(60)), moved.oracle_bound)
    assert again == pytest.approx(2.0 * found, rel=1e-4)


@with_long("seed", range(2))
def test_the_worst_sign_of_a_check_is_that_of_the_sum(seed):
    """Parts may have other worst signs each."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((40, 5)), rng.standard_normal(40)
    problem = Problem.of(Layer(X), y, 3.0, SquaredLoss())
    proof = PartsProver(problem, 2, quick).improve(
        Neurons.none(5), spectral_proof(problem.rows, 10.0 * y), 1e-6, UNLIMITED
    )
    assert proof.kind == "parts"
    found = proof.evidence.bound(Pieces(X, proof.v, np.zeros(40)), proof.oracle_bound)
    assert found <= (1.0 + 1e-6) * proof.oracle_bound
