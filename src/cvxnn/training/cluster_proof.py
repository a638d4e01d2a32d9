"""Bounds of rows on a cluster: a sum over segments, each of which a task proves by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, pairwise
from typing import Any, TypeAlias, TypeVar, final

import numpy as np

from cvxnn.distributed.blocks import RawBlock
from cvxnn.distributed.cluster import Cluster, Future, cluster
from cvxnn.distributed.collections import Pieces
from cvxnn.distributed.rows import ClusterRows
from cvxnn.errors import InputError
from cvxnn.interrupts import Deadline
from cvxnn.losses import LOSSES, Loss, as_loss
from cvxnn.solvers.segments.rows import Check, never
from cvxnn.solvers.segments.segment import LENGTH
from cvxnn.training.part_proof import Parts, Proven, first_proven, proven
from cvxnn.verification.report import Verification
from cvxnn.verification.rounding import sum_down

# Parts whose multipliers are kept for a check: each takes some 15 MB.
_MOST_KEPT = 16
# Parts between two reports of the bound.
_REPORTS = 10
# Segments that one task bounds by the residual of the network.
_AT_ONCE = 16
_T = TypeVar("_T")
# The places of segments, and the function and arguments that bound these.
_Task: TypeAlias = tuple[list[int], tuple[Any, ...]]


def least_loss(loss: Loss) -> float:
    """What no loss of rows is below."""
    return 0.0 if type(loss) in LOSSES.values() else -np.inf


@final
class ClusterProver:
    """Bounds all segments in a few passes, and then one after the other, as long as there is time.

    Whenever it is stopped there is the best bound so far of each.

    Parameters
    ----------
    rows : ClusterRows
    parts : Parts
    on_bound : callable
        Called with the sum so far, now and then.

    Attributes
    ----------
    bounds : ndarray, shape (K,)
        The best so far of each segment, in the order of the rows.
    """

    def __init__(
        self, rows: ClusterRows, parts: Parts, on_bound: Callable[[float], object]
    ) -> None:
        self._rows, self._parts, self._on_bound = rows, parts, on_bound
        self._cluster, self._places = rows.cluster, _places(rows.starts)
        self.bounds = np.full(len(self._places), least_loss(parts.loss))
        self._kept: dict[int, Future] = {}
        self._left = 0

    @property
    def bound(self) -> float:
        """The sum of what is proven: of other segments it is known that no loss is below 0."""
        return sum_down(self.bounds)

    def begin(self, check: Check) -> None:
        """All segments by the residual of the network: the time of a few passes over the rows."""
        numbered = list(enumerate(self._places))
        groups = [
            list(group)
            for _, group in groupby(numbered, lambda one: (one[1][0], one[1][1] // _AT_ONCE))
        ]

        def tasks() -> Iterator[_Task]:
            for group in _in_turns(groups, lambda group: group[0][1]):
                places = [place for place, _ in group]
                numbers = [number for _, (_, number) in group]
                yield places, (first_proven, self._block(places[0]), numbers, self._parts)

        self._take_all(tasks(), check)

    def improve(self, deadline: Deadline, check: Check) -> None:
        """Each segment by itself, with an equal share of the time that is left.

        Those that are over early leave theirs to the others.
        """
        self._on_bound(self.bound)
        order = _in_turns(range(len(self._places)), self._places.__getitem__)
        self._left, threads = len(order), self._cluster.n_threads

        def tasks() -> Iterator[_Task]:
            for place in order:
                if deadline.passed:
                    return
                seconds = None
                if deadline.limited:
                    seconds = deadline.remaining / -(-self._left // threads)
                number = self._places[place][1]
                yield [place], (proven, self._block(place), number, self._parts, seconds)

        say_at = np.linspace(len(order), 0, _REPORTS + 1)[1:]

        def said() -> None:
            nonlocal say_at
            self._left -= 1
            if self._left <= say_at[0]:
                say_at = say_at[say_at < self._left]
                self._on_bound(self.bound)

        self._take_all(tasks(), check, said)

    def keeper(self) -> KeptParts | None:
        """Where certificates of all segments are, if they are kept."""
        if len(self._kept) < len(self._places):
            return None
        return KeptParts([self._kept[place] for place in range(len(self._places))])

    def _block(self, place: int) -> Future:
        return self._rows.blocks[self._places[place][0]]

    def _take_all(
        self, tasks: Iterator[_Task], check: Check, on_done: Callable[[], object] = never
    ) -> None:
        """What tasks find, as it comes; each is made when its turn has come."""
        cluster, running = self._cluster, dict[str, tuple[list[int], Future, Future]]()
        # More than there are threads, so that none waits for the driver.
        window = cluster.n_threads + len(self._rows.blocks)
        try:
            while True:
                for places, task in islice(tasks, window - len(running)):
                    found = cluster.submit(*task)
                    bounds = cluster.submit(_bounds_of, found)
                    running[bounds.key] = places, found, bounds
                if not running:
                    return
                done = cluster.first_of([bounds for *_, bounds in running.values()], check)
                for bounds, values in zip(done, cluster.results(done), strict=True):
                    self._take(*running.pop(bounds.key)[:2], values)
                    on_done()
        finally:
            cluster.give_up([future for _, *both in running.values() for future in both])

    def _take(self, places: Sequence[int], found: Future, values: Sequence[float]) -> None:
        for k, (place, value) in enumerate(zip(places, values, strict=True)):
            if place in self._kept and value <= self.bounds[place]:
                continue
            self.bounds[place] = max(self.bounds[place], value)
            if self._parts.keeps:
                self._kept[place] = self._cluster.submit(_one_of, found, k)


@final
@dataclass(frozen=True)
class KeptParts:
    """Certificates of segments on a cluster, in the order of the rows."""

    futures: Sequence[Future]

    def verified(self, X: Any, y: Any, sample_weight: Any | None) -> list[Verification]:
        with cluster() as workers:
            pieces = Pieces.of(X, y, sample_weight)
            blocks = pieces.read(workers, as_loss("squared"))
            places = _places(pieces.starts)
            if len(places) != len(self.futures):
                raise InputError("X has another number of rows than the certificate.")
            tasks = [
                workers.submit(_verified, blocks[k], number, future)
                for (k, number), future in zip(places, self.futures, strict=True)
            ]
            return workers.results(tasks)


def keeps_certificates(n_rows: int, workers: Cluster) -> bool:
    """Whether multipliers of all segments are kept on a cluster."""
    return not workers.owned and n_rows <= _MOST_KEPT * LENGTH


def _verified(block: RawBlock, number: int, found: Proven) -> Verification:
    if block.fault:
        raise InputError(block.fault)
    part = slice(number * LENGTH, (number + 1) * LENGTH)
    weights = None if block.weights is None else block.weights[part]
    if found.certificate is None:
        raise InputError("A part of the certificate was not kept.")
    return found.certificate.verify(block.X[part], block.y[part], weights)


def _bounds_of(found: Sequence[Proven]) -> list[float]:
    return [one.bound for one in found]


def _one_of(found: Sequence[Proven], k: int) -> Proven:
    return found[k]


def _places(starts: Sequence[int]) -> list[tuple[int, int]]:
    """Block of each segment, and its number there, in the order of the rows."""
    counts = [-(-(b - a) // LENGTH) for a, b in pairwise(starts)]
    return [(k, number) for k, count in enumerate(counts) for number in range(count)]


def _in_turns(every: Iterable[_T], place: Callable[[_T], tuple[int, int]]) -> list[_T]:
    """All blocks in turn, so that all workers have some."""
    return sorted(every, key=lambda one: place(one)[::-1])
