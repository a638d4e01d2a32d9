"""Networks of a smooth loss that are made right in the rows next to the kinks."""

import numpy as np
import pytest

import cvxnn
from cvxnn.layers.groups import GroupedLayer
from cvxnn.losses import AbsoluteLoss
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.smoothing.interpolation import interpolated


@pytest.mark.parametrize("intercept", [False, True])
def test_rows_become_right_and_neurons_see_what_they_saw(intercept):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((12, 3)), np.ones(12)])
    rows = GroupedLayer(X, ((0, 3), (1, 2, 3)))
    directions = np.array([[0.6, 0.0, 0.0, 0.8], [0.0, 0.48, -0.64, 0.6]])
    near = Neurons(directions, np.array([1.0, 2.0]), np.array([[1.0], [-1.0]]))
    near = Neurons(near.directions, near.sizes, near.outputs, intercept=0.3 * intercept)
    f = rows.forward(near.rays, near.signs) + near.intercept
    # Three rows are nearly right, in which both neurons are active, and the others are not.
    right = np.flatnonzero((X @ directions.T > 0.0).all(axis=1))[:3]
    y = f + 5.0
    y[right] = f[right] + np.array([1e-3, -2e-3, 1e-3])
    problem = Problem.of(rows, y, 0.1, AbsoluteLoss().smoothed(0.01))
    moved = interpolated(problem, near, intercept=intercept)
    reached = rows.forward(moved.rays, moved.signs) + moved.intercept
    assert len(right) == 3
    np.testing.assert_allclose(reached[right], y[right], atol=1e-12)
    assert np.abs(reached - f).max() < 0.05
    np.testing.assert_array_equal(moved.directions[directions == 0.0], 0.0)
    assert (moved.intercept != near.intercept) == intercept


def test_one_width_is_enough_for_neurons_that_see_groups():
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.standard_normal((30, 2)), np.ones(30)])
    y = X[:, 0] + np.abs(X[:, 1]) + 0.3 * rng.standard_normal(30)
    solution = cvxnn.solve(X, y, 0.5, loss="absolute", model=cvxnn.ReLU(features=1))
    assert solution.status is cvxnn.Status.OPTIMAL and solution.gap <= 1e-8
    # Some rows are met exactly, as quantiles meet them.
    assert (np.abs(solution.network(X) - y) <= 1e-9).sum() >= 2
