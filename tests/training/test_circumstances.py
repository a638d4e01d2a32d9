"""What a run says of a gap that time does not narrow."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from runs import quietly

import cvxnn
from cvxnn import Global, ReLU, Status
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.problems import Problem
from cvxnn.training.advice import advice
from cvxnn.training.circumstances import Circumstances
from cvxnn.training.solve import executed

RNG = np.random.default_rng(0)
X = RNG.standard_normal((120, 8))
Y = RNG.standard_normal(120)


def circumstances(X=X, y=Y, beta=1.0, largest=100.0, *, intercept=False):
    problem = Problem.of(Layer(X), y, beta, SquaredLoss())
    return Circumstances.of(problem, largest, intercept=intercept)


def test_ordinary_data_at_a_large_beta_have_nothing_out_of_the_way():
    assert circumstances(beta=10.0).clauses == ""


def test_a_small_beta_says_its_share():
    assert circumstances(beta=0.03).clauses.startswith("beta is some 0.0003 of the largest beta")


def test_columns_in_units_of_their_own():
    wide = circumstances(X * 10.0 ** np.array([6, 0, 0, 0, 0, 0, 0, 0]), beta=10.0)
    assert wide.spread == pytest.approx(1e6, rel=0.5)
    assert wide.clauses == (
        f"columns of X have units or means a factor of {wide.spread:.1g} apart, standardise them"
    )
    # So have years, which are far from 0 beside what they vary.
    years = X + 2e4 * np.eye(8)[0]
    assert circumstances(years, beta=10.0).clauses.startswith("columns of X have")
    # Squares of any size of data are numbers.
    assert circumstances(1e200 * X, 1e200 * Y, beta=10.0).clauses == ""
    # A column of zeros has no size.
    assert circumstances(np.column_stack([X, np.zeros(120)]), beta=10.0).clauses == ""


def test_a_mean_without_a_bias():
    assert circumstances(y=Y + 152.0, beta=10.0).clauses.startswith("the mean of y is 15")
    ones = np.column_stack([X, np.ones(120)])
    assert circumstances(ones, Y + 152.0, beta=10.0).clauses == ""
    assert circumstances(y=Y + 152.0, beta=10.0, intercept=True).clauses == ""


def test_where_an_oracle_ends_they_are_what_makes_it_slow():
    few = circumstances(X[:, :4], beta=1e-3)
    assert few.ends and not circumstances().ends
    said = advice(Status.TIME_LIMIT, Global(), ReLU(), None, limited=True, circumstances=few)
    assert said.startswith("Raise time_limit, with which a proof may end. What makes it slow: beta")
    said = advice(Status.STATIONARY, Global(), ReLU(), None, limited=False, circumstances=few)
    assert said.startswith("An exact proof may end with more time, such as time_limit=60. What")
    assert circumstances(X[:60], Y[:60]) is None


@pytest.mark.parametrize("status", [Status.TIME_LIMIT, Status.ITERATION_LIMIT, Status.STATIONARY])
def test_advice_ends_with_what_keeps_the_gap_wide(status):
    said = advice(status, Global(), ReLU(), None, limited=True, circumstances=circumstances())
    assert said.endswith("has closer bounds.") and ". What keeps it wide: beta is" in said
    assert ("that alone hardly narrows" in said) == (status is not Status.STATIONARY)


def test_the_warning_of_a_run_says_it():
    raw = X * 10.0 ** np.array([6, 0, 0, 0, 0, 0, 0, 0])
    solution = quietly(cvxnn.solve, raw, Y + 9.0, beta=1.0, max_iter=1)
    for words in ("a factor of", "take intercept=True", "of the largest beta"):
        assert words in solution.advice
    assert quietly(cvxnn.solve, X[:30, :2], Y[:30], beta=1e-3, max_iter=1).advice == ""


def test_default_fits_of_few_columns_say_that_a_proof_ends_with_time():
    y = np.maximum(X[:, 0], 0.0) + 0.3 * Y
    model = cvxnn.ConvexReLURegressor(beta=0.3).fit(X[:, :4], y)
    assert model.status_ is Status.OPTIMAL or "time_limit=60" in model.solution_.advice


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "It may, with a larger proof_time.",
            " larger proof_time in method=Global(proof_time=...).",
        ),
        ("Global(proof_time=...) gives more", "Global(proof_time=...) gives more"),
    ],
)
def test_solve_says_where_it_takes_the_time_of_a_proof(said, shown):
    solution = replace(quietly(cvxnn.solve, X[:5, :2], Y[:5], beta=1.0), advice=said)
    found = executed(SimpleNamespace(execute=lambda: solution))
    assert found.advice.endswith(shown)
