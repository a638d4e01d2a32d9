"""The joint dual: what is promised and proven, and the networks of its multipliers."""

import numpy as np
import pytest
from solvers.parallel.three_layers import drawn, optimum_of_blocks, plain_objective, problem_of

import cvxnn
from cvxnn.oracle.parallel.leaves import two_layer_oracle
from cvxnn.solvers.parallel.descent import descend, weighed
from cvxnn.solvers.parallel.goals import BoundGoal
from cvxnn.solvers.parallel.joint_dual import JointDual
from cvxnn.solvers.parallel.proofs import proof_of
from cvxnn.verification.sign_choices import covers


def opened(X, y, beta):
    two = cvxnn.solve(X, y, beta)
    directions = two.network.hidden_weights
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    problem = problem_of(X, y, beta)
    residual = y - two.network(X)
    return problem, JointDual(X, BoundGoal(problem), two_layer_oracle(X), directions, residual)


def test_bounds_rise_to_the_optimum_and_networks_fall_to_it():
    X, y = drawn(2, n=4)
    beta = 0.05 * cvxnn.largest_beta(X, y)
    problem, joint = opened(X, y, beta)
    reference = optimum_of_blocks(X, y, beta)
    proven, objective = -np.inf, np.inf
    for _ in range(60):
        joint.refine()
        bound = proof_of(joint.priced).bound(problem)
        assert bound <= reference * (1.0 + 1e-8)
        assert bound == pytest.approx(joint.proven, rel=1e-9, abs=1e-12)
        assert joint.proven >= proven
        proven = joint.proven
        network, value = weighed(problem, joint.sub_networks())
        assert value >= bound
        assert value == pytest.approx(plain_objective(X, y, beta, network.shortened()), rel=1e-9)
        objective = min(objective, value)
        if joint.is_settled(objective) or joint.promised - proven < 1e-7:
            joint.branch()
    assert objective == pytest.approx(reference, rel=1e-5)
    assert proven == pytest.approx(reference, rel=1e-5)
    for sign in (1.0, -1.0):
        assert covers(joint.leaves.choices[joint.leaves.signs == sign])


def test_a_wrong_guess_of_the_signs_costs_time_only():
    X, y = drawn(4, n=4)
    beta = 0.05 * cvxnn.largest_beta(X, y)
    problem = problem_of(X, y, beta)
    joint = JointDual(X, BoundGoal(problem), two_layer_oracle(X), np.eye(2), -y)
    reference = optimum_of_blocks(X, y, beta)
    for _ in range(80):
        joint.refine()
        if joint.is_settled(reference) or joint.promised - joint.proven < 1e-7:
            joint.branch()
    assert joint.proven == pytest.approx(reference, rel=1e-5)


def test_a_descent_does_not_rise():
    X, y = drawn(1)
    problem, joint = opened(X, y, 0.05)
    joint.refine()
    start, value = weighed(problem, joint.sub_networks())
    moved = descend(problem, start)
    assert plain_objective(X, y, 0.05, moved) <= value * (1.0 + 1e-12)
