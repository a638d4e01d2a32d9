"""Paths: where they start and end, that they are continuous, and that nothing rises."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landscape.optima import cross, five_points, random_problem

import cvxnn
from cvxnn import OptimalSet, TwoLayerNetwork, descent_path
from cvxnn.errors import InputError

PROBLEMS = [five_points(), cross(2), random_problem(1, 7, 2, 0.5), random_problem(4, 9, 3, 1e-3)]


@cache
def optima_of(which: int) -> OptimalSet:
    return OptimalSet(*PROBLEMS[which])


def random_network(rng: np.random.Generator, m: int, d: int) -> TwoLayerNetwork:
    """Any size, unbalanced, with neurons that are 0, half 0, or repeated."""
    scale = 10.0 ** rng.uniform(-2.0, 1.0)
    factors = 10.0 ** rng.uniform(-3.0, 3.0, m)
    hidden = scale * rng.standard_normal((m, d)) * factors[:, None]
    output = scale * rng.standard_normal(m) / factors
    hidden[rng.random(m) < 0.15] = 0.0
    output[rng.random(m) < 0.15] = 0.0
    again = rng.random(m) < 0.15
    hidden[again] = 2.0 * hidden[rng.integers(m, size=again.sum())]
    return TwoLayerNetwork(hidden, output)


def largest_rise(values: np.ndarray) -> float:
    return float((np.diff(values) / values[:-1]).max())


@settings(max_examples=6)
@given(st.integers(0, len(PROBLEMS) - 1), st.integers(0, 10**6), st.integers(0, 40))
def test_the_objective_never_rises(which, seed, more):
    (X, y, beta), optima = PROBLEMS[which], optima_of(which)
    rng = np.random.default_rng(seed)
    start = random_network(rng, 2 * len(X) + more, X.shape[1])
    path = descent_path(start, optima.sample(1, rng)[0], X, y, beta)
    assert path(0.0) == start
    assert path(1.0).n_neurons == start.n_neurons
    assert optima.contains(path(1.0), tol=1e-7)
    times = np.union1d(np.linspace(0.0, 1.0, 400), path.breakpoints)
    values = path.objectives(X, y, beta, times)
    assert largest_rise(values) <= 1e-10
    assert values[-1] == pytest.approx(optima.objective, rel=1e-8)


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_the_path_is_continuous(seed):
    X, y, beta = PROBLEMS[0]
    rng = np.random.default_rng(seed)
    path = descent_path(random_network(rng, 20, 2), optima_of(0).minimal_network(), X, y, beta)
    times = np.union1d(path.breakpoints, rng.random(20))
    for t in times:
        here = path(t)
        for step in (1e-7, 1e-11):
            for other in (max(t - step, 0.0), min(t + step, 1.0)):
                there = path(other)
                products = [
                    np.abs(n.output_weights)[:, None] * n.hidden_weights for n in (here, there)
                ]
                size = max(np.abs(products[0]).max(), 1e-300)
                # A product moves linearly, its weights as the root of that.
                assert np.abs(products[0] - products[1]).max() <= 1e6 * step * size + 1e-14 * size
                sizes = max(np.abs(here.hidden_weights).max(), 1.0)
                moved = np.abs(here.hidden_weights - there.hidden_weights).max()
                assert moved <= 1e3 * np.sqrt(step) * sizes


def test_stages_and_breakpoints():
    X, y, beta = five_points()
    rng = np.random.default_rng(0)
    start = random_network(rng, 30, 2)
    path = descent_path(start, optima_of(0).minimal_network(), X, y, beta)
    assert [segment.label for segment in path.segments] == ["balance", "prune", "grow"]
    assert path.breakpoints[0] == 0.0 and path.breakpoints[-1] == 1.0
    assert (np.diff(path.breakpoints) > 0.0).all()
    assert [path.stage_at(t) for t in (0.0, 0.2, 0.5, 0.9, 1.0)] == [
        "balance", "balance", "prune", "grow", "grow",
    ]  # fmt: skip
    balanced = path(path.segments[0].end)
    np.testing.assert_allclose(
        np.linalg.norm(balanced.hidden_weights, axis=1), np.abs(balanced.output_weights), rtol=1e-12
    )
    np.testing.assert_allclose(balanced(X), start(X), rtol=1e-10, atol=1e-10)
    pruned = path(path.segments[1].end)
    np.testing.assert_allclose(pruned(X), start(X), rtol=1e-9, atol=1e-9)
    assert np.count_nonzero(pruned.output_weights) <= len(X)
    # Corners of the pruning: one neuron after the other is 0.
    counts = [
        np.count_nonzero(path(t).output_weights)
        for t in path.breakpoints
        if path.segments[1].start <= t <= path.segments[1].end
    ]
    assert counts == sorted(counts, reverse=True) and len(set(counts)) > 5


def test_nothing_to_balance_or_prune_is_left_out():
    X, y, beta = cross(2)
    optima = OptimalSet(X, y, beta)
    start = optima.vertices()[0]
    start = TwoLayerNetwork(
        np.vstack([start.hidden_weights, np.zeros((2, 2))]), np.append(start.output_weights, [0, 0])
    )
    path = descent_path(start.balance(), optima.vertices()[1], X, y, beta, widen=True)
    assert [segment.label for segment in path.segments] == ["grow"]


@pytest.mark.parametrize("which", [0, 1])
def test_between_two_optima_the_objective_stays(which):
    (X, y, beta), optima = PROBLEMS[which], optima_of(which)
    first, last = optima.vertices()
    path = descent_path(first, last, X, y, beta, widen=True)
    values = path.objectives(X, y, beta, np.linspace(0.0, 1.0, 50))
    np.testing.assert_allclose(values, optima.objective, rtol=1e-11)
    assert optima.contains(path(0.4)) and optima.contains(path(1.0))


def test_a_narrow_network_is_told_its_width():
    X, y, beta = five_points()
    target = optima_of(0).minimal_network()
    start = TwoLayerNetwork(np.eye(2), [1.0, -1.0])
    with pytest.raises(InputError, match=r"has 2 neurons.*: 7 would do.*widen=True"):
        descent_path(start, target, X, y, beta)
    path = descent_path(start, target, X, y, beta, widen=True)
    assert path(0.0).n_neurons == path(1.0).n_neurons == 7
    assert path(0.0).balance() == start
    assert path(0.0).objective(X, y, beta) == start.objective(X, y, beta)
    wide = TwoLayerNetwork(path(0.0).hidden_weights, path(0.0).output_weights)
    assert descent_path(wide, target, X, y, beta)(1.0) == path(1.0)


def test_neurons_that_no_row_sees_are_given_up():
    X, y, beta = np.array([[1.0], [2.0]]), np.array([1.0, 2.0]), 0.5
    start = TwoLayerNetwork([[-1.0], [-2.0], [1.0], [0.0]], [1.0, 2.0, 1.0, 5.0])
    path = descent_path(start, cvxnn.solve(X, y, beta, tol=1e-12), X, y, beta)
    values = path.objectives(X, y, beta, np.linspace(0.0, 1.0, 300))
    assert largest_rise(values) <= 1e-12
    # One neuron on one line: 1/2 (5 p^2) - 5 p + beta p + 5/2 at p = 1 - beta / 5.
    assert values[-1] == pytest.approx(0.5 * 5.0 * 0.1**2 + 0.5 * 0.9)


def test_a_network_of_no_neurons():
    X, y, beta = cross(2)
    empty = TwoLayerNetwork(np.zeros((0, 2)), np.zeros(0))
    path = descent_path(empty, optima_of(1).minimal_network(), X, y, beta, widen=True)
    assert path(0.0).objective(X, y, beta) == 0.5 * y @ y
    assert optima_of(1).contains(path(1.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(target=TwoLayerNetwork([[1.0, 0.0]], [1.0])), "target is no global optimum"),
        (dict(target="optimum"), "target must be a TwoLayerNetwork of slope 0 .* got str"),
        (dict(network=TwoLayerNetwork([[1.0]], [1.0])), "network must have 2 features"),
        (dict(target=TwoLayerNetwork([[1.0]], [1.0])), "target must have 2 features"),
        (dict(beta=0.0), "beta must be"),
    ],
)
def test_wrong_arguments(change, message):
    X, y, beta = cross(2)
    best = optima_of(1).minimal_network()
    arguments = dict(
        network=TwoLayerNetwork(np.ones((8, 2)), np.ones(8)), target=best, X=X, y=y, beta=beta
    )
    path = descent_path(**arguments)
    with pytest.raises(InputError, match=message):
        descent_path(**(arguments | change))
    for t in (-0.1, 1.1, np.nan, [0.5]):
        with pytest.raises(InputError, match="t must be a number from 0 to 1"):
            path(t)
    with pytest.raises(InputError, match="times must be 1-D"):
        path.objectives(X, y, beta, [[0.0, 0.5]])


def test_a_target_short_of_the_optimum_is_refused():
    short = optima_of(3).minimal_network()
    short = TwoLayerNetwork(short.hidden_weights, 1.01 * short.output_weights)
    start = random_network(np.random.default_rng(0), 40, 3)
    with pytest.raises(InputError, match="no global optimum"):
        descent_path(start, short, *PROBLEMS[3])
