"""Newton's method by conjugate gradients: quadratics, valleys, saddles and limits."""

import numpy as np
import pytest

from cvxnn.interrupts import OutOfTimeError
from cvxnn.solvers.descent.newton_cg import Rest, newton_minimise


class Counted:
    """A function of two derivatives given as functions, with what has been asked."""

    def __init__(self, value, gradient, hessian):
        self.value, self.gradient, self.hessian = value, gradient, hessian
        self.asked, self.products = 0, 0

    def value_and_gradient(self, point):
        self.asked += 1
        return self.value(point), self.gradient(point)

    def curvature(self, point):
        matrix, owner = self.hessian(point), self

        class Curvature:
            sizes = np.maximum(np.abs(np.diag(matrix)), 1e-3)

            def product(self, move):
                owner.products += 1
                return matrix @ move

        return Curvature()


def quadratic(n=20, condition=1e6, seed=0):
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((n, n)))[0]
    H, b = (turn * np.geomspace(1.0, condition, n)) @ turn.T, rng.standard_normal(n)
    function = Counted(lambda x: float(0.5 * x @ H @ x - b @ x), lambda x: H @ x - b, lambda x: H)
    return function, np.linalg.solve(H, b)


def rosenbrock():
    def gradient(x):
        left = x[1] - x[0] ** 2
        return np.array([-400.0 * x[0] * left - 2.0 * (1.0 - x[0]), 200.0 * left])

    def hessian(x):
        return np.array(
            [[1200.0 * x[0] ** 2 - 400.0 * x[1] + 2.0, -400.0 * x[0]], [-400.0 * x[0], 200.0]]
        )

    def value(x):
        return float(100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2)

    return Counted(value, gradient, hessian)


def test_a_quadratic_function_is_solved_to_the_digits_that_values_have():
    function, solution = quadratic()
    found = newton_minimise(function, np.zeros(20), Rest(1e-10, steps=50, products=200))
    np.testing.assert_allclose(found, solution, atol=1e-7)
    assert function.asked <= 20


def test_a_curved_valley_is_followed_and_convergence_is_fast():
    function = rosenbrock()
    found = newton_minimise(function, np.array([-1.2, 1.0]), Rest(1e-12, steps=100, products=10))
    np.testing.assert_allclose(found, [1.0, 1.0], rtol=1e-12)
    assert function.asked < 60


def test_a_saddle_is_left_along_the_gradient():
    # (x^2 - 1)^2 / 4 + y^2 / 2 curves down at x = 0.
    function = Counted(
        lambda p: float((p[0] ** 2 - 1.0) ** 2 / 4.0 + p[1] ** 2 / 2.0),
        lambda p: np.array([p[0] * (p[0] ** 2 - 1.0), p[1]]),
        lambda p: np.diag([3.0 * p[0] ** 2 - 1.0, 1.0]),
    )
    found = newton_minimise(function, np.array([1e-3, 1.0]), Rest(1e-12, steps=60, products=10))
    np.testing.assert_allclose(np.abs(found), [1.0, 0.0], atol=1e-11)


def test_steps_and_products_are_limited():
    function, solution = quadratic()
    point = newton_minimise(function, np.zeros(20), Rest(0.0, steps=1, products=3))
    assert function.products == 3 and function.asked == 2
    assert function.value(point) < 0.0 < np.linalg.norm(point - solution)
    assert newton_minimise(function, np.zeros(20), Rest(np.inf, steps=9, products=3)).any() == 0


def test_rounding_ends_it():
    function, solution = quadratic(condition=10.0)
    found = newton_minimise(function, np.zeros(20), Rest(0.0, steps=500, products=500))
    np.testing.assert_allclose(found, solution, rtol=1e-12)
    assert function.asked < 60


@pytest.mark.parametrize("call", [0, 1, 4])
def test_what_was_reached_in_time_counts(call):
    function = rosenbrock()
    inner = function.value_and_gradient
    values = []

    def timed(point):
        if function.asked == call:
            raise OutOfTimeError
        value, gradient = inner(point)
        values.append(value)
        return value, gradient

    function.value_and_gradient = timed
    found = newton_minimise(function, np.array([-1.2, 1.0]), Rest(1e-12, steps=100, products=10))
    assert function.value(found) == min([*values, function.value(np.array([-1.2, 1.0]))])
