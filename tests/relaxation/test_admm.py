"""The relaxation against a conic solver, and its steps against what they minimise."""

import cvxpy as cp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from variants import with_long

from cvxnn.losses import HuberLoss, LogisticLoss, SquaredHingeLoss, SquaredLoss, WeightedLoss
from cvxnn.problems import Neurons
from cvxnn.relaxation.admm import Admm, Numbers
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.proximal import LossStep

LOSSES = {
    "squared": SquaredLoss(),
    "huber": HuberLoss(0.7),
    "logistic": LogisticLoss(),
    "squared hinge": SquaredHingeLoss(),
    "weighted": WeightedLoss(HuberLoss(0.3), np.array([2.0, 0.1, 30.0, 1.0, 1.0, 1e-3])),
}


@pytest.mark.parametrize("theta", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_the_step_of_a_loss(loss, theta):
    y, centre = np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0]), np.linspace(-4.0, 3.0, 6)
    v = LossStep(loss, y).dual(centre, theta)
    # Where it is least f = c + theta v.
    found = centre + theta * v
    assert np.allclose(-loss.gradient(found, y), v, rtol=1e-6, atol=1e-9)
    for i in range(6):

        def value(f, i=i):
            return loss.values(np.full(6, f), y)[i] + (f - centre[i]) ** 2 / (2.0 * theta)

        width = abs(centre[i]) + 1.0 + theta * 50.0
        best = minimize_scalar(value, bounds=(-width, width), options={"xatol": 1e-9})
        assert value(found[i]) <= best.fun + 1e-9 * (1.0 + abs(best.fun))


def relaxation(blocks, y, beta):
    """The program of the docstring, written out for a conic solver."""
    _, b, d = blocks.rows.shape
    constraints, total, size = [], 0.0, 0.0
    for sign in (1.0, -1.0):
        corner, predictions = cp.Variable((1 + d, 1 + d), symmetric=True), []
        for X in blocks.rows:
            F = cp.Variable((1 + d + b, 1 + d + b), PSD=True)
            U, V, A = F[1 : d + 1, 1 : d + 1], F[1 : d + 1, d + 1 :], F[d + 1 :, d + 1 :]
            t, a, W, C = X @ F[0, 1 : d + 1], F[0, d + 1 :], X @ V, X @ U @ X.T
            p, q, up, uq = (a + t) / 2, (a - t) / 2, (V + U @ X.T) / 2, (V - U @ X.T) / 2
            pq = A + W - W.T - C
            constraints += [
                F[: d + 1, : d + 1] == corner, cp.trace(U) <= F[0, 0],
                cp.norm(up, axis=0) <= p, cp.norm(uq, axis=0) <= q,
                A + W + W.T + C >= 0, pq >= 0, A - W - W.T + C >= 0, cp.diag(pq) == 0,
            ]  # fmt: skip
            predictions.append(p)
        total = total + sign * cp.hstack(predictions)
        size = size + corner[0, 0]
    loss = 0.5 * cp.sum_squares(total - blocks.scattered(y).reshape(-1))
    program = cp.Problem(cp.Minimize(loss + beta * size), constraints)
    program.solve(solver="CLARABEL")
    return program.value


@pytest.mark.long
@with_long("size, n_workers", [(8, 1), (4, 4)], ids=str)
def test_it_comes_to_the_value_of_the_relaxation(size, n_workers):
    rng = np.random.default_rng(3)
    X, y, beta = rng.standard_normal((8, 2)), rng.standard_normal(8), 0.5
    blocks = Blocks.of(X, size)
    step = LossStep(SquaredLoss(), y)

    def dual(centre, theta):
        return blocks.scattered(step.dual(blocks.gathered(centre), blocks.gathered(theta)))

    admm = Admm(
        blocks, beta, dual, Neurons.none(2), blocks.scattered(y), 1.0,
        n_workers=n_workers,
    )  # fmt: skip
    for _ in range(1500):
        admm.step()
    f = sum(part.sign * blocks_of(part, blocks) for part in admm.parts)
    weight = sum(
        float(part.state.image.corner[0, 0, 0]) for part in admm.parts if part.where.start == 0
    )
    value = 0.5 * float(((f - blocks.scattered(y)) ** 2).sum()) + beta * weight
    assert value == pytest.approx(relaxation(blocks, y, beta), rel=1e-3)
    assert max(admm.residuals) < 1e-4


def blocks_of(part, blocks):
    """The predictions of a part in the places of all blocks."""
    f = np.zeros(blocks.rows.shape[:2])
    f[part.where] = part.state.image.p
    return f


def test_numbers_of_single_precision_stay_so():
    blocks = Blocks.of(np.random.default_rng(0).standard_normal((6, 2)), 3)
    admm = Admm(
        blocks, 0.5, lambda c, theta: -c / (1.0 + np.float32(theta)), Neurons.none(2),
        np.ones((2, 3)), 1.0, Numbers(np, np.float32),
    )  # fmt: skip
    for _ in range(25):
        admm.step()
    assert all(
        a.dtype == np.float32
        for part in admm.parts
        for a in (*part.state.image, *part.state.scaled)
    )
    assert admm.dual_point().dtype == np.float64 == admm.multipliers(0).pq.dtype
