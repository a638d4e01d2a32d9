"""The largest value on sub-networks against all choices of signs."""

from itertools import count

import numpy as np
import pytest
from solvers.parallel.three_layers import drawn, largest_by_choices, noisy_tent
from variants import with_long

import cvxnn
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.solvers.parallel.gauge import gauge_interval, upper_point


def residual(X, y, beta):
    return y - cvxnn.solve(X, y, beta=beta).network(X)


@pytest.mark.long
@with_long("seed", range(2))
def test_at_the_residual_of_two_layers_the_interval_is_that_of_all_choices(seed):
    X, y = drawn(seed)
    beta = 0.03 * cvxnn.largest_beta(X, y)
    v = residual(X, y, beta)
    interval = gauge_interval(X, v, np.random.default_rng(0))
    assert interval.lower <= interval.upper <= interval.lower * (1.0 + 1e-5)
    reference = max(largest_by_choices(X, v), largest_by_choices(X, -v))
    # The reference leaves neurons out.
    assert reference * (1.0 - 1e-7) <= interval.upper
    assert interval.lower == pytest.approx(reference, rel=1e-3)
    assert interval.upper >= beta * (1.0 - 1e-6)


def test_the_best_one_has_the_lower_bound():
    X, y = noisy_tent(7)
    v = residual(X, y, 0.02)
    interval = gauge_interval(X, v, np.random.default_rng(0))
    (W,), (b,) = interval.best.directions, interval.best.inner
    value = interval.best.signs[0] * (v @ np.maximum(np.maximum(X @ W.T, 0.0) @ b, 0.0))
    assert np.linalg.norm(W) * np.linalg.norm(b) == pytest.approx(1.0)
    assert value == pytest.approx(interval.lower, rel=1e-9)
    assert interval.lower <= value * (1.0 + 1e-12)


@pytest.mark.long
def test_a_threshold_ends_it_as_soon_as_it_is_decided():
    X, y = noisy_tent(8)
    v = residual(X, y, 0.02)
    interval = gauge_interval(X, v, np.random.default_rng(0))
    below = gauge_interval(X, v, np.random.default_rng(0), threshold=0.9 * interval.lower)
    above = gauge_interval(X, v, np.random.default_rng(0), threshold=1.2 * interval.upper)
    assert below.lower > 0.9 * interval.lower and above.upper <= 1.2 * interval.upper
    assert max(below.n_leaves, above.n_leaves) <= interval.n_leaves


@pytest.mark.parametrize("most_rows", [4, 5])
def test_the_upper_bound_alone(most_rows, monkeypatch):
    monkeypatch.setattr("cvxnn.solvers.parallel.gauge._MOST_ROWS", most_rows)
    X, y = drawn(0, n=5)
    interval = gauge_interval(X, y, np.random.default_rng(0), most_leaves=60)
    point = upper_point(X, y, deadline=UNLIMITED, most_leaves=60)
    np.testing.assert_array_equal(point.bounds, interval.point.bounds)


@pytest.mark.parametrize("scale", [1e-120, 1e120])
def test_tiny_and_huge_dual_points(scale):
    X, y = drawn(0, n=5)
    plain = gauge_interval(X, y, np.random.default_rng(0))
    scaled = gauge_interval(X, scale * y, np.random.default_rng(0))
    assert scaled.upper == pytest.approx(scale * plain.upper, rel=1e-5)
    assert scaled.lower <= scaled.upper


def test_a_deadline_leaves_both_bounds(monkeypatch):
    X, y = noisy_tent(30)
    # A clock of looks at it: after 1000 there is a first bound, after 1600 the last.
    monkeypatch.setattr("cvxnn.interrupts.clock", count().__next__)
    interval = gauge_interval(X, y - y.mean(), np.random.default_rng(0), deadline=Deadline(1000))
    assert interval.upper > 1.001 * interval.lower
    assert 0.0 < interval.lower <= interval.upper < np.inf
