"""The rounds of a search inside another one."""

import numpy as np
import pytest
from solvers.scripted import Round, Scripted

from cvxnn.interrupts import Deadline
from cvxnn.solvers.search import Pursuit

START, END = Round(2.0, 1.0), Round(2.0, 2.0)


def rounds_of(search: Scripted) -> int:
    pursuit, rounds = Pursuit(search), 0
    while pursuit.advance(1e-6):
        rounds += 1
    return rounds


def test_rounds_up_to_the_gap_and_three_sharp_ones():
    search = Scripted(START, START, END, sharp=(True,) * 9)
    assert rounds_of(search) == 5
    assert (search.steps, search.sharpened) == (2, 3)


def test_sharp_rounds_end_where_they_gain_nothing():
    search = Scripted(START, END, sharp=(True, False, True))
    assert rounds_of(search) == 2 and search.sharpened == 2


@pytest.mark.parametrize("last", [Round(2.0, 1.0, stalled=3.0), Round(2.0, 1.0, stationary=True)])
def test_a_search_that_is_stuck_or_stationary_is_left(last):
    search = Scripted(START, last, sharp=(True,))
    assert rounds_of(search) == 1 and search.sharpened == 0


def test_the_deadline_ends_it():
    assert rounds_of(Scripted(START, deadline=Deadline(0.0))) == 0
    reached = Scripted(END, deadline=Deadline(0.0), sharp=(True,))
    assert rounds_of(reached) == 0 and reached.sharpened == 0


def test_a_sharp_round_that_runs_out_of_time_leaves_what_is_there():
    assert rounds_of(Scripted(END, out_of_time=True)) == 0


def test_a_search_that_is_at_its_end_has_no_round():
    search = Scripted(END)
    assert rounds_of(search) == 0 and search.steps == 0
    assert search.gap == 0.0 and np.isfinite(search.objective)
