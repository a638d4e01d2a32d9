"""Which problems of several outputs have a bound by the relaxation, and that it is one."""

import warnings

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

import cvxnn
from cvxnn.layers import Layer
from cvxnn.layers.relu import SkipLayer
from cvxnn.losses import SoftmaxLoss, SquaredLoss
from cvxnn.problems import Problem
from cvxnn.relaxation.outputs.prover import OutputsProver
from cvxnn.solvers.relaxed import relaxation_prover


def drawn(loss, n=30, d=12, c=3):
    """Rows of a rank above which no search over cones ends."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    Y = np.maximum(X @ rng.standard_normal((d, c)), 0.0) + 0.1 * rng.standard_normal((n, c))
    return X, np.eye(c)[Y.argmax(axis=1)] if loss.has_labels else Y


def test_who_has_one():
    X, Y = np.eye(3), np.ones((3, 2))
    dense = Layer(X, np.ones((3, 3)))
    for rows, kind in (
        (Layer(X), OutputsProver),
        (Layer(X).with_slope(0.1), OutputsProver),
        (dense, type(None)),
        (SkipLayer(Layer(X), X, is_free=False), type(None)),
    ):
        prover = relaxation_prover(Problem(rows, Y, 0.5, SquaredLoss()), intercept=True)
        assert type(prover) is kind
    assert relaxation_prover(Problem(Layer(X), Y, 0.5, SquaredLoss()), intercept=True).intercept


def least_of_starts(X, Y, beta, loss, *, intercept, starts=10, k=8):
    """The best that L-BFGS comes to from random weights: an upper bound on the optimum."""
    (_, d), c, rng = X.shape, Y.shape[1], np.random.default_rng(1)
    cut, size = k * d, k * (d + c)

    def function(theta):
        U, A, b = theta[:cut].reshape(k, d), theta[cut:size].reshape(k, c), theta[size:]
        active = np.maximum(X @ U.T, 0.0)
        f = active @ A + (b if intercept else 0.0)
        G = loss.gradient(f, Y)
        inner = ((G @ A.T) * (active > 0.0)).T @ X + beta * U
        ends = G.sum(axis=0) if intercept else np.zeros(c)
        price = 0.5 * beta * (theta[:size] ** 2).sum()
        slopes = np.r_[inner.ravel(), (active.T @ G + beta * A).ravel(), ends]
        return loss.value(f, Y) + price, slopes

    first = [0.5 * rng.standard_normal(size + c) for _ in range(starts)]
    return min(minimize(function, x, jac=True, method="L-BFGS-B").fun for x in first)


@pytest.mark.long
@pytest.mark.parametrize(
    ("loss", "intercept"),
    [(SoftmaxLoss(), True), (SquaredLoss(), False)],
    ids=["softmax", "squared"],
)
def test_bounds_of_solve_beyond_trees(loss, intercept):
    X, Y = drawn(loss)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        solution, without = (
            cvxnn.solve(
                X, Y, beta=3.0, loss=loss, intercept=intercept, tol=1e-3,
                method=cvxnn.Global(proof_time=seconds),
            )
            for seconds in (1.0, 0.0)
        )  # fmt: skip
    assert solution.dual_bound <= least_of_starts(X, Y, 3.0, loss, intercept=intercept)
    assert solution.dual_bound <= solution.objective + solution.objective_error
    assert solution.gap < max(0.5 * without.gap, 1e-3)
