"""Parts of a check on all cores: numpy lets other threads work while it computes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

Part = TypeVar("Part")
Found = TypeVar("Found")


def on_all_cores(work: Callable[[Part], Found], parts: Sequence[Part]) -> list[Found]:
    """What becomes of each part, in their order; an exception of one is raised.

    Examples
    --------
    >>> on_all_cores(abs, [-1, 2])
    [1, 2]
    """
    threads = min(len(parts), _cores())
    if threads <= 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        # What numpy does about overflows is a matter of the context.
        jobs = [pool.submit(copy_context().run, work, part) for part in parts]
        return [job.result() for job in jobs]


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
