"""The rough search: objectives are those of its networks, near the optimum on their patterns."""

import numpy as np
import pytest
from least_squares import least_squares
from planted_rows import planted
from programs import COUNTS, LOSSES, targets
from reference import solve_with_clarabel
from sklearn.exceptions import ConvergenceWarning
from variants import with_long

import cvxnn
from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers import Layer
from cvxnn.losses import WeightedLoss, as_loss
from cvxnn.patterns import PatternSet
from cvxnn.problems import Problem
from cvxnn.program import ConvexProgram
from cvxnn.solvers.atoms import neuron_objective
from cvxnn.solvers.descent import row_ascent, tile_search
from cvxnn.solvers.descent.settings import Settings
from cvxnn.solvers.descent.tile_search import TileSearch
from cvxnn.solvers.segments.rows import LocalRows


def search_of(problem, rng=None, deadline=None, **options):
    rng = np.random.default_rng(0) if rng is None else rng
    to_direction, deadline = np.eye(problem.rows.n_features), deadline or Deadline()
    return TileSearch(LocalRows(problem), problem.beta, to_direction, rng, deadline, **options)


def search_on(X, y, beta, state=0, deadline=None):
    rng = np.random.default_rng(state)
    return search_of(least_squares(X, y, beta), rng, deadline or Deadline())


def run(search, most=30):
    objectives = [search.objective]
    for _ in range(most):
        done = search.advance()
        objectives.append(search.objective)
        if done:
            return objectives
    raise AssertionError("no end")


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_directions_that_no_row_sees_are_left_out():
    """Beside a column of ones many of the first directions are active nowhere."""
    rng = np.random.default_rng(0)
    X = np.column_stack([0.01 * rng.standard_normal((500, 3)), np.ones(500)])
    search = search_on(X, 1.0 + X[:, 0], 1.0)
    search.advance()
    assert 0.0 < search.neurons.sizes.max() < 10.0


@pytest.mark.parametrize("seed", range(3))
def test_objectives_fall_to_the_optimum_on_the_patterns_of_the_neurons(seed):
    X, y = planted(seed=seed)
    search = search_on(X, y, 3.0)
    objectives = run(search)
    assert (np.diff(objectives) <= 0.0).all()
    assert search.objective == neuron_objective(least_squares(X, y, 3.0), search.neurons)
    patterns = PatternSet.from_directions(X, search.neurons.directions)
    optimum = solve_with_clarabel(ConvexProgram(X, y, 3.0, patterns)).objective
    assert optimum * (1.0 - 1e-6) <= search.objective <= 1.01 * optimum


def test_neurons_are_of_size_above_zero_and_unit_directions():
    search = search_on(*planted(), 3.0)
    run(search)
    assert (search.neurons.sizes > 0.0).all() and 0 < len(search.neurons) <= 120
    np.testing.assert_allclose(np.linalg.norm(search.neurons.directions, axis=1), 1.0, rtol=1e-12)


def test_the_random_state_decides_all():
    neurons = [search_on(*planted(), 3.0, state) for state in (4, 4)]
    for search in neurons:
        run(search)
    np.testing.assert_array_equal(neurons[0].neurons.rays, neurons[1].neurons.rays)


def test_a_large_beta_needs_no_neurons():
    X, y = planted()
    search = search_on(X, y, 1e6)
    assert search.advance() and len(search.neurons) == 0
    assert search.objective == pytest.approx(0.5 * float(y @ y))


def test_many_rows_are_looked_through_in_parts(monkeypatch):
    X, y = planted()
    for module in (row_ascent, tile_search):
        monkeypatch.setattr(module, "SETTINGS", Settings(ascent_rows=40, wide=20))
    part = search_on(X, y, 3.0)
    run(part)
    monkeypatch.undo()
    whole = search_on(X, y, 3.0)
    run(whole)
    assert part.objective <= 1.02 * whole.objective


def test_neurons_found_elsewhere_are_taken_over():
    X, y = planted()
    first, second = search_on(X, y, 3.0), search_on(X, y, 3.0)
    run(first)
    second.start_from(first.neurons)
    assert second.objective <= first.objective


def test_a_deadline_ends_it_with_the_best_so_far():
    deadline = Deadline(60.0)
    search = search_on(*planted(), 3.0, deadline=deadline)
    search.advance()
    before = search.objective
    search.deadline = Deadline(1e-9)
    with pytest.raises(OutOfTimeError):
        search.advance()
    assert search.objective <= before and len(search.neurons) > 0


@pytest.mark.long
@pytest.mark.parametrize(
    "name, is_weighted", [("poisson", True), *((loss, True) for loss in LOSSES[1:])], ids=str
)
def test_other_losses_with_and_without_weights(name, is_weighted):
    X, y = planted()
    loss, weights = as_loss(name), np.random.default_rng(1).uniform(0.5, 2.0, len(y))
    y = targets(name, y)
    problem = Problem.of(Layer(X), y, 1.0, WeightedLoss(loss, weights) if is_weighted else loss)
    search = search_of(problem)
    objectives = run(search)
    assert (np.diff(objectives) <= 0.0).all()
    neurons = search.neurons
    f = np.maximum(X @ neurons.directions.T, 0.0) @ (neurons.sizes * neurons.signs)
    assert search.objective == pytest.approx(problem.value(f, neurons.sizes.sum()), rel=1e-12)
    patterns = PatternSet.from_directions(X, neurons.directions)
    optimum = cvxnn.solve(
        X, y, 1.0, method=cvxnn.Exact(patterns), loss=name,
        sample_weight=weights if is_weighted else None,
    ).objective  # fmt: skip
    assert optimum * (1.0 - 1e-6) <= search.objective <= 1.02 * optimum


@with_long("loss", ["squared", "logistic"])
def test_solve_begins_with_it_in_high_rank(loss, monkeypatch):
    X, y = planted(60, 10)
    y = np.where(y > 0.0, 1.0, -1.0) if loss == "logistic" else y
    begun = []
    advance = TileSearch.advance
    monkeypatch.setattr(TileSearch, "advance", lambda self: begun.append(1) or advance(self))
    method = cvxnn.Global(certify=False)
    with pytest.warns(ConvergenceWarning):
        solution = cvxnn.solve(X, y, 1.0, loss=loss, method=method)
    assert begun and solution.status is cvxnn.Status.STATIONARY
    search = Problem.of(Layer(X), y, 1.0, as_loss(loss))
    rough = search_of(search)
    run(rough)
    assert solution.objective <= rough.objective <= 1.02 * solution.objective


@with_long("name", (*LOSSES, *COUNTS))
def test_with_an_intercept_the_residual_sums_to_zero(name):
    X, y = planted()
    loss = as_loss(name)
    y = targets(name, y, 0.5) + (5.0 if name in ("squared", "huber") else 0.0)
    problem = Problem.of(Layer(X), y, 1.0, loss)
    plain = search_of(problem)
    search = search_of(problem, intercept=True)
    objectives = run(search)
    assert (np.diff(objectives) <= 0.0).all()
    _, v = search.sample(slice(None))
    assert abs(v.sum()) <= 1e-9 * np.abs(v).sum()
    neurons = search.neurons
    f = np.maximum(X @ neurons.directions.T, 0.0) @ (neurons.sizes * neurons.signs)
    f += neurons.intercept
    np.testing.assert_allclose(-loss.gradient(f, y), v, atol=1e-12)
    assert search.objective == pytest.approx(problem.value(f, neurons.sizes.sum()), rel=1e-12)
    run(plain)
    assert search.objective < plain.objective


def test_an_intercept_follows_a_shift_of_the_targets():
    X, y = planted()
    searches = []
    for shift in (0.0, 64.0):
        problem = least_squares(X, y + shift, 3.0)
        searches.append(search_of(problem, intercept=True))
        run(searches[-1])
    first, second = searches
    assert second.objective == pytest.approx(first.objective, rel=1e-3)
    assert second.neurons.intercept == pytest.approx(first.neurons.intercept + 64.0, abs=0.5)


def test_a_score_of_many_rows_moves_neurons_by_steps_on_tiles(monkeypatch):
    X, y = planted(600)
    settings = Settings(stirred_rows=500, rough_epochs=60, rate=0.02)
    monkeypatch.setattr(tile_search, "SETTINGS", settings)
    stirred = search_on(X, y, 15.0)
    monkeypatch.setattr(stirred, "_moved", None)
    stirred.refine(50)
    monkeypatch.undo()
    plain = search_on(X, y, 15.0)
    plain.refine(50)
    assert stirred.objective <= 1.05 * plain.objective < 0.5 * float(y @ y)


def test_another_beta_is_aimed_at_from_the_same_neurons():
    X, y = planted()
    search = search_on(X, y, 3.0)
    run(search)
    before = search.neurons
    search.aim(6.0)
    assert search.neurons is before
    assert search.objective == neuron_objective(least_squares(X, y, 6.0), before)
    search.clear()
    assert len(search.neurons) == 0
    assert search.objective == pytest.approx(0.5 * float(y @ y), rel=1e-12)
