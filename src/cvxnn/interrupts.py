"""Ctrl-C at safe points only, and deadlines.

Python raises KeyboardInterrupt between any two bytecodes, also inside the
machinery that enters a compiled kernel, where it turns into a SystemError or is
lost. Inside :func:`deferred_interrupts` the first Ctrl-C only sets a flag, and
:func:`check_interrupt`, called between kernels, raises it. A second Ctrl-C
raises at once: nobody is kept waiting against their will.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from types import FrameType

from cvxnn.clocks import clock

_pending = threading.Event()
# Whether a block of the main thread defers.
_deferring = threading.Event()


def interrupt(signum: int, frame: FrameType | None) -> None:
    """Handle a signal as Ctrl-C is handled here: as a flag where a block defers, or at once."""
    if _pending.is_set() or not _deferring.is_set():
        signal.default_int_handler(signum, frame)
    _pending.set()


@contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Let Ctrl-C through at :func:`check_interrupt` only; may be nested.

    Does nothing outside the main thread, and leaves SIGINT alone where the program handles
    it by itself. An interrupt that no check has raised is raised at the end, unless
    :func:`forget_interrupt` came before.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or _deferring.is_set():
        yield
        return
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    _pending.clear()
    _deferring.set()
    if ours:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except BaseException:
        # Whoever failed has ended the work; the next run shall not be stopped for it.
        _pending.clear()
        raise
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        _deferring.clear()
    check_interrupt()


def check_interrupt() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed since the last check."""
    if _pending.is_set():
        _pending.clear()
        raise KeyboardInterrupt


def interrupt_pending() -> bool:
    """Whether the next check will raise: for work that hands over what it has first."""
    return _pending.is_set()


def forget_interrupt() -> None:
    """Drop an interrupt that has not been raised: the work it would stop is done."""
    _pending.clear()


def leave_interrupt() -> None:
    """Put back an interrupt that a check has raised, for those who work for the same caller.

    A check in a thread takes it from the caller's, and one of the caller's from its threads.
    """
    if _deferring.is_set():
        _pending.set()


class OutOfTimeError(Exception):
    """A deadline passed between two steps of some work, which is left where it was."""


class Deadline:
    """A point in time, `seconds` of :func:`cvxnn.clocks.clock` from now; never if None.

    In another process it is as far away when it arrives as it was when it was sent.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._begun = clock()
        self._end = float("inf") if seconds is None else self._begun + seconds

    def __reduce__(self) -> tuple[type[Deadline], tuple[float | None]]:
        # Clocks of other processes, and of other machines, have other zeros.
        return Deadline, (self.remaining if self.limited else None,)

    @property
    def length(self) -> float | None:
        """Seconds from when it was set, None where it never comes."""
        return self._end - self._begun if self.limited else None

    @property
    def elapsed(self) -> float:
        """Seconds since it was set."""
        return clock() - self._begun

    @property
    def remaining(self) -> float:
        """Seconds until then, at least 0."""
        return max(self._end - clock(), 0.0)

    def share(self, fraction: float) -> Deadline:
        """The point that leaves this fraction of the remaining time before it."""
        return Deadline(fraction * self.remaining)

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed, OutOfTimeError if this point lies behind.

        For work whose result so far is of no use to anybody; other work looks at
        :attr:`passed`, and hands over what it has.
        """
        check_interrupt()
        if self.passed:
            raise OutOfTimeError

    def chunks(self, count: int, size: int) -> Iterator[slice]:
        """Slices of so many things, `size` at a time but at least one; a check before each."""
        size = max(1, size)
        for start in range(0, count, size):
            self.check()
            yield slice(start, min(start + size, count))

    @property
    def limited(self) -> bool:
        """Whether it ever comes."""
        return isfinite(self._end)

    @property
    def passed(self) -> bool:
        """Whether it lies behind."""
        return clock() >= self._end


class Recall(Deadline):
    """A deadline that also comes when nobody waits any longer.

    Parameters
    ----------
    seconds : float or None
    is_given_up : callable
        Whether that is so; it costs next to nothing.

    Examples
    --------
    >>> Recall(60.0, lambda: False).passed, Recall(60.0, lambda: True).share(0.5).passed
    (False, True)
    """

    def __init__(self, seconds: float | None, is_given_up: Callable[[], bool]) -> None:
        super().__init__(seconds)
        self._is_given_up = is_given_up

    @property
    def remaining(self) -> float:
        """Seconds until then, at least 0."""
        return 0.0 if self._is_given_up() else super().remaining

    def share(self, fraction: float) -> Recall:
        """The point that leaves this fraction of the remaining time before it."""
        return Recall(fraction * self.remaining, self._is_given_up)

    @property
    def passed(self) -> bool:
        """Whether it lies behind, or nobody waits."""
        return super().passed or self._is_given_up()


# For work that nobody waits for.
UNLIMITED = Deadline()
