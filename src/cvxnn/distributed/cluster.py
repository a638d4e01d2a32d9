"""Tasks on the workers of dask, and how their results are waited for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, final

from cvxnn.solvers.segments.rows import Check, never

# The result of a task, which stays where it is: distributed has no static types.
Future: TypeAlias = Any
# Seconds between two looks at deadlines and Ctrl-C.
_PATIENCE = 0.2
# Bytes of arguments that are sent with every task; more of them are sent once, and from worker
# to worker.
_FEW_BYTES = 1 << 22


@final
class Cluster:
    """The workers of a client.

    Results stay where they are computed until they are asked for. What a worker that has died
    held is computed anew, by the scheduler, from what is known of how it came about.

    Parameters
    ----------
    client : distributed.Client
    owned : bool
        Whether it ends with the run.
    """

    def __init__(self, client: Any, *, owned: bool = False) -> None:
        self._client, self.owned = client, owned

    @property
    def n_threads(self) -> int:
        """Of all workers together, at least 1."""
        return max(1, sum(self._client.nthreads().values()))

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future:
        """A task; arguments may be results of others."""
        return self._client.submit(function, *arguments, pure=False)

    def each(
        self, function: Callable[..., Any], parts: Sequence[Sequence[Any]], *common: Any
    ) -> list[Future]:
        """A task for each part, with what is common to all."""
        if sum(map(_size, common)) * len(parts) > _FEW_BYTES:
            common = (self.submit(_given, *common),)
            return [self.submit(_with_given, function, *part, *common) for part in parts]
        return [self.submit(function, *part, *common) for part in parts]

    def computed(self, delayed: Sequence[Any]) -> list[Future]:
        """The results of what is delayed."""
        return list(self._client.compute(list(delayed), optimize_graph=False))

    def results(self, futures: Sequence[Future], check: Check = never) -> list[Any]:
        """What tasks have found, in this memory; if `check` raises, they are given up."""
        from distributed import wait

        try:
            while True:
                check()
                try:
                    wait(list(futures), timeout=_PATIENCE)
                except TimeoutError:
                    continue
                return list(self._client.gather(list(futures)))
        except BaseException:
            self._client.cancel(list(futures))
            raise

    def first_of(self, futures: Sequence[Future], check: Check) -> list[Future]:
        """Those that are done, as soon as there is one."""
        from distributed import wait

        while True:
            check()
            try:
                return list(
                    wait(list(futures), timeout=_PATIENCE, return_when="FIRST_COMPLETED")[0]
                )
            except TimeoutError:
                continue

    def give_up(self, futures: Sequence[Future]) -> None:
        """Do not wait for them."""
        self._client.cancel(list(futures))


@contextmanager
def cluster() -> Iterator[Cluster]:
    """That of the client at hand; without one, threads of this process for as long as it takes."""
    from distributed import Client, default_client

    # What is given up on the way to the end is nobody's concern.
    quiet = logging.ERROR

    try:
        client = default_client()
    except ValueError:
        with Client(processes=False, dashboard_address=":0", silence_logs=quiet) as client:
            yield Cluster(client, owned=True)
        return
    yield Cluster(client)


def given_up() -> Callable[[], bool]:
    """Looks whether nobody waits any more for the task that this thread works on."""
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:
        # No task at all.
        return lambda: False
    key = worker.get_current_task()

    def look() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled"

    return look


def _size(value: Any) -> int:
    return int(getattr(value, "nbytes", 64))


def _given(*arguments: Any) -> tuple[Any, ...]:
    return arguments


def _with_given(function: Callable[..., Any], *arguments: Any) -> Any:
    *own, common = arguments
    return function(*own, *common)
