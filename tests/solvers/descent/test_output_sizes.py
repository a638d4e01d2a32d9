"""The best output weights on fixed directions against the same program in cvxpy."""

import cvxpy
import numpy as np
import pytest
from planted_rows import planted_outputs
from variants import with_long

from cvxnn.layers import Layer
from cvxnn.losses import WeightedLoss, as_loss
from cvxnn.losses.offset import best_offsets
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent import output_sizes
from cvxnn.solvers.descent.output_sizes import reweighted
from cvxnn.solvers.descent.settings import Settings
from cvxnn.solvers.segments.reached import Reached
from cvxnn.solvers.segments.rows import LocalRows, never


def best(problem, neurons, *, intercept):
    rows = LocalRows(problem)
    reached = Reached.by(rows, neurons, never, intercept=intercept)
    return reweighted(rows, reached, problem.beta, never, intercept=intercept)


def start(problem, *, intercept, k=12, seed=1):
    rng = np.random.default_rng(seed)
    shapes = (k, problem.rows.n_features), (k, problem.n_outputs)
    neurons = Neurons.of_weights(*(rng.standard_normal(shape) for shape in shapes))
    return with_best_intercept(problem, neurons) if intercept else neurons


def with_best_intercept(problem, neurons):
    f = problem.rows.forward(neurons.rays, neurons.outputs)
    b = best_offsets(problem.loss, f, problem.target)
    return Neurons(neurons.directions, neurons.sizes, neurons.outputs, intercept=b)


def objective(problem, neurons):
    f = problem.rows.forward(neurons.rays, neurons.outputs) + neurons.intercept
    return problem.value(f, float(neurons.sizes.sum()))


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_of_squares_they_are_the_optimum_of_cvxpy(intercept, is_weighted, monkeypatch):
    settings = Settings(sweeps=20_000, least_sweep=0.0)
    monkeypatch.setattr(output_sizes, "SETTINGS", settings)
    X, Y = planted_outputs(60, 5)
    Y, weights = Y + 2.0, np.random.default_rng(2).uniform(0.5, 2.0, 60)
    loss = as_loss("squared")
    loss = WeightedLoss(loss, weights) if is_weighted else loss
    problem = Problem(Layer(X), Y, 4.0, loss)
    before = start(problem, intercept=intercept)
    found = best(problem, before, intercept=intercept)
    C, b = cvxpy.Variable((len(before), 3)), cvxpy.Variable((1, 3))
    left = np.maximum(X @ before.directions.T, 0.0) @ C - Y
    left = left + np.ones((60, 1)) @ b if intercept else left
    root = np.sqrt(weights if is_weighted else np.ones(60))
    smooth = 0.5 * cvxpy.sum_squares(cvxpy.multiply(root[:, None] * np.ones((1, 3)), left))
    program = cvxpy.Problem(cvxpy.Minimize(smooth + 4.0 * cvxpy.sum(cvxpy.norm(C, axis=1))))
    program.solve(solver="CLARABEL")
    reached = objective(problem, found)
    # Sums in float32, and a ridge that covers them.
    assert program.value * (1.0 - 1e-8) <= reached <= program.value * (1.0 + 1e-4)
    np.testing.assert_allclose(np.linalg.norm(found.outputs, axis=1), 1.0, rtol=1e-12)
    if intercept:
        np.testing.assert_allclose(found.intercept, b.value[0], atol=1e-2)


@with_long(("name", "intercept"), [("softmax", True), ("huber", True), ("squared_hinge", False)])
def test_again_and_again_they_come_to_rest_where_slopes_are_beta(name, intercept):
    X, Y = planted_outputs(80, 5, loss=name)
    loss = as_loss(name)
    Y = np.where(Y > 0.3, 1.0, -1.0) if name == "squared_hinge" else Y
    problem = Problem(Layer(X), Y, 2.0, loss)
    neurons, objectives = start(problem, intercept=intercept), []
    for _ in range(200):
        objectives.append(objective(problem, neurons))
        neurons = best(problem, neurons, intercept=intercept)
        neurons = with_best_intercept(problem, neurons) if intercept else neurons
    assert (np.diff(objectives) <= 1e-9).all() and objectives[-1] < 0.5 * objectives[0]
    f = problem.rows.forward(neurons.rays, neurons.outputs) + neurons.intercept
    pulls = problem.residual(f).T @ np.maximum(X @ neurons.directions.T, 0.0)
    # At the optimum the pull of every neuron that is left is beta times its output.
    np.testing.assert_allclose(pulls.T, 2.0 * neurons.outputs, atol=1e-3)


def test_no_neurons_stay_none():
    X, Y = planted_outputs(20, 4)
    problem = Problem(Layer(X), Y, 1.0, as_loss("squared"))
    assert len(best(problem, Neurons.none(4, 3), intercept=True)) == 0
