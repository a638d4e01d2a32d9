"""The one place that turns an error into a sentence and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.core import TyperGroup

from cvxnn.cli.signals import termination_as_interrupt, was_terminated
from cvxnn.cli.streams import discard, open_streams, settle_streams, stdout_error
from cvxnn.errors import InputError, ModelFileError, TooManyPatternsError

if TYPE_CHECKING:
    from cvxnn.results import Status


class ExitCode(IntEnum):
    """What a command tells the shell."""

    SUCCESS = 0
    STOPPED_EARLY = 1
    USER_ERROR = 2
    INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
    TERMINATED = 143  # 128 + SIGTERM


def end_code(success: bool, *, interrupted: bool) -> ExitCode:
    """The exit code for the way a computation ended."""
    if success:
        return ExitCode.SUCCESS
    return interruption() if interrupted else ExitCode.STOPPED_EARLY


def exit_code(status: Status) -> ExitCode:
    """The exit code for the way a run ended."""
    return end_code(status.is_success, interrupted=status.name == "INTERRUPTED")


def interruption() -> ExitCode:
    """The exit code of a command that was interrupted: by Ctrl-C, or by SIGTERM."""
    return ExitCode.TERMINATED if was_terminated() else ExitCode.INTERRUPTED


class ReportingGroup(TyperGroup):
    """The commands, each run inside :func:`reported_errors`; SIGTERM interrupts them."""

    def invoke(self, ctx: Any) -> Any:
        with termination_as_interrupt(), reported_errors():
            return super().invoke(ctx)


@contextmanager
def reported_errors() -> Iterator[None]:
    """Report what the user or the system did wrong in a sentence; a bug passes through.

    An `OSError` without an `errno` comes from no system call: it is a bug too.
    """
    try:
        yield
    except TooManyPatternsError as error:
        hint = "On the command line that is --method sampled."
        _fail(f"{error} {hint}", ExitCode.USER_ERROR, error)
    except (InputError, ModelFileError) as error:
        _fail(str(error), ExitCode.USER_ERROR, error)
    except OSError as error:
        if error.errno is None:
            raise
        _fail(_system_sentence(error), ExitCode.USER_ERROR, error)
    except KeyboardInterrupt as error:
        _fail("Interrupted; nothing was written.", interruption(), error)


@contextmanager
def reported_run() -> Iterator[None]:
    """Run the command line, with standard streams whatever the shell did to them.

    A command reports its own errors; here are those of printing help or the version.
    """
    open_streams()
    try:
        with reported_errors():
            try:
                yield
            except OSError as error:
                if error.errno is None:
                    raise
                discard(sys.stdout)
                raise stdout_error(error) from error
    except typer.Exit as ending:
        sys.exit(ending.exit_code)
    finally:
        settle_streams()


def say(sentence: str, kind: str = "note") -> None:
    """Print a sentence on stderr; `kind` is its first word: note, warning or error.

    Where stderr is full or gone the sentence is lost, and nothing else: no result depends
    on it, and the exit code says what it would have.
    """
    colour = {"note": typer.colors.CYAN, "warning": typer.colors.YELLOW, "error": typer.colors.RED}
    prefix = f"{kind}:"
    if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        prefix = typer.style(prefix, fg=colour[kind], bold=True)
    try:
        typer.echo(f"{prefix} {sentence}", err=True)
    except OSError:
        discard(sys.stderr)


def _fail(sentence: str, code: ExitCode, error: BaseException) -> NoReturn:
    say(sentence, "error")
    raise typer.Exit(int(code)) from error


def _system_sentence(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{reason}: {os.fspath(error.filename)!r}." if error.filename else f"{reason}."
