"""The search behind the branch and bound: orthants, passes, incumbents, threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from cvxnn.array_types import EPS, BoolArray, FloatArray, IntArray
from cvxnn.interrupts import Deadline, interrupt_pending
from cvxnn.oracle import tree_kernels as tree
from cvxnn.patterns.cone_kernels import project_on_cell
from cvxnn.patterns.reduction import HyperplaneWeights

WorkerMap = Callable[..., Iterator[None]]

# Directions kept at most.
CAPACITY = 200


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
    patience : int
        Ascents per orthant that may end in maxima known already.
    """

    first_work: int = 30_000_000
    coarse: tuple[float, ...] = (0.3, 0.03, 0.003)
    call_work: int = 150_000
    window: int = 16
    window_rows: int = 400_000
    patience: int = 3


SETTINGS = Settings()


@dataclass(frozen=True)
class Peak:
    """A point where the function of a sign is large."""

    sign: float
    point: FloatArray
    value: float

    def equals(self, other: Peak) -> bool:
        return self.sign == other.sign and float(self.point @ other.point) > 1.0 - 1e-13


class SignedFunction:
    """``f(u) = base'u + sum_k omega_k (n_k'u)_+`` for one sign."""

    def __init__(self, normals: FloatArray, weights: HyperplaneWeights, sign: float) -> None:
        self.sign = sign
        self.normals = normals
        self.omega = sign * (weights.positive + weights.negative)
        # Pairwise sums, for an error that does not grow with n.
        terms = np.ascontiguousarray((weights.negative[:, None] * normals).T)
        self.base = -sign * terms.sum(axis=1)
        self.kinks = np.flatnonzero(self.omega)

    def value(self, u: FloatArray) -> float:
        return float(np.maximum(self.normals @ u, 0.0) @ self.omega + self.base @ u)

    def _gradient(self, sides: BoolArray) -> FloatArray:
        return np.asarray(np.where(sides, self.omega, 0.0) @ self.normals + self.base)

    def climb(self, u: FloatArray, deadline: Deadline) -> Peak:
        """A local maximum: ascent across cells, then exact maximisers of cells."""
        u, value = self._ascend(u, deadline)
        sides = self.normals @ u > 0.0
        for _ in range(50):
            if deadline.passed or interrupt_pending():
                break
            _, z, active, multipliers = project_on_cell(
                self._gradient(sides), self.normals, sides, np.arange(len(sides))
            )
            length = float(np.linalg.norm(z))
            if length == 0.0:
                break
            candidate = self.value(z / length)
            if candidate > value:
                u, value = z / length, candidate
            # Beyond a kink of this weight the function still grows.
            crossed = active[multipliers + self.omega[active] > 1e-12 * length]
            if len(crossed) == 0:
                break
            sides[crossed] ^= True
        return Peak(self.sign, u, value)

    def _ascend(
        self, u: FloatArray, deadline: Deadline, steps: int = 30
    ) -> tuple[FloatArray, float]:
        value, step = self.value(u), 1.0
        for _ in range(steps):
            if deadline.passed:
                break
            gradient = self._gradient(self.normals @ u > 0.0)
            length = float(np.linalg.norm(gradient))
            if length == 0.0:
                break
            while step > 1e-6:
                trial = u + step * (gradient / length - u)
                trial /= float(np.linalg.norm(trial)) or 1.0
                other = self.value(trial)
                if other > value:
                    break
                step *= 0.5
            else:
                break
            gain, u, value = other - value, trial, other
            if gain <= 1e-9 * abs(value):
                break
            step = min(1.0, 2.0 * step)
        return u, value


@dataclass(eq=False)
class _Job:
    """The tree below one orthant for one sign."""

    function: SignedFunction
    corner: FloatArray
    limits: FloatArray
    tol: float
    # Belongs to the search, which changes it between kernel calls only.
    known: list[Peak]
    patience: int
    deadline: Deadline
    found: list[Peak] = field(default_factory=list)
    visited: int = 0
    is_new: bool = True
    # Nodes on the stack, and those visited: the orthant waits.
    counters: IntArray = field(default_factory=lambda: np.array([1, 0]))

    def _open(self) -> None:
        """The stack with the orthant on it; its rows take most of the memory."""
        function, corner, kinks = self.function, self.corner, self.function.kinks
        r = len(corner)
        depth = _max_depth(r)
        self.generators = np.zeros((depth + 2, r, r))
        self.generators[0] = np.diag(corner)
        self.sums = np.zeros((2, depth + 2, r))
        self.sums[0, 0] = function.base * corner
        self.reals = np.full((depth + 2, 2), np.inf)
        self.reals[0, 1] = 1.0
        self.links = np.zeros((depth + 2, tree.N_LINKS), dtype=np.int64)
        self.links[0, tree.COUNT] = len(kinks)
        self.links[0, tree.REPLACED] = -1
        self.entries = np.empty((2 * len(kinks) + 1000, r + 1))
        self.entries[: len(kinks), 0] = function.omega[kinks]
        self.entries[: len(kinks), 1:] = function.normals[kinks] * corner
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
            status = tree.advance(
                self.generators, self.sums, self.reals, self.links, self.entries,
                self.limits, self.counters, point, max_work,
            )  # fmt: skip
            if status == tree.FULL:
                self.entries = np.vstack([self.entries, np.empty_like(self.entries)])
            elif status == tree.FOUND:
                self._add(self.function.climb(point.copy(), self.deadline))
                return
            else:
                return

    def raise_incumbent(self, value: float) -> None:
        """Close and report from a larger value on."""
        limits = self.limits
        if value > limits[tree.INCUMBENT]:
            limits[tree.INCUMBENT] = value
            closing = value * limits[tree.GROWTH] + limits[tree.FLOOR]
            limits[tree.CLOSING] = max(limits[tree.CLOSING], closing)
        if self.patience <= 0 or len(self.found) >= CAPACITY:
            limits[tree.REPORT] = limits[tree.INCUMBENT] * (1.0 + 0.1 * self.tol)

    def _add(self, peak: Peak) -> None:
        if any(peak.equals(other) for other in (*self.found, *self.known)):
            self.patience -= 1
        else:
            self.found.append(peak)
        self.raise_incumbent(peak.value)

    def take_visited(self) -> int:
        """Nodes visited since the last time."""
        visited = int(self.counters[1]) - self.visited
        self.visited += visited
        return visited


class TreeSearch:
    """One pricing: all orthants and signs, in passes of falling tolerance."""

    def __init__(
        self, normals: FloatArray, weights: HyperplaneWeights, threshold: float, tol: float,
        deadline: Deadline, max_nodes: int | None,
    ) -> None:  # fmt: skip
        r = normals.shape[1]
        self.functions = [SignedFunction(normals, weights, sign) for sign in (1.0, -1.0)]
        self.mass = float(np.abs(weights.positive).sum() + 2.0 * np.abs(weights.negative).sum())
        self.threshold, self.tol = threshold, tol
        self.deadline = deadline
        self.max_nodes = max_nodes
        self.found: list[Peak] = []
        self.incumbent = threshold
        self.n_nodes = 0
        self.finished = self.mass == 0.0
        corners = np.array(list(product((1.0, -1.0), repeat=r)))
        self.tasks = [(f, corner) for f in self.functions for corner in corners]
        self.bounds = np.full(len(self.tasks), np.inf if self.mass > 0.0 else 0.0)
        # Nothing can be decided below the rounding at the largest depth.
        self.floor = 4.0 * r * (2.0 * _max_depth(r) + 50.0) * EPS * self.mass

    @property
    def bound(self) -> float:
        return float(self.bounds.max(initial=0.0))

    def seed(self, points: FloatArray) -> None:
        """Climb from the best of some directions, if they are above the threshold."""
        for function in self.functions:
            values = np.array([function.value(point) for point in points])
            for k in np.argsort(-values, kind="stable")[:2]:
                if values[k] > self.threshold:
                    if self.stopped():
                        return
                    self._add(function.climb(points[k], self.deadline))

    def _add(self, peak: Peak) -> None:
        self.incumbent = max(self.incumbent, peak.value)
        if not any(peak.equals(other) for other in self.found):
            self.found.append(peak)

    def run(self) -> None:
        """Close all orthants; rough bounds first where the search may be cut short."""
        with _worker_map() as worker_map:
            # A tenth of the tolerance is for maxima not worth reporting.
            last = _Pass(self, 0.8 * self.tol, worker_map)
            if self.limited and not last.run(SETTINGS.first_work):
                for tolerance in SETTINGS.coarse:
                    if tolerance > 8.0 * self.tol:
                        _Pass(self, tolerance, worker_map).run()
            self.finished = last.run() and not last.lost

    @property
    def limited(self) -> bool:
        return self.max_nodes is not None or self.deadline.limited

    def closing(self, tolerance: float) -> float:
        """Bound at which a node need not be looked at again."""
        return self.incumbent * (1.0 + tolerance) + self.floor

    def stopped(self) -> bool:
        """Whether a limit is reached, or Ctrl-C was pressed: the caller takes the bound first."""
        if interrupt_pending():
            return True
        if self.max_nodes is not None and self.n_nodes >= self.max_nodes:
            return True
        return self.deadline.passed

    def start(self, k: int, tolerance: float) -> _Job:
        """The tree of orthant k."""
        limits = np.zeros(tree.N_LIMITS)
        limits[tree.INCUMBENT] = self.incumbent
        limits[tree.GROWTH] = 1.0 + tolerance
        limits[tree.FLOOR] = self.floor
        limits[tree.MASS] = self.mass
        limits[tree.CLOSING] = self.closing(tolerance)
        limits[tree.REPORT] = max(self.threshold * (1.0 + self.tol), 0.0) or self.incumbent
        # Without a value that is enough, only ever larger maxima are of interest.
        patience = SETTINGS.patience if self.threshold > 0.0 else 0
        return _Job(*self.tasks[k], limits, self.tol, self.found, patience, self.deadline)

    def merge(self, k: int, job: _Job) -> None:
        """Take over what a job has found and proved."""
        self.n_nodes += job.take_visited()
        self.bounds[k] = min(self.bounds[k], job.bound)
        self.incumbent = max(self.incumbent, float(job.limits[tree.INCUMBENT]))
        for peak in job.found:
            self._add(peak)


class _Pass:
    """All orthants at one tolerance, a few at a time; can be continued."""

    def __init__(self, search: TreeSearch, tolerance: float, worker_map: WorkerMap) -> None:
        self._search = search
        self._tolerance = tolerance
        self._map = worker_map
        self._waiting = list(np.argsort(-search.bounds, kind="stable"))
        self._active: dict[int, _Job] = {}
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


def _max_depth(r: int) -> int:
    """Bisections below an orthant, at most: enough to reach the rounding."""
    return 64 * r


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _worker_map() -> Iterator[WorkerMap]:
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
