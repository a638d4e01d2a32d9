"""``cvxnn study``: the experiments of the paper and pages beside them, with a report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvxnn.cli.options import argument, option
from cvxnn.cli.reporting import ExitCode, say
from cvxnn.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from cvxnn.study import ExperimentResult, PageResult, StudyResult

# Columns of the summary, by their names in the tables of the study.
_SHOWN = ("data", "method", "neurons", "objective", "lower bound", "gap", "time (s)")


class Section(StrEnum):
    """A section of the report: one of the paper's experiments, or a page beside them."""

    FIVE_POINTS = "4.1"
    LINE = "4.2"
    RING = "4.3"
    IMAGES = "4.4"
    DEEP = "deep"
    QUANTISED = "quantised"
    POLYNOMIAL = "polynomial"
    INCREMENTAL = "incremental"


_Sections = Annotated[
    # Not of sections: their names would be the name of the type, too.
    list[str] | None,
    argument(f"Which parts: {', '.join(Section)}; all if none.", "SECTION"),
]
_Out = Annotated[
    Path,
    option("Folder for the report, its tables and figures; files there are replaced.", None, "DIR"),
]
_Quick = Annotated[
    bool,
    option("Few steps and trials, no download: see whether all works.", None, None, "--quick"),
]
_Cifar = Annotated[
    Path | None,
    option("Images of 4.4; CIFAR-10 is downloaded (170 MB, once) if not given.", None, "FILE.npz"),
]
_Seed = Annotated[int, option("Seed of data, patterns and initial weights.", None, "N", min=0)]


def study(
    sections: _Sections = None,
    out: _Out = Path("cvxnn-study"),
    quick: _Quick = False,
    cifar: _Cifar = None,
    seed: _Seed = 0,
) -> None:
    """Run the experiments of the paper and more, and write a report with figures and tables.

    4.1 five points, 4.2 more points of the line, 4.3 the ring in the plane, 4.4
    images of CIFAR-10; convex training with its lower bounds against gradient
    methods. Beside them: deep, three layers against two; quantised, weights of -1
    and 1; polynomial, activations of degree two; incremental, networks grown neuron
    by neuron. About ten minutes on two cores, --quick under one. Needs the packages
    of the extra "study".

    Exit codes: 0 success; 1 no experiment could be run; 2 a mistake in the
    options or the data, or files that cannot be written; 130 interrupted, 143 by
    SIGTERM, nothing is written.
    """
    chosen = sections or [section.value for section in Section]
    for name in chosen:
        if name not in list(Section):
            raise InputError(f"{name!r} is none of the parts: {', '.join(Section)}.")
    with _progress_bar() as progress:
        # Here and not above: it takes seconds, which the bar shows passing.
        from cvxnn.study import run_study

        result = run_study(
            chosen,
            out=out,
            quick=quick,
            cifar=cifar,
            random_state=seed,
            progress=progress,
        )
    for name, reason in result.skipped.items():
        say(f"{name} was skipped. {reason}", "warning")
    _show(result)
    if not result.experiments and not result.pages:
        raise typer.Exit(int(ExitCode.STOPPED_EARLY))


@contextmanager
def _progress_bar() -> Iterator[Callable[[float, str], None] | None]:
    """A bar on stderr while the block runs, if stderr is a terminal; it disappears at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not sys.stderr.isatty() or console.is_dumb_terminal:
        yield None
        return
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def update(fraction: float, what: str) -> None:
            bar.update(task, completed=fraction, description=what)

        yield update


def _show(result: StudyResult) -> None:
    """A summary of the tables on stdout, and where the report is."""
    from rich.text import Text

    from cvxnn.cli.outputs import draw_page

    parts: list[RenderableType] = []
    for experiment in result.experiments:
        title = Text(f"{experiment.name}  {experiment.title}", style="bold")
        parts += [title, _summary(experiment)]
    for page in result.pages:
        parts += [Text(page.title, style="bold"), *_tables(page)]
    draw_page([*parts, Text.assemble(("report ", "cyan"), str(result.report))])


def _summary(experiment: ExperimentResult) -> Table:
    from cvxnn.study.report import record

    return _draw(_SHOWN, [record(row) for row in experiment.rows])


def _tables(page: PageResult) -> Iterator[Table]:
    for table in page.tables:
        yield _draw(table.summary, table.records)


def _draw(columns: Sequence[str], records: Sequence[Mapping[str, Any]]) -> Table:
    from rich import box
    from rich.table import Table

    from cvxnn.study.report import show

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name in columns:
        is_text = any(isinstance(values[name], str) for values in records)
        table.add_column(name, justify="left" if is_text else "right")
    for values in records:
        table.add_row(*(show(name, values[name]) for name in columns))
    return table
