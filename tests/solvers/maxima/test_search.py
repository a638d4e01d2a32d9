"""Max pooling without a list of cells: climbs, joint descent, and their ends."""

import numpy as np
import pytest
from programs import Activations, patches_by_loops
from runs import quietly
from variants import with_long

import cvxnn
from cvxnn import Status
from cvxnn.interrupts import UNLIMITED
from cvxnn.layers.max_pooling import MaxLayer
from cvxnn.losses import as_loss
from cvxnn.oracle import MaxCellOracle
from cvxnn.patterns.max_pooling import MaxArrangement
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.maxima import strategy
from cvxnn.solvers.maxima.ascent import maxima
from cvxnn.solvers.maxima.descent import descended

MODEL = cvxnn.Conv(2, pooling="max")


def draw(n, length, seed=0):
    rng = np.random.default_rng(seed)
    signals = rng.standard_normal((n, length))
    return signals, signals.max(axis=1) - 1.0 + 0.3 * rng.standard_normal(n)


def layer_of(n=6, n_patches=3, h=2, seed=0):
    return MaxLayer(np.random.default_rng(seed).standard_normal((n * n_patches, h)), n_patches)


@pytest.mark.parametrize("seed", range(3))
def test_climbs_lead_to_the_largest_value(seed):
    layer = layer_of(h=2 + seed % 2, seed=seed)
    v = np.random.default_rng(seed + 10).standard_normal(layer.n_predictions)
    cells = MaxArrangement(layer.rows, layer.n_patches).enumerate(UNLIMITED)
    best = MaxCellOracle(layer.patches, cells.winners(), cells.reach).price(v[:, None]).bound
    found = maxima(layer, v, 0.0, np.random.default_rng(0), 40)
    assert found.values[0] == pytest.approx(best, rel=1e-4) and found.values[0] <= best
    values = found.signs * (layer.activations(found.directions).T @ v)
    np.testing.assert_allclose(values, found.values, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(found.directions, axis=1), 1.0)


def test_a_climb_is_not_above_what_the_longest_patches_allow():
    layer = layer_of(n=20, h=4)
    v = np.random.default_rng(1).standard_normal(20)
    found = maxima(layer, v, 0.0, np.random.default_rng(0), 20)
    assert found.largest <= layer.bound(v)
    assert len(maxima(layer, v, layer.bound(v), np.random.default_rng(0), 20)) == 0


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_descent_does_not_go_up(loss):
    layer = layer_of(n=12, h=3)
    rng = np.random.default_rng(2)
    y = np.sign(rng.standard_normal(12))
    problem = Problem.of(layer, y, 0.1, as_loss(loss))
    directions = rng.standard_normal((5, 3))
    neurons = Neurons.of(directions, np.where(np.arange(5) % 2, 1.0, -1.0)[:, None])

    def value(neurons):
        prediction = layer.activations(neurons.directions) @ (neurons.sizes * neurons.signs)
        return problem.value(prediction, float(neurons.sizes.sum()))

    assert value(descended(problem, neurons, 50)) < value(neurons)


@pytest.mark.parametrize("loss", ["squared", "huber"])
@with_long("seed", range(2))
def test_without_a_list_the_end_is_the_optimum_of_all_cells(loss, seed, monkeypatch):
    X, y = draw(6, 4, seed)
    best = cvxnn.solve(X, y, 0.2, model=MODEL, loss=loss, method="exact")
    monkeypatch.setattr(strategy, "_FEW_CELLS", 0)
    proven = cvxnn.solve(X, y, 0.2, model=MODEL, loss=loss)
    assert best.status is proven.status is Status.OPTIMAL and proven.n_patterns == 0
    assert proven.objective == pytest.approx(best.objective, rel=2e-6)
    method = cvxnn.Global(certify=False)
    alone = quietly(cvxnn.solve, X, y, 0.2, model=MODEL, loss=loss, method=method)
    assert alone.status is Status.STATIONARY
    assert alone.objective == pytest.approx(best.objective, rel=1e-5)
    assert alone.dual_bound <= best.objective + best.objective_error


@with_long("loss", ["squared", "absolute"])
def test_few_cells_are_listed_without_a_proof_too(loss):
    X = np.random.default_rng(0).standard_normal((5, 3))
    y = X[:, 1] - 0.5 * X[:, 2]
    beta = 0.3 * cvxnn.largest_beta(X, y, model=MODEL, loss=loss, intercept=True)
    problem = {"model": MODEL, "loss": loss, "intercept": True}
    best = cvxnn.solve(X, y, beta, method="exact", **problem)
    found = cvxnn.solve(X, y, beta, method=cvxnn.Global(certify=False), **problem)
    assert best.status is found.status is Status.OPTIMAL
    assert found.objective == pytest.approx(best.objective, rel=2e-6)
    assert found.dual_bound <= best.objective + best.objective_error


def test_random_starts_are_not_below():
    X, y = draw(14, 6)
    method = cvxnn.Global(certify=False)
    solution = quietly(cvxnn.solve, X, y, 0.2, model=MODEL, method=method)
    patches = patches_by_loops(X, (2,), 1, 0)
    lowest = Activations(patches, 0.0, True).lowest(as_loss("squared"), y, 0.2)
    assert solution.objective <= lowest * (1.0 + 1e-6)
    assert solution.dual_bound <= lowest


@with_long(
    "change",
    [
        lambda X: 1e-90 * X, lambda X: 1e90 * X, lambda X: 0.0 * X,
        lambda X: X[np.arange(len(X)) // 3], lambda X: X[:1], lambda X: np.repeat(X[:, :1], 4, 1),
    ],
    ids=["tiny", "huge", "nothing", "equal images", "one image", "equal patches"], always=3,
)  # fmt: skip
def test_no_bound_is_wrong_on_difficult_images(change, monkeypatch):
    X, y = draw(6, 4)
    X = change(X)
    y = y[: len(X)]
    beta = 0.1 * cvxnn.largest_beta(X, y, model=MODEL) or 1.0
    best = quietly(cvxnn.solve, X, y, beta, model=MODEL, method="exact")
    upper = best.objective + best.objective_error
    monkeypatch.setattr(strategy, "_FEW_CELLS", 0)
    for certify in (True, False):
        method = cvxnn.Global(certify=certify)
        solution = quietly(cvxnn.solve, X, y, beta, model=MODEL, method=method)
        assert solution.dual_bound <= upper
        assert best.dual_bound <= solution.objective + solution.objective_error
        assert all(entry.dual_bound <= upper for entry in solution.history)


def test_several_outputs_are_refused():
    X, y = draw(6, 4)
    with pytest.raises(cvxnn.InputError, match="has one output: y must be 1-D, got 2 columns"):
        cvxnn.solve(X, np.column_stack([y, y]), 0.2, model=MODEL)
