"""The live view of a run on a terminal."""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from cvxnn.results import Progress

_VISIBLE_ROUNDS = 10


@contextmanager
def live_progress(wanted: bool) -> Iterator[Callable[[Progress], None] | None]:
    """Show the rounds of a run on stderr while the block runs, if stderr is a terminal.

    Yields
    ------
    callback : callable or None
        To be called with every :class:`~cvxnn.results.Progress`; None where
        nothing is shown. The view disappears at the end.
    """
    console = Console(stderr=True)
    if not wanted or not sys.stderr.isatty() or console.is_dumb_terminal:
        yield None
        return
    view = _Rounds()
    with Live(view, console=console, refresh_per_second=10, transient=True):
        yield view.add


class _Rounds:
    """A table of the latest rounds above a clock."""

    def __init__(self) -> None:
        self._latest: deque[Progress] = deque(maxlen=_VISIBLE_ROUNDS)
        self._start = time.monotonic()
        self._spinner = Spinner("dots", style="cyan")

    def add(self, progress: Progress) -> None:
        self._latest.append(progress)

    def __rich__(self) -> RenderableType:
        elapsed = time.monotonic() - self._start
        self._spinner.update(
            text=Text(f"{elapsed:.1f} s   Ctrl-C stops with the best network so far", style="dim")
        )
        return Group(self._table(), self._spinner) if self._latest else self._spinner

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
        for name in ("round", "objective", "lower bound", "gap", "blocks", "neurons", "seconds"):
            table.add_column(name, justify="right")
        for progress in tuple(self._latest):
            table.add_row(
                str(progress.iteration),
                format_number(progress.objective),
                format_number(progress.dual_bound),
                format_gap(progress.gap),
                str(progress.n_blocks),
                str(progress.n_neurons),
                f"{progress.elapsed:.1f}",
            )
        return table


def format_number(value: float) -> str:
    """Ten digits, or ``none`` where there is no number."""
    return f"{value:.10g}" if math.isfinite(value) else "none"


def format_gap(value: float) -> str:
    """Two digits, or ``none`` where there is no bound."""
    return f"{value:.1e}" if math.isfinite(value) else "none"
