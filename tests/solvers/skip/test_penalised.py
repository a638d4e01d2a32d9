"""A penalised skip connection: brute force over eta, cvxpy, bounds, limits and Ctrl-C."""

import os
import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from programs import LOSSES
from scipy.optimize import minimize_scalar
from skip_problems import BETA, FloatArray, data, opener, reference, run, skip_rows, value
from variants import with_long

from cvxnn.certificates import spectral_proof
from cvxnn.interrupts import Deadline, OutOfTimeError, deferred_interrupts
from cvxnn.losses import SkipLoss, as_loss
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.search import Search
from cvxnn.solvers.skip.penalised import PenalisedSkipSearch
from cvxnn.solvers.skip.priced_line import with_linear_neuron


def penalised(
    loss: str, slope: float, deadline: Deadline | None = None, open_search: Any = None
) -> PenalisedSkipSearch:
    X, y = data(loss)
    deadline = Deadline() if deadline is None else deadline
    rows = skip_rows(X, slope, is_free=False)
    problem = Problem.of(rows, y, BETA, as_loss(loss))
    return PenalisedSkipSearch(problem, open_search or opener(deadline))


@with_long("slope, loss", [*zip((0.0, 0.2, -1.0, 0.0), LOSSES, strict=True)])
def test_the_optimum_is_that_of_cvxpy(loss, slope):
    X, y = data(loss)
    search = penalised(loss, slope)
    run(search, 1e-7)
    optimum = reference(slope, "penalised", loss)
    assert search.reaches(1e-7)
    assert search.objective == pytest.approx(optimum, rel=2e-6)
    assert search.bound <= optimum * (1.0 + 1e-6)
    again = value(search.rows, y, BETA, loss, search.neurons, search.linear)
    assert again == pytest.approx(search.objective, rel=1e-12)
    for proof in search.final_proofs(quick=False):
        assert proof.bound(search.problem) == search.bound
        # The linear neuron is one of those that are bounded.
        assert float(np.linalg.norm(X.T @ proof.v)) <= proof.oracle_bound


@pytest.mark.long
def test_the_optimum_is_the_least_over_eta():
    """``min over eta`` of a search with the ridge ``beta / eta``, and ``beta eta / 2``."""
    X, y = data()
    search = penalised("squared", 0.0)
    run(search, 1e-9)
    assert float(np.linalg.norm(search.linear)) > 0.1
    open_search = opener(Deadline())

    def least(log_eta: float) -> float:
        eta = float(np.exp(log_eta))
        loss = SkipLoss(as_loss("squared"), X, BETA / eta)
        inner = open_search(Problem.of(search.rows.layer, y, BETA, loss), None)
        run(inner, 1e-10)
        return inner.objective + 0.5 * BETA * eta

    near = float(np.log(np.linalg.norm(search.linear)))
    found = minimize_scalar(least, bounds=(near - 1.0, near + 1.0), options={"maxiter": 15})
    assert found.fun == pytest.approx(search.objective, rel=1e-6)
    assert found.fun >= search.bound


@pytest.mark.long
def test_a_step_is_a_round_of_one_search_and_each_starts_from_the_best_network():
    starts: list[Neurons | None] = []
    stepped: list[int] = []

    def open_counted(*arguments: Any) -> Search:
        starts.append(arguments[-1])
        if len(starts) > 1:
            assert arguments[-1] is search.neurons
        inner = opener(Deadline())(*arguments)
        step = inner.step

        def counted(tol: float) -> None:
            stepped.append(len(starts))
            step(tol)

        inner.step = counted  # type: ignore[method-assign]
        return inner

    search = penalised("squared", 0.0, open_search=open_counted)
    objectives = []
    while not search.reaches(1e-6):
        before = len(stepped)
        search.step(1e-6)
        assert len(stepped) - before <= 1
        objectives.append(search.objective)
    assert starts[0] is None and 3 < len(starts) < 30
    assert sorted(set(stepped)) == list(range(1, len(starts) + 1))
    assert objectives == sorted(objectives, reverse=True)


@pytest.mark.long
def test_where_no_eta_is_left_the_search_is_stuck_or_stationary():
    """A gap of nothing is never reached: the root is, and then there is nothing to do."""
    search = penalised("squared", 0.0)
    rounds = run(search, 0.0)
    assert rounds < 500 and (search.is_stuck or search.stationary)
    assert search.gap <= 1e-9


@with_long(
    "place, count", [("_advance", 1), ("_first_guess", 1), ("_around", 2), ("_end", 2)], ids=str
)
def test_ctrl_c_within_and_between_searches_keeps_the_best(place, count, monkeypatch):
    _, y = data()
    original: Callable[..., Any] = getattr(PenalisedSkipSearch, place)
    calls = []

    def interrupted(self: Any, *arguments: Any, **options: Any) -> Any:
        result = original(self, *arguments, **options)
        calls.append(place)
        if len(calls) == (1 if place == "_first_guess" else count):
            os.kill(os.getpid(), signal.SIGINT)
        return result

    monkeypatch.setattr(PenalisedSkipSearch, place, interrupted)
    with deferred_interrupts():
        search = penalised("squared", 0.2)
        with pytest.raises(KeyboardInterrupt):
            run(search, 1e-6)
        kept = search.objective
        search.finish(1e-6, quick=True)
    monkeypatch.undo()
    check_state(search, y, kept)


def check_state(search: PenalisedSkipSearch, y: FloatArray, kept: float) -> None:
    """A valid answer, no worse than before it was finished."""
    assert search.objective <= kept
    again = value(search.rows, y, BETA, "squared", search.neurons, search.linear)
    assert again == pytest.approx(search.objective, rel=1e-12)
    optimum = reference(0.2, "penalised", "squared")
    assert search.bound <= optimum * (1.0 + 1e-6) <= again * (1.0 + 2e-6)


def test_what_the_search_under_way_has_reached_is_taken_over():
    _, y = data()
    search = penalised("squared", 0.2)
    search.step(1e-6)
    kept = search.objective
    search.finish(1e-6, quick=True)
    assert search.objective < kept
    check_state(search, y, kept)


def test_no_time_for_the_first_search():
    with pytest.raises(OutOfTimeError):
        penalised("squared", 0.2, Deadline(0.0))


def test_a_linear_neuron_joins_a_proof():
    X, y = data()
    rows = skip_rows(X, 0.0, is_free=False)
    proof = spectral_proof(rows.layer, y)
    steep = 10.0 * rows.linear
    joined = with_linear_neuron(proof, steep)
    assert joined.oracle_bound >= float(np.linalg.norm(steep.T @ y)) > proof.oracle_bound
    # One that does not reach what the others do changes nothing.
    flat = with_linear_neuron(proof, 1e-9 * steep)
    assert flat.oracle_bound == proof.oracle_bound
    np.testing.assert_array_equal(flat.V, proof.V)
