"""Descent: never worse, stationary where the objective is smooth, and interruptible."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from least_squares import assert_no_worse, drawn, least_squares, random_neurons

from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import neuron_objective, residual
from cvxnn.solvers.newton.local_descent import descend


def smooth(seed: int, beta: float = 0.2) -> tuple[Problem[Layer], Neurons]:
    """Positive data and neurons: no kink far and wide."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.1, 1.0, (15, 3))
    y = X @ np.array([3.0, 2.0, 4.0]) + 0.1 * rng.standard_normal(15)
    start = Neurons.of(rng.uniform(0.5, 1.0, (1, 3)), np.ones((1, 1)))
    return least_squares(X, y, beta), start


def rough(seed: int, n: int = 40, r: int = 3, k: int = 10) -> tuple[Problem[Layer], Neurons]:
    rng = np.random.default_rng(seed)
    return drawn(rng, n, r), random_neurons(rng, k, r)


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 4), st.sampled_from([1, 5, 60])
)
@settings(max_examples=12)
def test_never_raises_the_objective(seed, n, r, steps):
    problem, neurons = rough(seed, n, r, 6)
    assert_no_worse(problem, neurons, descend(problem, neurons, steps=steps))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("chunk", [1 << 21, 4])
def test_ends_where_the_gradient_vanishes(seed, chunk, monkeypatch):
    monkeypatch.setattr("cvxnn.layers.rows._CHUNK", chunk)
    problem, start = smooth(seed)
    moved, X = descend(problem, start, steps=500), problem.rows.rows
    assert len(moved.sizes) == 1 and (X @ moved.directions[0] > 0.0).all()
    pull = X.T @ residual(problem, moved)
    np.testing.assert_allclose(pull, 0.2 * moved.directions[0], atol=1e-5)
    # Neither is a finite difference along an axis better.
    value, step = neuron_objective(problem, moved), 1e-5
    for axis in np.eye(3):
        beside = [Neurons.of(moved.rays + t * axis, moved.outputs) for t in (step, -step)]
        ends = [neuron_objective(problem, other) for other in beside]
        assert abs(ends[0] - ends[1]) / (2.0 * step) <= 1e-5
        assert min(ends) >= value - 1e-12


@pytest.mark.long
def test_ends_once_a_stretch_gains_too_little():
    problem, start = rough(0, 40, 6, 20)

    def end(steps: int, enough: float = 0.0) -> float:
        return neuron_objective(problem, descend(problem, start, steps=steps, enough=enough))

    stretches, last = [end(steps) for steps in range(50, 1001, 50)], end(2000)
    for enough in (1e-2, 1e-3):
        value = end(2000, enough)
        assert last < value <= stretches[0]
        # What is left comes slowly: the next 50 steps gain less than the stretch before the end.
        below = next(other for other in stretches if other <= value)
        assert value - below <= 2.0 * enough * value


def test_more_steps_are_not_worse():
    problem, start = rough(0)
    ends = [descend(problem, start, steps=s) for s in (1, 4, 16, 64)]
    values = [neuron_objective(problem, end) for end in ends]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.5 * neuron_objective(problem, start)


def test_a_neuron_that_is_off_everywhere_disappears():
    problem, start = smooth(0)
    both = start.joined(-start.directions, -start.outputs).sized(np.append(start.sizes, 1.0))
    moved, alone = (descend(problem, neurons, steps=500) for neurons in (both, start))
    assert moved.sizes.sum() == pytest.approx(moved.sizes.max(), rel=1e-5)
    values = [neuron_objective(problem, neurons) for neurons in (moved, alone)]
    assert values[0] == pytest.approx(values[1], rel=1e-8)


def test_with_an_expensive_penalty_nothing_is_left_of_the_neurons():
    assert descend(*smooth(1, 1e4), steps=200).sizes.sum() < 1e-6
    none = Neurons.none(3)
    assert descend(smooth(1)[0], none, steps=10) is none


def test_zero_rows_are_harmless():
    problem, start = smooth(2)
    rows = np.vstack([problem.rows.rows, np.zeros((2, 3))])
    padded = least_squares(rows, np.append(problem.y, [1.0, 2.0]), 0.2)
    ends = [descend(part, start, steps=99).rays for part in (padded, problem)]
    np.testing.assert_allclose(*ends, rtol=1e-4)


def test_a_deadline_leaves_the_neurons_or_the_best_point():
    class Looks(Deadline):
        left = 40

        @property
        def passed(self) -> bool:
            self.left -= 1
            return self.left < 0

    problem, start = rough(3)
    stopped = descend(problem, start, steps=500, deadline=Deadline(0.0))
    np.testing.assert_allclose(stopped.rays, start.rays, rtol=1e-14)
    cut = descend(problem, start, steps=500, deadline=Looks())
    whole = descend(problem, start, steps=500)
    values = [neuron_objective(problem, neurons) for neurons in (start, cut, whole)]
    assert values[0] > values[1] > values[2]
