"""Searches with cones and a 1-norm against the conic program on all patterns, for every loss."""

from itertools import cycle

import numpy as np
import pytest
from paid_programs import Paid
from programs import targets
from variants import with_long

from cvxnn.interrupts import UNLIMITED
from cvxnn.layers.costs import Costs
from cvxnn.layers.groups import GroupedLayer
from cvxnn.losses import QuantileLoss, as_loss
from cvxnn.methods import METHODS
from cvxnn.problems import Problem
from cvxnn.solvers.additive.strategy import AdditiveStrategy
from cvxnn.solvers.intercept.strategy import InterceptStrategy
from cvxnn.solvers.search import Pursuit
from cvxnn.solvers.smoothing.strategy import SmoothingStrategy

TOL = 1e-8
COSTS = {
    "rising": Costs((1, 0, 0)),
    "falling": Costs((-1, 0, 0)),
    "mixed": Costs((1, -1, 0)),
    "convex": Costs((0, 0, 0), (1.0,)),
    "concave": Costs((0, 0, 0), (-1.0,)),
    "part l1": Costs((0, 0, 0), l1_ratio=0.3),
    "all l1": Costs((0, 0, 0), l1_ratio=1.0),
    "rising l1": Costs((1, 0, 0), l1_ratio=0.3),
    "convex falling l1": Costs((-1, 0, 0), (1.0,), 1.0),
    "concave mixed": Costs((1, -1, 0), (-1.0,), 0.3),
}
GROUPS = {
    "each": ((0, 2), (1, 2)),
    "all": ((0, 1, 2),),
    "overlapping": ((0, 1), (1, 2), (2,)),
}


def rows(n=6, seed=0):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((n, 2)), np.ones(n)])
    return X, 1.5 * X[:, 0] + np.abs(X[:, 1]) - 1.0 + 0.5 * rng.standard_normal(n)


def strategy_of(problem, *, intercept=False):
    """As a model would have it."""
    method, state = METHODS["global"](), np.random.default_rng(0)

    def evaluated(neurons):
        f = problem.rows.forward(neurons.rays, neurons.signs) + neurons.intercept
        return f, float(neurons.sizes.sum())

    def alone(problem):
        return AdditiveStrategy(problem, method, state)

    def smooth(problem):
        return InterceptStrategy(problem, alone, evaluated) if intercept else alone(problem)

    if problem.loss.is_kinked:
        return SmoothingStrategy(problem, smooth, evaluated, intercept=intercept)
    return smooth(problem)


def solved(problem, *, intercept=False, tol=TOL):
    """A search at its end, with a proof over all networks of the class."""
    search = strategy_of(problem, intercept=intercept).open(UNLIMITED)
    pursuit = Pursuit(search)
    while pursuit.advance(tol):
        pass
    search.finish(tol, quick=False)
    return search


def check(problem, search, optimum, *, intercept=False, tol=1e-6):
    """Two-sided, and the network is one of the class of the objective that it says."""
    costs, neurons = problem.rows.costs, search.incumbent()
    f = problem.rows.forward(neurons.rays, neurons.signs) + neurons.intercept
    value = problem.value(f, float(neurons.sizes.sum()))
    assert value == pytest.approx(search.objective, rel=1e-9)
    assert value <= optimum + tol * abs(optimum)
    proof = search.final_proofs(quick=False)[1]
    assert proof.bound(problem) >= optimum - tol * abs(optimum)
    assert proof.bound(problem) <= optimum + tol * abs(optimum)
    assert intercept or neurons.intercept == 0.0
    assert set(neurons.signs) <= set(costs.signs)
    np.testing.assert_allclose(costs.norms(neurons.directions), 1.0, rtol=1e-12)
    for sign in costs.signs:
        own = neurons.directions[neurons.signs == sign]
        assert (costs.cone(sign) * own >= 0.0).all()
    assert (problem.rows.group_of(neurons.directions) >= 0).all()


@with_long("groups", GROUPS)
@with_long("name", COSTS, always=4)
def test_the_optimum_is_that_of_the_conic_program(name, groups):
    cp = pytest.importorskip("cvxpy")
    X, y = rows()
    costs, groups, beta = COSTS[name], GROUPS[groups], 0.1
    optimum = Paid(X[:, None], groups=groups, costs=costs).optimum(cp, "squared", y, beta)
    problem = Problem.of(GroupedLayer(X, groups, costs), y, beta, as_loss("squared"))
    check(problem, solved(problem), optimum)


# One of each kind of loss without an intercept, and beside one, with the costs in turn.
KINDS = ("logistic", "poisson", QuantileLoss(0.8))
OTHERS = ("huber", *KINDS, "hinge")


@with_long(
    "loss, name, intercept",
    [*((loss, "mixed", False) for loss in KINDS)]
    + [
        (loss, name, True)
        for loss, name in zip(OTHERS, cycle(("rising l1", "mixed")), strict=False)
    ],
    always=len(KINDS),
    ids=str,
)
def test_other_losses_have_the_same_optimum(loss, name, intercept):
    cp = pytest.importorskip("cvxpy")
    X, y = rows(seed=1)
    y = targets(loss if isinstance(loss, str) else "quantile", y)
    costs, groups, beta = COSTS[name], GROUPS["all"], 0.1
    program = Paid(X[:, None], groups=groups, costs=costs)
    optimum = program.optimum(cp, loss, y, beta, intercept=intercept)
    problem = Problem.of(GroupedLayer(X, groups, costs), y, beta, as_loss(loss))
    search = solved(problem, intercept=intercept, tol=1e-7)
    if intercept:
        assert search.objective == pytest.approx(optimum, rel=1e-6, abs=1e-7)
        assert search.bound <= optimum + 1e-6 and search.gap <= 1e-6
    else:
        check(problem, search, optimum)
