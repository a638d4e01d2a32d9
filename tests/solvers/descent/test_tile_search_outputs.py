"""The rough search with several outputs: objectives are those of its networks, and fall."""

import numpy as np
import pytest
from planted_rows import planted_outputs

from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers import Layer
from cvxnn.losses import WeightedLoss, as_loss
from cvxnn.problems import Problem
from cvxnn.solvers.descent import tile_search
from cvxnn.solvers.descent.settings import Settings
from cvxnn.solvers.descent.tile_search import TileSearch
from cvxnn.solvers.segments.rows import LocalRows


def search_on(X, Y, beta, loss="squared", *, state=0, weights=None, **options):
    loss = as_loss(loss)
    loss = loss if weights is None else WeightedLoss(loss, weights)
    rows, to_direction = LocalRows(Problem(Layer(X), Y, beta, loss)), np.eye(X.shape[1])
    rng = np.random.default_rng(state)
    return TileSearch(rows, beta, to_direction, rng, Deadline(), **options)


def run(search, most=40):
    objectives = [search.objective]
    for _ in range(most):
        done = search.advance()
        objectives.append(search.objective)
        if done:
            return objectives
    raise AssertionError("no end")


@pytest.mark.parametrize(
    ("loss", "intercept", "is_weighted"),
    [
        ("squared", True, True), ("huber", False, True), ("squared_hinge", True, False),
        ("softmax", False, False), ("softmax", True, True),
    ],
)  # fmt: skip
def test_objectives_fall_to_rest(loss, intercept, is_weighted):
    X, Y = planted_outputs(loss=loss)
    Y = np.where(Y > 0.3, 1.0, -1.0) if loss == "squared_hinge" else Y
    weights = np.random.default_rng(1).uniform(0.5, 2.0, len(Y)) if is_weighted else None
    if loss == "softmax" and is_weighted:
        Y, weights = Y * weights[:, None], None
    beta = 2.0
    search = search_on(X, Y, beta, loss, weights=weights, intercept=intercept)
    objectives = run(search)
    assert (np.diff(objectives) <= 0.0).all() and objectives[-1] < 0.7 * objectives[0]
    neurons, loss = search.neurons, search.rows.loss
    active = np.maximum(X @ neurons.directions.T, 0.0)
    f = active @ (neurons.outputs * neurons.sizes[:, None]) + neurons.intercept
    assert search.objective == pytest.approx(
        loss.value(f, Y) + beta * neurons.sizes.sum(), rel=1e-12
    )
    _, V = search.sample(slice(None))
    np.testing.assert_allclose(V, -loss.gradient(f, Y), atol=1e-11)
    if intercept:
        assert (np.abs(V.sum(axis=0)) <= 1e-8 * np.abs(V).sum(axis=0)).all()
    # At rest the pull of a neuron is beta times its outputs.
    large = neurons.sizes > 0.1 * neurons.sizes.max()
    pulls = (V.T @ active).T[large]
    np.testing.assert_allclose(pulls, beta * neurons.outputs[large], atol=0.15 * beta)


def test_another_beta_is_aimed_at_from_the_same_neurons():
    X, Y = planted_outputs()
    search = search_on(X, Y, 3.0)
    run(search)
    before, objective = search.neurons, search.objective
    search.aim(6.0)
    assert search.neurons is before
    assert search.objective == pytest.approx(objective + 3.0 * before.sizes.sum(), rel=1e-12)
    search.clear()
    assert len(search.neurons) == 0 and search.neurons.outputs.shape == (0, 3)
    assert search.objective == pytest.approx(0.5 * np.vdot(Y, Y), rel=1e-12)


def test_it_goes_on_from_another_start():
    X, Y = planted_outputs()
    first, second = search_on(X, Y, 3.0), search_on(X, Y, 3.0, state=1)
    run(first)
    second.start_from(first.neurons)
    assert second.objective <= first.objective


def test_above_the_largest_beta_there_are_none():
    X, Y = planted_outputs()
    search = search_on(X, Y, 1e4)
    assert search.advance() and len(search.neurons) == 0


def test_a_score_of_many_rows_moves_neurons_by_steps_on_tiles(monkeypatch):
    X, Y = planted_outputs(600)
    settings = Settings(stirred_rows=500, rough_epochs=200, rate=0.02)
    monkeypatch.setattr(tile_search, "SETTINGS", settings)
    stirred = search_on(X, Y, 15.0)
    monkeypatch.setattr(stirred, "_moved", None)
    stirred.refine(50)
    monkeypatch.undo()
    plain = search_on(X, Y, 15.0)
    plain.refine(50)
    assert stirred.objective <= 1.1 * plain.objective < 0.5 * float(np.vdot(Y, Y))


def test_a_deadline_ends_it_with_the_best_so_far():
    search = search_on(*planted_outputs(), 3.0)
    search.advance()
    before = search.objective
    search.deadline = Deadline(1e-9)
    with pytest.raises(OutOfTimeError):
        search.advance()
    assert search.objective <= before and len(search.neurons) > 0
