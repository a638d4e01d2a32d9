"""Threads of the BLAS, which are a setting of the process and so not ours to change freely."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

# Up to this many rows the matrices are so small that threads of the BLAS cost more than
# they bring: a factor of two on two cores, more on many.
_SINGLE_THREADED = 20_000


@contextmanager
def suitable_threads(n_rows: int) -> Iterator[None]:
    """One thread of the BLAS for matrices of few rows, where no other thread would see it.

    The number of threads is one for all of the process. Where other threads run, which may
    want theirs, it stays as it is; whoever has such a program sets `OMP_NUM_THREADS`.
    """
    if n_rows > _SINGLE_THREADED or not _is_alone():
        yield
        return
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """The BLAS of NumPy and of SciPy; to look for them takes milliseconds, and so is done once."""
    # SciPy's is loaded with this module only.
    import scipy.linalg  # noqa: F401

    return ThreadpoolController()


def _is_alone() -> bool:
    """Whether the process has no other thread of Python, but for one that refreshes a display."""
    here = threading.current_thread()
    others = (thread for thread in threading.enumerate() if thread is not here)
    return all(type(thread).__module__ == "rich.live" for thread in others)
