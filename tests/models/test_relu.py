"""Slopes and linear parts of two-layer networks: closed forms, trends and units."""

import tracemalloc
from functools import cache

import numpy as np
import pytest
from programs import Activations, draw_rows
from variants import with_long

from cvxnn import ReLU, Status, solve
from cvxnn.losses import as_loss
from cvxnn.training.path import largest_beta

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


@pytest.mark.long
@with_long("skip", ["penalised", "free"])
def test_dependent_columns(skip):
    """A column twice, of the same length together: the same network."""
    plain = solve(X, Y, BETA, model=ReLU(0.1, skip))
    wide = np.column_stack([X, X[:, 1]]) / np.sqrt([1.0, 2.0, 1.0, 2.0])
    twice = solve(wide, Y, BETA, model=ReLU(0.1, skip))
    assert twice.status is Status.OPTIMAL
    assert twice.objective == pytest.approx(plain.objective, rel=3e-6)


@pytest.mark.long
@with_long("seed", range(2))
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


@with_long(
    "skip, loss",
    [("free", "huber"), ("penalised", "logistic"), ("penalised", "squared")],
    ids=str,
)
def test_an_intercept_beside_a_skip_connection_is_that_of_cvxpy(skip, loss):
    cp = pytest.importorskip("cvxpy")
    X, y = draw_rows(loss, 10, 2)
    # In another unit than the rows, of which it must not depend.
    y = y if as_loss(loss).has_labels else 100.0 * (y + 5.0)
    program = Activations(X[:, None], 0.2, linear=X, is_free=skip == "free", has_constant=True)
    beta = 0.2 if as_loss(loss).has_labels else 20.0
    expected = program.optimum(cp, loss, y, beta)
    solution = solve(X, y, beta, model=ReLU(0.2, skip), loss=loss, intercept=True)
    assert solution.status is Status.OPTIMAL and solution.gap <= 1e-6
    assert solution.objective == pytest.approx(expected, rel=2e-6)
    assert solution.dual_bound <= expected * (1.0 + 1e-6)
    network = solution.network
    assert network.intercept != 0.0 and network.skip_weights.shape == (2,)
    again = network.objective(X, y, beta, as_loss(loss))
    assert again == pytest.approx(solution.objective, rel=1e-9)


@pytest.mark.parametrize("skip", ["penalised", "free"])
def test_an_intercept_beside_a_column_of_ones(skip):
    """Of two columns that are one, a free part needs one; the price of the other is saved."""
    wide = np.column_stack([X, np.ones(len(X))])
    plain, twice = (
        solve(rows, Y + 3.0, 1e3, model=ReLU(skip=skip), intercept=True) for rows in (X, wide)
    )
    assert plain.status is twice.status is Status.OPTIMAL
    assert twice.objective == pytest.approx(plain.objective, rel=1e-9)


@pytest.mark.parametrize("skip", ["penalised", "free"])
def test_from_the_largest_beta_on_there_are_no_neurons_beside_an_intercept(skip):
    options = {"model": ReLU(skip=skip), "intercept": True}
    beta = largest_beta(X, Y, **options)
    assert solve(X, Y, 1.001 * beta, **options).n_neurons == 0
    below = solve(X, Y, 0.9 * beta, **options)
    assert below.n_neurons > 0 or np.linalg.norm(below.network.skip_weights) > 0.0


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@with_long("skip", ["penalised", "free"])
def test_many_rows_need_no_square_of_them(skip):
    """A matrix of n x n would take 3 GB."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((20_000, 10))
    y = np.abs(rows[:, 0]) - rows[:, 1] + 0.3 * rng.standard_normal(len(rows))
    line = np.linalg.lstsq(rows, y, rcond=None)[0]
    tracemalloc.start()
    solution = solve(rows, y, 200.0, model=ReLU(skip=skip), time_limit=0.5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3e8
    beside_none = 0.5 * float(np.sum((y - rows @ line) ** 2))
    price = 200.0 * float(np.linalg.norm(line)) if skip == "penalised" else 0.0
    assert 0.0 < solution.dual_bound < solution.objective < beside_none + price


def beside_a_trend(intercept, **options):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 4))
    y = 30.0 * X[:, 0] + 0.1 * rng.standard_normal(100) + (50.0 if intercept else 0.0)
    model = ReLU(skip="penalised")
    return solve(X, y, 1.0, model=model, intercept=intercept, **options)


@cache
def optimum_beside_a_trend(intercept):
    return beside_a_trend(intercept, tol=1e-4)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "intercept, limit", [(True, {"time_limit": 1e-6}), (False, {"max_iter": 1})], ids=str
)
def test_a_first_network_has_the_best_line_beside_it(limit, intercept):
    cut, whole = beside_a_trend(intercept, **limit), optimum_beside_a_trend(intercept)
    assert whole.status is Status.OPTIMAL and cut.status is not Status.OPTIMAL
    assert cut.network.skip_weights[0] > 0.0
    assert cut.dual_bound <= whole.objective <= cut.objective < 3.0 * whole.objective


@pytest.mark.parametrize("beta", [1e-3, 1.0])
@pytest.mark.parametrize("intercept", [False, True])
def test_a_line_on_the_right_side_of_all_labels_costs_nothing(beta, intercept):
    """With the squared hinge, which is 0 from a margin of 1 on."""
    line = np.array([1.0, -2.0, 0.1])
    labels = np.sign(X @ line)
    model = ReLU(skip="free")
    solution = solve(X, labels, beta, model=model, loss="squared_hinge", intercept=intercept)
    assert solution.status is Status.OPTIMAL and solution.n_neurons == 0
    assert solution.objective == solution.dual_bound == 0.0
