"""Slopes and linear parts of two-layer networks: closed forms, trends and units."""

import numpy as np
import pytest
from programs import draw_rows

from cvxnn import ReLU, Status, solve

BETA = 0.3
X, Y = draw_rows("squared", 8, 3)


def test_a_skip_connection_that_does_not_pay_is_zero():
    X = np.column_stack([np.random.default_rng(0).standard_normal((8, 2)), np.ones(8)])
    y = np.abs(np.sign(X[:, 1]) + 0.8 * X[:, 0])
    solution = solve(X, y, 5.0, model=ReLU(skip="penalised"))
    assert solution.objective == pytest.approx(solve(X, y, 5.0).objective, rel=1e-6)
    assert solution.network.skip_weights.tolist() == [0.0, 0.0, 0.0]


def test_a_free_skip_connection_is_least_squares_where_neurons_are_too_dear():
    solution = solve(X, Y, 1e3, model=ReLU(skip="free"))
    assert solution.status is Status.OPTIMAL and solution.network.n_neurons == 0
    expected = np.linalg.lstsq(X, Y, rcond=None)[0]
    np.testing.assert_allclose(solution.network.skip_weights, expected, atol=1e-10)


@pytest.mark.parametrize("skip", ["penalised", "free"])
def test_dependent_columns(skip):
    """A column twice, of the same length together: the same network."""
    plain = solve(X, Y, BETA, model=ReLU(0.1, skip))
    wide = np.column_stack([X, X[:, 1]]) / np.sqrt([1.0, 2.0, 1.0, 2.0])
    twice = solve(wide, Y, BETA, model=ReLU(0.1, skip))
    assert twice.status is Status.OPTIMAL
    assert twice.objective == pytest.approx(plain.objective, rel=3e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_skip_connection_takes_over_a_trend(seed):
    """Neurons alone fit the trend as well: the guess of eta must not be misled by them."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal(25), np.ones(25)])
    y = 20.0 * X[:, 0] + np.abs(X[:, 0]) + 0.5 * rng.standard_normal(25)
    solution = solve(X, y, 0.24, model=ReLU(0.1, "penalised"))
    assert solution.status is Status.OPTIMAL and solution.gap <= 1e-6
    assert solution.network.skip_weights[0] > 15.0


def test_columns_of_a_free_skip_connection_count_in_any_unit():
    rng = np.random.default_rng(0)
    X = np.column_stack([1e6 * rng.standard_normal(40), 1e-6 * rng.standard_normal(40)])
    y = X @ [1e-6, 1e6] + 0.1 * rng.standard_normal(40)
    solution = solve(X, y, 1e6, model=ReLU(skip="free"))
    units = np.array([1e6, 1e-6])
    w = np.linalg.lstsq(X / units, y, rcond=None)[0] / units
    np.testing.assert_allclose(solution.network.skip_weights, w, rtol=1e-9)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(0.5 * float(np.sum((y - X @ w) ** 2)), rel=1e-9)
