"""The tree over signs against all signs, and its bound against exact arithmetic."""

import itertools
import signal
from fractions import Fraction

import numpy as np
import pytest
from solvers.quantized.sign_networks import all_signs
from variants import with_long

from cvxnn.interrupts import Deadline, deferred_interrupts
from cvxnn.oracle.quantized.tree import widest


def drawn(seed, d, kind):
    """Symmetric matrices of several kinds."""
    rng = np.random.default_rng([seed, d])
    N = rng.standard_normal((d, d))
    match kind:
        case "low rank":
            X = rng.standard_normal((2, d))
            N = X.T @ np.diag([1.0, -1.0]) @ X
        case "integers":
            N = rng.integers(-2, 3, (d, d)).astype(float)
        case "sparse":
            N = N * (rng.random((d, d)) < 0.3)
        case "scales":
            N = N * np.outer(*[10.0 ** rng.uniform(-8, 0, d)] * 2)
        case "ones":
            N = np.ones((d, d))
    return 0.5 * (N + N.T)


KINDS = ("normal", "low rank", "integers", "sparse", "scales", "ones")
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
@with_long("d", [1, 2, 3, 5, 9], always=3)
def test_the_bound_is_the_largest_value_of_all_signs(kind, d):
    for seed in range(5):
        N = drawn(seed, d, kind)
        exact = max(
            sum(abs(sum(map(Fraction, row * u))) for row in N) for u in all_signs(d)[: 2**d // 2]
        )
        found = widest(N)
        assert found.finished and Fraction(found.bound) >= exact
        assert found.bound <= float(exact) * (1.0 + 1e-12) + 1e-300
        assert np.abs(N @ found.signs).sum() == pytest.approx(float(exact), rel=1e-12)


@each_kind
def test_larger_ones_against_two_halves(kind):
    d = 14
    N = drawn(0, d, kind)
    values = (np.abs(all_signs(d)[: 2 ** (d - 1)] @ N)).sum(axis=1)
    assert widest(N).bound == pytest.approx(values.max(), rel=1e-12)


def test_a_level_is_the_bound_where_nothing_is_above_it():
    N = drawn(0, 8, "normal")
    value = widest(N).bound
    for share in (0.5, 0.999, 1.001, 2.0):
        found = widest(N, share * value)
        assert found.finished
        assert found.bound == pytest.approx(max(value, share * value), rel=1e-12)


def test_a_start_does_not_change_the_bound():
    N = drawn(1, 10, "normal")
    plain = widest(N)
    for start in (plain.signs, np.ones(10)):
        again = widest(N, 0.0, start)
        assert again.bound == pytest.approx(plain.bound, rel=1e-12)


@pytest.mark.parametrize("limits", [{"most_nodes": 1}, {"deadline": Deadline(0.0)}])
def test_what_is_cut_short_is_a_bound(limits):
    for seed, start in itertools.product(range(3), (None, np.ones(12))):
        N = drawn(seed, 12, "normal")
        found = widest(N, 0.0, start, **limits)
        assert not found.finished and found.bound >= widest(N).bound
        assert set(np.abs(found.signs)) == {1.0}


def test_ctrl_c_ends_it():
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        signal.raise_signal(signal.SIGINT)
        widest(drawn(0, 12, "normal"))
