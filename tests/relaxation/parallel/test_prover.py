"""Bounds on three layers by the relaxation, from any v, coefficients and multipliers."""

from dataclasses import replace

import numpy as np
import pytest
from relaxation_instances import multipliers, rows_and_weights
from solvers.parallel.three_layers import (
    descended,
    drawn,
    largest_by_choices,
    optimum_of_blocks,
    problem_of,
)
from variants import with_long

import cvxnn
from cvxnn.interrupts import UNLIMITED
from cvxnn.losses import LogisticLoss
from cvxnn.oracle.parallel.leaves import two_layer_oracle
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.iteration import Numbers
from cvxnn.relaxation.parallel.prover import SubNetworkProver
from cvxnn.relaxation.parallel.scale import SubNetworkScale
from cvxnn.solvers.parallel.goals import BoundGoal
from cvxnn.solvers.parallel.joint_dual import JointDual
from cvxnn.solvers.parallel.neurons import SubNetworks, as_sub_networks
from cvxnn.solvers.parallel.proofs import quick_proof
from cvxnn.solvers.parallel.rough_search import RoughSubNetworkSearch
from cvxnn.solvers.relaxed import relaxation_prover


class Given:
    """Multipliers that no iteration has come to."""

    def __init__(self, found):
        self._found = found

    def multipliers(self, number):
        return self._found[number]


def proof_of_any(rng, X, v):
    """A proof from random coefficients and multipliers; nothing of it is near an optimum."""
    scale = SubNetworkScale.of(problem_of(X, v, 1.0), 2, intercept=False)
    step = scale.loss_step
    step.v = v / scale.units.targets
    shape = rng.choice([0.0, 0.5, 1.0, 3.0], size=(2, len(v)))
    step.under = np.abs(step.v) * shape
    pairs = scale.scattered(rng.standard_normal((4, len(v))) * np.abs(step.v).max())
    found = [multipliers(rng, scale.blocks.rows, pairs[:, k]) for k in range(4)]
    return scale.proof(Given(found))


def values_of(rng, X, v, count=300, width=3):
    """``v'((X W)_+ b)_+`` of random sub-networks of size one, by plain sums."""
    W, b = rng.standard_normal((count, width, X.shape[1])), rng.standard_normal((count, width))
    size, top = np.abs(X).max() or 1.0, np.abs(v).max() or 1.0
    W /= np.linalg.norm(W.reshape(count, -1), axis=1)[:, None, None]
    b /= np.linalg.norm(b, axis=1)[:, None]
    first = np.maximum(np.einsum("nd,kjd->knj", X / size, W), 0.0)
    values = np.maximum(np.einsum("knj,kj->kn", first, b), 0.0) @ (v / top)
    return values * (1.0 - 1e-13), size * top


@pytest.mark.long
def test_no_sub_network_is_above_a_bound_whatever_it_is_made_of():
    rng, n_finite = np.random.default_rng(0), 0
    for k in range(40):
        n, d = int(rng.integers(1, 9)), int(rng.integers(1, 5))
        X, v = rows_and_weights(rng, n, d)
        if not v.any():
            continue
        if k % 3 == 0:
            X, v = X * 2.0 ** rng.integers(-200, 200), v * 2.0 ** rng.integers(-200, 200)
        if not X.any():
            continue
        proof = proof_of_any(rng, X, v)
        values, unit = values_of(rng, X, v)
        above, below = proof.bounds / unit
        assert values.max() <= above and (-values).max() <= below
        np.testing.assert_array_equal(proof.v, v)
        n_finite += np.isfinite(proof.bounds).all()
    assert n_finite > 20


@pytest.mark.parametrize("seed", range(3))
def test_no_choice_of_signs_is_above_a_bound(seed):
    rng = np.random.default_rng(seed)
    X, v = rng.standard_normal((6, 2)), rng.standard_normal(6)
    assert largest_by_choices(X, v) <= proof_of_any(rng, X, v).bounds[0] * (1.0 + 1e-7)


def improved(problem, start, most=300, tol=1e-3):
    prover = SubNetworkProver(
        problem, as_sub_networks, most=most, numbers=Numbers(np, np.float64), threads=1
    )
    first = quick_proof(problem.rows.X, problem.residual_at_zero)
    return prover.improve(start, first, tol, UNLIMITED)


@with_long("seed", range(2))
def test_it_is_not_above_the_program_of_all_blocks_and_near_the_leaves_without_choices(seed):
    X, y = drawn(seed, n=4)
    beta = 0.1 * cvxnn.largest_beta(X, y)
    problem = problem_of(X, y, beta)
    found = improved(problem, SubNetworks.nothing(2)).bound(problem)
    assert found <= optimum_of_blocks(X, y, beta) * (1.0 + 1e-8)
    joint = JointDual(X, BoundGoal(problem), two_layer_oracle(X), np.zeros((0, 2)), y)
    for _ in range(12):
        joint.refine()
    # With exact values of two layers, of which the relaxation has bounds.
    assert found <= joint.promised * (1.0 + 1e-6)
    assert found >= joint.proven * 0.9


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
def test_no_local_search_is_below_it_in_high_rank(seed):
    X, y = drawn(seed, n=30, d=8)
    beta = 0.2 * cvxnn.largest_beta(X, y)
    problem = problem_of(X, y, beta)
    found = improved(problem, SubNetworks.nothing(8), most=200)
    best = min(descended(X, y, beta, 6, 3, start) for start in range(5))
    assert 0.8 * best <= found.bound(problem) <= best
    # Eigenvalues alone say much less.
    assert quick_proof(X, problem.residual_at_zero).bound(problem) < 0.7 * best


@pytest.mark.long
def test_rows_that_are_nothing_or_equal_do_no_harm():
    X = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [-1.0, 2.0]])
    y = np.array([1.0, -0.5, 3.0, 2.0])
    problem = problem_of(X, y, 0.3)
    found = improved(problem, SubNetworks.nothing(2)).bound(problem)
    two = cvxnn.solve(X, y, 0.3)
    assert 0.9 * two.objective <= found <= two.objective


@pytest.mark.long
def test_a_start_with_sub_networks_and_a_loss_of_labels():
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((12, 3)), np.sign(rng.standard_normal(12))
    beta = 0.2 * cvxnn.largest_beta(X, y, loss="logistic")
    problem = Problem(problem_of(X, y, beta).rows, y[:, None], beta, LogisticLoss())
    two = cvxnn.solve(X, y, beta, loss="logistic")
    neurons = Neurons.of_weights(two.network.hidden_weights, two.network.output_weights)
    found = improved(problem, neurons, most=200).bound(problem)
    assert 0.8 * two.objective <= found <= two.objective


@pytest.mark.long
def test_beside_an_intercept_dual_points_have_the_sum_0():
    X, y = drawn(2, n=70, d=7)
    y = y + 5.0
    problem = problem_of(X, y, 0.3 * cvxnn.largest_beta(X, y, intercept=True))
    prover = replace(relaxation_prover(problem, intercept=True), most=60)
    search = RoughSubNetworkSearch(problem, np.random.default_rng(0), UNLIMITED, intercept=True)
    while not search.stationary:
        search.step(1e-3)
    nothing = quick_proof(X, np.zeros(70))
    found = prover.improve(search.incumbent(), nothing, 1e-4, UNLIMITED)
    assert abs(found.v.sum()) <= 1e-12 * np.abs(found.v).sum()
    assert 0.3 * search.objective <= found.bound(problem) <= search.objective
    assert relaxation_prover(problem_of(X[:, :3], y, 1.0)) is None
