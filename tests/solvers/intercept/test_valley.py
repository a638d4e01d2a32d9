"""The search for the least value of a convex function, beside functions whose minimum is known."""

from collections.abc import Callable

import numpy as np
import pytest

from cvxnn.solvers.intercept.valley import Valley

Function = Callable[[float], tuple[float, float]]


def asked(function: Function, start: float = 0.0, first_step: float = 0.3) -> tuple[list, Valley]:
    valley, points = Valley(start, first_step), []
    while (point := valley.next_point) is not None and len(points) < 60:
        points.append(point)
        valley.note(point, *function(point))
    return points, valley


# Values and slopes; the minimum of each is at 0.
FUNCTIONS: dict[str, Function] = {
    "parabola": lambda t: (0.5 * t * t, t),
    "quartic": lambda t: (t**4 + t * t, 4.0 * t**3 + 2.0 * t),
    "kink": lambda t: (max(-3.0 * t, 0.1 * t), -3.0 if t < 0.0 else 0.1),
    "kink of parabolas": lambda t: (t * t + abs(t), 2.0 * t + float(np.sign(t))),
    "exponential": lambda t: (np.exp(-t) + t, 1.0 - np.exp(-t)),
    "saturated": lambda t: (np.sqrt(1e-4 + t * t), t / np.sqrt(1e-4 + t * t)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("minimum", [-40.0, -1.0, 0.1, 30.0])
def test_some_points_lead_to_the_minimum(name, minimum):
    def function(point: float) -> tuple[float, float]:
        return FUNCTIONS[name](point - minimum)

    points, valley = asked(function)
    errors = [function(point)[0] - function(minimum)[0] for point in points]
    enough = next(k for k, error in enumerate(errors) if error <= 1e-9)
    # Of those that are far away and steep the most.
    assert enough < (35 if abs(minimum) > 1.0 else 13)
    assert valley.width <= 1e-4 * abs(minimum) or 0.0 in [function(p)[1] for p in points]


def test_a_kink_is_met_at_once():
    points, _ = asked(lambda t: (abs(t - 0.2) + 0.01 * t, float(np.sign(t - 0.2)) + 0.01))
    # Both ends, the point between by slopes, and where the tangents meet.
    assert min(abs(point - 0.2) for point in points[:4]) <= 1e-15


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_it_turns_back_where_there_are_no_values(sign):
    def function(point: float) -> tuple[float, float]:
        if sign * point > 50.0:
            return np.inf, sign * np.inf
        return (point - sign * 30.0) ** 2, 2.0 * (point - sign * 30.0)

    points, valley = asked(function)
    assert max(sign * point for point in points) > 50.0
    assert points[-1] == pytest.approx(sign * 30.0, rel=1e-12)
    assert valley.next_point is None


def test_a_minimum_at_the_start_ends_the_search():
    points, valley = asked(lambda t: (t * t, 2.0 * t))
    assert points == [0.0]
    assert valley.width == 0.0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_no_minimum_far_and_wide(sign):
    points, valley = asked(lambda t: (sign * t, sign))
    assert len(points) == 10 and valley.width == np.inf
    assert -sign * points[-1] > 1e4
