"""Sums and products in twice the working precision, against rational arithmetic."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cvxnn import compensated

seeds = st.integers(0, 2**32 - 1)


def exactly(pairs):
    return sum((Fraction(float(a)) * Fraction(float(b)) for a, b in pairs), Fraction(0))


def is_rounded(value, exact, size):
    """Within a rounding of the exact value, and of twice the precision where it cancels."""
    return abs(Fraction(float(value)) - exact) <= abs(exact) / 2**52 + size / 2**98


@given(seed=seeds)
def test_products_that_cancel(seed):
    rng = np.random.default_rng(seed)
    left = rng.standard_normal((20, 2)) * 10.0 ** rng.integers(-9, 9, (20, 2))
    right = left * (1.0 + 1e-14 * rng.standard_normal((20, 2)))
    crosses = compensated.cross_products(left, right)
    mapped = compensated.map_rows(left, np.array([[right[0, 1], 1.0], [-right[0, 0], 0.1]]))
    for i, (x, z) in enumerate(left):
        a, b = right[i]
        size = abs(Fraction(float(x)) * Fraction(float(b))) * 2
        assert is_rounded(crosses[i], exactly([(x, b), (-z, a)]), size)
        exact = exactly([(x, right[0, 1]), (-z, right[0, 0])])
        size = abs(exactly([(abs(x), abs(right[0, 1])), (abs(z), abs(right[0, 0]))]))
        assert is_rounded(mapped[i, 0], exact, size)


@given(seed=seeds, n=st.integers(0, 300))
def test_sums_that_cancel(seed, n):
    rng = np.random.default_rng(seed)
    rows = np.column_stack([1.7e9 + rng.integers(0, 100, n), np.ones(n)])
    v = rng.standard_normal(n) * 10.0 ** rng.integers(-6, 6, n)
    sums = compensated.sums_over_parts(rows, v, np.array([0, n // 2, n]))
    for part, at in zip(sums, (slice(0, n // 2), slice(n // 2, n)), strict=True):
        for column in range(2):
            exact = exactly(list(zip(v[at], rows[at, column], strict=True)))
            size = exactly(list(zip(np.abs(v[at]), rows[at, column], strict=True)))
            assert is_rounded(part[column], exact, size * (len(v[at]) + 1))


@given(seed=seeds)
def test_residuals(seed):
    rng = np.random.default_rng(seed)
    columns, weights = rng.standard_normal((9, 6)), 1e6 * rng.standard_normal(3)
    members = np.array([4, 0, 5])
    y = columns[:, members] @ weights + 1e-9 * rng.standard_normal(9)
    out = compensated.residual(columns, members, weights, y)
    for i in range(9):
        pairs = list(zip(-columns[i, members], weights, strict=True))
        assert is_rounded(out[i], Fraction(float(y[i])) + exactly(pairs), Fraction(10**8))
