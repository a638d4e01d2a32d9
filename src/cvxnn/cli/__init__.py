"""The command line: ``fit``, ``predict``, ``solve``, ``certify``, ``verify``, ``demo``, ``study``.

A command imports what it computes with when it runs, so that ``cvxnn --help``
does not wait for numba.
"""

from __future__ import annotations

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
app.command(no_args_is_help=True)(fit)
app.command(no_args_is_help=True)(solve)
app.command(no_args_is_help=True)(predict)
app.command(no_args_is_help=True)(certify)
app.command(no_args_is_help=True)(verify)
app.command()(demo)
app.command()(study)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cvxnn {__version__}")
        raise typer.Exit


@app.callback()
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


def main() -> None:
    """Run the command line and exit; the entry point of ``cvxnn``."""
    with reported_run():
        app(prog_name="cvxnn")
