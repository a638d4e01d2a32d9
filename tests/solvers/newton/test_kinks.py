"""Newton's method over kinks: never worse, and quadratic to a stationary point."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from least_squares import assert_no_worse, drawn, least_squares, random_neurons
from variants import with_long

from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import merge_cells, neuron_objective, residual, reweigh
from cvxnn.solvers.newton.kinks import descend_over_kinks, faces_for
from cvxnn.solvers.newton.local_descent import descend


def started(seed: int) -> tuple[Problem[Layer], Neurons]:
    """A problem, and neurons that have moved and been weighed, as in a search."""
    rng = np.random.default_rng(seed)
    problem = drawn(rng, 40, 3, 0.5)
    neurons = descend(problem, random_neurons(rng, 6, 3), steps=40)
    return problem, reweigh(problem, merge_cells(problem.rows.rows, neurons))


def force_left(problem: Problem[Layer], neurons: Neurons) -> float:
    """The largest gradient along the face of a neuron, relative to beta.

    Rows that the neuron lies on have a kink there: whatever they push is balanced.
    """
    X, left, worst = problem.rows.rows, residual(problem, neurons), 0.0
    lengths = np.linalg.norm(X, axis=1)
    for u, s in zip(neurons.directions, neurons.signs, strict=True):
        products = X @ u
        tight = (np.abs(products) <= 1e-9 * lengths) & (lengths > 0.0)
        gradient = problem.beta * u - s * (left * (products > 0.0) * ~tight) @ X
        if tight.any():
            gradient -= X[tight].T @ np.linalg.lstsq(X[tight].T, gradient, rcond=None)[0]
        worst = max(worst, float(np.linalg.norm(gradient)))
    return worst / problem.beta


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 4), st.integers(1, 6))
@settings(max_examples=12)
def test_never_raises_the_objective(seed, n, r, steps):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, r)), rng.standard_normal(n)
    X[rng.random(n) < 0.1] = 0.0
    problem, neurons = least_squares(X, y, 0.1), random_neurons(rng, 5, r)
    assert_no_worse(problem, neurons, descend_over_kinks(problem, neurons, steps=steps))


@with_long("seed", range(5), always=2)
def test_ends_at_a_stationary_point_with_few_steps_next_to_it(seed):
    problem, neurons = started(seed)
    rest = descend_over_kinks(problem, neurons, steps=60)
    assert force_left(problem, descend_over_kinks(problem, neurons, steps=40)) <= 1e-6
    rng = np.random.default_rng(seed)
    shaken = Neurons.of(rest.rays + 1e-4 * rng.standard_normal(rest.rays.shape), rest.outputs)
    moved = descend_over_kinks(problem, shaken, steps=4)
    assert_no_worse(problem, rest, moved)
    assert force_left(problem, moved) <= 1e-6


def test_convergence_without_kinks_is_quadratic():
    rng = np.random.default_rng(0)
    X = rng.uniform(0.1, 1.0, (15, 3))
    problem = least_squares(X, X @ np.array([3.0, 2.0, 4.0]), 0.2)
    start = Neurons.of(rng.uniform(1.0, 2.0, (1, 3)), np.ones((1, 1)))
    forces = [force_left(problem, descend_over_kinks(problem, start, steps=s)) for s in range(7)]
    small = [f for f in forces if f < 0.1]
    assert small[-1] <= 1e-12
    for now, after in pairwise(small):
        assert after <= 10.0 * now**2 + 1e-12


def test_a_gram_matrix_that_is_kept_changes_nothing():
    problem, neurons = started(1)
    faces = faces_for(problem.rows)
    kept = fresh = neurons
    for _ in range(4):
        kept = descend_over_kinks(problem, kept, steps=1, faces=faces)
        fresh = descend_over_kinks(problem, fresh, steps=1)
        np.testing.assert_allclose(kept.rays, fresh.rays, atol=1e-7)


def test_enough_ends_early():
    problem, neurons = started(2)
    ends = [descend_over_kinks(problem, neurons, steps=30, enough=e) for e in (0.0, 1e-3, 1.0)]
    values = [neuron_objective(problem, end) for end in (*ends, neurons)]
    assert values == sorted(values)


def test_no_steps_no_neurons_and_no_time_move_nothing():
    problem, neurons = started(3)
    none = Neurons.none(3)
    assert descend_over_kinks(problem, neurons, steps=0) is neurons
    assert descend_over_kinks(problem, none, steps=5) is none
    assert descend_over_kinks(problem, neurons, steps=5, deadline=Deadline(0.0)) is neurons


def test_zero_rows_are_harmless():
    problem, neurons = started(5)
    X, y = problem.rows.rows, problem.y
    padded = least_squares(np.vstack([np.zeros((3, 3)), X]), np.append([1.0, -2.0, 0.5], y), 0.5)
    ends = [descend_over_kinks(part, neurons, steps=30) for part in (problem, padded)]
    values = [neuron_objective(problem, end) for end in ends]
    assert values[0] == pytest.approx(values[1], rel=1e-9)
    only_zero = descend_over_kinks(least_squares(np.zeros((2, 3)), y[:2], 0.5), neurons, steps=5)
    assert only_zero.sizes.sum() <= neurons.sizes.sum()


def test_a_neuron_that_is_off_everywhere_shrinks():
    problem, _ = started(6)
    problem = least_squares(np.abs(problem.rows.rows) + 0.1, problem.y, 0.5)
    off = Neurons(-np.full((1, 3), 3**-0.5), np.ones(1), np.ones((1, 1)))
    moved = descend_over_kinks(problem, off, steps=10)
    assert neuron_objective(problem, moved) < neuron_objective(problem, off)
