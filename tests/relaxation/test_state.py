"""Blocks that are merged: nothing is lost of what was known and proven."""

import numpy as np
import pytest
from relaxation_instances import random_moments

from cvxnn.losses import SquaredLoss
from cvxnn.problems import Neurons
from cvxnn.relaxation.admm import SIGNS, Admm
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.moments import moments
from cvxnn.relaxation.proximal import LossStep
from cvxnn.relaxation.safe_bound import in_dual_cone, safe_bound
from cvxnn.relaxation.state import State


def of_neurons(X, U, sizes):
    """The moments of neurons over (1, u, a)."""
    outer = np.concatenate([np.ones((len(U), 1)), U], axis=1).T
    z = np.concatenate([np.broadcast_to(outer, (len(X), *outer.shape)), np.abs(X @ U.T)], axis=1)
    return (z * sizes) @ z.mT


def test_the_moments_of_few_neurons_are_known_from_the_blocks():
    # The corner determines the neurons, where they are no more than its order.
    rng = np.random.default_rng(0)
    X, U, sizes = rng.standard_normal((4, 5, 3)), rng.standard_normal((3, 3)), rng.random(3)
    state = State.of(X, of_neurons(X, U, sizes), np.zeros((4, 5))).merged(np)
    long = X.reshape(2, 10, 3)
    expected = moments(of_neurons(long, U, sizes), long)
    assert np.array_equal(state.X, long)
    for found, true in zip(state.image, expected, strict=True):
        assert np.allclose(found, true)


def test_multipliers_prove_the_same_after_merging():
    rng = np.random.default_rng(1)
    X, w = rng.standard_normal((4, 3, 2)), rng.standard_normal((4, 3))
    state = State.of(X, np.zeros((4, 6, 6)), np.zeros((4, 3)))
    L = in_dual_cone(random_moments(rng, 4, 3, 2, 0.1))
    merged = state._replace(scaled=L).merged(np)
    before = safe_bound(X, w, L)
    # Both blocks get the larger of two shifts.
    after = safe_bound(merged.X, w.reshape(2, 6), merged.scaled)
    assert after == pytest.approx(before, rel=0.3)
    assert merged.scaled.pp.sum() == pytest.approx(L.pp.sum())
    assert merged.scaled.corner.sum() == pytest.approx(L.corner.sum())


def test_states_are_joined_and_taken():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((5, 3, 2))
    state = State.of(X, of_neurons(X, rng.standard_normal((2, 2)), np.ones(2)), np.ones((5, 3)))
    again = State.joined([state.take(slice(0, 2)), state.take(slice(2, 5))], np)
    for one, two in ((again.image, state.image), (again.scaled, state.scaled)):
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    for name in ("X", "copy", "slack"):
        assert np.array_equal(getattr(again, name), getattr(state, name))


@pytest.mark.long
@pytest.mark.parametrize("n_workers", [6, 1])
def test_merged_blocks_come_to_a_tighter_bound(n_workers):
    rng = np.random.default_rng(0)
    X, y, beta = rng.standard_normal((8, 3)), rng.standard_normal(8), 0.5
    blocks, step = Blocks.of(X, 2), LossStep(SquaredLoss(), y)

    def dual(centre, theta):
        places = Blocks(centre, blocks.places)
        return places.scattered(step.dual(places.gathered(centre), places.gathered(theta)))

    admm = Admm(
        blocks, beta, dual, Neurons.none(3), blocks.scattered(y), 1.0, n_workers=n_workers
    )  # fmt: skip
    objectives = []
    while True:
        for _ in range(300):
            admm.step()
        v = admm.dual_point()
        bounds = [safe_bound(blocks.rows, s * v, admm.multipliers(k)) for k, s in enumerate(SIGNS)]
        dual_point = blocks.gathered(v)
        t = min(beta / max(bounds), (dual_point @ y) / (dual_point @ dual_point))
        objectives.append(t * (dual_point @ y) - 0.5 * t**2 * (dual_point @ dual_point))
        if len(blocks) == 1:
            break
        admm.merge_blocks()
        blocks = blocks.merged()
    assert len(objectives) == 3 and objectives == sorted(objectives)
    assert objectives[2] > 1.005 * objectives[0]
