"""Whether more time would bring a bound closer."""

import numpy as np
import pytest

from cvxnn.training.outlook import Outlook


def outlook(bounds, *, at_rest=False):
    made = Outlook(10.0, at_rest)
    for seconds, bound in bounds:
        made.add(seconds, bound)
    return made


def test_a_gap_that_falls_by_a_power_of_time_goes_on_like_that():
    falling = outlook([(t, 10.0 - 8.0 / t) for t in (1.0, 2.0, 4.0, 8.0)])
    assert falling.helps and falling.times_for_half == pytest.approx(2.0)
    slow = outlook([(t, 10.0 - 8.0 / np.sqrt(t)) for t in (1.0, 2.0, 4.0, 8.0)])
    assert slow.times_for_half == pytest.approx(4.0)
    assert slow.sentence() == (
        "it would halve in about 32 s of proof, with a larger proof_time (it had 8 s)."
    )
    assert "larger time_limit" in slow.sentence(limited=True)


@pytest.mark.parametrize(
    "made",
    [
        outlook([(1.0, 5.0), (2.0, 5.0), (4.0, 5.0)]),
        outlook([(1.0, 5.0), (2.0, 8.0), (4.0, 9.0)], at_rest=True),
        # Closed, and a bound that has become worse.
        outlook([(1.0, 5.0), (2.0, 10.0)]),
        outlook([(1.0, 5.0), (2.0, 4.0)]),
        # Nothing yet in the first half.
        outlook([(7.0, -np.inf), (8.0, -np.inf)]),
    ],
)
def test_what_is_at_rest_promises_nothing(made):
    assert not made.helps and made.times_for_half == np.inf
    assert made.sentence(what="The gap") == "The gap would hardly narrow with more time."


@pytest.mark.parametrize("bounds", [[], [(1.0, 5.0)]])
def test_one_bound_says_nothing_of_the_next(bounds):
    assert not outlook(bounds).helps
    assert outlook(bounds).sentence() == "it may narrow with a larger proof_time."
