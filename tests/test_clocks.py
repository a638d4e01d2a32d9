"""A clock that stands still while kernels are compiled."""

import threading
import time

import pytest
from processes import python

from cvxnn import clocks
from cvxnn.clocks import clock, stopped_clock
from cvxnn.interrupts import Deadline


@pytest.fixture
def hand(monkeypatch):
    """The hand of a watch that the test moves; called with seconds to go."""
    seconds = [100.0]
    monkeypatch.setattr(clocks, "perf_counter", lambda: seconds[0])

    def move(by: float) -> None:
        seconds[0] += by

    return move


def test_it_goes_on_and_stands_still(hand):
    start = clock()
    hand(2.0)
    assert clock() - start == 2.0
    with stopped_clock():
        hand(50.0)
        assert clock() - start == 2.0
    assert clock() - start == 2.0
    hand(1.0)
    assert clock() - start == 3.0


def test_nested_stops_count_once(hand):
    start = clock()
    with stopped_clock():
        hand(5.0)
        with stopped_clock():
            hand(7.0)
        hand(11.0)
    assert clock() == start


def test_a_failure_lets_it_go_on(hand):
    start = clock()
    with pytest.raises(ValueError, match="wrong"), stopped_clock():
        raise ValueError("wrong")
    hand(1.0)
    assert clock() - start == 1.0


def test_stops_of_two_threads_that_overlap_count_once(hand):
    start = clock()
    entered, leave = threading.Event(), threading.Event()

    def other():
        with stopped_clock():
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=other)
    with stopped_clock():
        hand(3.0)
        thread.start()
        entered.wait(60)
        hand(4.0)
    # The other one has not finished.
    hand(5.0)
    assert clock() == start
    leave.set()
    thread.join()
    hand(1.0)
    assert clock() - start == 1.0


def test_deadlines_wait(hand):
    deadline = Deadline(2.0)
    with stopped_clock():
        hand(100.0)
    assert not deadline.passed
    assert (deadline.elapsed, deadline.remaining) == (0.0, 2.0)
    hand(3.0)
    assert deadline.passed
    assert (deadline.elapsed, deadline.remaining) == (3.0, 0.0)


def test_many_threads_leave_it_going():
    def stop():
        for _ in range(200):
            with stopped_clock():
                clock()

    threads = [threading.Thread(target=stop) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    start = clock()
    time.sleep(0.01)
    assert clock() > start


FIRST = """
import time
import cvxnn

begun = time.perf_counter()
solution = cvxnn.solve([[1.0], [-2.0], [0.5]], [1.0, 2.0, 0.4], 0.1, time_limit=0.5)
print(solution.status.name, solution.elapsed, time.perf_counter() - begun)
"""


@pytest.mark.long
def test_a_time_limit_is_not_for_compiling(tmp_path):
    """In a process without compiled kernels: they take seconds, a hundred times the solution."""
    output, errors = python("-c", FIRST, NUMBA_CACHE_DIR=str(tmp_path))
    status, elapsed, seconds = output.split()
    assert status == "OPTIMAL"
    assert float(elapsed) < float(seconds) / 2.0
    assert not errors
