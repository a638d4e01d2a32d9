"""Neurons as rays: outputs, best weights, and what merging keeps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from least_squares import assert_no_worse, drawn, least_squares, random_neurons

from cvxnn.layers import Layer
from cvxnn.problems import Neurons
from cvxnn.solvers.atoms import atoms, merge_cells, neuron_objective, residual, reweigh, sides_of
from cvxnn.solvers.lasso.nonnegative_lasso import nonnegative_lasso

seeds = st.integers(0, 2**32 - 1)


# ------------------------------------------------------------------ rays


def test_rays_give_the_neurons_back():
    rays = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, -2.0], [1e-20, 0.0]])
    neurons = Neurons.of(rays, np.array([1.0, 1.0, -1.0, -1.0])[:, None])
    np.testing.assert_allclose(neurons.sizes, [5.0, 2.0])
    np.testing.assert_allclose(neurons.directions, [[0.6, 0.8], [0.0, -1.0]])
    np.testing.assert_array_equal(neurons.signs, [1.0, -1.0])
    np.testing.assert_allclose(neurons.rays, rays[[0, 2]])


def test_rays_that_are_all_zero_leave_no_neurons():
    neurons = Neurons.of(np.zeros((3, 2)), np.ones(3)[:, None])
    assert neurons.directions.shape == (0, 2)
    assert Neurons.of(np.zeros((0, 2)), np.zeros(0)[:, None]).rays.shape == (0, 2)


def test_candidates_join_with_weight_zero():
    start = random_neurons(np.random.default_rng(0), 3, 2)
    joined = start.joined(np.eye(2), np.array([[1.0], [-1.0]]))
    np.testing.assert_array_equal(joined.sizes[3:], 0.0)
    back = joined.select(joined.sizes > 0.0)
    np.testing.assert_array_equal(back.rays, start.rays)
    np.testing.assert_array_equal(back.signs, start.signs)


# ------------------------------------------------------------------ outputs


@given(seed=seeds, n=st.integers(1, 30), k=st.integers(0, 6), r=st.integers(1, 4))
def test_residual_and_objective_against_dense_sums(seed, n, k, r):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, r)), rng.standard_normal(n)
    neurons = random_neurons(rng, k, r)
    dense = y - np.maximum(X @ neurons.rays.T, 0.0) @ neurons.signs
    objective = 0.5 * dense @ dense + 0.3 * neurons.sizes.sum()
    for chunk in (1 << 21, 7):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cvxnn.layers.rows._CHUNK", chunk)
            np.testing.assert_allclose(residual(least_squares(X, y), neurons), dense, atol=1e-13)
            value = neuron_objective(least_squares(X, y, 0.3), neurons)
        assert value == pytest.approx(objective, rel=1e-13)
    np.testing.assert_allclose(y - atoms(Layer(X), neurons) @ neurons.sizes, dense, atol=1e-13)


def test_no_neurons():
    none, problem = Neurons.none(2), least_squares(np.eye(2), np.ones(2))
    np.testing.assert_array_equal(residual(problem, none), problem.y)
    assert neuron_objective(problem, none) == pytest.approx(1.0)
    assert len(merge_cells(np.eye(2), none)) == len(reweigh(problem, none)) == 0


# ------------------------------------------------------------------ best weights


@given(seed=seeds, n=st.sampled_from([3, 10, 40, 100]), k=st.integers(1, 8))
def test_reweighing_solves_the_lasso(seed, n, k):
    # With 40 and 100 rows the program is compressed to k + 1.
    rng = np.random.default_rng(seed)
    problem, neurons = drawn(rng, n, 3, 0.5), random_neurons(rng, k, 3)
    found = reweigh(problem, neurons)
    assert_no_worse(problem, neurons, found)
    columns, size = atoms(problem.rows, neurons), np.linalg.norm(problem.y)
    direct = neurons.sized(nonnegative_lasso(columns, problem.y, 0.5, neurons.sizes))
    value = neuron_objective(problem, found)
    assert value == pytest.approx(neuron_objective(problem, direct), rel=1e-11)
    # No atom, used or not, would lower the objective.
    left = residual(problem, found)
    assert (columns.T @ left <= 0.5 + 1e-9 * size).all()
    np.testing.assert_allclose(atoms(problem.rows, found).T @ left, 0.5, atol=1e-9 * size)
    # Equal directions are no trouble, and an expensive penalty leaves no neurons.
    twice = reweigh(problem, neurons.joined(neurons.directions, neurons.outputs))
    assert neuron_objective(problem, twice) == pytest.approx(value, rel=1e-11)
    assert len(reweigh(least_squares(problem.rows, problem.y, 1e3), neurons)) == 0


# ------------------------------------------------------------------ merging


def assert_same_output(X, first, second, atol):
    nothing = least_squares(X, np.zeros(len(X)))
    np.testing.assert_allclose(residual(nothing, first), residual(nothing, second), atol=atol)


@given(seed=seeds, n=st.sampled_from([8, 300]))
def test_merging_keeps_the_output(seed, n):
    rng = np.random.default_rng(seed)
    X = rng.integers(-2, 3, (n, 2)).astype(float)
    neurons = random_neurons(rng, 40, 2)
    merged = merge_cells(X, neurons)
    assert_same_output(X, merged, neurons, 1e-8)
    assert merged.sizes.sum() <= neurons.sizes.sum() * (1 + 1e-12)
    # Rows with entries up to 2 lie on 8 lines: at most 16 cells, each with two signs.
    assert len(merged.sizes) <= 32
    for sign in (1.0, -1.0):
        patterns = sides_of(X, merged.directions[merged.signs == sign])
        for i, first in enumerate(patterns):
            assert (patterns[i + 1 :] * first < 0).any(axis=1).all()


def test_two_neurons_of_one_cell_become_one_unless_their_signs_are_opposite():
    merged = merge_cells(np.eye(2), Neurons(np.eye(2), np.array([3.0, 4.0]), np.ones((2, 1))))
    np.testing.assert_allclose(merged.sizes, [5.0])
    np.testing.assert_allclose(merged.directions, [[0.6, 0.8]])
    pair = Neurons(np.eye(2), np.ones(2), np.array([[1.0], [-1.0]]))
    assert len(merge_cells(np.eye(2), pair).sizes) == 2


def test_a_neuron_on_a_hyperplane_merges_with_one_side_only():
    # The middle one could go with either side; the two sides never share a cell.
    X = np.array([[1.0, 0.0], [0.0, 1.0]])
    three = Neurons.of(np.array([[0.0, 1.0], [1.0, 1.0], [-1.0, 1.0]]), np.ones(3)[:, None])
    merged = merge_cells(X, three)
    assert len(merged.sizes) == 2
    assert_same_output(X, merged, three, 1e-12)


def test_sides_do_not_depend_on_the_units_of_the_columns():
    X = np.array([[1.0, -1.0], [1.0, 1.0], [0.0, 0.0], [-1.0, 0.5]])
    u = np.array([[0.5, 0.5]])
    expected = [[0, 1, 0, -1]]
    assert sides_of(X, u).tolist() == expected
    scale = np.array([2.0**-40, 2.0**30])
    assert sides_of(X * scale, u / scale).tolist() == expected
