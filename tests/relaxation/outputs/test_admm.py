"""The relaxation for several outputs against a conic solver, and its steps."""

import cvxpy as cp
import numpy as np
import pytest
from relaxation_instances import random_moments
from scipy.optimize import minimize

from cvxnn.losses import HuberLoss, SoftmaxLoss, SquaredLoss, WeightedLoss
from cvxnn.problems import Neurons
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.iteration import Numbers, sum_of_neurons
from cvxnn.relaxation.moments import adjoint, in_cone, moments
from cvxnn.relaxation.outputs.admm import OutputsAdmm
from cvxnn.relaxation.outputs.proximal import OutputsStep
from cvxnn.relaxation.outputs.safe_bound import pairs_in_dual_cone, safe_outputs_bound
from cvxnn.relaxation.state import State

LOSSES = {
    "squared": SquaredLoss(),
    "huber": HuberLoss(0.7),
    "softmax": SoftmaxLoss(),
    "weighted": WeightedLoss(HuberLoss(0.3), np.array([2.0, 0.1, 30.0, 1.0, 1e-2, 1.0])),
}


def targets(loss, rng, n=6, c=3):
    if loss.has_labels:
        return rng.dirichlet(np.ones(c), n) * rng.uniform(0.2, 3.0, (n, 1))
    return 2.0 * rng.standard_normal((n, c))


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("theta", [1e-2, 1.0, 1e2])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_the_step_of_a_loss(loss, theta, intercept):
    rng = np.random.default_rng(1)
    Y, centre = targets(loss, rng), 3.0 * rng.standard_normal((6, 3))
    thetas = theta * np.exp2(rng.integers(-1, 2, 6).astype(float))
    V = OutputsStep(loss, Y, intercept=intercept).dual(centre, thetas)

    def total(x):
        f, b = x[:18].reshape(6, 3), x[18:]
        moved = ((f - centre) ** 2).sum(axis=1) / (2.0 * thetas)
        gradient = loss.gradient(f + b, Y)
        slopes = gradient + (f - centre) / thetas[:, None]
        ends = gradient.sum(axis=0) if intercept else np.zeros(3)
        return loss.value(f + b, Y) + moved.sum(), np.r_[slopes.ravel(), ends]

    best = minimize(total, np.zeros(21), jac=True, method="BFGS", options={"gtol": 1e-9})
    # Where it is least f = c + theta V.
    found = centre + thetas[:, None] * V
    np.testing.assert_allclose(found, best.x[:18].reshape(6, 3), atol=2e-4 * (1.0 + theta))
    if intercept:
        assert np.abs(V.sum(axis=0)).max() < 1e-9 * (1.0 + np.abs(V).sum())


def test_a_step_of_what_is_not_finite():
    step = OutputsStep(SoftmaxLoss(), np.eye(2), intercept=False)
    assert np.isnan(step.dual(np.array([[np.inf, 0.0], [0.0, 0.0]]), np.ones(2))).all()


def relaxation(blocks, Y, beta, loss):
    """The program of the docstring, written out for a conic solver."""
    (_, b, d), c = blocks.rows.shape, Y.shape[1]
    m = c + d
    corner, constraints, predictions = cp.Variable((m, m), symmetric=True), [], []
    for X in blocks.rows:
        F = cp.Variable((m + b, m + b), PSD=True)
        U, V, A = F[c:m, c:m], F[c:m, m:], F[m:, m:]
        W, C = X @ V, X @ U @ X.T
        pq = A + W - W.T - C
        constraints += [
            F[:m, :m] == corner, A + W + W.T + C >= 0, pq >= 0, A - W - W.T + C >= 0,
            cp.diag(pq) == 0,
        ]  # fmt: skip
        predictions.append((F[:c, m:] + F[:c, c:m] @ X.T) / 2)
    f = cp.hstack(predictions)[:, blocks.places].T
    program = cp.Problem(cp.Minimize(loss(f, Y) + beta / 2 * cp.trace(corner)), constraints)
    program.solve(solver="CLARABEL")
    return program.value


PROGRAMS = {
    "squared": (SquaredLoss(), lambda f, Y: 0.5 * cp.sum_squares(f - Y)),
    "softmax": (
        SoftmaxLoss(),
        lambda f, Y: cp.sum(cp.log_sum_exp(f, axis=1)) - cp.sum(cp.multiply(Y, f)),
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("name, size, n_workers", [("softmax", 4, 1), ("squared", 8, 4)], ids=str)
def test_it_comes_to_the_value_of_the_relaxation(name, size, n_workers):
    rng = np.random.default_rng(3)
    X, Y, beta = rng.standard_normal((8, 2)), rng.standard_normal((8, 2)), 0.5
    loss, program = PROGRAMS[name]
    Y = np.eye(2)[(Y[:, 0] > 0.0).astype(int)] if loss.has_labels else Y
    blocks = Blocks.of(X, size)
    step = OutputsStep(loss, Y, intercept=False)

    def scattered(V):
        return np.stack([blocks.scattered(v) for v in V.T], axis=1)

    def dual(centre, theta):
        rows = np.column_stack([blocks.gathered(column) for column in centre.swapaxes(0, 1)])
        return scattered(step.dual(rows, blocks.gathered(theta)))

    V = -loss.gradient(0.0 * Y, Y)
    admm = OutputsAdmm(
        blocks, beta, dual, Neurons.none(2, 2), scattered(V), 1.0, n_workers=n_workers
    )
    for _ in range(1500):
        admm.step()
    value = relaxation(blocks, Y, beta, program)
    V = np.column_stack([blocks.gathered(v) for v in admm.dual_point().swapaxes(0, 1)])
    level = safe_outputs_bound(blocks.rows, scattered(V), admm.multipliers(0))
    # The multipliers prove of V what the optimal ones do, and V is the optimal dual point.
    assert level == pytest.approx(beta, rel=2e-2)
    assert -loss.conjugate(V, Y) == pytest.approx(value, rel=2e-3)
    # Whatever the iteration has come to, the bound is not above the relaxation's.
    assert -loss.conjugate(V * min(beta / level, 1.0), Y) <= value * (1.0 + 1e-6)


def inner(G, H):
    """The Frobenius product: entries beside the diagonal blocks stand twice."""
    twice = (1.0, 2.0, 2.0, 2.0, 2.0, 1.0, 2.0, 1.0)
    return sum(k * float((a * b).sum()) for k, a, b in zip(twice, G, H, strict=True))


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 3), (3, 2, 6)])
def test_moments_and_their_adjoint(shape):
    rng, (B, b, d), c = np.random.default_rng(sum(shape)), shape, 3
    X, u, a = rng.standard_normal(shape), rng.standard_normal(d), rng.standard_normal(c)
    z = np.concatenate([np.tile(a, (B, 1)), np.tile(u, (B, 1)), np.abs(X @ u)], axis=1)
    G = moments(z[:, :, None] * z[:, None, :], X)
    p, q = np.maximum(X @ u, 0.0), np.maximum(-X @ u, 0.0)
    assert np.allclose(G.p, a[:, None] * p[:, None, :])
    assert np.allclose(G.q, a[:, None] * q[:, None, :])
    assert np.allclose(G.up, u[:, None] * p[:, None, :])
    for part, left, right in ((G.pp, p, p), (G.pq, p, q), (G.qq, q, q)):
        assert np.allclose(part, left[:, :, None] * right[:, None, :])
    F = rng.standard_normal((B, c + d + b, c + d + b))
    F, L = F + F.mT, random_moments(rng, *shape, c=c)
    back = adjoint(L, X, np)
    assert np.allclose(back, back.mT)
    assert np.isclose(inner(L, moments(F, X)), float((back * F).sum()))


def test_only_pairs_are_in_a_cone():
    given = random_moments(np.random.default_rng(4), 2, 4, 3, c=2)
    G = in_cone(given, np)
    assert (G.pp >= 0.0).all() and (G.pq >= 0.0).all() and (G.qq >= 0.0).all()
    assert not np.diagonal(G.pq, axis1=1, axis2=2).any()
    for name in ("corner", "p", "q", "up", "uq"):
        assert np.array_equal(getattr(G, name), getattr(given, name))


def test_blocks_are_merged():
    """Nothing is lost of what was known of few neurons, and of what was proven."""
    rng, c = np.random.default_rng(0), 2
    X, U, A = (
        rng.standard_normal((4, 5, 3)),
        rng.standard_normal((3, 3)),
        rng.standard_normal((3, c)),
    )
    sizes, long = rng.random(3), X.reshape(2, 10, 3)
    slack = rng.standard_normal((4, c, 5))
    state = State.of(X, sum_of_neurons(X, A, U, sizes), slack).merged(np)
    expected = moments(sum_of_neurons(long, A, U, sizes), long)
    assert np.array_equal(state.X, long)
    assert np.allclose(state.slack[1], np.concatenate([slack[2], slack[3]], axis=1))
    for found, true in zip(state.image, expected, strict=True):
        assert np.allclose(found, true)
    W, L = rng.standard_normal((4, c, 5)), pairs_in_dual_cone(random_moments(rng, 4, 5, 3, 0.1, c))
    plain = State.of(X, np.zeros((4, 10, 10)), slack)._replace(scaled=L)
    after = safe_outputs_bound(
        long, W.reshape(2, 2, c, 5).swapaxes(1, 2).reshape(2, c, 10), plain.merged(np).scaled
    )
    # Both blocks get the larger of two shifts.
    assert after == pytest.approx(safe_outputs_bound(X, W, L), rel=0.3)


def test_single_precision():
    """Numbers of the iteration do not matter, but for what rounding does."""
    rng = np.random.default_rng(6)
    X, Y, beta = rng.standard_normal((6, 2)), rng.standard_normal((6, 2)), 0.3
    blocks, step = Blocks.of(X, 6), OutputsStep(SquaredLoss(), Y, intercept=False)

    def scattered(V):
        return np.stack([blocks.scattered(v) for v in V.T], axis=1)

    found = []
    for dtype in (np.float32, np.float64):

        def dual(centre, theta, dtype=dtype):
            columns = np.asarray(centre, dtype=np.float64).swapaxes(0, 1)
            rows = np.column_stack([blocks.gathered(column) for column in columns])
            return scattered(step.dual(rows, blocks.gathered(theta))).astype(dtype)

        numbers = Numbers(np, dtype)
        admm = OutputsAdmm(blocks, beta, dual, Neurons.none(2, 2), scattered(Y), 1.0, numbers)
        for _ in range(60):
            admm.step()
        assert admm.state(0).image.pp.dtype == dtype
        found.append(safe_outputs_bound(blocks.rows, scattered(Y), admm.multipliers(0)))
    assert found[0] == pytest.approx(found[1], rel=1e-3)
