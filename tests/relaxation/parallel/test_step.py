"""The step of the loss between two sums of neurons, against a conic solver."""

import cvxpy as cp
import numpy as np
import pytest

from cvxnn.losses import HuberLoss, LogisticLoss, SquaredLoss
from cvxnn.relaxation.parallel.step import SubNetworkStep

LOSSES = {
    "squared": (SquaredLoss(), lambda f, y: 0.5 * cp.sum_squares(f - y)),
    "logistic": (LogisticLoss(), lambda f, y: cp.sum(cp.logistic(cp.multiply(-y, f)))),
    "huber": (HuberLoss(0.5), lambda f, y: 0.5 * cp.sum(cp.huber(f - y, 0.5))),
}


def least(formula, y, centre, theta, reached, intercept):
    """p, q, r and s of the least sum."""
    sums, f, g = [cp.Variable(len(y)) for _ in range(4)], cp.Variable(len(y)), cp.Variable(len(y))
    p, q, r, s = sums
    squares = sum(cp.sum_squares(x - c) for x, c in zip(sums, centre, strict=True))
    away = [x[~reached] == 0.0 for x in sums] if not reached.all() else []
    between = [f <= p, f >= 0.0, f >= p - q, g <= r, g >= 0.0, g >= r - s]
    loss = formula(f - g + (cp.Variable() if intercept else 0.0), y)
    program = cp.Problem(cp.Minimize(loss + squares / (2.0 * theta)), between + away)
    program.solve(solver="CLARABEL")
    return np.array([x.value for x in sums])


@pytest.mark.parametrize("intercept", [False, True], ids=["alone", "intercept"])
@pytest.mark.parametrize("loss", LOSSES)
def test_it_is_the_minimum_that_a_conic_solver_finds(loss, intercept):
    given, formula = LOSSES[loss]
    rng = np.random.default_rng(3)
    for theta in (0.1, 1.0, 5.0):
        centre = 2.0 * rng.standard_normal((4, 8))
        y = np.sign(rng.standard_normal(8)) if loss == "logistic" else 2.0 * rng.standard_normal(8)
        reached = np.arange(8) > 0
        step = SubNetworkStep(given, y, reached, intercept=intercept)
        found = centre * reached + theta * step.dual(centre, theta)
        expected = least(formula, y, centre * reached, theta, reached, intercept)
        np.testing.assert_allclose(found, expected, atol=1e-4)
        assert (step.under >= 0.0).all()
        if intercept:
            assert abs(step.v.sum()) <= 1e-7 * np.abs(step.v).sum()


def test_weights_are_those_of_leaves():
    # a >= max(v, -z) and z >= 0, whatever the centres: dual feasible, so a bound at any time.
    rng = np.random.default_rng(0)
    y = rng.standard_normal(200)
    step = SubNetworkStep(SquaredLoss(), y, np.ones(200, dtype=bool))
    a, z, b, x = step.dual(3.0 * rng.standard_normal((4, 200)), 0.7)
    slack = 1e-12
    for over, under, v in ((a, z, step.v), (b, x, -step.v)):
        assert (under >= 0.0).all()
        assert (over >= np.maximum(v, -under) - slack).all()


def test_centres_out_of_the_range_of_numbers_end_in_none():
    step = SubNetworkStep(SquaredLoss(), np.ones(2), np.ones(2, dtype=bool))
    assert np.isnan(step.dual(np.full((4, 2), np.inf), 1.0)).all() and np.isnan(step.v).all()
