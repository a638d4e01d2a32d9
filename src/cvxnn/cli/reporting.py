"""What a command tells the user and the shell, whatever happens to it, and to its streams."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import typer
from typer.core import TyperGroup

from cvxnn.errors import InputError, ModelFileError, TooManyPatternsError
from cvxnn.interrupts import interrupt
from cvxnn.summaries import counted as counted

if TYPE_CHECKING:
    from cvxnn.results import Status


# Seconds between two lines of progress.
BETWEEN_LINES = 10.0

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


def open_streams() -> None:
    """Open the standard streams that the shell has closed, as ``>&-`` does.

    Python has None for them. The next file that is opened would have the number of the
    stream, and whoever writes to the stream would write into that file.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None or _is_closed(number):
            setattr(sys, name, _stand_in(number))


def settle_streams() -> None:
    """Write out what is left in the buffers, or drop it where it cannot be written.

    Otherwise Python tries once more at exit, and ends with a code of its own.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Whoever filled the buffer has reported it.
            discard(stream)


def discard(stream: TextIO) -> None:
    """Lead a stream that cannot be written to where everything can be."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def stdout_error(error: OSError) -> OSError:
    """An error of the system, with what could not be written."""
    reason = "Cannot write, it is closed" if error.errno == errno.EBADF else error.strerror
    return OSError(error.errno, reason, "standard output")


def _is_closed(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        return True
    return False


def _stand_in(number: int) -> TextIO:
    """Nothing to read; for stdout something that refuses to be written, as the closed one would."""
    # The system gives it the lowest number that is free: that of the stream, if they come in order.
    opened = os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
    return open(opened, "w" if number else "r", encoding="utf-8", closefd=False)


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
def progress_lines(*, wanted: bool = True) -> Iterator[None]:
    """Say now and then how far a long block is, where stderr is no terminal."""
    from cvxnn.progress import lines_every

    with lines_every(BETWEEN_LINES, wanted=wanted):
        yield


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
