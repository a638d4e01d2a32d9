"""How long proofs may take, by a clock that is set by hand."""

import pytest

from cvxnn import Global
from cvxnn.solvers import proof_time
from cvxnn.solvers.proof_time import ProofTime


@pytest.fixture
def hands(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(proof_time, "clock", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("searched", "seconds", "exact", "relaxed"),
    [
        # As long as the search, 2 at least; without seconds given an oracle has a quarter.
        (40.0, "auto", 10.0, 30.0),
        (0.5, "auto", 0.5, 1.5),
        (0.5, 100.0, 25.0, 100.0),
        (40.0, 0.0, 10.0, 0.0),
    ],
)
def test_proofs_take_as_long_as_the_search_or_as_somebody_says(
    hands, searched, seconds, exact, relaxed
):
    time = ProofTime(Global(proof_time=seconds))
    hands[0] = searched
    assert time.exact(ends=False) == exact
    with time.taking():
        hands[0] += exact
    assert time.exact(ends=False) == 0.0 and time.searched == searched
    assert time.relaxed() == relaxed


def test_an_oracle_that_usually_ends_has_more_and_leaves_a_share(hands):
    time = ProofTime(Global())
    hands[0] = 4.0
    with time.taking():
        hands[0] += 50.0
    assert time.exact(ends=True) == 10.0 and time.exact(ends=False) < 0.0
    assert time.relaxed() == 2.0


def test_rounds_with_an_oracle_do_not_add_up(hands):
    time = ProofTime(Global())
    for _ in range(20):
        hands[0] += 1.0
        with time.taking():
            hands[0] += max(time.exact(ends=False), 0.0)
    assert time.taken == 5.0 and time.relaxed() == 15.0


@pytest.mark.parametrize(
    ("seconds", "limit", "kept"),
    [("auto", 60.0, 30.0), ("auto", 3.0, 2.0), ("auto", 1.5, 1.0), (5.0, 60.0, 5.0),
     (100.0, 60.0, 40.0), (0.0, 60.0, 0.0)],
)  # fmt: skip
def test_a_limited_time_is_shared(seconds, limit, kept):
    assert ProofTime.kept(Global(proof_time=seconds), limit) == pytest.approx(kept)


def test_who_wants_no_proof_keeps_no_time():
    assert ProofTime.kept(Global(certify=False), 60.0) == 0.0
