"""A clock that stands still while kernels are compiled: time limits are for computing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import NamedTuple


class _State(NamedTuple):
    """How many threads compile, since when one does, and seconds lost to earlier ones."""

    threads: int
    since: float
    lost: float


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


def _count(change: int) -> None:
    global _state
    with _changing:
        threads, since, lost = _state
        now = perf_counter()
        if threads == 0:
            since = now
        if threads + change == 0:
            lost += now - since
        _state = _State(threads + change, since, lost)
