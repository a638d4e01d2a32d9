"""Newton's method with damping, where its minima are known."""

import numpy as np
import pytest

from cvxnn.interrupts import OutOfTimeError
from cvxnn.solvers.descent.levenberg import levenberg_minimise
from cvxnn.solvers.descent.newton_cg import Rest


class Curve:
    """A function of two variables, from its derivatives."""

    sizes = np.ones(2)

    def __init__(self, value, gradient, hessian):
        self.functions, self.values = (value, gradient, hessian), 0

    def value_and_gradient(self, point):
        self.values += 1
        value, gradient, _ = self.functions
        return float(value(*point)), np.array(gradient(*point))

    def curvature(self, point):
        self.matrix = np.array(self.functions[2](*point))
        return self


def banana():
    return Curve(
        lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
        lambda x, y: [2 * (x - 1) - 400 * x * (y - x**2), 200 * (y - x**2)],
        lambda x, y: [[2 - 400 * (y - 3 * x**2), -400 * x], [-400 * x, 200]],
    )


def saddle():
    """Minima at (+-1, 0)."""
    return Curve(
        lambda x, y: (x**2 - 1) ** 2 + y**2,
        lambda x, y: [4 * x * (x**2 - 1), 2 * y],
        lambda x, y: [[12 * x**2 - 4, 0], [0, 2]],
    )


def test_a_bent_valley():
    found = levenberg_minimise(banana(), np.array([-1.2, 1.0]), Rest(1e-12, steps=100, products=0))
    np.testing.assert_allclose(found, 1.0, rtol=1e-10)


@pytest.mark.parametrize("start", [1e-3, -1e-6])
def test_a_saddle_point_is_left(start):
    found = levenberg_minimise(saddle(), np.array([start, 1.0]), Rest(1e-12, steps=60, products=0))
    np.testing.assert_allclose(found, [np.sign(start), 0.0], atol=1e-10)


def test_scales_apart_take_few_steps():
    scales = np.array([1.0, 1e-10])
    function = Curve(
        lambda *x: 0.5 * scales @ (np.array(x) - 1.0) ** 2,
        lambda *x: scales * (np.array(x) - 1.0),
        lambda *x: np.diag(scales),
    )
    found = levenberg_minimise(function, np.zeros(2), Rest(1e-16, steps=20, products=0))
    np.testing.assert_allclose(found, 1.0, rtol=1e-4)
    assert function.values <= 20


def test_the_gradient_that_is_asked_for_is_enough():
    start = np.array([-1.2, 1.0])
    assert levenberg_minimise(banana(), start, Rest(np.inf, steps=9, products=0)) is start


def test_time_that_is_up_leaves_what_was_reached():
    function = banana()
    whole = function.value_and_gradient

    def interrupted(point):
        if function.values >= 5:
            raise OutOfTimeError
        return whole(point)

    function.value_and_gradient = interrupted
    start = np.array([-1.2, 1.0])
    found = levenberg_minimise(function, start, Rest(0.0, steps=100, products=0))
    assert function.functions[0](*found) < function.functions[0](*start)
