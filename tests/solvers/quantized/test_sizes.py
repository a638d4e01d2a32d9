"""Sizes of columns with any smooth loss, by the conditions of an optimum."""

import numpy as np
import pytest
from programs import COUNTS, LOSSES, targets

from cvxnn.layers.quantized import QuantizedRows
from cvxnn.losses import HuberLoss, WeightedLoss, as_loss
from cvxnn.problems import Problem
from cvxnn.solvers.quantized.sizes import Sizes, best_sizes, sharp_residual


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("loss", [*LOSSES, *COUNTS, "weights"])
def test_slopes_are_those_of_an_optimum(loss, intercept):
    rng = np.random.default_rng(0)
    columns = rng.standard_normal((25, 40))
    y = columns[:, :3].sum(axis=1) + rng.standard_normal(25)
    weighted = loss == "weights"
    chosen = WeightedLoss(as_loss("squared"), rng.random(25) + 0.1) if weighted else as_loss(loss)
    y = y if weighted else targets(loss, y)
    problem = Problem.of(QuantizedRows(columns), y, 2.0, chosen)
    for start in (Sizes(np.zeros(40)), Sizes(rng.random(40), 0.3 * intercept)):
        found = best_sizes(problem, columns, start, intercept=intercept)
        v = problem.residual(found.prediction(columns))
        values = columns.T @ v
        assert (found.values >= 0.0).all() and 0 < (found.values > 0.0).sum() <= 25
        assert values.max() <= 2.0 * (1.0 + 1e-8)
        np.testing.assert_allclose(values[found.values > 0.0], 2.0, rtol=1e-8)
        if intercept:
            assert abs(v.sum()) <= 1e-8 * np.abs(v).sum()
        else:
            assert found.intercept == 0.0


@pytest.mark.parametrize("intercept", [False, True])
def test_a_sharp_residual_keeps_what_a_prediction_rounds(intercept):
    """A strip of 1e-9 multiplies the rounding of predictions by as much."""
    rng = np.random.default_rng(0)
    columns = rng.standard_normal((8, 12))
    y = columns[:, :2] @ [1.0, 2.0] + 0.1 * rng.standard_normal(8)
    problem = Problem.of(QuantizedRows(columns), y, 1e-9, HuberLoss(1e-9))
    found = best_sizes(problem, columns, Sizes(np.zeros(12)), intercept=intercept)
    active = columns[:, found.values > 0.0]
    wanted = np.full(active.shape[1], problem.beta)
    if intercept:
        active, wanted = np.column_stack([active, np.ones(8)]), np.append(wanted, 0.0)

    def left(v):
        return np.abs(active.T @ v - wanted).max()

    plain = problem.residual(found.prediction(columns))
    sharp = sharp_residual(problem, columns, found, intercept=intercept)
    assert left(sharp) <= left(plain)
    assert np.abs(sharp).max() <= 1e-9
    nothing = Sizes(np.zeros(12))
    assert np.array_equal(sharp_residual(problem, columns, nothing), problem.residual(0.0 * y))
