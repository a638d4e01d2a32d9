"""Standard streams that are closed, full or gone."""

from __future__ import annotations

import errno
import os
import sys
from typing import TextIO


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
