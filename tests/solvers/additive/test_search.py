"""The search over groups: bounds in every round, starts, limits, and rows that are few or many."""

import numpy as np
import pytest
from variants import with_long

from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers.groups import GroupedLayer
from cvxnn.losses import SquaredLoss
from cvxnn.oracle.choice import Effort
from cvxnn.oracle.groups import GroupGeometry
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.additive import objective as room
from cvxnn.solvers.additive.search import AdditiveSearch


def problem_of(n=120, groups=((0, 3), (1, 3), (2, 3))):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((n, 3)), np.ones(n)])
    y = np.abs(X[:, 0]) - np.maximum(X[:, 1] - 0.5, 0.0) + 0.2 * rng.standard_normal(n)
    return Problem.of(GroupedLayer(X, groups), y, 0.5, SquaredLoss())


def search_for(problem, **options):
    geometry = GroupGeometry.of(problem.rows)
    effort = Effort(20, 0.05, random_state=np.random.default_rng(0))
    oracle = geometry.oracle(problem.rows, None, effort)
    return AdditiveSearch(problem, oracle, geometry.rank, **options)


def run(search, tol=1e-9):
    bounds, objectives = [], []
    for _ in range(40):
        if search.reaches(tol):
            break
        search.step(tol)
        bounds.append(search.bound)
        objectives.append(search.objective)
    return bounds, objectives


@with_long("few_rows", [0, 3000])
@pytest.mark.parametrize("groups", [((0, 3), (1, 3), (2, 3)), ((0, 3), (1, 2, 3))])
def test_every_round_has_a_bound_and_a_network(few_rows, groups, monkeypatch):
    monkeypatch.setattr(room, "_FEW_ROWS", few_rows)
    problem = problem_of(groups=groups)
    search = search_for(problem)
    bounds, objectives = run(search, 1e-7)
    assert search.gap <= 1e-7
    assert (np.diff(bounds) >= 0.0).all() and (np.diff(objectives) <= 0.0).all()
    assert max(bounds) <= min(objectives)
    neurons = search.incumbent()
    f = problem.rows.forward(neurons.rays, neurons.signs)
    assert problem.value(f, float(neurons.sizes.sum())) == pytest.approx(search.objective)
    assert search.proof.bound(problem) == search.bound and search.proof.kind == "groups"
    assert (problem.rows.group_of(neurons.directions) >= 0).all()
    # Linearly independent activations: no more neurons than it takes.
    active = problem.rows.activations(neurons.directions)
    assert np.linalg.matrix_rank(active) == len(neurons)


def test_a_start_saves_rounds_and_changes_nothing():
    problem = problem_of()
    first = search_for(problem)
    rounds = len(run(first)[0])
    again = search_for(problem, start=first.incumbent())
    assert again.objective == pytest.approx(first.objective, rel=1e-12)
    assert len(run(again)[0]) < rounds
    bad = Neurons(np.array([[0.0, 0.0, 0.6, 0.8]]), np.ones(1), -np.ones((1, 1)))
    assert run(search_for(problem, start=bad))[1][-1] == pytest.approx(first.objective)


def test_a_deadline_leaves_the_best_network():
    problem = problem_of()
    search = search_for(problem)
    search.step(1e-9)
    before = search.objective, search.bound, search.incumbent()
    search.deadline = Deadline(0.0)
    with pytest.raises(OutOfTimeError):
        search.step(1e-9)
    search.finish(1e-9, quick=True)
    assert search.objective <= before[0] and search.bound == before[1]
    with pytest.raises(OutOfTimeError):
        search_for(problem, deadline=Deadline(0.0))
