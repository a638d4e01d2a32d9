"""The resumed search for a root asks for the points of scipy's, in their order."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import brentq

from cvxnn.solvers.roots import RootSearch


def asked(function: Callable[[float], float], start: float) -> list[float]:
    search, points = RootSearch(start, 0.3), []
    while (point := search.next_point) is not None:
        points.append(point)
        search.note(point, function(point))
    return points


SHAPES = (lambda t: -t, lambda t: -t - 0.1 * t**3, lambda t: -np.expm1(0.1 * t))


@pytest.mark.parametrize("root", [-40.0, -1.0, 0.1, 0.2, 30.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_points_are_those_of_brent(root, shape):
    def function(point: float) -> float:
        return float(shape(point - root))

    points = asked(function, 0.0)
    step = 0.3 * np.sign(root)
    bracket = [0.0, step]
    while function(bracket[-1]) * step > 0.0:
        step *= 2.0
        bracket.append(bracket[-1] + step)
    assert points[: len(bracket)] == bracket
    called: list[float] = []

    def noted(point: float) -> float:
        called.append(point)
        return function(point)

    found = brentq(noted, *bracket[-2:], xtol=1e-15, maxiter=50, disp=False)
    assert points[len(bracket) :] == [point for point in called if point not in bracket]
    assert found == pytest.approx(root, rel=1e-9, abs=1e-6)
    assert min(abs(point - root) for point in points) <= abs(found - root)


def test_a_root_that_is_met_ends_the_search():
    assert asked(lambda point: 0.0, 2.0) == [2.0]
    assert asked(lambda point: 0.3 - point, 0.0) == [0.0, 0.3]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_no_root_far_and_wide(sign):
    points = asked(lambda point: sign, 1.0)
    assert len(points) < 12 and sign * (points[-1] - 1.0) > 80.0
