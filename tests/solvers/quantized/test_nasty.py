"""Quantised networks on data of every bad kind: no bound above the optimum over all pairs."""

import warnings

import numpy as np
import pytest
from programs import COUNTS, LOSSES, targets
from solvers.quantized.sign_networks import Pairs
from variants import with_long

import cvxnn
from cvxnn.layers.quantized import QuantizedRows
from cvxnn.losses import as_loss
from cvxnn.problems import Problem
from cvxnn.solvers.quantized.sizes import Sizes, best_sizes

KINDS = ("integers", "small rows", "small columns", "rank one", "equal rows", "ones", "zeros")


def drawn(rng, kind):
    n, d = int(rng.integers(1, 12)), int(rng.integers(1, 5))
    X = rng.standard_normal((n, d))
    match kind:
        case "integers":
            X = np.round(X)
        case "small rows":
            X *= 10.0 ** rng.uniform(-6, 0, (n, 1))
        case "small columns":
            X *= 10.0 ** rng.uniform(-4, 0, d)
        case "rank one":
            X = np.outer(X[:, 0], rng.integers(-1, 2, d))
        case "equal rows":
            X = X[rng.integers(0, n, n)]
        case "ones":
            X[:, -1] = 1.0
        case "zeros":
            X *= rng.random((n, d)) < 0.5
    return X, rng.standard_normal(n) * 10.0 ** rng.uniform(-3, 1)


@pytest.mark.parametrize("kind", KINDS)
@with_long("seed", range(3))
def test_no_bound_is_above_the_optimum_over_all_pairs(kind, seed):
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    for loss in (*LOSSES, *COUNTS):
        X, y = drawn(rng, kind)
        y = targets(loss, y)
        beta = 10.0 ** rng.uniform(-4, 0.3) * float((np.abs(X).sum(axis=1) ** 2).mean())
        beta = beta or 1.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            solution = cvxnn.solve(X, y, beta, model="quantized", loss=loss, time_limit=20.0)
        columns = Pairs(X).columns
        columns = np.hstack([columns, -columns])
        problem = Problem.of(QuantizedRows(X), y, beta, as_loss(loss))
        sizes = best_sizes(problem, columns, Sizes(np.zeros(columns.shape[1])))
        value = problem.value(sizes.prediction(columns), sizes.total)
        # A value from above, of whatever quality: no bound may be above it.
        assert solution.dual_bound <= value * (1.0 + 1e-12) + 1e-15
        assert solution.certificate.verify(X, y, network=solution.network).accepted
        if solution.status is cvxnn.Status.OPTIMAL:
            assert solution.objective <= value * (1.0 + 2e-6) + 1e-15
