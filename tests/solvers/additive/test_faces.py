"""Faces of neurons in groups: columns and Newton steps against dense algebra and differences."""

import numpy as np
import pytest

from cvxnn.layers.groups import GroupedLayer
from cvxnn.losses import SquaredLoss
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.additive import objective as room
from cvxnn.solvers.additive.faces import Faces
from cvxnn.solvers.additive.members import Members
from cvxnn.solvers.additive.newton import descend, stationary_residual
from cvxnn.solvers.additive.objective import GroupedObjective

GROUPS = ((0, 3), (1, 2, 3))


def case(n=40):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((n, 3)), np.ones(n)])
    layer = GroupedLayer(X, GROUPS)
    problem = Problem.of(layer, rng.standard_normal(n), 0.5, SquaredLoss())
    rays = rng.standard_normal((4, 4))
    rays[:2, [1, 2]] = 0.0
    rays[2:, 0] = 0.0
    # One that lies on the hyperplane of a row.
    rays[1, 3] = -rays[1, 0] * X[5, 0]
    neurons = Neurons.of(rays, np.array([[1.0], [-1.0], [1.0], [-1.0]]))
    return GroupedObjective(problem), Members.of(layer, neurons), neurons


def test_members_are_the_neurons():
    objective, members, neurons = case()
    again = members.neurons(objective.layer)
    np.testing.assert_allclose(again.rays, neurons.rays)
    left = objective.problem.y - objective.layer.forward(neurons.rays, neurons.signs)
    np.testing.assert_allclose(objective.residual(members), left, atol=1e-12)
    assert members.groups.tolist() == [0, 0, 1, 1]
    half = 0.5 * left @ left + 0.5 * neurons.sizes.sum()
    assert objective.value(members) == pytest.approx(half, rel=1e-12)


@pytest.mark.parametrize("few_rows", [0, 3000])
def test_a_newton_step_solves_the_model_on_the_faces(few_rows, monkeypatch):
    monkeypatch.setattr(room, "_FEW_ROWS", few_rows)
    objective, members, _ = case()
    faces, beta = Faces.of(objective, members), objective.problem.beta
    # On the hyperplane of a row a neuron has one dimension left.
    assert [basis.shape[1] for basis in faces.bases] == [2, 1, 3, 3]
    assert faces.tight[1].tolist() == [5]
    J = []
    for j, (group, unit, sign) in enumerate(
        zip(members.groups, members.units, members.signs, strict=True)
    ):
        X = objective.seen(int(group)).T
        J.append(sign * (X * (X @ unit > 1e-12)[:, None]) @ faces.bases[j])
    J = np.hstack(J)
    left = objective.residual(members)
    moves = faces.newton(left, beta)
    coordinates = np.concatenate(
        [basis.T @ move for basis, move in zip(faces.bases, moves, strict=True)]
    )
    curvature = np.zeros((9, 9))
    for part, size in zip(faces.parts, members.sizes, strict=True):
        b = faces.along[part]
        curvature[part, part] = beta / size * (np.eye(len(b)) - np.outer(b, b))
    gradient = beta * faces.along - J.T @ left
    np.testing.assert_allclose((J.T @ J + curvature) @ coordinates, -gradient, atol=1e-6)
    v = faces.stationary(left, beta)
    np.testing.assert_allclose(J.T @ v, beta * faces.along, atol=1e-8)


def test_descent_lowers_the_objective_to_rest():
    objective, members, _ = case()
    before = objective.value(members)
    moved = descend(objective, objective.reweighed(members), 50)
    reached = objective.value(moved)
    assert reached < before
    # At rest on its faces: no small move along them is better.
    v, left = stationary_residual(objective, moved), objective.residual(moved)
    assert np.linalg.norm(v - left) <= 1e-6 * np.linalg.norm(left)


@pytest.mark.parametrize("few_rows", [0, 3000])
def test_sizes_are_the_best(few_rows, monkeypatch):
    monkeypatch.setattr(room, "_FEW_ROWS", few_rows)
    objective, members, neurons = case()
    found = objective.reweighed(members)
    columns = objective.layer.activations(neurons.directions) * neurons.signs
    slopes = columns.T @ objective.residual(found) - objective.problem.beta
    kept = np.isin(members.units[:, 0], found.units[:, 0])
    np.testing.assert_allclose(slopes[kept], 0.0, atol=1e-9)
    assert (slopes[~kept] <= 1e-9).all()


def test_neurons_of_a_cell_become_one():
    objective, members, _ = case()
    near = Members(members.groups, members.units, members.sizes, members.signs)
    both = members.joined(near)
    merged = objective.merged(both)
    assert len(merged) == len(members)
    np.testing.assert_allclose(objective.residual(merged), objective.residual(both), atol=1e-12)
    assert merged.total <= both.total * (1.0 + 1e-12)
