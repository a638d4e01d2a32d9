"""Proofs beside an intercept: no network with any intercept is below them."""

import math
from fractions import Fraction

import numpy as np
import pytest
import rational
from scipy.optimize import brentq
from variants import with_long

from cvxnn.certificates import DualProof
from cvxnn.layers import Layer
from cvxnn.losses import (
    GammaLoss,
    HuberLoss,
    LogisticLoss,
    PoissonLoss,
    SquaredHingeLoss,
    SquaredLoss,
    WeightedLoss,
)
from cvxnn.losses.offset import best_offset
from cvxnn.oracle.choice import Effort, oracle_for
from cvxnn.problems import Problem
from cvxnn.solvers.intercept.proof import (
    Mixing,
    balanced,
    beside_any_offset,
    intercept_reach,
    mixed,
)

LOSSES = [
    SquaredLoss(), HuberLoss(0.3), LogisticLoss(), SquaredHingeLoss(), PoissonLoss(), GammaLoss(),
]  # fmt: skip
# Each loss with rows of its own, which have weights in every second problem.
each_problem = with_long(
    "loss, seed",
    [(loss, seed) for seed, loss in enumerate(LOSSES)]
    + [(loss, seed + 1) for seed, loss in enumerate(LOSSES)],
    always=3,
    ids=lambda pair: f"{type(pair[0]).__name__}-{pair[1]}",
)


def drawn(loss, seed, n=9, beta=0.3):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((n, 2)), np.ones(n)])
    y = rng.standard_normal(n) + 3.0
    if loss.has_labels:
        y = np.where(np.arange(n) % 3 == 0, -1.0, 1.0)
    if seed % 2:
        loss = WeightedLoss(loss, rng.uniform(0.2, 4.0, n))
    return Problem.of(Layer(X), y, beta, loss), rng


def networks(problem, rng, count=30):
    """Predictions and total sizes of random networks, from small to large."""
    for scale in np.geomspace(1e-3, 3.0, count):
        u = rng.standard_normal((3, 3))
        u /= np.linalg.norm(u, axis=1, keepdims=True)
        sizes, signs = scale * rng.random(3), rng.choice([-1.0, 1.0], 3)
        yield problem.rows.activations(u) @ (signs * sizes), float(sizes.sum())


def priced(problem, v):
    return DualProof.priced(
        v[:, None], oracle_for(problem.rows, Effort()).price(v[:, None], tol=1e-9)
    )


@pytest.mark.parametrize("n", [2, 3, 50, 5000])
@pytest.mark.parametrize("decades", [0.0, 3.0, 40.0])
def test_what_is_balanced_has_the_sum_zero_and_stays_in_its_interval(n, decades):
    rng = np.random.default_rng(n)
    v = rng.standard_normal(n) * 10.0 ** (rng.uniform(-decades, decades, n))
    v[:2] = 0.3, -0.7
    moved = balanced(v)
    assert sum(map(Fraction, moved.tolist())) == 0
    assert (np.abs(moved) <= np.abs(v) * (1.0 + 1e-15)).all() and (moved * v >= 0.0).all()
    # Nothing but what had to go is gone, up to rounding.
    assert np.abs(moved - v).sum() <= abs(math.fsum(v)) + n * 1e-15 * np.abs(v).sum()


def test_what_is_balanced_already_stays_and_what_has_one_sign_goes():
    assert np.array_equal(balanced(np.array([1.0, -1.0])), [1.0, -1.0])
    assert not balanced(np.ones(3)).any() and not balanced(-np.ones(3)).any()
    tiny = balanced(np.array([3.0, 5.0, -7.0]) * 5e-324)
    assert tiny.sum() == 0.0


@each_problem
def test_no_better_network_has_an_intercept_beyond_reach(loss, seed):
    problem, rng = drawn(loss, seed)
    loss, y = problem.loss, problem.y
    constant = best_offset(loss, np.zeros_like(y), y)
    reached = 1.5 * problem.value(np.full_like(y, constant))
    reach = intercept_reach(problem, constant, reached)
    assert np.isfinite(reach)
    seen = 0
    for f, size in networks(problem, rng):

        def above(b, f=f, size=size):
            return problem.value(f + b, size) - reached

        b = best_offset(loss, f, y)
        if above(b) < 0.0:
            ends = [brentq(above, b, b + s * 1e4) for s in (-1.0, 1.0) if above(b + s * 1e4) > 0.0]
            assert len(ends) == 2 and max(map(abs, ends)) <= reach
            seen += 1
    assert seen > 5


@pytest.mark.long
@each_problem
def test_no_network_is_below_a_bound_beside_any_intercept(loss, seed):
    problem, rng = drawn(loss, seed)
    loss, y = problem.loss, problem.y
    constant = best_offset(loss, np.zeros_like(y), y)
    reached = problem.value(np.full_like(y, constant))
    reach = intercept_reach(problem, constant, reached)
    lowest = min(
        problem.value(f + best_offset(loss, f, y), size) for f, size in networks(problem, rng, 200)
    )
    mixing, bounds = Mixing(problem, reach), []
    for f, _ in networks(problem, rng, 6):
        b = best_offset(loss, f, y)
        # Beside intercepts that are too small, too large, and just right.
        points = [problem.residual(f + b + move) for move in (-0.3, 0.2, 0.0)]
        found = [priced(problem, v) for v in points]
        bounds += [proof.bound(problem) for p in found for proof in mixing.carried_over(p)]
        sums = [math.fsum(v) for v in points]
        assert sums[0] > 0.0 > sums[1]
        mixture = mixed(found[0], found[1], problem)
        assert abs(math.fsum(mixture.v)) <= 1e-13 * float(np.abs(mixture.v).sum())
        # A bound on the sum is no weaker than that of the oracle on the mixture itself.
        assert (mixture.bounds >= priced(problem, mixture.v).bounds * (1.0 - 1e-8)).all()
    assert max(bounds) <= min(lowest, reached)
    assert max(bounds) > 0.03 * lowest


def test_a_sum_that_is_small_by_chance_does_not_spoil_mixtures():
    problem, _ = drawn(SquaredLoss(), 0)
    best = problem.y.mean()
    chance = problem.residual(np.full(9, best))
    chance[0] -= math.fsum(chance) + 1e-14
    mixing, bounds = Mixing(problem, 1e3), []
    for v in (
        chance,
        problem.residual(np.full(9, best + 0.01)),
        problem.residual(np.full(9, best - 0.01)),
    ):
        # As if these were optimal, and the first far from it.
        proof = DualProof.of(v, problem.beta * (50.0 if v is chance else 1.0), "cells")
        bounds.append(max(each.bound(problem) for each in mixing.carried_over(proof)))
    assert bounds[2] == pytest.approx(problem.value(np.full(9, best)), rel=1e-9)
    assert bounds[1] < bounds[2]


@pytest.mark.parametrize("seed", range(6))
def test_what_is_proven_holds_in_rational_numbers(seed):
    rng = np.random.default_rng(seed)
    n, far = 2 + seed, 10.0 ** (2 * seed)
    X = np.column_stack([rng.standard_normal(n), np.ones(n)])
    y, beta = rng.standard_normal(n) + far, 0.2
    problem = Problem.of(Layer(X), y, beta, SquaredLoss())
    constant = y.mean()
    reach = intercept_reach(problem, constant, problem.value(np.full(n, constant)))
    mixing = Mixing(problem, reach)
    for move in (-0.3, 0.2, 0.0):
        f = problem.rows.activations(rng.standard_normal((1, 2)))[:, 0]
        v = problem.residual(f + best_offset(problem.loss, f, y) + move)
        for proof in mixing.carried_over(priced(problem, v)):
            assert sum(map(Fraction, proof.v.tolist())) == 0 and proof.slack == 0.0
            if proof.v.any():
                # Both are rounded down, or in the last digit, in exact arithmetic.
                assert proof.oracle_bound >= rational.largest(X, proof.v) * (1.0 - 1e-15)
                exact = rational.bound(X, y, beta, proof.v)
                assert Fraction(proof.bound(problem)) <= exact + abs(exact) / 10**14


def test_labels_of_one_kind_have_no_reach_and_no_bound():
    problem, _ = drawn(LogisticLoss(), 0)
    alone = Problem.of(problem.rows, np.ones(9), 0.3, LogisticLoss())
    reach = intercept_reach(alone, 5.0, alone.value(np.full(9, 5.0)))
    assert reach == np.inf
    v = alone.residual(np.zeros(9))
    assert beside_any_offset(priced(alone, v), alone, reach).bound(alone) <= 0.0
