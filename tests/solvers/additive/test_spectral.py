"""Dual points for bounds without a search, by differences and against the layer's own bound."""

import numpy as np
import pytest
from variants import with_long

from cvxnn.certificates import spectral_proof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers.costs import Costs
from cvxnn.layers.groups import GroupedLayer
from cvxnn.losses import SquaredLoss
from cvxnn.problems import Problem
from cvxnn.solvers.additive.spectral import _Proven, _sides, spectral_dual_point

D = 8
COSTS = {
    "none": None,
    "cone": Costs((1, -1) * 4),
    "l1": Costs((0,) * D, l1_ratio=0.3),
    "all l1": Costs((0,) * D, l1_ratio=1.0),
    "convex": Costs((1,) + (0,) * (D - 1), (1.0,), 0.1),
}


def problem_of(name, n=50):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((n, D - 1)), np.ones(n)])
    y = np.abs(X[:, 0]) + X[:, 1] + rng.standard_normal(n)
    layer = GroupedLayer(X, (tuple(range(D)), (0, 1, 7)), COSTS[name])
    return Problem.of(layer, y, 1.0, SquaredLoss())


@pytest.mark.parametrize("name", COSTS)
def test_values_are_the_bounds_and_gradients_their_slopes(name):
    problem = problem_of(name)
    v = np.random.default_rng(1).standard_normal(50)
    sides = _sides(problem.rows)
    largest = max(side.value_and_gradient(v)[0] for side in sides)
    bound = problem.rows.bound(v)
    # That of a 1-norm is bounded entry by entry as well.
    assert bound <= largest * (1.0 + 1e-3)
    assert "l1" in name or bound >= largest * (1.0 - 1e-3)
    functions = [side.value_and_gradient for side in sides]
    functions.append(_Proven(problem, sides, UNLIMITED).value_and_gradient)
    move = np.random.default_rng(2).standard_normal(50)
    for function in functions:
        step = 1e-5
        ahead, behind = (function(v + t * move)[0] for t in (step, -step))
        slope = function(v)[1] @ move
        assert (ahead - behind) / (2.0 * step) == pytest.approx(slope, rel=1e-4, abs=1e-6)


@with_long("name", COSTS, always=2)
def test_it_proves_more_than_where_it_begins(name):
    problem = problem_of(name)
    found = spectral_dual_point(problem, problem.y, UNLIMITED)
    before = spectral_proof(problem.rows, problem.y).bound(problem)
    assert spectral_proof(problem.rows, found).bound(problem) > 1.1 * before
    late = spectral_dual_point(problem, problem.y, Deadline(0.0))
    np.testing.assert_array_equal(late, problem.y)
