"""Dual points of nearly parallel rows: feasible where all rows are active, near the given ones."""

from fractions import Fraction

import numpy as np
import pytest
from problems import with_bias

from cvxnn.array_types import FloatArray
from cvxnn.oracle.circle import CircularRows
from cvxnn.solvers.planar.moments import Moments
from cvxnn.solvers.planar.wide_arcs import within_wide_arcs


def total(rows: FloatArray, v: FloatArray) -> FloatArray:
    """``sum v_i x_i``, rounded once."""
    terms = [
        [Fraction(float(a)) * Fraction(float(x)) for x in row]
        for a, row in zip(v, rows, strict=True)
    ]
    return np.array([float(sum(column)) for column in zip(*terms, strict=True)])


def fitted(sides: float, n: int = 300) -> tuple[CircularRows, Moments, FloatArray]:
    """Timestamps in units of their size, some of them negative, and a residual on them."""
    rng = np.random.default_rng(4)
    rows = with_bias(1.7e9 + rng.integers(0, 31536000, n)) / 2.0**31
    rows *= np.where(rng.random(n) < sides, -1.0, 1.0)[:, None]
    circle = CircularRows.of(rows)
    v = rng.standard_normal(n)
    for side in (rows[circle.order, 0] > 0.0, rows[circle.order, 0] < 0.0):
        Q = np.linalg.qr(circle.rows[side])[0]
        v[side] -= Q @ (Q.T @ v[side])
    return circle, Moments(circle, v), v


@pytest.mark.parametrize("sides", [0.0, 0.4])
def test_short_sums_without_a_neuron(sides):
    circle, moments, v = fitted(sides)
    beta = 1e-17
    none = np.zeros((0, 2)), np.zeros(0)
    left = within_wide_arcs(circle, moments, v, beta, *none)
    np.testing.assert_allclose(left, v, atol=1e-12)
    for side in (circle.rows[:, 0] > 0.0, circle.rows[:, 0] < 0.0):
        if side.any():
            assert np.hypot(*total(circle.rows[side], v[side])) > 2.0 * beta
            assert np.hypot(*total(circle.rows[side], left[side])) <= beta * (1.0 + 1e-3)


def test_the_sum_that_a_neuron_wants():
    circle, moments, v = fitted(0.0)
    beta, direction = 1e-15, np.array([0.8, 0.6])
    assert circle.frame is not None
    ray = 3.0 * np.linalg.solve(circle.frame, direction)[None]
    left = within_wide_arcs(circle, moments, v, beta, ray, np.array([-1.0]))
    np.testing.assert_allclose(total(circle.rows, left), -beta * direction, atol=1e-3 * beta)
