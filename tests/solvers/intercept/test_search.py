"""Intercepts far away from the best constant, beside columns that are far from 0."""

import numpy as np
import pytest

import cvxnn
from cvxnn.results import Status


@pytest.mark.parametrize("loss", ["gamma", "poisson"])
def test_an_exponential_of_predictions_does_not_lead_out_of_the_numbers(loss):
    rng = np.random.default_rng(0)
    z = rng.standard_normal(40)
    y = np.exp(z) * rng.gamma(4.0, 0.25, 40) if loss == "gamma" else rng.poisson(np.exp(z + 1.0))
    solution = cvxnn.solve((z + 1000.0)[:, None], y, 0.1, loss=loss, intercept=True)
    assert solution.status is Status.OPTIMAL
    # So far out all rows are active, and the kinks at 0 no part of the problem: one slope w of
    # a line in z, of which no more than beta |w| is paid.
    cp = pytest.importorskip("cvxpy")
    w, b = cp.Variable(), cp.Variable()
    f = w * z + b
    values = (
        cp.multiply(y, cp.exp(-f)) + f - np.log(y) - 1.0
        if loss == "gamma"
        else cp.exp(f) - cp.multiply(y, f) + y * np.log(np.maximum(y, 1)) - y
    )
    known = cp.Problem(cp.Minimize(cp.sum(values) + 0.1 * cp.abs(w))).solve(solver="CLARABEL")
    assert solution.objective == pytest.approx(known, rel=2e-6)
    assert solution.dual_bound <= known * (1.0 + 1e-7)
