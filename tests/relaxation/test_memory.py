"""Iterations that go on from one another."""

import numpy as np
import pytest

from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.admm import SIGNS, Admm
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.memory import Memory
from cvxnn.relaxation.prover import RelaxationProver
from cvxnn.relaxation.proximal import LossStep
from cvxnn.relaxation.scale import Scale


def problem(n=12, beta=0.5, seed=0):
    rng = np.random.default_rng(seed)
    return Problem.of(
        Layer(rng.standard_normal((n, 3))), rng.standard_normal(n), beta, SquaredLoss()
    )


def iteration(beta):
    data = problem()
    blocks, step = Blocks.of(data.rows.rows, 6), LossStep(data.loss, data.y)

    def dual(centre, theta):
        return blocks.scattered(step.dual(blocks.gathered(centre), blocks.gathered(theta)))

    return Admm(blocks, beta, dual, Neurons.none(3), blocks.scattered(data.y), 1.0)


def test_multipliers_are_in_proportion_to_rho():
    before, after = iteration(0.5), iteration(0.2)
    for _ in range(30):
        before.step()
    after.go_on(before.states, 0.4 * before.rho)
    assert after.rho == pytest.approx(0.4 * before.rho)
    for k in range(len(SIGNS)):
        old, new = before.multipliers(k), after.multipliers(k)
        for name in ("corner", "q", "up", "uq", "pp", "pq", "qq"):
            np.testing.assert_allclose(getattr(new, name), 0.4 * getattr(old, name), rtol=1e-12)
        # The moments are those of where it starts: of no neurons.
        assert not after.states[k].image.p.any()


@pytest.mark.long
def test_for_the_same_beta_it_goes_on_where_it_was():
    data, memory = problem(), Memory()
    nothing, zero = Neurons.none(3), DualProof.of(np.zeros(12), 0.0, "spectral")

    def bound(most, memory=None):
        prover = RelaxationProver(data, block=3, most=most, memory=memory)
        return prover.improve(nothing, zero, 1e-9, UNLIMITED).bound(data)

    short, long = bound(20), bound(200)
    assert short < long and bound(200, memory) == long
    assert bound(20, memory) > short + 0.7 * (long - short)
    # Blocks that have been merged stay so.
    assert len(memory.last.scale.blocks) <= 4


def test_other_rows_have_nothing_to_go_on_from():
    memory, nothing = Memory(), Neurons.none(3)
    for data, fits in ((problem(), False), (problem(beta=0.1), True), (problem(seed=1), False)):
        scale = Scale.of(data, 6)
        assert (memory.start(scale) is not None) == fits
        if fits:
            assert memory.last.share(scale) == pytest.approx(0.2)
            assert scale.blocks is memory.last.scale.blocks
        zero = DualProof.of(np.zeros(12), 0.0, "spectral")
        RelaxationProver(data, most=5, memory=memory).improve(nothing, zero, 1e-9, UNLIMITED)
