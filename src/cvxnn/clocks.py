"""A clock that stands still while kernels are compiled: time limits are for computing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import NamedTuple


class _State(NamedTuple):
    """How many threads compile, since when one does, and seconds lost to earlier ones.

    And whether one of them compiles what no cache had.
    """

    threads: int
    since: float
    lost: float
    is_new: bool = False


_state = _State(0, 0.0, 0.0)
_changing = threading.Lock()


def clock() -> float:
    """Seconds since some moment, without those in which any thread was compiling.

    It is one clock for all threads: where one compiles, others wait for it, for the result
    or for the lock of the interpreter.
    """
    while True:
        state, now = _state, perf_counter()
        # Another thread may have got in between the two.
        if state is _state:
            return (state.since if state.threads else now) - state.lost


@contextmanager
def stopped_clock() -> Iterator[None]:
    """Let :func:`clock` stand still; may be nested, and entered by several threads at once."""
    _count(1)
    try:
        yield
    finally:
        _count(-1)


def note_compilation() -> None:
    """What stops the clock is a compilation, and no look into a cache."""
    global _state
    with _changing:
        _state = _state._replace(is_new=_state.threads > 0)


def is_compiling() -> bool:
    """Whether a thread is compiling what no cache had."""
    return _state.is_new


def _count(change: int) -> None:
    global _state
    with _changing:
        threads, since, lost, is_new = _state
        now = perf_counter()
        if threads == 0:
            since = now
        if threads + change == 0:
            lost += now - since
        _state = _State(threads + change, since, lost, is_new and threads + change > 0)
