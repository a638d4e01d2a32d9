"""Whether depth helps: intervals against independent values, and the three answers."""

import numpy as np
import pytest
from solvers.parallel.three_layers import descended, drawn, noisy_tent, optimum_of_blocks
from variants import with_long

import cvxnn


@with_long("seed", range(8))
def test_the_interval_holds_the_optimum_of_all_blocks(seed):
    X, y = drawn(seed, n=4)
    beta = 0.03 * cvxnn.largest_beta(X, y)
    gain, reference = cvxnn.depth_gain(X, y, beta), optimum_of_blocks(X, y, beta)
    two = cvxnn.solve(X, y, beta)
    assert gain.dual_bound <= reference * (1.0 + 1e-7)
    assert gain.objective == pytest.approx(reference, rel=2e-4)
    assert gain.objective == pytest.approx(gain.network.objective(X, y, beta), rel=1e-12)
    assert gain.helps is (reference < two.objective * (1.0 - 1e-4))
    low, high = gain.ratio
    assert low <= reference / two.objective * (1.0 + 1e-6) and high >= low
    lower, upper = gain.criterion
    assert lower <= upper
    assert not (gain.helps and upper <= 1.0)


@pytest.mark.long
def test_a_tent_wants_depth_at_a_small_beta_and_not_at_a_large_one():
    X, y = noisy_tent(9)
    small, large = cvxnn.depth_gain(X, y, 0.02), cvxnn.depth_gain(X, y, 1.0)
    assert small.helps is True and small.ratio[1] < 0.95
    assert small.criterion[0] > 1.0
    assert "lowers the objective: to between" in small.message
    assert large.helps is False and "does not lower" in large.message
    assert large.objective == pytest.approx(large.two.objective, rel=1e-12)
    best = min(descended(X, y, 0.02, 8, 3, seed) for seed in range(10))
    assert best >= small.dual_bound


def test_without_time_nothing_is_known_and_nothing_is_wrong():
    X, y = noisy_tent(40)
    gain = cvxnn.depth_gain(X, y, 0.01, time_limit=0.5)
    assert gain.helps is None or gain.helps
    assert 0.0 <= gain.ratio[0] <= gain.ratio[1] <= 1.0
    assert gain.dual_bound <= gain.objective


def test_a_beta_above_the_largest_leaves_nothing():
    X, y = drawn(0, n=5)
    gain = cvxnn.depth_gain(X, y, 100.0)
    assert gain.helps is False and gain.network.n_neurons == 0
    assert gain.objective == pytest.approx(0.5 * y @ y)


def test_targets_of_zero_need_no_network():
    gain = cvxnn.depth_gain(np.eye(2), np.zeros(2), 0.1)
    assert gain.helps is False and gain.objective == 0.0 and gain.ratio[1] == 1.0
