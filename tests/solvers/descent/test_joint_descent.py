"""Joint descent ends at stationary points, by either way of moving."""

import numpy as np
import pytest
from least_squares import least_squares
from planted_rows import planted, planted_outputs
from variants import with_long

from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer
from cvxnn.losses import as_loss
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.joint_descent import JointDescent
from cvxnn.solvers.descent.stirring import Stirring
from cvxnn.solvers.segments.rows import LocalRows


def start(seed=0, k=30, d=8):
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((k, d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return Neurons(directions, np.full(k, 0.1), np.where(np.arange(k) % 2, 1.0, -1.0)[:, None])


def several(k=30, d=8, c=3):
    rng = np.random.default_rng(1)
    outputs = rng.standard_normal((k, c))
    outputs /= np.linalg.norm(outputs, axis=1, keepdims=True)
    return Neurons(start(k=k, d=d).directions, np.full(k, 0.1), outputs)


def stirring_on(problem, *, intercept=False, deadline=UNLIMITED):
    rows = LocalRows(problem).gather(slice(None))
    return Stirring(rows, intercept=intercept, deadline=deadline)


def objective(problem, neurons):
    f = problem.rows.forward(neurons.rays, neurons.heads) + neurons.intercept
    return problem.value(f, float(neurons.sizes.sum()))


@with_long("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("intercept", [False, True])
def test_at_rest_the_slope_of_every_neuron_is_beta(dtype, intercept):
    X, y = planted(400)
    problem = least_squares(X, y + 2.0, 20.0)
    descent = JointDescent(LocalRows(problem, dtype), intercept=intercept)
    neurons = descent.moved(start(), 20.0, steps=2000, enough=0.0)
    left = y + 2.0 - problem.rows.forward(neurons.rays, neurons.signs) - neurons.intercept
    sizes = neurons.sizes
    slopes = neurons.signs * (left @ np.maximum(X @ neurons.directions.T, 0.0))
    large = sizes > 1e-2 * sizes.max()
    np.testing.assert_allclose(slopes[large], 20.0, rtol=0.02)
    assert (neurons.intercept != 0.0) == intercept
    if intercept:
        assert abs(left.sum()) <= 1e-2 * np.abs(left).sum()


@pytest.mark.parametrize("intercept", [False, True])
def test_steps_on_tiles_come_near_to_where_all_rows_lead(intercept):
    X, y = planted(2000)
    problem = least_squares(X, y, 20.0)
    descent = JointDescent(LocalRows(problem), intercept=intercept)
    stirring = stirring_on(problem, intercept=intercept)
    rng = np.random.default_rng(0)
    stirred = stirring.stirred(start(), 20.0, rng, epochs=60, rate=0.02)
    moved = descent.moved(start(), 20.0, steps=300, enough=0.0)
    assert objective(problem, stirred) <= 1.05 * objective(problem, moved)
    assert objective(problem, moved) < 0.2 * objective(problem, start())


def test_the_random_state_decides_the_order_of_the_tiles():
    X, y = planted(2000)
    stirring = stirring_on(least_squares(X, y, 20.0))
    rays = [
        stirring.stirred(start(), 20.0, np.random.default_rng(seed), epochs=2, rate=0.01).rays
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(rays[0], rays[1])
    assert not np.array_equal(rays[0], rays[2])


def test_a_deadline_leaves_the_neurons_as_they_were():
    X, y = planted(400)
    problem, deadline = least_squares(X, y, 20.0), Deadline(1e-9)
    descent = JointDescent(LocalRows(problem), deadline=deadline)
    stirring = stirring_on(problem, deadline=deadline)
    before, rng = start(), np.random.default_rng(0)
    for neurons in (
        descent.moved(before, 20.0, steps=10, enough=0.0),
        stirring.stirred(before, 20.0, rng, epochs=2, rate=0.01),
    ):
        np.testing.assert_allclose(neurons.rays, before.rays, rtol=1e-12, atol=1e-15)


def test_no_neurons_stay_none():
    X, y = planted(40)
    descent = JointDescent(LocalRows(least_squares(X, y, 20.0)))
    assert len(descent.moved(Neurons.none(8), 20.0, steps=10, enough=0.0)) == 0


@with_long("dtype", [np.float32, np.float64])
@with_long("intercept", [False, True])
@pytest.mark.parametrize("loss", ["squared", "huber", "softmax"])
def test_at_rest_the_pull_of_every_neuron_is_beta_times_its_outputs(dtype, intercept, loss):
    X, Y = planted_outputs(400, loss=loss)
    Y = Y + np.array([2.0, -1.0, 0.0]) if loss == "squared" else Y
    beta = 20.0 if loss == "squared" else 4.0
    problem = Problem(Layer(X), Y, beta, as_loss(loss))
    descent = JointDescent(LocalRows(problem, dtype), intercept=intercept)
    neurons = descent.moved(several(), beta, steps=3000, enough=0.0)
    f = problem.rows.forward(neurons.rays, neurons.outputs) + neurons.intercept
    pulls = problem.residual(f).T @ np.maximum(X @ neurons.directions.T, 0.0)
    large = neurons.sizes > 1e-2 * neurons.sizes.max()
    atol = 0.03 * beta
    np.testing.assert_allclose(pulls.T[large], beta * neurons.outputs[large], atol=atol)
    assert np.shape(neurons.intercept) == ((3,) if intercept else ())
    if intercept:
        left = problem.residual(f)
        assert (np.abs(left.sum(axis=0)) <= 1e-2 * np.abs(left).sum(axis=0)).all()


@pytest.mark.long
@with_long("intercept", [False, True])
def test_steps_on_tiles_come_near_for_several_outputs_too(intercept):
    X, Y = planted_outputs(6000)
    problem = Problem(Layer(X), Y, 20.0, as_loss("squared"))
    descent = JointDescent(LocalRows(problem), intercept=intercept)
    stirring = stirring_on(problem, intercept=intercept)
    rng = np.random.default_rng(0)
    stirred = stirring.stirred(several(), 20.0, rng, epochs=200, rate=0.02)
    moved = descent.moved(several(), 20.0, steps=300, enough=0.0)
    assert objective(problem, stirred) <= 1.05 * objective(problem, moved)
    assert objective(problem, moved) < 0.2 * objective(problem, several())
