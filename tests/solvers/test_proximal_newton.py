"""Other losses and weights: the same optimum as cvxpy on the full program."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_programs import NAMES, data, reference, target_for
from variants import with_long

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses import HuberLoss, Loss, WeightedLoss, as_loss
from cvxnn.losses.base import DiagonalRoot
from cvxnn.methods import Sampled
from cvxnn.oracle import CellOracle
from cvxnn.patterns import enumerate_patterns, sample_patterns
from cvxnn.problems import Neurons, Problem
from cvxnn.results import Solution, Status
from cvxnn.solvers import proximal_newton
from cvxnn.solvers.search import Search
from cvxnn.training import solve


@with_long("name, d", [*zip(NAMES[::-1], (3, 2, 3, 2), strict=True)], ids=str)
def test_the_optimum_of_weighted_rows_is_that_of_cvxpy(name, d):
    X, y = data(d)
    y = target_for(name, y)
    weights = np.random.default_rng(0).integers(0, 4, len(y)).astype(float)
    solution = solve(X, y, 0.1, loss=name, sample_weight=weights)
    assert_optimum(solution, reference(X, y, 0.1, name, weights))


@with_long("name", NAMES[::-1])
def test_sampled_solves_its_own_program(name):
    X, y = data(3)
    y = target_for(name, y)
    patterns = sample_patterns(X, 15, 0)
    solution = solve(X, y, 0.1, method=Sampled(patterns=patterns), loss=name)
    optimum = reference(X, y, 0.1, name)
    assert_optimum(solution, reference(X, y, 0.1, name, patterns=patterns), optimum)


@with_long("d, beta", [(3, 3.0), (2, 0.3)], ids=str)
def test_nearly_absolute_values(d, beta):
    """Huber's loss with a delta of a five-hundredth of the targets."""
    X, y = data(d)
    y = 100.0 * target_for("huber", y)
    assert_optimum(solve(X, y, beta, loss="huber"), reference(X, y, beta, "huber"))


def assert_optimum(solution: Solution, optimum: float, of_all: float | None = None) -> None:
    assert solution.status.is_success
    assert solution.objective == pytest.approx(optimum, rel=2e-6)
    assert solution.dual_bound <= (optimum if of_all is None else of_all) * (1.0 + 1e-6)


def test_many_rows_with_outliers():
    """The square of a row that only pulls has a large offset, in which digits drown."""
    rng = np.random.default_rng(5002)
    X = np.column_stack([rng.standard_normal(5000), np.ones(5000)])
    y = np.sin(2.0 * X[:, 0]) + 0.3 * rng.standard_t(2, 5000)
    assert solve(X, y, 1.0, loss="huber").status is Status.OPTIMAL


@pytest.mark.parametrize("loss", [HuberLoss(0.01), as_loss("logistic"), as_loss("squared_hinge")])
def test_corrected_weights_are_optimal_for_their_neurons(loss):
    X, y = data(3)
    y, beta = y * np.linspace(0.5, 4.0, len(y)) if not loss.has_labels else y, 0.01
    search = unopened(X, y, beta, loss)
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((20, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    signs = np.where(np.arange(20) % 2 == 0, 1.0, -1.0)
    search._correct(Neurons(directions, np.ones(20), signs[:, None]))
    prediction = np.maximum(X @ search.neurons.rays.T, 0.0) @ search.neurons.signs
    v = -loss.gradient(prediction, y)
    slopes = signs * (np.maximum(X @ directions.T, 0.0).T @ v)
    assert slopes.max() <= beta * (1.0 + 1e-3)
    assert 0 < len(search.neurons.sizes) < 20
    penalty = beta * search.neurons.sizes.sum()
    # Stationarity in the weights: sum_j c_j s_j v'(X u_j)_+ = beta sum_j c_j.
    assert v @ prediction == pytest.approx(penalty, rel=1e-3)
    assert search.objective == pytest.approx(loss.value(prediction, y) + penalty, rel=1e-12)


@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(NAMES))
def test_random_small_problems(seed, name):
    """Certified, and the bound is confirmed by an oracle over all cells at minus the gradient."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 9)), int(rng.integers(1, 4))
    X = rng.integers(-3, 4, (n, d)).astype(float)
    y = np.where(rng.random(n) > 0.5, 1.0, -1.0)
    beta = float(10.0 ** rng.uniform(-2, 1))
    solution = solve(X, y, beta, loss=name)
    assert solution.status is Status.OPTIMAL
    v = -as_loss(name).gradient(solution.network.forward(X), y)
    if v.any() and X.any():
        largest = CellOracle(X, enumerate_patterns(X)).price(v[:, None], beta).bound
        assert largest <= beta * (1.0 + 1e-2) + 1e-6 * float(np.abs(v) @ np.linalg.norm(X, axis=1))


def test_a_pruning_that_loses_is_not_taken(monkeypatch):
    X, y = data(2)
    expected = solve(X, y, 0.02, loss="logistic").objective
    monkeypatch.setattr(proximal_newton, "prune", lambda layer, *_: Neurons.none(layer.n_features))
    solution = solve(X, y, 0.02, loss="logistic")
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize("name", ["huber", "logistic", "squared_hinge"])
def test_a_proof_of_a_model_holds_on_the_rows(name):
    X, y = data(3)
    rng = np.random.default_rng(0)
    loss = WeightedLoss(as_loss(name), 10.0 ** rng.uniform(-8.0, 8.0, len(y)))
    search = unopened(X, y, 1.0, loss)
    oracle = CellOracle(X, enumerate_patterns(X))
    for scale in (1e-8, 1.0, 1e8):
        curvature = loss.majorizer(np.zeros_like(y), y) * scale
        search._root, root = DiagonalRoot(curvature), np.sqrt(curvature)
        v = rng.standard_normal(len(y)) * root
        model = CellOracle(X * root[:, None], enumerate_patterns(X * root[:, None]))
        proof = search._on_the_rows(DualProof.of(v, model.price(v[:, None]).bound, "cells"))
        assert np.isfinite(loss.conjugate(proof.v * (1.0 - 1e-15), y))
        directions = np.vstack(
            [rng.standard_normal((500, 3)), *oracle.price(proof.v[:, None]).points]
        )
        lengths = np.linalg.norm(directions, axis=1)
        units = directions[lengths > 0.0] / lengths[lengths > 0.0, None]
        values = np.abs(np.maximum(X @ units.T, 0.0).T @ proof.v)
        assert values.max() <= proof.oracle_bound * (1.0 + 1e-15)


def unopened(
    X: FloatArray, y: FloatArray, beta: float, loss: Loss
) -> proximal_newton.ProximalNewton:
    """A search before its first model."""

    def unused_opener(*arguments: object) -> Search:
        raise AssertionError("no model is needed")

    problem = Problem.of(Layer(X), y, beta, loss)
    return proximal_newton.ProximalNewton(problem, unused_opener, Deadline())
