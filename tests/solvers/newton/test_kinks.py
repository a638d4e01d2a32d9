"""Newton's method over kinks: never worse, and quadratic to a stationary point."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from least_squares import least_squares

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.problems import Neurons
from cvxnn.solvers.atoms import merge_cells, neuron_objective, residual, reweigh
from cvxnn.solvers.newton.kinks import descend_over_kinks, faces_for
from cvxnn.solvers.newton.local_descent import descend

seeds = st.integers(0, 2**32 - 1)


def random_neurons(rng: np.random.Generator, k: int, r: int) -> Neurons:
    return Neurons.of(rng.standard_normal((k, r)), rng.choice([-1.0, 1.0], k)[:, None])


def started(seed: int, n: int = 40, r: int = 3) -> tuple[FloatArray, FloatArray, Neurons]:
    """Data, and neurons that have slid and been weighed, as in a search."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, r)), rng.standard_normal(n)
    neurons = descend(least_squares(X, y, 0.5), random_neurons(rng, 6, r), steps=40)
    return X, y, reweigh(least_squares(X, y, 0.5), merge_cells(X, neurons))


def force_left(X: FloatArray, y: FloatArray, beta: float, neurons: Neurons) -> float:
    """The largest gradient along the face of a neuron, relative to beta.

    Rows that the neuron lies on have a kink there: whatever they push is balanced.
    """
    left = residual(least_squares(X, y), neurons)
    lengths = np.linalg.norm(X, axis=1)
    worst = 0.0
    for u, s in zip(neurons.directions, neurons.signs, strict=True):
        products = X @ u
        tight = (np.abs(products) <= 1e-9 * lengths) & (lengths > 0.0)
        gradient = beta * u - s * (left * (products > 0.0) * ~tight) @ X
        if tight.any():
            gradient -= X[tight].T @ np.linalg.lstsq(X[tight].T, gradient, rcond=None)[0]
        worst = max(worst, float(np.linalg.norm(gradient)))
    return worst / beta


@given(seed=seeds, n=st.integers(1, 40), r=st.integers(1, 4), steps=st.integers(1, 6))
@settings(max_examples=40)
def test_never_raises_the_objective(seed, n, r, steps):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, r)), rng.standard_normal(n)
    X[rng.random(n) < 0.1] = 0.0
    neurons = random_neurons(rng, 5, r)
    moved = descend_over_kinks(least_squares(X, y, 0.1), neurons, steps=steps)
    before, after = (neuron_objective(least_squares(X, y, 0.1), z) for z in (neurons, moved))
    assert after <= before
    assert (moved.sizes > 0.0).all()
    np.testing.assert_allclose(np.linalg.norm(moved.directions, axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_ends_at_a_stationary_point(seed):
    X, y, neurons = started(seed)
    moved = descend_over_kinks(least_squares(X, y, 0.5), neurons, steps=40)
    assert force_left(X, y, 0.5, moved) <= 1e-6


@pytest.mark.parametrize("seed", range(10))
def test_few_steps_are_enough_next_to_a_stationary_point(seed):
    X, y, neurons = started(seed)
    rest = descend_over_kinks(least_squares(X, y, 0.5), neurons, steps=60)
    rng = np.random.default_rng(seed)
    shaken = Neurons.of(rest.rays + 1e-4 * rng.standard_normal(rest.rays.shape), rest.outputs)
    moved = descend_over_kinks(least_squares(X, y, 0.5), shaken, steps=4)
    best = neuron_objective(least_squares(X, y, 0.5), rest)
    assert neuron_objective(least_squares(X, y, 0.5), moved) <= best * (1.0 + 1e-12)
    assert force_left(X, y, 0.5, moved) <= 1e-6


def test_convergence_without_kinks_is_quadratic():
    rng = np.random.default_rng(0)
    X = rng.uniform(0.1, 1.0, (15, 3))
    y = X @ np.array([3.0, 2.0, 4.0])
    start = Neurons.of(rng.uniform(1.0, 2.0, (1, 3)), np.ones(1)[:, None])
    forces = [
        force_left(X, y, 0.2, descend_over_kinks(least_squares(X, y, 0.2), start, steps=s))
        for s in range(7)
    ]
    small = [f for f in forces if f < 0.1]
    assert small[-1] <= 1e-12
    for now, after in pairwise(small):
        assert after <= 10.0 * now**2 + 1e-12


def test_a_gram_matrix_that_is_kept_changes_nothing():
    X, y, neurons = started(1)
    faces = faces_for(Layer(X))
    kept = fresh = neurons
    for _ in range(4):
        kept = descend_over_kinks(least_squares(X, y, 0.5), kept, steps=1, faces=faces)
        fresh = descend_over_kinks(least_squares(X, y, 0.5), fresh, steps=1)
        np.testing.assert_allclose(kept.rays, fresh.rays, atol=1e-7)


def test_enough_ends_early():
    X, y, neurons = started(2)
    values = [
        neuron_objective(
            least_squares(X, y, 0.5),
            descend_over_kinks(least_squares(X, y, 0.5), neurons, steps=30, enough=e),
        )
        for e in (0.0, 1e-3, 1.0)
    ]
    assert values[0] <= values[1] <= values[2]
    assert values[2] <= neuron_objective(least_squares(X, y, 0.5), neurons)


def test_no_steps_and_no_neurons():
    X, y, neurons = started(3)
    assert descend_over_kinks(least_squares(X, y, 0.5), neurons, steps=0) is neurons
    none = Neurons.none(3)
    assert descend_over_kinks(least_squares(X, y, 0.5), none, steps=5) is none


def test_a_deadline_that_has_passed_moves_nothing():
    X, y, neurons = started(4)
    assert (
        descend_over_kinks(least_squares(X, y, 0.5), neurons, steps=5, deadline=Deadline(0.0))
        is neurons
    )


def test_zero_rows_are_harmless():
    X, y, neurons = started(5)
    padded, target = np.vstack([np.zeros((3, 3)), X]), np.append([1.0, -2.0, 0.5], y)
    moved = descend_over_kinks(least_squares(padded, target, 0.5), neurons, steps=30)
    alone = descend_over_kinks(least_squares(X, y, 0.5), neurons, steps=30)
    assert neuron_objective(least_squares(X, y, 0.5), moved) == pytest.approx(
        neuron_objective(least_squares(X, y, 0.5), alone), rel=1e-9
    )
    only_zero = descend_over_kinks(least_squares(np.zeros((2, 3)), y[:2], 0.5), neurons, steps=5)
    assert only_zero.sizes.sum() <= neurons.sizes.sum()


def test_a_neuron_that_is_off_everywhere_shrinks():
    X, y, _ = started(6)
    X = np.abs(X) + 0.1
    off = Neurons(-np.full((1, 3), 3**-0.5), np.ones(1), np.ones((1, 1)))
    moved = descend_over_kinks(least_squares(X, y, 0.5), off, steps=10)
    assert neuron_objective(least_squares(X, y, 0.5), moved) < neuron_objective(
        least_squares(X, y, 0.5), off
    )
