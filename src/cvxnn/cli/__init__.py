"""The command line: ``fit``, ``predict``, ``solve``, ``certify``, ``verify``, ``demo``, ``study``.

A command imports what it computes with when it runs, so that ``cvxnn --help``
does not wait for numba.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated

import typer

from cvxnn import __version__
from cvxnn.cli.certify import certify
from cvxnn.cli.fit_command import fit
from cvxnn.cli.predict import predict
from cvxnn.cli.reporting import ReportingGroup, reported_run
from cvxnn.cli.solve_command import demo, solve
from cvxnn.cli.study_command import study
from cvxnn.cli.verify import verify

__all__ = ["app", "main"]

# A bug shows Python's own traceback, complete and without the values of variables.
app = typer.Typer(
    cls=ReportingGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _flowing(function: Callable[..., None]) -> str:
    """Its help with a line for each paragraph, which is broken where the terminal ends."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


_COMMANDS: tuple[Callable[..., None], ...] = (fit, solve, predict, certify, verify, demo, study)
for _command in _COMMANDS:
    needs_arguments = _command not in (demo, study)
    app.command(help=_flowing(_command), no_args_is_help=needs_arguments)(_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cvxnn {__version__}")
        raise typer.Exit


def describe(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Train two-layer ReLU networks to certified global optimality.

    Exit codes: 0 success; 1 solve stopped before the tolerance was reached (the
    network is saved), or not certified or confirmed; 2 a mistake in the options or the data;
    130 interrupted by Ctrl-C, 143 by SIGTERM (the model is saved).
    """


app.callback(help=_flowing(describe))(describe)


def main() -> None:
    """Run the command line and exit; the entry point of ``cvxnn``."""
    with reported_run():
        app(prog_name="cvxnn")
