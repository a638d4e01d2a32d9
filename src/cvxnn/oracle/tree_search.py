"""The search behind the branch and bound: orthants, passes, incumbents, threads."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Generic, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray, IntArray
from cvxnn.interrupts import Deadline
from cvxnn.oracle import tree_kernels as tree
from cvxnn.oracle.peaks import F, PeakJob, PeakSearch, SignedFunction, signed_functions
from cvxnn.oracle.price import BOTH
from cvxnn.patterns.reduction import HyperplaneWeights

WorkerMap = Callable[..., Iterator[Any]]


@dataclass(frozen=True)
class Settings:
    """The numbers that the search over cones goes by.

    Attributes
    ----------
    first_work, coarse : int, tuple of float
        A search that takes long and may be cut short is interrupted after so many rows
        (about a second) for passes of these tolerances. Each costs a good part of a
        whole search, but depth first gives no useful bound before it is done.
    call_work : int
        Rows that one kernel call looks at: some ten milliseconds.
    window, window_rows : int
        Orthants under way at the same time, and rows of all of them, which bounds memory and
        the wait for a deadline. Not the number of cores: results must not depend on it.
    """

    first_work: int = 30_000_000
    coarse: tuple[float, ...] = (0.3, 0.03, 0.003)
    call_work: int = 150_000
    window: int = 16
    window_rows: int = 400_000


SETTINGS = Settings()


@dataclass(eq=False)
class ConeJob(PeakJob[F]):
    """The tree below one orthant for one function.

    Attributes
    ----------
    corner : ndarray, shape (r,)
        Signs of the orthant.
    is_new : bool
    counters : ndarray of int
        Nodes on the stack, and those visited: the orthant waits.
    """

    corner: FloatArray = field(kw_only=True)
    is_new: bool = True
    counters: IntArray = field(default_factory=lambda: np.array([1, 0]))

    @abstractmethod
    def _first_rows(self) -> tuple[FloatArray, FloatArray]:
        """The linear part at the generators of the orthant, flat, and the rows of its entries."""

    @abstractmethod
    def _advance(self, point: FloatArray, max_work: int) -> int:
        """One kernel call; what it comes back with."""

    def _open(self) -> None:
        """The stack with the orthant on it; its rows take most of the memory."""
        linear, rows = self._first_rows()
        r, count = len(self.corner), len(rows)
        depth = max_depth(r)
        self.generators = np.zeros((depth + 2, r, r))
        self.generators[0] = np.diag(self.corner)
        self.sums = np.zeros((2, depth + 2, len(linear)))
        self.sums[0, 0] = linear
        self.reals = np.full((depth + 2, 2), np.inf)
        self.reals[0, 1] = 1.0
        self.links = np.zeros((depth + 2, tree.N_LINKS), dtype=np.int64)
        self.links[0, tree.COUNT] = count
        self.links[0, tree.REPLACED] = -1
        self.entries = np.empty((2 * count + 1000, r + 1))
        self.entries[:count] = rows
        self.is_new = False

    @property
    def is_open(self) -> bool:
        return bool(self.counters[0])

    @property
    def bound(self) -> float:
        """Proven bound on the function in this orthant; none before it was looked at."""
        if self.is_new:
            return np.inf
        stack = self.reals[: self.counters[0], 0].max(initial=0.0)
        return float(max(stack, self.limits[tree.LARGEST], self.limits[tree.LOST]))

    def run(self, max_work: int) -> None:
        """One short kernel call, and an ascent from the point that it reports."""
        if self.is_new:
            # A node of many rows takes a tenth of a second, and there are many orthants.
            if self.deadline.passed:
                return
            self._open()
        point = np.empty(len(self.corner))
        while True:
            status = self._advance(point, max_work)
            if status == tree.FULL:
                self.entries = np.vstack([self.entries, np.empty_like(self.entries)])
            elif status == tree.FOUND:
                self.add(self.function.climb(point.copy(), self.deadline))
                return
            else:
                return


@final
@dataclass(eq=False)
class _Job(ConeJob[SignedFunction]):
    """The tree below one orthant for one sign."""

    def _first_rows(self) -> tuple[FloatArray, FloatArray]:
        function, corner, kinks = self.function, self.corner, self.function.kinks
        rows = np.column_stack([function.omega[kinks], function.normals[kinks] * corner])
        return function.base * corner, rows

    def _advance(self, point: FloatArray, max_work: int) -> int:
        return tree.advance(
            self.generators, self.sums, self.reals, self.links, self.entries,
            self.limits, self.counters, point, max_work,
        )  # fmt: skip


class ConeSearch(PeakSearch[F]):
    """One pricing: all orthants and functions, in passes of falling tolerance."""

    def __init__(
        self, functions: list[F], mass: float, rank: int, threshold: float, tol: float,
        deadline: Deadline, max_nodes: int | None,
    ) -> None:  # fmt: skip
        super().__init__(functions, mass, threshold, tol, deadline, max_nodes)
        corners = np.array(list(product((1.0, -1.0), repeat=rank)))
        self.tasks = [(f, corner) for f in self.functions for corner in corners]
        self.bounds = np.full(len(self.tasks), np.inf if self.mass > 0.0 else 0.0)

    @property
    def bound(self) -> float:
        return float(self.bounds.max(initial=0.0))

    def run(self) -> None:
        """Close all orthants; rough bounds first where the search may be cut short."""
        with worker_map() as workers:
            # A tenth of the tolerance is for maxima not worth reporting.
            last = _Pass(self, 0.8 * self.tol, workers)
            if self.limited and not last.run(SETTINGS.first_work):
                for tolerance in SETTINGS.coarse:
                    if tolerance > 8.0 * self.tol:
                        _Pass(self, tolerance, workers).run()
            self.finished = last.run() and not last.lost

    @abstractmethod
    def start(self, k: int, tolerance: float) -> ConeJob[F]:
        """The tree of orthant k."""

    def merge(self, k: int, job: ConeJob[F]) -> None:
        """Take over what a job has found and proved."""
        self.bounds[k] = min(self.bounds[k], job.bound)
        self.take(job)


@final
class TreeSearch(ConeSearch[SignedFunction]):
    """One pricing for one output."""

    def __init__(
        self, normals: FloatArray, weights: HyperplaneWeights, threshold: float, tol: float,
        deadline: Deadline, max_nodes: int | None, signs: tuple[float, ...] = BOTH,
    ) -> None:  # fmt: skip
        r = normals.shape[1]
        functions, mass = signed_functions(normals, weights, signs)
        super().__init__(functions, mass, r, threshold, tol, deadline, max_nodes)
        # Nothing can be decided below the rounding at the largest depth.
        self.floor = 4.0 * r * (2.0 * max_depth(r) + 50.0) * EPS * self.mass

    def start(self, k: int, tolerance: float) -> _Job:
        """The tree of orthant k."""
        function, corner = self.tasks[k]
        return _Job(function, *self.orders(tolerance), corner=corner)


class _Pass(Generic[F]):
    """All orthants at one tolerance, a few at a time; can be continued."""

    def __init__(self, search: ConeSearch[F], tolerance: float, worker_map: WorkerMap) -> None:
        self._search = search
        self._tolerance = tolerance
        self._map = worker_map
        self._waiting = list(np.argsort(-search.bounds, kind="stable"))
        self._active: dict[int, ConeJob[F]] = {}
        self.lost = False

    def run(self, work: float = np.inf) -> bool:
        """Whether every orthant is done; False when stopped or when `work` is used up."""
        while self._active or self._waiting:
            if self._search.stopped() or work <= 0:
                return False
            self._fill()
            work -= self._round()
        return True

    def _fill(self) -> None:
        search = self._search
        rows = len(search.functions[0].kinks) + 1
        window = max(4, min(SETTINGS.window, SETTINGS.window_rows // rows))
        while self._waiting and len(self._active) < window:
            k = int(self._waiting.pop(0))
            if search.bounds[k] > search.closing(self._tolerance):
                self._active[k] = search.start(k, self._tolerance)

    def _round(self) -> int:
        """One kernel call for every active orthant; the work it was given."""
        search, active = self._search, self._active
        work = SETTINGS.call_work
        if search.max_nodes is not None:
            left = search.max_nodes - search.n_nodes
            work = min(work, 1 + 16 * left // max(len(active), 1))
        for _ in self._map(lambda job: job.run(work), active.values()):
            pass
        given = work * len(active)
        for k, job in list(active.items()):
            search.merge(k, job)
            if not job.is_open:
                self.lost |= bool(job.limits[tree.LOST] > job.limits[tree.CLOSING])
                del active[k]
        for job in active.values():
            job.raise_incumbent(search.incumbent)
        return given


def max_depth(r: int) -> int:
    """Bisections below an orthant, at most: enough to reach the rounding."""
    return 64 * r


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def worker_map() -> Iterator[WorkerMap]:
    """``map`` over the available cores."""
    cores = available_cores()
    if cores == 1:
        yield map
        return
    pool = ThreadPoolExecutor(cores)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
