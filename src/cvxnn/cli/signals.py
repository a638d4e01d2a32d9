"""SIGTERM, which stops services and jobs, does what Ctrl-C does: what there is is kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cvxnn.interrupts import interrupt

_terminated = threading.Event()


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM interrupt the block like Ctrl-C.

    Does nothing outside the main thread, and where the program handles the signal itself.
    """
    _terminated.clear()
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def was_terminated() -> bool:
    """Whether the last block got the signal."""
    return _terminated.is_set()


def _interrupt(signum: int, frame: FrameType | None) -> None:
    _terminated.set()
    interrupt(signum, frame)
