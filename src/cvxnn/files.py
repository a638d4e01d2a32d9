"""Writing files so that a reader never sees a half-written one, and what damaged ones raise."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import struct
import time
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # pragma: no cover
    # There are no such locks on Windows.
    fcntl = None  # type: ignore[assignment]

# What zipfile, numpy, json and a wrong type in a header raise on bytes that are not what they
# should be. KeyError is a LookupError; NotImplementedError and RecursionError are RuntimeErrors;
# numpy tokenizes the header of an array, and warns, which may be an error, of an odd one.
DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    UserWarning,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)

# Seconds between two looks at a lock that another process has.
_LOOK = 0.02

# Names of temporary files, and the seconds after which nobody is writing to one any more.
_TEMPORARY = re.compile(r"\.cvxnn-[0-9a-f]{16}\.tmp")
_STALE = 86400.0


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing that appears at `path` complete, or not at all.

    The bytes go to a temporary file in the same folder, which takes the place
    of `path` only after they have reached the disk. Whatever interrupts the
    block (an exception, Ctrl-C, a full disk) removes the temporary file and
    leaves `path` as it was. A symbolic link is followed. Temporary files that killed
    processes of the same user left in the folder more than a day ago are removed.

    Parameters
    ----------
    path : str or path-like
        Where the file shall be; its folder must exist.

    Yields
    ------
    file : binary file object
        Open for writing. The new file has the permissions of any new file.

    Raises
    ------
    OSError
        If the folder is missing or not writable, the disk is full, or `path`
        is no regular file. The `errno` is that of the cause, and `filename`
        is `path`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "notes.txt")
    ...     with atomic_write(path) as file:
    ...         _ = file.write(b"done")
    ...     path.read_bytes()
    b'done'
    """
    target = Path(os.path.realpath(path))
    check_target(target, path)
    # A name of its own length: target.name plus a suffix could exceed the file system's limit.
    temporary = target.parent / f".cvxnn-{secrets.token_hex(8)}.tmp"
    try:
        # Mode "x" rather than tempfile: it applies the umask, where tempfile insists on 0600.
        with open(temporary, "xb") as file:
            _remove_stale(target.parent, os.fstat(file.fileno()))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and _is_about(error, temporary):
            raise OSError(error.errno, _sentence(error, target), os.fspath(path)) from error
        raise


def _remove_stale(folder: Path, ours: os.stat_result) -> None:
    """Remove our temporary files that are a day older than the one with this status."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name) is None:
                continue
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                # By the clock of the file system, which need not be that of this machine.
                old = status.st_mtime < ours.st_mtime - _STALE
                if old and stat.S_ISREG(status.st_mode) and status.st_uid == ours.st_uid:
                    os.unlink(entry.path)


def check_target(target: Path, path: str | os.PathLike[str]) -> None:
    """Refuse a folder or a device: replacing one would not be writing to it."""
    if target.is_dir():
        raise OSError(errno.EISDIR, "Cannot write the file, it is a folder", os.fspath(path))
    if target.exists() and not target.is_file():
        message = "Cannot write the file, it is not a regular file"
        raise OSError(errno.EINVAL, message, os.fspath(path))


def _is_about(error: OSError, temporary: Path) -> bool:
    """Whether the error is ours: about the temporary file, or an unnamed open file (full disk)."""
    if error.errno is None:
        return False
    return error.filename is None or os.fspath(error.filename) == os.fspath(temporary)


def _sentence(error: OSError, target: Path) -> str:
    if not target.parent.is_dir():
        return "Cannot write the file, its folder does not exist"
    return f"Cannot write the file ({error.strerror})"


@contextmanager
def locked(path: str | os.PathLike[str], patience: float) -> Iterator[None]:
    """Keep other processes out that lock the same file, for as long as the block takes.

    It is for work that is not to be done twice, not for what must not be: where a lock cannot be
    had (no such locks on the system, a folder that cannot be written, another process that keeps
    it for more than `patience` seconds), the block runs without. A process that ends, in whatever
    way, leaves no lock behind. The file stays.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "work.lock")
    ...     with locked(path, patience=1.0):
    ...         path.exists()
    True
    """
    with ExitStack() as stack:
        if fcntl is not None:
            with suppress(OSError):
                # Closing the file unlocks it.
                file = stack.enter_context(open(path, "ab"))
                _wait_for(file, time.monotonic() + patience)
        yield


def _wait_for(file: BinaryIO, end: float) -> None:
    """Lock a file, unless others have it until then."""
    while time.monotonic() < end:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOOK)
