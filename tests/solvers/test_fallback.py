"""A search with another one behind it."""

import pytest
from solvers.scripted import Round, Scripted

from cvxnn.solvers.search import Search, WithFallback

START = Round(4.0, 0.0)
STUCK = Round(2.0, 1.0, stalled=3.0)


def drive(search: Search, tol: float = 1e-6) -> int:
    rounds = 0
    while not (search.reaches(tol) or search.is_stuck or search.stationary):
        search.step(tol)
        rounds += 1
    search.finish(tol, quick=False)
    return rounds


def test_a_first_search_that_reaches_the_gap_is_the_only_one():
    def never() -> Search:
        raise AssertionError("opened without need")

    first = Scripted(START, Round(2.0, 2.0))
    search = WithFallback(first, never)
    assert drive(search) == 1 and first.finished == 1
    assert (search.objective, search.bound, search.proof) == (2.0, 2.0, first.proof)


def test_the_second_goes_on_where_the_first_is_stuck():
    first = Scripted(START, STUCK, rank=3)
    second = Scripted(START, Round(3.0, 0.5), Round(2.1, 2.1), sharp=(True,))
    search = WithFallback(first, lambda: second)
    search.step(1e-6)
    # There is one more way: this is no end.
    assert search.stalled == 0.0 and not search.is_stuck
    search.step(1e-6)
    # The smaller gap is shown as long as the second is not as far.
    assert (first.steps, second.steps) == (1, 1)
    assert (search.objective, search.bound, search.n_blocks) == (2.0, 1.0, 1)
    assert drive(search) == 1
    assert (search.objective, search.bound) == (2.1, 2.1)
    assert (first.finished, second.finished) == (0, 1)
    assert search.neurons is second.neurons and search.basis is second.basis
    assert search.rank == 3 and search.deadline is second.deadline
    assert search.final_proofs(quick=False) == (second.proof, second.proof)
    assert search.sharpen(1e-9) and second.sharpened == 1


def test_a_second_search_that_is_at_its_end_is_not_stepped():
    second = Scripted(Round(2.0, 2.0))
    search = WithFallback(Scripted(STUCK), lambda: second)
    assert drive(search) == 1 and second.steps == 0


@pytest.mark.parametrize("other", [Round(1.9, 0.1, stalled=3.0), Round(2.1, 1.9, stalled=3.0)])
def test_where_both_fall_short_network_and_bound_are_the_best(other):
    first, second = Scripted(START, STUCK), Scripted(START, other)
    search = WithFallback(first, lambda: second)
    drive(search)
    assert search.is_stuck
    assert search.objective == min(2.0, other.objective)
    assert search.bound == (1.0 if other.bound < 1.0 else 1.9)


def test_without_another_way_the_first_is_stuck():
    first = Scripted(START, STUCK)
    search = WithFallback(first, lambda: None)
    assert drive(search) == 2
    assert search.is_stuck and first.steps == 1 and first.finished == 1


def test_a_stationary_search_is_the_end():
    first = Scripted(START, Round(2.0, 1.0, stationary=True))
    search = WithFallback(first, lambda: None)
    assert drive(search) == 1 and search.stationary and not search.is_cheap
