"""Oracles of rows with prices against all directions of a grid, and mixed-integer programs."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, milp
from variants import with_long

from cvxnn.layers.costs import Costs
from cvxnn.layers.groups import GroupedLayer
from cvxnn.oracle.choice import Effort
from cvxnn.oracle.costs import PricedRows
from cvxnn.oracle.groups import GroupGeometry

COSTS = {
    "rising": Costs((1, 0, 0)),
    "mixed": Costs((1, -1, 0)),
    "convex": Costs((0, 0, 0), (1.0,)),
    "concave and falling": Costs((-1, 0, 0), (-1.0,)),
    "l1": Costs((0, 0, 0), l1_ratio=0.4),
    "all l1": Costs((0, 0, 0), l1_ratio=1.0),
    "all": Costs((1, 0, 1), (1.0,), 0.6),
}


def rows(d, n=40, seed=0):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])
    return X, rng.standard_normal(n)


def oracle_of(layer, scales=None):
    geometry = GroupGeometry.of(layer)
    weighted = layer if scales is None else layer.weighted(scales)
    return geometry.oracle(weighted, scales, Effort(20, random_state=np.random.default_rng(0)))


def grid(d):
    """Directions that cover the sphere, with the axes."""
    if d == 2:
        angles = np.linspace(0.0, 2.0 * np.pi, 40_001)
        found = np.column_stack([np.cos(angles), np.sin(angles)])
    else:
        z = np.linspace(-1.0, 1.0, 301)[:, None]
        angles = np.linspace(0.0, 2.0 * np.pi, 601)[None]
        s = np.sqrt(1.0 - z**2)
        parts = [s * np.cos(angles), s * np.sin(angles), z + 0.0 * angles]
        found = np.stack([part.ravel() for part in parts], axis=1)
    flat = [np.where(np.arange(d) == j, 0.0, found) for j in range(d)]
    found = np.vstack([found, *flat, np.eye(d), -np.eye(d)])
    return found[np.linalg.norm(found, axis=1) > 0.1]


def largest(X, v, costs):
    """Of each sign over the grid, and over finer ones around its best points."""
    found, rng = [], np.random.default_rng(0)
    for sign in (1.0, -1.0):
        U = grid(X.shape[1])
        for step in (0.0, 3e-2, 3e-3, 3e-4, 3e-5):
            near = np.repeat(U, 200, axis=0) if step else U
            near = near + step * rng.standard_normal(near.shape) * (rng.random(near.shape) < 0.7)
            near *= (U[:, None] != 0.0).repeat(200, axis=1).reshape(near.shape) if step else 1.0
            inside = near[(costs.cone(sign) * near >= 0.0).all(axis=1)]
            values = sign * (v @ np.maximum(X @ inside.T, 0.0)) / costs.norms(inside)
            U = inside[np.argsort(-values)[:20]]
        found.append(max(values.max(), 0.0) if sign in costs.signs else 0.0)
    return np.array(found)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "d"),
    [
        pytest.param(
            name, d, marks=pytest.mark.long if d == 3 and name not in ("mixed", "all") else ()
        )
        for name in COSTS
        for d in (2, 3)
    ],
)
def test_bounds_are_the_largest_values(name, d):
    costs = COSTS[name].of(range(d))
    X, v = rows(d, seed=1)
    layer = GroupedLayer(X, (tuple(range(d)),), costs)
    brute = largest(X, v, costs)
    price = oracle_of(layer).prove(v, tol=1e-7)
    assert price.bound == pytest.approx(brute.max(), rel=1e-5) and price.bound >= brute.max()
    if costs.l1_ratio == 0.0 and d == 2:
        np.testing.assert_allclose(price.bounds, brute, rtol=1e-6, atol=1e-6 * brute.max())
    # At a level above it nothing is left to find, and below it the best is found.
    above = oracle_of(layer).prove(v, price.bound * 1.01, tol=1e-7)
    assert above.bound <= price.bound * 1.01 * (1.0 + 2e-7) and len(above.proposals) == 0
    below = oracle_of(layer).prove(v, 0.9 * price.bound, tol=1e-7)
    assert below.proposals.largest == pytest.approx(
        price.bound, rel=1e-5 if costs.l1_ratio == 0.0 else 1e-2
    )
    assert below.bound >= price.bound * (1.0 - 1e-6)
    assert layer.bound(v) >= price.bound * (1.0 - 1e-9)


@pytest.mark.parametrize("name", COSTS)
def test_proposals_are_in_the_class(name):
    costs = COSTS[name]
    X, v = rows(3)
    layer = GroupedLayer(X, ((0, 2), (1, 2), (0, 1, 2)), costs)
    price = oracle_of(layer).prove(v, 2.0, tol=1e-6)
    found = price.proposals
    assert len(found) > 0 and set(found.signs) <= set(costs.signs)
    cones = np.array([costs.cone(sign) for sign in found.signs])
    assert (cones * found.directions >= 0.0).all()
    np.testing.assert_allclose(costs.norms(found.directions), 1.0, rtol=1e-12)
    values = found.signs * (v @ layer.activations(found.directions))
    np.testing.assert_allclose(values, found.values, rtol=1e-6)
    assert (values > 2.0 * (1.0 - 1e-9)).all()
    assert (layer.group_of(found.directions) >= 0).all()


@pytest.mark.parametrize("name", ["mixed", "l1", "all"])
def test_weighted_rows_are_priced_as_they_are(name):
    X, v = rows(3)
    layer = GroupedLayer(X, ((0, 2), (0, 1, 2)), COSTS[name])
    scales = np.random.default_rng(1).random(len(X)) + 0.1
    weighted = oracle_of(layer, scales).prove(v, tol=1e-8)
    plain = oracle_of(layer.weighted(scales)).prove(v, tol=1e-8)
    assert weighted.bound == pytest.approx(plain.bound, rel=1e-7)


@with_long("name", ["mixed", "l1", "all l1"])
def test_groups_that_are_skipped_are_below_the_threshold(name):
    X, v = rows(3)
    layer = GroupedLayer(X, ((0, 2), (1, 2), (0, 1, 2)), COSTS[name])
    oracle = oracle_of(layer)
    level = 0.9 * oracle.prove(v, tol=1e-7).bound
    rng = np.random.default_rng(3)
    for step in (0.0, 1e-9, 1e-5, 1e-2, 1.0):
        near = v + step * rng.standard_normal(len(v))
        price = oracle.prove(near, level, tol=1e-6)
        exact = oracle_of(layer).prove(near, tol=1e-7).bound
        assert price.bound >= min(exact, level) * (1.0 - 1e-6)
        again = oracle_of(layer).prove(near, level, tol=1e-6)
        assert price.bound == pytest.approx(again.bound, rel=1e-3)


def test_less_of_a_price_is_a_bound_as_well():
    """Whatever the prices of a cone are: only rows that are off in it have one."""
    X, v = rows(2)
    priced = PricedRows(X, Costs((1, 0)))
    exact = priced.dual(v, 1.0, 0.0)
    inside = grid(2)
    inside = inside[inside[:, 0] >= 0.0]
    own = v @ np.maximum(X @ inside.T, 0.0)
    for share in (0.0, 0.5, 1.0, 3.0):
        dual = exact.copy()
        dual[len(X) :] *= share
        np.testing.assert_allclose(
            dual @ np.maximum(priced.augmented @ inside.T, 0.0), own, atol=1e-12
        )


def by_milp(X, v, cone, sign):
    """``max s v'(X u)_+`` over ``||u||_1 <= 1`` and a cone, with a binary number for each row."""
    n, d = X.shape
    big = np.abs(X).max(axis=1)
    # u+ and u-, z = (X u)_+, and whether it is on.
    cost = np.concatenate([np.zeros(2 * d), -sign * v, np.zeros(n)])
    on, nothing = np.diag(big), np.zeros((n, n))
    one, XX = np.eye(n), np.hstack([X, -X])
    zero = np.zeros((n, 2 * d))
    constraints = [
        LinearConstraint(np.hstack([XX, -one, nothing]), -np.inf, 0.0),
        LinearConstraint(np.hstack([zero, one, -on]), -np.inf, 0.0),
        LinearConstraint(np.hstack([-XX, one, on]), -np.inf, big),
        LinearConstraint(np.concatenate([np.ones(2 * d), np.zeros(2 * n)])[None], -np.inf, 1.0),
    ]
    upper = np.concatenate([cone >= 0.0, cone <= 0.0, np.full(n, np.inf), np.ones(n)])
    whole = np.concatenate([np.zeros(2 * d + n), np.ones(n)])
    return -milp(cost, constraints=constraints, bounds=(0.0, upper), integrality=whole).fun


@pytest.mark.parametrize(
    "costs", [Costs((0,) * 4, l1_ratio=1.0), Costs((1, -1, 0, 0), l1_ratio=1.0)]
)
def test_the_one_norm_against_a_mixed_integer_program(costs):
    X, v = rows(4, n=12)
    price = oracle_of(GroupedLayer(X, (tuple(range(4)),), costs)).prove(v, tol=1e-8)
    exact = max(by_milp(X, v, costs.cone(sign), sign) for sign in (1.0, -1.0))
    assert price.bound == pytest.approx(exact, rel=1e-6)
