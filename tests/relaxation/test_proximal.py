"""The step of a loss beside a linear part, against a conic solver."""

import cvxpy as cp
import numpy as np
import pytest
from programs import LOSSES, in_cvxpy
from variants import with_long

from cvxnn.losses import SkipLoss, as_loss
from cvxnn.relaxation.proximal import LossStep

N = 9


def case(name, seed):
    loss, rng = as_loss(name), np.random.default_rng(seed)
    S = np.column_stack([rng.standard_normal((N, 2)), np.ones(N)])
    y = rng.standard_normal(N) + S[:, 0]
    y[:2] = [1.0, -1.0]
    return loss, S, np.sign(y) if loss.has_labels else 2.0 * y, 2.0 * rng.standard_normal(N)


def least(name, S, y, centre, theta, price):
    """The f of ``min l(f + S w) + ||f - c||^2 / (2 theta)`` beside ``price ||w||`` but for w_3."""
    f, w = cp.Variable(N), cp.Variable(S.shape[1])
    distance = cp.sum_squares(cp.multiply(1.0 / np.sqrt(2.0 * theta), f - centre))
    objective = in_cvxpy(cp, name, f + S @ w, y) + distance + price * cp.norm(w[:-1])
    cp.Problem(cp.Minimize(objective)).solve(solver="CLARABEL")
    return f.value


@with_long("price", [0.0, 0.6, 50.0], always=2)
@pytest.mark.parametrize("theta", [0.1, 2.0, "rows"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_step_is_the_least_beside_a_line(name, theta, price):
    loss, S, y, centre = case(name, 3)
    theta = np.exp2(np.arange(N) / 2.0 - 3.0) if theta == "rows" else theta
    skip = SkipLoss(loss, S, price or 1.0, 1 if price else 3)
    step = LossStep(skip, y, price)
    for _ in range(300 if price else 1):
        v = step.dual(centre, theta)
    f = least(name, S, y, centre, theta * np.ones(N), price)
    np.testing.assert_allclose(centre + theta * v, f, rtol=1e-3, atol=1e-3)
    # A linear part that is free, or of a price, bounds what the dual point pulls on it.
    assert abs(v.sum()) < 1e-6
    assert np.linalg.norm(S[:, :-1].T @ v) <= price + 1e-6


def test_another_theta_goes_on_with_the_ridge():
    loss, S, y, centre = case("squared", 1)
    step = LossStep(SkipLoss(loss, S, 1e3, 1), y, 0.6)
    for theta in (1.0, 1.0, 2.0) * 40:
        step.dual(centre, theta)
    f = least("squared", S, y, centre, 2.0 * np.ones(N), 0.6)
    for _ in range(40):
        v = step.dual(centre, 2.0)
    np.testing.assert_allclose(centre + 2.0 * v, f, rtol=1e-4, atol=1e-4)


def test_a_line_that_is_not_worth_its_price_can_come_back():
    loss, S, y, centre = case("squared", 1)
    step = LossStep(SkipLoss(loss, S, 1.0, 1), y, 0.6)
    # Nothing is left for it here.
    for _ in range(200):
        step.dual(y, 1e-3)
    for _ in range(200):
        v = step.dual(centre, 1.0)
    f = least("squared", S, y, centre, np.ones(N), 0.6)
    np.testing.assert_allclose(centre + v, f, rtol=1e-4, atol=1e-4)
