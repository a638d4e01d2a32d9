"""A free skip connection: cvxpy, least squares, weights, and what its bound rests on."""

import numpy as np
import pytest
from skip_problems import BETA, FloatArray, data, opener, reference, run, skip_rows, value

from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.layers.relu import SkipLayer
from cvxnn.losses import Loss, SquaredLoss
from cvxnn.problems import Problem
from cvxnn.solvers.skip.free import FreeSkipSearch
from cvxnn.solvers.skip.projection import ProjectedProblem

SQUARED = SquaredLoss()


def free(
    rows: SkipLayer, y: FloatArray, beta: float = BETA, loss: Loss = SQUARED
) -> FreeSkipSearch:
    projected = ProjectedProblem.of(Problem.of(rows, y, beta, loss))
    return FreeSkipSearch(projected, opener(Deadline()))


@pytest.mark.parametrize("slope", [0.0, 0.2, -1.0])
def test_the_optimum_is_that_of_cvxpy(slope):
    X, y = data()
    search = free(skip_rows(X, slope, is_free=True), y)
    run(search, 1e-8)
    optimum = reference(slope, "free", "squared")
    assert search.reaches(1e-8)
    assert search.objective == pytest.approx(optimum, rel=2e-6)
    assert search.bound <= optimum * (1.0 + 1e-6)
    rows = skip_rows(X, slope, is_free=True)
    again = value(rows, y, BETA, "squared", search.neurons, search.linear)
    assert again == pytest.approx(search.objective, rel=1e-12)
    for proof in search.final_proofs(quick=False):
        # Rounding is all that is left of v on S.
        assert float(np.linalg.norm(X.T @ proof.v)) <= 1e-12
        assert 0.0 < proof.slack < 1e-12
        bound = proof.bound(Problem.of(rows, y, BETA, SQUARED))
        assert search.bound * (1.0 - 1e-12) <= bound <= optimum * (1.0 + 1e-6)


def test_before_the_first_round_there_is_the_regression():
    X, y = data()
    search = free(skip_rows(X, 0.0, is_free=True), y)
    w = np.linalg.lstsq(X, y, rcond=None)[0]
    assert len(search.neurons) == 0
    np.testing.assert_allclose(search.linear, w, atol=1e-12)
    assert search.objective == pytest.approx(0.5 * float(np.sum((y - X @ w) ** 2)), rel=1e-12)
    assert search.bound <= search.objective


def test_targets_of_any_size_are_of_size_one_within():
    """What a regression leaves of targets may be small beside them: it has a unit of its own."""
    X, y = data()
    line = X @ [3.0, -1.0, 2.0]
    rows = skip_rows(X, 0.2, is_free=True)
    plain = free(rows, y)
    run(plain, 1e-8)
    tiny = free(rows, line + 2.0**-20 * y, BETA * 2.0**-20)
    run(tiny, 1e-8)
    assert tiny.objective * 2.0**40 == pytest.approx(plain.objective, rel=1e-6)
    # The line by itself is not unique: neurons may turn around at no cost.
    small, large = (
        X @ search.linear + leaky(X @ search.neurons.rays.T) @ search.neurons.heads
        for search in (tiny, plain)
    )
    np.testing.assert_allclose((small - line) * 2.0**20, large, atol=1e-4)


def leaky(z: FloatArray) -> FloatArray:
    return np.where(z > 0.0, z, 0.2 * z)


def test_where_nothing_is_proven_of_the_columns_there_is_no_bound():
    proof = DualProof(np.ones((3, 1)), np.ones(2), "cells", slack=np.inf)
    rows = SkipLayer(Layer(np.eye(3)), np.eye(3)[:, :1], True)
    problem = Problem.of(rows, np.ones(3), 0.5, SQUARED)
    assert proof.bound(problem) == -np.inf
    projected = ProjectedProblem.of(problem)
    exact = projected.proof(DualProof.of(np.array([0.0, 1.0, 1.0]), 1.5, "cells"), 1.0)
    aslant = projected.proof(DualProof.of(np.array([1.0, 1.0, 1.0]), 1.5, "cells"), 1.0)
    # A dual point is moved onto what is orthogonal to S, here by 1 in the first row.
    np.testing.assert_allclose(aslant.v, exact.v, atol=1e-15)
    assert aslant.slack < 1e-12
