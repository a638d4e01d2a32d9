"""Refinement: never worse, fewer neurons, and stationary in the end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from least_squares import assert_no_worse, drawn, least_squares, random_neurons

from cvxnn.solvers.newton.faces import Neurons, dual_point, neuron_objective, refine, settle


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 15), r=st.integers(1, 4))
def test_refine_never_worsens_and_thins_out(seed, n, r):
    rng = np.random.default_rng(seed)
    problem, neurons = drawn(rng, n, r), random_neurons(rng, 12, r)
    refined = refine(problem, neurons)
    assert_no_worse(problem, neurons, refined)
    assert len(refined.sizes) <= n


def test_newton_reaches_the_closed_form_of_one_cell():
    # Every row active: 1/2 ||X w - y||^2 + beta ||w||, stationary at X'(y - Xw) = beta w/||w||.
    rng = np.random.default_rng(0)
    X = np.abs(rng.standard_normal((10, 3))) + 0.1
    y = X @ np.array([1.0, 2.0, 0.5])
    problem = least_squares(X, y, 0.2)
    refined = refine(problem, Neurons(np.full((1, 3), 3**-0.5), np.ones(1), np.ones((1, 1))))
    w = refined.rays[0]
    np.testing.assert_allclose(X.T @ (y - X @ w), 0.2 * refined.directions[0], atol=1e-10)
    np.testing.assert_allclose(dual_point(problem, refined), y - X @ w, atol=1e-10)


def test_no_neurons():
    none, problem = Neurons.none(2), least_squares(np.eye(2), np.ones(2))
    assert len(refine(problem, none).sizes) == 0
    np.testing.assert_array_equal(dual_point(problem, none), problem.y)
    assert neuron_objective(problem, none) == pytest.approx(1.0)


def test_zero_rows_are_harmless():
    problem = least_squares(np.eye(3)[:, 1:], np.array([1.0, 2.0, 3.0]), 0.1)
    refined = refine(problem, random_neurons(np.random.default_rng(1), 4, 2))
    assert np.isfinite(refined.sizes).all()


def test_settling_finds_the_digits_that_the_objective_cannot_see():
    """One neuron with all rows active: its direction errs by 1e-8, the objective by 1e-16."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 1.5, (12, 3))
    y, beta = X @ np.array([1.0, 2.0, 3.0]), 0.3
    problem, one = least_squares(X, y, beta), np.ones((1, 1))
    settled = settle(problem, refine(problem, Neurons.of(np.ones((1, 3)) / 3**0.5, one)))
    w = settled.rays[0]
    assert (X @ w > 0.0).all()
    gradient = X.T @ (X @ w - y) + beta * w / np.linalg.norm(w)
    assert np.linalg.norm(gradient) <= 1e-13 * np.linalg.norm(X.T @ y)
    turned = Neurons.of(w + 1e-8 * rng.standard_normal((1, 3)), one)
    values = [neuron_objective(problem, neurons) for neurons in (turned, settled)]
    assert abs(values[0] - values[1]) <= 1e-13
    again = settle(problem, turned)
    np.testing.assert_allclose(again.directions, settled.directions, rtol=0.0, atol=1e-14)


def test_settling_knows_rows_that_meet_noise_only():
    """u = (2, -1, 1e-17) lies on the hyperplane of the row (0, 0, 1)."""
    X = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]])
    u = np.array([[2.0, -1.0, 1e-17]]) / np.sqrt(5.0)
    settled = settle(
        least_squares(X, np.array([2.0, 1.0, 0.0]), 0.1), Neurons(u, np.ones(1), np.ones((1, 1)))
    )
    assert settled.directions[0, 2] == 0.0
    assert settle(least_squares(X, np.ones(3), 0.1), Neurons.none(3)).sizes.shape == (0,)
