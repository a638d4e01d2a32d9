"""How a solution looks: a table for people, a record for programs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cvxnn.cli.outputs import counted, write_json, write_stdout
from cvxnn.cli.reporting import say
from cvxnn.progress import format_gap, format_number
from cvxnn.results import NetworkCertificate, Solution

# Attributes of a solution that its summary has.
_FIGURES = (
    "message", "objective", "dual_bound", "gap", "program_gap", "n_neurons", "n_patterns",
    "n_iter", "elapsed", "method", "beta", "tol",
)  # fmt: skip


def show_solution(
    solution: Solution[Any],
    title: str,
    *,
    model: Path | None = None,
    as_json: bool,
    quiet: bool = False,
) -> None:
    """Print the solution on stdout; where no table says so, a missed goal goes to stderr."""
    if as_json:
        write_json(summary(solution) | {"model": None if model is None else str(model)})
    elif not quiet:
        _write_table(solution, title, model)
    if (as_json or quiet) and not solution.status.is_success:
        say(solution.message, "warning")


def summary(solution: Solution[Any]) -> dict[str, Any]:
    """The figures of a solution by name."""
    return {"status": solution.status.name} | {name: getattr(solution, name) for name in _FIGURES}


def _write_table(solution: Solution[Any], title: str, model: Path | None) -> None:
    colour = "green" if solution.status.is_success else "yellow"
    sentence = Text.assemble((solution.status.name, f"bold {colour}"), "  ", solution.message)
    parts: list[RenderableType] = [figures(_rows(solution))]
    if model is not None:
        parts.append(Text.assemble("  ", (f"{'model':13}", "cyan"), str(model)))
    draw_page([Text(title, style="bold"), "", *parts, "", Padding(sentence, (0, 2))])


def draw_page(parts: Iterable[RenderableType]) -> None:
    """Print one thing below the other; a bare `Text` stays one line, however long."""
    # Drawn into a string first: rich would end the process with an error on a closed pipe.
    terminal, page = Console(), StringIO()
    console = Console(
        file=page, force_terminal=terminal.is_terminal, width=terminal.width, highlight=False
    )
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, Text))
    write_stdout(page.getvalue())


def figures(rows: Iterable[tuple[str, str, str]]) -> Padding:
    """A table of names, values and what they mean."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(style="dim")
    for row in rows:
        table.add_row(*row)
    return Padding(table, (0, 2))


def certificate_rows(
    solution: Solution[Any] | NetworkCertificate, loss: str = "squared"
) -> list[tuple[str, str, str]]:
    """The rows of a table that say how good a network is, and what is proven about it."""
    fit = "1/2 ||f(X) - y||^2" if loss == "squared" else f"{loss} loss"
    objective = f"{fit} + beta/2 ||weights||^2"
    bound, gap = "no two-layer ReLU network is below it", "(objective - lower bound) / objective"
    if not math.isfinite(solution.dual_bound):
        bound, gap = "", "of the whole problem"
    return [
        ("objective", format_number(solution.objective), objective),
        ("lower bound", format_number(solution.dual_bound), bound),
        ("gap", format_gap(solution.gap), gap),
    ]


def _rows(solution: Solution[Any]) -> list[tuple[str, str, str]]:
    rows = certificate_rows(solution)
    if solution.method == "sampled":
        rows.append(("program gap", format_gap(solution.program_gap), "for these patterns only"))
    rows.append(("neurons", str(solution.n_neurons), "of the network found"))
    if solution.method != "global":
        rows.append(("patterns", str(solution.n_patterns), "activation patterns in the program"))
    return [*rows, ("time", f"{solution.elapsed:.2f} s", counted(solution.n_iter, "round"))]
