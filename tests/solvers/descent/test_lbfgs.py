"""L-BFGS beside scipy's, and beside minima that are known."""

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der

from cvxnn.interrupts import OutOfTimeError
from cvxnn.solvers.descent.lbfgs import minimise

SETTINGS = {"steps": 1000, "enough": 0.0, "stretch": 10, "memory": 8}


def test_a_curved_valley():
    start = np.array([-1.2, 1.0, 0.3])
    end = minimise(lambda x: (rosen(x), rosen_der(x)), start, **SETTINGS)
    reference = minimize(rosen, start, jac=rosen_der, method="L-BFGS-B")
    np.testing.assert_allclose(end, reference.x, atol=1e-4)


def test_squares_of_very_different_curvature():
    curvature = np.logspace(0, 4, 12)

    def squares(x):
        return 0.5 * float(curvature @ (x - 1.0) ** 2), curvature * (x - 1.0)

    np.testing.assert_allclose(minimise(squares, np.zeros(12), **SETTINGS), 1.0, atol=1e-5)


def test_a_kink_does_not_end_it():
    def moduli(x):
        return float(np.abs(x).sum() + 0.5 * x @ x), np.sign(x) + x

    start = np.array([3.0, -2.0, 1.0])
    end = minimise(moduli, start, **SETTINGS)
    assert moduli(end)[0] < 1e-3 * moduli(start)[0]


def test_gradients_whose_squares_are_0_say_nothing_of_the_curvature():
    def squares(x):
        return 0.005 * float(x @ x), 0.01 * x

    # Those of slopes are some ten times the smallest number, those of their changes 0.
    end = minimise(squares, np.array([7e-160]), **SETTINGS)
    assert abs(end[0]) <= 7e-160


def test_values_fall_and_steps_are_counted():
    values = []

    def squares(x):
        values.append(float(x @ x))
        return values[-1], 2.0 * x

    minimise(squares, np.full(4, 5.0), steps=1, enough=0.0, stretch=5, memory=5)
    assert len(values) >= 2 and values[-1] < values[0]


@pytest.mark.parametrize("evaluations", [1, 2, 5])
def test_what_was_reached_in_time_comes_back(evaluations):
    values = []

    def late(x):
        if len(values) == evaluations:
            raise OutOfTimeError
        values.append(rosen(x))
        return values[-1], rosen_der(x)

    start = np.array([-1.2, 1.0])
    assert rosen(minimise(late, start, **SETTINGS)) <= rosen(start)


def test_a_minimum_stays():
    np.testing.assert_array_equal(
        minimise(lambda x: (float(x @ x), 2.0 * x), np.zeros(2), **SETTINGS), 0.0
    )
