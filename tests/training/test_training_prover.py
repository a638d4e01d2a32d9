"""A bound for any network by the training of one."""

import numpy as np
import pytest
from least_squares import least_squares
from problems import problem_named

from cvxnn.certificates import DualProof, Prover, spectral_proof
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.problems import Problem
from cvxnn.training.certification_run import TrainingProver

PROBLEM = problem_named("d2_n50")
LAYER, LOSS = Layer(PROBLEM.X), SquaredLoss()
NOTHING = TwoLayerNetwork(np.zeros((0, LAYER.n_features)), np.zeros(0))


def prover() -> TrainingProver:
    problem = Problem.of(LAYER, PROBLEM.y, PROBLEM.beta, LOSS)
    return TrainingProver(problem, np.random.default_rng(0))


def improved(by: Prover[TwoLayerNetwork], proof: DualProof, deadline: Deadline) -> DualProof:
    return by.improve(NOTHING, proof, 1e-6, deadline)


def test_the_bound_is_that_of_the_training_in_the_units_of_the_data():
    first, trainer = spectral_proof(LAYER, PROBLEM.y), prover()
    proof = improved(trainer, first, Deadline())
    bound = proof.bound(least_squares(PROBLEM.X, PROBLEM.y, PROBLEM.beta))
    assert trainer.solution is not None
    assert bound == trainer.solution.dual_bound
    assert bound <= PROBLEM.objective * (1.0 + 1e-8)
    assert bound == pytest.approx(PROBLEM.objective, rel=1e-6)
    # What is proven of the dual point is what an oracle finds at it.
    units = np.random.default_rng(1).standard_normal((500, LAYER.n_features))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    assert np.abs(proof.v @ LAYER.activations(units)).max() <= proof.oracle_bound


def test_a_better_proof_stays():
    best = improved(prover(), spectral_proof(LAYER, PROBLEM.y), Deadline())
    assert improved(prover(), best, Deadline(1e-9)) is best


def test_no_training_without_time():
    first, trainer = spectral_proof(LAYER, PROBLEM.y), prover()
    assert improved(trainer, first, Deadline(0.0)) is first
    assert trainer.solution is None
