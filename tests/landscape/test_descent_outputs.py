"""Paths of networks with an intercept and of several outputs, recomputed from weights."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentences import refused

import cvxnn
from cvxnn import TwoLayerNetwork, descent_path

KINDS = [(None, True), (2, False), (3, True)]


@cache
def problem(which):
    """Data and a network of a proven gap: one output with an intercept, two, and three with."""
    n_outputs, intercept = KINDS[which]
    rng = np.random.default_rng(which)
    X = rng.standard_normal((7, 2))
    y = rng.standard_normal(7 if n_outputs is None else (7, n_outputs)) + 2.0
    return X, y, 0.1, cvxnn.solve(X, y, 0.1, tol=1e-10, intercept=intercept)


def random_network(rng, m, y, *, intercept):
    """Unbalanced, with neurons that are 0, half 0, or repeated."""
    factors = 10.0 ** rng.uniform(-2.0, 2.0, (m, 1))
    hidden = 3.0 * rng.standard_normal((m, 2)) * factors
    output = 3.0 * (rng.standard_normal((m, *y.shape[1:])).T / factors[:, 0]).T
    hidden[rng.random(m) < 0.15] = 0.0
    output[rng.random(m) < 0.15] = 0.0
    again = rng.random(m) < 0.15
    hidden[again] = 2.0 * hidden[rng.integers(m, size=again.sum())]
    b = rng.standard_normal(y.shape[1] if y.ndim == 2 else None) if intercept else 0.0
    return TwoLayerNetwork(hidden, output, intercept=b)


def objective(network, X, y, beta):
    """Objective (2) from the weights alone."""
    hidden, output = np.array(network.hidden_weights), np.array(network.output_weights)
    left = np.maximum(X @ hidden.T, 0.0) @ output + np.array(network.intercept) - y
    return 0.5 * (left**2).sum() + 0.5 * beta * ((hidden**2).sum() + (output**2).sum())


@pytest.mark.long
@settings(max_examples=30)
@given(st.integers(0, len(KINDS) - 1), st.integers(0, 10**6), st.integers(0, 20), st.booleans())
def test_the_objective_never_rises(which, seed, more, begins_with_one):
    X, y, beta, target = problem(which)
    rng = np.random.default_rng(seed)
    m = y.size + target.network.n_neurons + more
    start = random_network(rng, m, y, intercept=KINDS[which][1] and begins_with_one)
    path = descent_path(start, target, X, y, beta)
    assert path(0.0) == start and path(1.0).n_neurons == m
    times = np.union1d(np.linspace(0.0, 1.0, 1000), path.breakpoints)
    values = np.array([objective(path(t), X, y, beta) for t in times])
    assert (np.diff(values) / values[:-1]).max() <= 1e-12
    np.testing.assert_allclose(values, path.objectives(X, y, beta, times), rtol=1e-12)
    # No network is below the proven bound, and the path ends next to it.
    assert target.dual_bound <= values.min() and values[-1] <= target.dual_bound * (1.0 + 1e-9)


@pytest.mark.parametrize("which", range(len(KINDS)))
def test_what_stays_on_the_way(which):
    X, y, beta, target = problem(which)
    rng = np.random.default_rng(7)
    start = random_network(rng, y.size + 20, y, intercept=KINDS[which][1])
    path = descent_path(start, target, X, y, beta)
    assert [segment.label for segment in path.segments] == ["balance", "prune", "grow"]
    ends = [segment.end for segment in path.segments]
    for t in np.linspace(0.0, ends[1], 50):
        np.testing.assert_allclose(path(t)(X), start(X), rtol=1e-9, atol=1e-9)
        assert np.array_equal(path(t).intercept, start.intercept)
    balanced, pruned = path(ends[0]), path(ends[1])
    heights = np.linalg.norm(
        balanced.output_weights.reshape(len(balanced.hidden_weights), -1), axis=1
    )
    np.testing.assert_allclose(np.linalg.norm(balanced.hidden_weights, axis=1), heights, rtol=1e-12)
    assert np.count_nonzero(pruned.hidden_weights.any(axis=1)) <= y.size
    # In the middle of the last stage everything is the mean of its ends.
    middle, last = path(0.5 * (ends[1] + 1.0)), target.network
    np.testing.assert_allclose(middle(X), 0.5 * (pruned(X) + last(X)), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(middle.intercept, 0.5 * (start.intercept + last.intercept))
    np.testing.assert_allclose(path(1.0)(X), last(X), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("which", range(len(KINDS)))
def test_a_narrow_network_is_told_two_widths(which):
    X, y, beta, target = problem(which)
    m = target.network.n_neurons
    start = random_network(np.random.default_rng(3), 2, y, intercept=False)
    always = f"and {y.size + m} always do"
    enough = f"{start.prune(X).n_neurons + m} would do"
    says = f"2 neurons.*: {enough}.*{always}.*widen=True"
    refused(lambda: descent_path(start, target, X, y, beta), says)
    path = descent_path(start, target, X, y, beta, widen=True)
    assert path(0.0).objective(X, y, beta) == start.objective(X, y, beta)
    assert path(0.0).n_neurons == path(1.0).n_neurons == start.prune(X).n_neurons + m


def test_from_and_to_no_neurons_at_all():
    X, Y, beta, target = problem(2)
    nothing = TwoLayerNetwork(np.zeros((0, 2)), np.zeros((0, 3)))
    path = descent_path(nothing, target, X, Y, beta, widen=True)
    assert path(0.0).objective(X, Y, beta) == pytest.approx(0.5 * (Y**2).sum())
    # Above the largest beta the means of the columns are the optimum.
    beta = 2.0 * cvxnn.largest_beta(X, Y, intercept=True)
    means = nothing.with_intercept(Y.mean(axis=0))
    start = random_network(np.random.default_rng(0), 30, Y, intercept=True)
    path = descent_path(start, means, X, Y, beta)
    values = path.objectives(X, Y, beta, np.linspace(0.0, 1.0, 300))
    assert (np.diff(values) / values[:-1]).max() <= 1e-12
    assert values[-1] == pytest.approx(0.5 * ((Y - Y.mean(axis=0)) ** 2).sum())
    assert not path(1.0).hidden_weights.any()


def test_an_intercept_is_free_to_move_between_optima():
    """On one row 0 an intercept is all there is: the path is a straight line of b."""
    X, y = np.zeros((1, 1)), np.array([3.0])
    first, last = (TwoLayerNetwork(np.zeros((0, 1)), [], intercept=b) for b in (1.0, 3.0))
    path = descent_path(first, last, X, y, 0.5)
    assert [path(t).intercept for t in (0.0, 0.25, 1.0)] == [1.0, 1.5, 3.0]
    np.testing.assert_allclose(path.objectives(X, y, 0.5, [0.0, 0.5, 1.0]), [2.0, 0.5, 0.0])


def test_what_is_refused():
    X, Y, beta, target = problem(2)
    one, plain = TwoLayerNetwork(np.eye(2), [1.0, 1.0]), TwoLayerNetwork(np.eye(2), np.ones((2, 3)))
    for network, goal in ((one, target), (plain, one)):
        refused(
            lambda n=network, g=goal: descent_path(n, g, X, Y, beta), "must have 3 outputs, got"
        )
    refused(lambda: descent_path(plain, plain, X, Y[:, 0], beta), "must have one output, got")
    far = TwoLayerNetwork(10.0 * np.eye(2), -10.0 * np.ones((2, 3)))
    refused(lambda: descent_path(plain, far, X, Y, beta, widen=True), "target is no global optimum")
    # The optimum without an intercept is none beside one.
    beside = plain.with_intercept(Y.mean(axis=0))
    without = cvxnn.solve(X, Y, beta, tol=1e-10)
    refused(
        lambda: descent_path(beside, without, X, Y, beta, widen=True),
        "no global optimum.*with intercept=True",
    )
    path = descent_path(plain, target, X, Y, beta, widen=True)
    refused(lambda: path.objectives(X, Y[:, :2], beta, [0.0]), r"y must be of shape \(7, 3\)")
