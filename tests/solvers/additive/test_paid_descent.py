"""Descents of neurons in cones and with a 1-norm, by Newton and L-BFGS; and high ranks."""

import numpy as np
import pytest

from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers.costs import Costs
from cvxnn.layers.groups import GroupedLayer
from cvxnn.losses import SquaredLoss
from cvxnn.methods import METHODS
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.additive.faces import Faces
from cvxnn.solvers.additive.members import Members
from cvxnn.solvers.additive.newton import descend
from cvxnn.solvers.additive.objective import GroupedObjective
from cvxnn.solvers.additive.slide import slide
from cvxnn.solvers.additive.strategy import AdditiveStrategy
from cvxnn.solvers.search import Pursuit

D = 5
COSTS = {
    "cone": Costs((1, -1, 0, 1, 0)),
    "l1": Costs((0,) * D, l1_ratio=0.6),
    "all": Costs((1, 0, -1, 0, 0), (1.0,), 0.3),
    "only l1": Costs((0,) * D, l1_ratio=1.0),
}


def case(name, n=60, groups=((0, 1, 2, 3, 4),), k=4):
    """Neurons of the class with zeros among their entries."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((n, D - 1)), np.ones(n)])
    y = np.abs(X[:, 0]) - X[:, 1] + 0.3 * rng.standard_normal(n)
    costs = COSTS[name]
    layer = GroupedLayer(X, groups, costs)
    directions = np.zeros((k, D))
    signs = np.array([costs.signs[j % len(costs.signs)] for j in range(k)])
    for j in range(k):
        columns = list(groups[j % len(groups)])
        drawn = np.zeros((1, D))
        drawn[0, columns] = rng.standard_normal(len(columns))
        cone = costs.cone(signs[j])
        drawn = np.where(cone != 0.0, cone * np.abs(drawn), drawn)
        drawn[0, columns[j % 3]] = 0.0
        directions[j] = costs.projected(drawn, signs[j])[0]
    problem = Problem.of(layer, y, 1.0, SquaredLoss())
    neurons = Neurons(directions, 0.5 + rng.random(k), signs[:, None])
    return GroupedObjective(problem), Members.of(layer, neurons)


def in_class(layer, neurons):
    costs = layer.costs
    cones = neurons.signs[:, None] * costs.cone(1.0)
    assert (cones * neurons.directions >= 0.0).all() and set(neurons.signs) <= set(costs.signs)
    np.testing.assert_allclose(costs.norms(neurons.directions), 1.0, rtol=1e-12)
    return True


@pytest.mark.parametrize("name", COSTS)
def test_the_model_of_a_step_has_the_slope_of_the_objective(name):
    """Along the columns of the faces, by differences; kinks at zero are not crossed."""
    objective, members = case(name)
    left = objective.residual(members)
    faces = Faces.of(objective, members)
    costs = objective.layer.costs
    for basis, unit, cone in zip(faces.bases, members.units, members.cones, strict=True):
        has_kink = (cone != 0.0) | (costs.l1_ratio > 0.0)
        held = has_kink & (unit == 0.0)
        assert basis.shape[1] == D - held.sum() and not basis[held].any()
    J = faces._columns(slice(0, len(left)))
    slope = objective.problem.beta * faces.along - J @ left
    step = 1e-6
    for j, (part, basis) in enumerate(zip(faces.parts, faces.bases, strict=True)):
        for column, expected in zip(basis.T, slope[part], strict=True):
            values = []
            for t in (step, -step):
                rays = members.rays
                rays[j] += t * column
                values.append(objective.value(members.moved(rays)))
            assert (values[0] - values[1]) / (2 * step) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("groups", [((0, 1, 2, 3, 4),), ((0, 1, 4), (1, 2, 3, 4))])
@pytest.mark.parametrize("how", [descend, slide])
def test_descents_stay_in_the_class_and_lower_the_objective(how, name, groups):
    objective, members = case(name, groups=groups)
    moved = how(objective, members, 30)
    assert objective.value(moved) < 0.9 * objective.value(members)
    assert in_class(objective.layer, moved.neurons(objective.layer))
    assert (objective.layer.group_of(moved.neurons(objective.layer).directions) >= 0).all()
    # Both come near to rest at objectives of one size.
    again = descend(objective, moved, 30)
    assert objective.value(again) <= objective.value(moved)


def test_a_slide_without_costs_or_time():
    objective, members = case("cone")
    plain = GroupedObjective(
        objective.problem.on(GroupedLayer(objective.layer.rows, objective.layer.groups))
    )
    free = Members(members.groups, members.units, members.sizes, members.signs)
    assert plain.value(slide(plain, free, 30)) < plain.value(free)
    stopped = slide(objective, members, 30, Deadline(0.0))
    assert stopped is members


def test_an_entry_leaves_zero_where_it_is_pulled():
    objective, members = case("l1", k=1)
    left = objective.residual(members)
    at_rest, moving = Faces.of(objective, members), Faces.of(objective, members, left)
    assert moving.bases[0].shape[1] > at_rest.bases[0].shape[1]
    moved = descend(objective, members, 10)
    assert (moved.units[0] != 0.0).sum() > (members.units[0] != 0.0).sum()


LONG = [pytest.param(name, marks=pytest.mark.long) for name in COSTS if name != "all"]


@pytest.mark.long
@pytest.mark.parametrize("name", ["all", *LONG])
def test_high_ranks_have_a_good_network_and_a_bound(name):
    """Beyond the rank of proofs that end: near L-BFGS from many starts, and a bound below."""
    rng = np.random.default_rng(1)
    n, d = 80, 9
    X = np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])
    y = np.abs(X[:, 0]) - X[:, 1] + 0.3 * rng.standard_normal(n)
    own = COSTS[name]
    costs = Costs(own.monotone + (0,) * (d - D), own.signs, own.l1_ratio)
    problem = Problem.of(GroupedLayer(X, (tuple(range(d)),), costs), y, 3.0, SquaredLoss())
    method = METHODS["global"](certify=False)
    search = AdditiveStrategy(problem, method, np.random.default_rng(0)).open(UNLIMITED)
    pursuit = Pursuit(search)
    while pursuit.advance(1e-6):
        pass
    neurons = search.incumbent()
    assert in_class(problem.rows, neurons) and (search.stationary or search.is_stuck)
    f = problem.rows.forward(neurons.rays, neurons.signs)
    assert problem.value(f, float(neurons.sizes.sum())) == pytest.approx(search.objective)
    objective, best = GroupedObjective(problem), np.inf
    for _ in range(2):
        signs = rng.choice(np.array(costs.signs), 20)
        drawn = np.array([costs.projected(rng.standard_normal((1, d)), s)[0] for s in signs])
        start = Members.of(problem.rows, Neurons(drawn, np.full(20, 0.1), signs[:, None]))
        best = min(best, objective.value(slide(objective, start, 300)))
    assert search.objective <= best * (1.0 + 1e-3)
    assert 0.0 < search.bound <= search.objective
