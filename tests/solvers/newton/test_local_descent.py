"""Sliding: never worse, stationary where the objective is smooth, and interruptible."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from least_squares import least_squares

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.problems import Neurons
from cvxnn.solvers.atoms import neuron_objective, residual
from cvxnn.solvers.newton.local_descent import descend

seeds = st.integers(0, 2**32 - 1)


def random_neurons(rng: np.random.Generator, k: int, r: int) -> Neurons:
    return Neurons.of(rng.standard_normal((k, r)), rng.choice([-1.0, 1.0], k)[:, None])


def smooth(seed: int) -> tuple[FloatArray, FloatArray, Neurons]:
    """Positive data and neurons: no kink far and wide."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.1, 1.0, (15, 3))
    y = X @ np.array([3.0, 2.0, 4.0]) + 0.1 * rng.standard_normal(15)
    return X, y, Neurons.of(rng.uniform(0.5, 1.0, (1, 3)), np.ones(1)[:, None])


@given(seed=seeds, n=st.integers(1, 30), r=st.integers(1, 4), steps=st.sampled_from([1, 5, 60]))
@settings(max_examples=40)
def test_never_raises_the_objective(seed, n, r, steps):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, r)), rng.standard_normal(n)
    neurons = random_neurons(rng, 6, r)
    moved = descend(least_squares(X, y, 0.1), neurons, steps=steps)
    before, after = (neuron_objective(least_squares(X, y, 0.1), z) for z in (neurons, moved))
    assert after <= before * (1.0 + 1e-12)
    assert (moved.sizes > 0.0).all()
    np.testing.assert_allclose(np.linalg.norm(moved.directions, axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("chunk", [1 << 21, 4])
def test_ends_where_the_gradient_vanishes(seed, chunk, monkeypatch):
    monkeypatch.setattr("cvxnn.layers.rows._CHUNK", chunk)
    X, y, start = smooth(seed)
    moved = descend(least_squares(X, y, 0.2), start, steps=500)
    assert len(moved.sizes) == 1 and (X @ moved.directions[0] > 0.0).all()
    np.testing.assert_allclose(
        X.T @ residual(least_squares(X, y), moved), 0.2 * moved.directions[0], atol=1e-5
    )


@pytest.mark.parametrize("enough", [1e-2, 1e-3])
def test_ends_once_a_stretch_gains_too_little(enough):
    rng = np.random.default_rng(0)
    X, y, start = rng.standard_normal((60, 8)), rng.standard_normal(60), random_neurons(rng, 40, 8)
    ends = [
        neuron_objective(
            least_squares(X, y, 0.1),
            descend(least_squares(X, y, 0.1), start, steps=steps, enough=share),
        )
        for steps, share in ((50, 0.0), (5000, enough), (5000, 0.0))
    ]
    assert ends[2] < ends[1] <= ends[0]
    # What is left comes slowly: the next 50 steps gain less than the stretch before the end.
    stretches = [
        neuron_objective(
            least_squares(X, y, 0.1), descend(least_squares(X, y, 0.1), start, steps=steps)
        )
        for steps in range(50, 1001, 50)
    ]
    last = next(value for value in stretches if value <= ends[1])
    assert ends[1] - last <= 2.0 * enough * ends[1]


@pytest.mark.parametrize("seed", range(5))
def test_no_step_along_a_finite_difference_is_better(seed):
    X, y, start = smooth(seed)
    moved = descend(least_squares(X, y, 0.2), start, steps=500)
    value = neuron_objective(least_squares(X, y, 0.2), moved)
    step = 1e-5
    for axis in np.eye(3):
        ends = [
            neuron_objective(
                least_squares(X, y, 0.2), Neurons.of(moved.rays + t * axis, moved.outputs)
            )
            for t in (step, -step)
        ]
        assert abs(ends[0] - ends[1]) / (2.0 * step) <= 1e-5
        assert min(ends) >= value - 1e-12


def test_more_steps_are_not_worse():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 3)), rng.standard_normal(40)
    start = random_neurons(rng, 10, 3)
    values = [
        neuron_objective(
            least_squares(X, y, 0.1), descend(least_squares(X, y, 0.1), start, steps=s)
        )
        for s in (1, 4, 16, 64)
    ]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.5 * neuron_objective(least_squares(X, y, 0.1), start)


def test_a_neuron_that_is_off_everywhere_disappears():
    X, y, start = smooth(0)
    both = Neurons(
        np.vstack([start.directions, -start.directions]),
        np.append(start.sizes, 1.0),
        np.array([[1.0], [-1.0]]),
    )
    moved = descend(least_squares(X, y, 0.2), both, steps=500)
    assert moved.sizes.sum() == pytest.approx(moved.sizes.max(), rel=1e-5)
    alone = descend(least_squares(X, y, 0.2), start, steps=500)
    assert neuron_objective(least_squares(X, y, 0.2), moved) == pytest.approx(
        neuron_objective(least_squares(X, y, 0.2), alone), rel=1e-8
    )


def test_with_an_expensive_penalty_nothing_is_left_of_the_neurons():
    X, y, start = smooth(1)
    moved = descend(least_squares(X, y, 1e4), start, steps=200)
    assert moved.sizes.sum() < 1e-6


def test_no_neurons():
    none = Neurons.none(2)
    assert descend(least_squares(np.eye(2), np.ones(2), 1.0), none, steps=10) is none


def test_zero_rows_are_harmless():
    X, y, start = smooth(2)
    padded = descend(
        least_squares(np.vstack([X, np.zeros((2, 3))]), np.append(y, [1.0, 2.0]), 0.2),
        start,
        steps=99,
    )
    np.testing.assert_allclose(
        padded.rays, descend(least_squares(X, y, 0.2), start, steps=99).rays, rtol=1e-4
    )


def test_a_deadline_that_has_passed_leaves_the_neurons():
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((40, 3)), rng.standard_normal(40)
    start = random_neurons(rng, 10, 3)
    stopped = descend(least_squares(X, y, 0.1), start, steps=500, deadline=Deadline(0.0))
    np.testing.assert_allclose(stopped.rays, start.rays, rtol=1e-14)


def test_a_deadline_within_a_slide_keeps_the_best_point():
    class Looks(Deadline):
        left = 40

        @property
        def passed(self) -> bool:
            self.left -= 1
            return self.left < 0

    rng = np.random.default_rng(3)
    layer, y = Layer(rng.standard_normal((40, 3))), rng.standard_normal(40)
    start = random_neurons(rng, 10, 3)
    cut = descend(least_squares(layer, y, 0.1), start, steps=500, deadline=Looks())
    whole = descend(least_squares(layer, y, 0.1), start, steps=500)
    values = [
        neuron_objective(least_squares(layer, y, 0.1), neurons) for neurons in (start, cut, whole)
    ]
    assert values[0] > values[1] > values[2]
