"""Newton's method on the weights: its derivatives, where it ends, and when."""

import numpy as np
import pytest
from programs import LOSSES
from scipy.optimize import check_grad
from solvers.gauge.linear_networks import any_kind, drawn, problem_of

from cvxnn.interrupts import Deadline
from cvxnn.losses import as_loss
from cvxnn.solvers.gauge.descent import Objective, _WeightObjective, polish


@any_kind
@pytest.mark.parametrize("loss", LOSSES)
def test_derivatives_are_those_of_finite_differences(kind, loss):
    rows, y = drawn(kind, loss, 9, 3, 2)
    weights = _WeightObjective(
        Objective(problem_of(rows.program, y, 0.3, loss)), *((2, k) for k in rows.lengths)
    )
    point, direction = np.random.default_rng(0).standard_normal((2, 2 * sum(rows.lengths)))
    slope = weights.gradient(point)
    assert check_grad(weights.value, weights.gradient, point) <= 1e-5 * np.linalg.norm(slope)
    step = 1e-6
    ahead, behind = (weights.gradient(point + s * step * direction) for s in (1.0, -1.0))
    curved = weights.hessian_product(point, direction)
    np.testing.assert_allclose(
        (ahead - behind) / (2.0 * step), curved, atol=1e-5 * np.linalg.norm(curved)
    )


@any_kind
@pytest.mark.parametrize("loss", LOSSES)
def test_a_network_is_polished_to_a_stationary_one(kind, loss):
    rows, y = drawn(kind, loss, 12, 3, 2)
    objective = Objective(problem_of(rows.program, y, 0.5, loss))
    start = np.random.default_rng(1).standard_normal(6)
    polished = polish(objective, start, Deadline())
    assert objective.value(polished) < objective.value(start)
    filters, output = rows.program.weights(polished)
    v = as_loss(loss).gradient(rows.function(filters, output), y)
    pulled = rows.pull(v, filters, output)
    for slope, weight in zip(pulled, (filters, output), strict=True):
        np.testing.assert_allclose(slope + 0.5 * weight, 0.0, atol=1e-6)


@any_kind
def test_nothing_is_polished_without_time_or_weights(kind):
    rows, y = drawn(kind, "squared", 9, 3, 2)
    objective = Objective(problem_of(rows.program, y, 0.5, "squared"))
    start = np.random.default_rng(1).standard_normal(6)
    np.testing.assert_allclose(polish(objective, start, Deadline(0.0)), start)
    assert not polish(objective, np.zeros(6), Deadline()).any()
