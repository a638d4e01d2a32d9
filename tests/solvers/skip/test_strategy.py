"""What a strategy opens, and what it knows before: against networks and bounds of their own."""

import numpy as np
import pytest
from skip_problems import BETA, data, reference, run, skip_rows, value

from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.losses import as_loss
from cvxnn.methods import Exact
from cvxnn.patterns import enumerate_patterns
from cvxnn.problems import Problem
from cvxnn.solvers.layer_strategy import LayerStrategy
from cvxnn.solvers.skip.free import FreeSkipSearch
from cvxnn.solvers.skip.penalised import PenalisedSkipSearch
from cvxnn.solvers.skip.strategy import SkipStrategy


def strategy(is_free: bool, loss: str = "squared") -> SkipStrategy:
    X, y = data(loss)
    problem = Problem.of(skip_rows(X, 0.2, is_free=is_free), y, BETA, as_loss(loss))
    alone = problem.on(problem.rows.layer)
    return SkipStrategy(problem, LayerStrategy(alone, Exact(), np.random.default_rng(0)))


@pytest.mark.parametrize(("is_free", "skip"), [(False, "penalised"), (True, "free")])
def test_the_search_of_each_kind(is_free, skip):
    chosen = strategy(is_free)
    assert chosen.n_patterns == 0
    search = chosen.open(Deadline())
    assert isinstance(search, FreeSkipSearch if is_free else PenalisedSkipSearch)
    run(search, 1e-7)
    assert search.objective == pytest.approx(reference(0.2, skip, "squared"), rel=2e-6)
    X, _ = data()
    assert chosen.n_patterns == len(enumerate_patterns(np.vstack([X, -X])))


@pytest.mark.parametrize(
    ("is_free", "loss"),
    [(False, "squared"), (False, "logistic"), (True, "squared"), (True, "huber")],
)
def test_what_there_is_before_a_search(is_free, loss):
    X, y = data(loss)
    chosen, rows = strategy(is_free, loss), skip_rows(X, 0.2, is_free=is_free)
    neurons, none = chosen.opening(), chosen.nothing()
    assert len(none) == 0
    opened, empty = (value(rows, y, BETA, loss, found, found.linear) for found in (neurons, none))
    optimum = reference(0.2, "free" if is_free else "penalised", loss)
    assert optimum * (1.0 - 1e-6) <= opened < empty
    assert chosen.first_proof().bound(Problem.of(rows, y, BETA, as_loss(loss))) <= optimum * (
        1.0 + 1e-6
    )
    if is_free and loss == "squared":
        expected = np.linalg.lstsq(X, y, rcond=None)[0]
        np.testing.assert_allclose(none.linear, expected, atol=1e-12)


@pytest.mark.parametrize("is_free", [False, True])
def test_no_time_at_all(is_free):
    with pytest.raises(OutOfTimeError):
        strategy(is_free).open(Deadline(0.0)).step(1e-6)
