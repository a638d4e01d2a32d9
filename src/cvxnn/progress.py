"""What a run shows while it lasts: a live view on a terminal, lines elsewhere."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cvxnn.clocks import is_compiling

if TYPE_CHECKING:
    from cvxnn.results import Progress

T = TypeVar("T")

_VISIBLE_ROUNDS = 10


@dataclass(frozen=True)
class Columns(Generic[T]):
    """What is shown of each step of some work.

    Attributes
    ----------
    names : tuple of str
    cells : callable
        Their texts, from a step.
    advice : str
        What Ctrl-C does.
    """

    names: tuple[str, ...]
    cells: Callable[[T], tuple[str, ...]]
    advice: str = "Ctrl-C stops with the best network so far"

    def line(self, step: T) -> str:
        """All of it in one line."""
        return ", ".join(f"{n} {c}" for n, c in zip(self.names, self.cells(step), strict=True))


def _cells(progress: Progress) -> tuple[str, ...]:
    return (
        str(progress.iteration),
        format_number(progress.objective),
        format_number(progress.dual_bound),
        format_gap(progress.gap),
        str(progress.n_blocks),
        str(progress.n_neurons),
        f"{progress.elapsed:.1f}",
    )


ROUNDS: Columns[Progress] = Columns(
    ("round", "objective", "lower bound", "gap", "blocks", "neurons", "seconds"), _cells
)


@contextmanager
def live_progress(
    wanted: bool, columns: Columns[Any] = ROUNDS, *, lines: bool = False
) -> Iterator[Callable[[Any], None] | None]:
    """Show the steps of some work on stderr while the block runs.

    Parameters
    ----------
    wanted : bool
    columns : Columns
        By default those of the rounds of a run.
    lines : bool
        Whether a stderr that is no terminal gets a line for each step; within
        :func:`lines_every` it gets those.

    Yields
    ------
    callback : callable or None
        To be called with every step, such as a :class:`~cvxnn.results.Progress`; None where
        nothing is shown. The view of a terminal disappears at the end.
    """
    if not wanted or sys.stderr is None:
        yield None
        return
    console = Console(stderr=True)
    if not _has_view(console):
        reporter = _reporter.get()
        if reporter is not None:
            yield lambda step: reporter.note(columns.line(step))
            return
        yield (
            (lambda step: print(columns.line(step), file=sys.stderr, flush=True)) if lines else None
        )
        return
    view = _Rounds(columns)
    with Live(view, console=console, refresh_per_second=10, transient=True):
        yield view.add


def _has_view(console: Console) -> bool:
    """Whether stderr is a terminal on which lines can be drawn anew."""
    return sys.stderr.isatty() and not console.is_dumb_terminal


class _Reporter:
    """Lines on stderr, one in so many seconds: how long it has been, and what was noted last."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._start = time.monotonic()
        self._latest = ""
        self._is_over = threading.Event()

    def note(self, line: str) -> None:
        self._latest = line

    def run(self) -> None:
        while not self._is_over.wait(self._seconds):
            try:
                print(self._line(), file=sys.stderr, flush=True)
            except OSError:
                # Full, or gone: no result depends on it.
                return

    def stop(self) -> None:
        self._is_over.set()

    def _line(self) -> str:
        what = "compiling, once after an installation" if is_compiling() else self._latest
        return f"cvxnn: {time.monotonic() - self._start:.0f} s{what and ', '}{what}"


_reporter: ContextVar[_Reporter | None] = ContextVar("_reporter", default=None)


@contextmanager
def lines_every(seconds: float, *, wanted: bool = True) -> Iterator[None]:
    """Let a stderr that is no terminal get a line in so many seconds while the block runs.

    It has the last step of a :func:`live_progress` in the block, which then writes no lines.

    Parameters
    ----------
    seconds : float
    wanted : bool
    """
    if not wanted or sys.stderr is None or _has_view(Console(stderr=True)):
        yield
        return
    reporter = _Reporter(seconds)
    thread = threading.Thread(target=reporter.run, name="cvxnn progress", daemon=True)
    token = _reporter.set(reporter)
    thread.start()
    try:
        yield
    finally:
        _reporter.reset(token)
        reporter.stop()
        thread.join()


class _Rounds:
    """A table of the latest steps above a clock."""

    def __init__(self, columns: Columns[Any] = ROUNDS) -> None:
        self._columns = columns
        self._latest: deque[Any] = deque(maxlen=_VISIBLE_ROUNDS)
        self._start = time.monotonic()
        self._spinner = Spinner("dots", style="cyan")

    def add(self, step: Any) -> None:
        self._latest.append(step)

    def __rich__(self) -> RenderableType:
        elapsed = time.monotonic() - self._start
        self._spinner.update(text=Text(f"{elapsed:.1f} s   {self._columns.advice}", style="dim"))
        return Group(self._table(), self._spinner) if self._latest else self._spinner

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
        for name in self._columns.names:
            table.add_column(name, justify="right")
        for step in tuple(self._latest):
            table.add_row(*self._columns.cells(step))
        return table


def format_number(value: float) -> str:
    """Ten digits, or ``none`` where there is no number."""
    return f"{value:.10g}" if math.isfinite(value) else "none"


def format_gap(value: float) -> str:
    """Two digits, or ``none`` where there is no bound."""
    return f"{value:.1e}" if math.isfinite(value) else "none"
