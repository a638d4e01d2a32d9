"""Bound (4) against closed forms."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvxnn.errors import InputError
from cvxnn.patterns import count_patterns_bound

small = st.integers(0, 40)


KNOWN = [
    (0, 0, 1), (0, 3, 1), (3, 0, 1), (1, 1, 2), (7, 1, 2), (5, 2, 10), (100, 2, 200), (50, 3, 2452),
    (4, 4, 16), (4, 9, 16),
]  # fmt: skip


@pytest.mark.parametrize(("n", "rank", "count"), KNOWN)
def test_known_values(n, rank, count):
    assert count_patterns_bound(n, rank) == count


@given(n=st.integers(1, 40), rank=st.integers(1, 40))
def test_adding_a_hyperplane_splits_the_cells_of_its_restriction(n, rank):
    """Every cell of the arrangement restricted to the new hyperplane cuts one cell in two."""
    cut = count_patterns_bound(n, rank - 1) if rank > 1 else 0
    assert count_patterns_bound(n + 1, rank) == count_patterns_bound(n, rank) + cut


@given(n=small, rank=small)
def test_monotonic_in_both_arguments(n, rank):
    here = count_patterns_bound(n, rank)
    assert here <= count_patterns_bound(n + 1, rank)
    assert here <= count_patterns_bound(n, rank + 1)


@given(n=small)
def test_rows_that_are_independent_take_all_signs(n):
    assert count_patterns_bound(n, n) == 2**n


def test_exact_beyond_floating_point():
    assert count_patterns_bound(10**6, 10) == 2 * sum(comb(10**6 - 1, k) for k in range(10))


@pytest.mark.parametrize("bad", [-1, 2.5, "3", None])
def test_refuses_what_is_no_count(bad):
    with pytest.raises(InputError, match="n must be"):
        count_patterns_bound(bad, 2)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="rank must be"):
        count_patterns_bound(2, bad)  # type: ignore[arg-type]
