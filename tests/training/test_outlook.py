"""Whether more time would bring a bound closer."""

import numpy as np
import pytest

from cvxnn.training.outlook import Outlook


def outlook(bounds, *, at_rest=False, last=True, **more):
    made = Outlook(10.0, at_rest=at_rest, **more)
    made.begin(is_last=last)
    for seconds, bound in bounds:
        made.add(seconds, bound)
    return made


TIMES = np.arange(1.0, 13.0)


def falling(power, floor=0.0):
    return [(t, 10.0 - floor - 8.0 * t**-power) for t in TIMES]


def test_a_gap_that_falls_by_a_power_of_time_goes_on_like_that():
    fast = outlook(falling(1.0))
    assert fast.helps and fast.times_for_half == pytest.approx(2.0)
    slow = outlook(falling(0.5))
    assert slow.times_for_half == pytest.approx(4.0)
    assert slow.sentence() == (
        "it would halve in about 48 s of proof, with a larger proof_time (it had 12 s)."
    )
    limited = outlook(falling(0.5), parameter="time_limit")
    assert "with a larger time_limit (" in limited.sentence()


def test_a_halving_far_away_is_not_foretold():
    # It would take a thousand times as long.
    made = outlook(falling(0.1))
    assert made.times_for_half == pytest.approx(2.0**10) and not made.helps
    assert made.sentence() == "it would narrow slowly with a larger proof_time (it had 12 s)."
    # A gap that comes to rest counts for what it does at last.
    assert outlook(falling(1.0, floor=3.0)).times_for_half > 20.0


@pytest.mark.parametrize(
    "made",
    [
        outlook([(t, 5.0) for t in TIMES]),
        outlook([(1.0, 5.0), (2.0, 8.0), (4.0, 9.0)], at_rest=True),
        # A bound that has become worse.
        outlook([(t, 5.0 - 0.1 * t) for t in TIMES]),
        # Nothing yet.
        outlook([(t, -np.inf) for t in TIMES]),
    ],
)
def test_what_is_at_rest_promises_nothing(made):
    assert not made.helps and made.times_for_half == np.inf
    assert made.sentence(what="The gap") == "The gap would hardly narrow with more time."


@pytest.mark.parametrize(
    "made",
    [
        # One bound, or a few.
        outlook([]),
        outlook([(1.0, 5.0)]),
        outlook([(1.0, 5.0), (2.0, 5.0), (4.0, 5.0)]),
        # Larger blocks are still to come, which bring it closer once more.
        outlook([(t, 5.0) for t in TIMES], last=False),
        outlook(falling(0.3), last=False),
    ],
)
def test_what_is_not_known_may_help(made):
    assert made.helps and made.sentence() == "it may narrow with a larger proof_time."


def test_a_relaxation_that_has_just_begun_is_not_judged_by_the_one_before():
    made = outlook(falling(1.0), last=False)
    assert "would halve in about 24 s" in made.sentence()
    made.begin(is_last=True)
    assert made.sentence() == "it may narrow with a larger proof_time."
    for t in np.linspace(12.5, 20.0, 16):
        made.add(t, 9.0)
    assert made.sentence() == "it may narrow with a larger proof_time."
    for t in np.linspace(20.5, 40.0, 40):
        made.add(t, 9.0)
    assert "hardly" in made.sentence()


def test_an_exact_search_that_was_cut_short_may_end():
    made = outlook([(t, 5.0) for t in TIMES], at_rest=True, cut_short=1.234)
    assert made.helps and made.sentence("the gap") == (
        "the gap may close with a larger proof_time: an exact search was cut short after 1.2 s, "
        "and may end in more."
    )


def test_a_first_bound_that_had_no_time_is_foretold():
    made = outlook([], least=112.3)
    assert made.helps and made.sentence("the gap") == (
        "the gap may narrow with a larger proof_time: the first bound of a relaxation takes about "
        "110 s."
    )
