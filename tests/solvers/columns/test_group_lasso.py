"""The Newton method for the group lasso, one step at a time."""

import numpy as np
import pytest

from cvxnn.layers import Layer
from cvxnn.losses import HuberLoss, LogisticLoss, SquaredHingeLoss, SquaredLoss
from cvxnn.problems import Problem
from cvxnn.solvers.columns.blocks import MaskedBlocks
from cvxnn.solvers.columns.group_lasso import GroupLasso, SmoothedPoint, _SmoothedNorms

LOSSES = [SquaredLoss(), HuberLoss(0.5), LogisticLoss(), SquaredHingeLoss()]
any_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)


def problem(loss, n=30, d=3, count=6, seed=0, beta=0.5):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    y = X[:, 0] + rng.standard_normal(n)
    y = np.where(y > 0.0, 1.0, -1.0) if loss.has_labels else y
    activity = (rng.random((n, count)) < 0.5).astype(float)
    blocks = MaskedBlocks(np.zeros((count, 0, d)), X, activity)
    return GroupLasso(blocks, Problem.of(Layer(X), y, beta, loss))


def start(lasso, mu=1.0):
    nothing = np.zeros(lasso.blocks.shape)
    return SmoothedPoint(nothing, nothing, mu)


def run(lasso, steps):
    point = start(lasso)
    for _ in range(steps):
        point = lasso.step(point)
    return point


@any_loss
@pytest.mark.parametrize("n, count", [(40, 4), (10, 9)], ids=["over blocks", "over rows"])
def test_the_optimality_conditions_hold_at_the_end(loss, n, count):
    lasso = problem(loss, n, count=count)
    point = run(lasso, 30)
    slope = lasso.blocks.adjoint(lasso.loss.gradient(lasso.blocks.predict(point.z), lasso.y))
    pulls, norms = np.linalg.norm(slope, axis=1), np.linalg.norm(point.z, axis=1)
    assert (pulls <= lasso.beta * (1.0 + 1e-7)).all()
    alive = norms > 1e-5
    assert alive.any()
    assert np.allclose(slope[alive], -lasso.beta * point.z[alive] / norms[alive, None], rtol=1e-5)


@any_loss
def test_both_systems_give_the_same_step(loss):
    lasso = problem(loss, n=18, d=3, count=6)
    point = run(lasso, 3)
    over_blocks = lasso.step(point)
    lasso._weighted_gram = lambda curvature: None
    over_rows = lasso.step(point)
    assert np.allclose(over_blocks.z, over_rows.z, rtol=1e-6, atol=1e-9)


@any_loss
def test_no_step_raises_the_smoothed_objective(loss):
    lasso = problem(loss, beta=0.02)
    point = start(lasso)

    def smoothed(at, mu):
        norms = np.sqrt((at.z**2).sum(axis=1) + mu**2)
        value = lasso.loss.value(lasso.blocks.predict(at.z), lasso.y)
        return value + lasso.beta * norms.sum()

    for _ in range(15):
        following = lasso.step(point)
        before = smoothed(point, following.mu)
        assert smoothed(following, following.mu) <= before * (1.0 + 1e-12)
        assert following.mu <= point.mu
        assert np.linalg.norm(following.u, axis=1).max() <= 1.0 + 1e-12
        point = following


def test_the_root_is_that_of_the_inverse():
    rng = np.random.default_rng(0)
    u = rng.standard_normal((4, 3))
    u /= 1.01 * np.linalg.norm(u, axis=1)[:, None]
    norms = _SmoothedNorms(SmoothedPoint(rng.standard_normal((4, 3)), u, 0.1), 0.7)
    roots = norms.reduced_inverse_root()
    z = rng.standard_normal((4, 3))
    product = (roots @ roots.transpose(0, 2, 1) @ norms.reduced(z)[:, :, None])[:, :, 0]
    assert np.allclose(product, z)


def test_a_failed_factorisation_falls_back_on_qr(monkeypatch):
    lasso = problem(SquaredLoss(), n=10, count=9)
    expected = lasso.step(start(lasso))
    import scipy.linalg

    def fail(*args, **kwargs):
        raise np.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr(scipy.linalg, "cho_factor", fail)
    assert np.allclose(lasso.step(start(lasso)).z, expected.z, rtol=1e-8)
