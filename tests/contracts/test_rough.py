"""Contracts of runs without a polish: near the optimum, with an honest bound, and no further."""

import numpy as np
import pytest
from contracts import cases
from runs import quietly
from sklearn.exceptions import ConvergenceWarning
from variants import with_long

import cvxnn
from cvxnn import Status
from cvxnn.losses import as_loss
from cvxnn.solvers.global_search import GlobalSearch

ROUGH = cvxnn.Global(polish=False)
WITH_ROUNDS = [case for case in cases.FEW if "global" in case.methods]
with_rounds = cases.each(WITH_ROUNDS, (*cases.SLOW, "maxima", "signs"))


@with_rounds
@with_long("place", [0, 1])
def test_the_end_is_near_the_optimum(case, place):
    loss = case.losses[place]
    X, y = case.data(loss, case.large)
    rough = quietly(case.solve, loss, X, y, method=ROUGH)
    fine = quietly(case.solve, loss, X, y, tol=1e-6)
    assert rough.status in (Status.STATIONARY, Status.OPTIMAL)
    cases.assert_consistent(rough, X, y, loss)
    assert fine.dual_bound <= rough.objective + rough.objective_error
    assert rough.dual_bound <= fine.objective + fine.objective_error
    assert rough.objective <= 1.02 * fine.objective


ASKED = [
    ((200, 3), "squared", 0.1), ((60, 5), "logistic", 0.0), ((60, 9), "huber", 0.0),
    ((200, 3), "squared_hinge", 0.0),
]  # fmt: skip


@pytest.mark.long
@with_long("shape, loss, slope", ASKED, ids=str)
def test_no_newton_step_and_no_oracle_is_asked(shape, loss, slope, monkeypatch):
    def forbid(*args, **options):
        raise AssertionError("not in a rough run")

    monkeypatch.setattr(GlobalSearch, "_price", forbid)
    monkeypatch.setattr("cvxnn.solvers.neuron_search.descend_over_kinks", forbid)
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    y = np.sin(2.0 * X[:, 0]) + 0.3 * rng.standard_normal(len(X))
    y = np.sign(y) if as_loss(loss).has_labels else y
    with pytest.warns(ConvergenceWarning, match=r"method=Global\(polish=True\)|fewer"):
        solution = cvxnn.solve(
            X, y, 0.3, loss=loss, method=ROUGH, model=cvxnn.ReLU(slope), random_state=0
        )
    assert solution.status is Status.STATIONARY and solution.n_neurons > 0
    assert 0.0 < solution.dual_bound < solution.objective


def test_rank_two_stays_exact():
    x = np.linspace(-1.0, 1.0, 50)
    X, y = np.stack([x, np.ones(50)], axis=1), np.abs(x)
    assert cvxnn.solve(X, y, 0.1, method=ROUGH).status is Status.OPTIMAL


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_it_goes_on_from_a_network(loss):
    case = cases.Case("", cvxnn.ReLU(), (80, 9), (80, 9))
    X, y = case.data(loss)
    first = quietly(case.solve, loss, method=ROUGH)
    second = quietly(case.solve, loss, method=ROUGH, warm_start=first.network)
    assert second.objective <= first.objective * (1.0 + 1e-12)
    assert second.n_iter <= first.n_iter
    cases.assert_consistent(second, X, y, loss)


def test_activations_of_the_end_are_independent():
    case = cases.Case("", cvxnn.ReLU(), (30, 9), (30, 9))
    X, _ = case.data()
    network = quietly(case.solve, method=ROUGH).network
    activations = np.maximum(X @ network.hidden_weights.T, 0.0)
    assert np.linalg.matrix_rank(activations) == network.n_neurons
