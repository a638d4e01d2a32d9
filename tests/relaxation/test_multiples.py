"""Joined proofs of parts: bounds hold for any multiples, and the multiples found are the best."""

import numpy as np
import pytest
from relaxation_instances import rows_and_weights
from scipy.optimize import minimize
from variants import with_long

from cvxnn.certificates import DualProof
from cvxnn.layers import Layer
from cvxnn.losses import HuberLoss, LogisticLoss, SquaredHingeLoss, SquaredLoss, WeightedLoss
from cvxnn.oracle import CellOracle
from cvxnn.patterns import enumerate_patterns
from cvxnn.problems import Problem
from cvxnn.relaxation.multiples import JoinedParts

LOSSES = [
    SquaredLoss(),
    HuberLoss(0.7),
    LogisticLoss(),
    SquaredHingeLoss(),
    WeightedLoss(SquaredLoss(), np.exp2(np.arange(9.0) - 4.0)),
]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)


def both_maxima(X, v):
    """For each output sign, over directions of all cells."""
    price = CellOracle(X, enumerate_patterns(X)).price(v[:, None])
    return np.maximum(price.bounds, 0.0)


def reached(X, v):
    """For each output sign, the largest value of the directions that the oracle has found."""
    found = CellOracle(X, enumerate_patterns(X)).price(v[:, None]).directions
    values = v @ np.maximum(X @ found.T, 0.0)
    return np.array([(sign * values).max(initial=0.0) for sign in (1.0, -1.0)])


def drawn(seed, loss, n=9, n_parts=3):
    """Dual points inside the domain, with looser bounds than the best for some parts."""
    rng = np.random.default_rng(seed)
    X, w = rows_and_weights(rng, n, 2)
    y = np.where(w > 0.0, 1.0, -1.0) if loss.has_labels else 1.0 * w
    v = loss.project(y * rng.uniform(0.1, 0.9, n), y)
    parts = np.array_split(rng.permutation(n), n_parts)
    exact = [both_maxima(X[rows], v[rows]) * rng.uniform(1.0, 1.5) for rows in parts]
    proofs = [DualProof(v[r, None], M, "cells") for r, M in zip(parts, exact, strict=True)]
    size = float(np.max(np.sum(exact, axis=0)))
    beta = rng.uniform(0.1, 1.5) * (size or 1.0)
    return JoinedParts(Problem.of(Layer(X), y, beta, loss), parts, proofs)


@each_loss
@with_long("seed", range(8), always=4)
def test_bounds_hold_for_any_multiples(seed, loss):
    joined = drawn(seed, loss)
    X = joined.problem.rows.rows
    rng = np.random.default_rng(seed)
    for proof in (joined.best(), joined.proof(np.ones(3)), joined.proof(rng.exponential(size=3))):
        assert (proof.bounds >= reached(X, proof.v) * (1.0 - 1e-13)).all()


def value(joined, t):
    """The lower bound of multiples that are feasible, else less than any."""
    problem = joined.problem
    M = np.array([proof.bounds for proof in joined.proofs])
    V = np.zeros(len(problem.y))
    for k, rows in enumerate(joined.parts):
        V[rows] = t[k] * joined.proofs[k].v
    largest = float((t @ M).max())
    scale = min(1.0, problem.beta / largest) if largest > 0.0 else 1.0
    return -problem.loss.conjugate(scale * V, problem.y)


@each_loss
@with_long("seed", range(4), always=2)
def test_the_multiples_are_the_best(seed, loss):
    """As a general method finds from many starts."""
    joined = drawn(seed + 100, loss)
    best = joined.best().bound(joined.problem)
    rng = np.random.default_rng(0)
    options = {"maxiter": 600, "xatol": 1e-7, "fatol": 1e-12}

    def cost(t):
        return min(-value(joined, np.abs(t)), 1e300)

    starts = rng.uniform(0.0, 1.5, (3, 3))
    found = [-minimize(cost, t, method="Nelder-Mead", options=options).fun for t in starts]
    largest = max(found)
    assert best >= largest - 1e-3 * abs(largest) - 1e-9
    assert best >= joined.proof(np.ones(3)).bound(joined.problem)


def test_signs_are_summed_before_the_larger_is_taken():
    """Parts that have their largest values with different signs get all of beta both."""
    X, y = np.ones((2, 1)), np.array([2.0, -2.0])
    problem = Problem.of(Layer(X), y, 1.0, SquaredLoss())
    bounds = np.array([[2.0, 0.0], [0.0, 2.0]])
    parts = [np.array([0]), np.array([1])]
    proofs = [DualProof(y[k : k + 1, None], bounds[k], "cells") for k in range(2)]
    # With beta for each: 2 (1/2 2^2 - 1/2 (2 - 1)^2).
    assert JoinedParts(problem, parts, proofs).best().bound(problem) == pytest.approx(3.0)


def test_dual_points_of_zeros():
    problem = Problem.of(Layer(np.ones((4, 1))), np.array([0.0, 0.0, 2.0, 1.0]), 1.0, SquaredLoss())
    parts = [np.array([0, 1]), np.array([2, 3])]
    none = DualProof(np.zeros((2, 1)), np.zeros(2), "spectral")
    some = DualProof(problem.Y[parts[1]], np.array([3.0, 0.0]), "cells")
    # t v with t = 1/3: 1/3 5 - 1/2 1/9 5.
    assert JoinedParts(problem, parts, [none, some]).best().bound(problem) == pytest.approx(25 / 18)
    both = JoinedParts(problem, parts, [none, none]).best()
    assert both.bound(problem) == 0.0 and (both.bounds >= 0.0).all()
