"""Programs of linear networks: weights of coefficients, pull-back and shrinking."""

from __future__ import annotations

import numpy as np
import pytest
from cvxnn.architectures.programs import CircularProgram, PatchProgram


@pytest.mark.parametrize("kind, p", [("patches", 12), ("circular", 5), ("circular", 6)])
def test_weights_of_coefficients_have_their_product_and_gauge(kind, p):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((7, p))
    program = PatchProgram(X.reshape(7, 4, 3)) if kind == "patches" else CircularProgram(X)
    t, slope = rng.standard_normal((2, p))
    U, W = program.weights(t)
    assert np.allclose(program.product(U, W), t)
    assert 0.5 * (np.sum(U**2) + np.sum(W**2)) == pytest.approx(program.gauge(t))
    # The pull-back is the derivative, and shrinking satisfies its optimality condition.
    pulled_U, pulled_W = program.pull_back(slope, U, W)
    assert np.sum(pulled_U * U) == pytest.approx(slope @ t)
    assert np.sum(pulled_W * W) == pytest.approx(slope @ t)
    amount = 0.2 * program.gauge(t) / p
    shrunk = program.shrink(t, amount)
    assert (t - shrunk) @ shrunk == pytest.approx(amount * program.gauge(shrunk))
    along = PatchProgram(np.eye(p).reshape(p, 4, 3)) if kind == "patches" else None
    along = along or CircularProgram(np.eye(p))
    assert along.dual_norm_bound(t - shrunk) == pytest.approx(amount)
