"""The search over signs of rows: pools of nodes, one for each sign of the output."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.oracle import sign_tree as tree
from cvxnn.oracle.peaks import PeakJob, PeakSearch, SignedFunction, signed_functions
from cvxnn.oracle.price import BOTH
from cvxnn.oracle.tree_kernels import CLOSING, FOUND, FULL, LARGEST, LOST
from cvxnn.oracle.tree_search import worker_map
from cvxnn.patterns.reduction import HyperplaneWeights


@dataclass(frozen=True)
class Settings:
    """The numbers that the search over signs goes by.

    Attributes
    ----------
    call_work : float
        Products of one kernel call: some ten milliseconds.
    pool : int
        Nodes for which there is room at first.
    memory : int
        Bytes up to which the pool of a sign grows; then the search goes on depth first.
    """

    call_work: float = 2e7
    pool: int = 256
    memory: int = 1 << 27


SETTINGS = Settings()


@final
@dataclass(eq=False)
class _Job(PeakJob[SignedFunction]):
    """All nodes for one sign of the output."""

    mass: float = field(kw_only=True)

    def __post_init__(self) -> None:
        function, kinks = self.function, self.function.kinks
        self._normals = np.ascontiguousarray(function.normals[kinks])
        self._omega = function.omega[kinks]
        p, r = self._normals.shape
        self._states = np.zeros((0, p), dtype=np.int8)
        self._multipliers, self._reals = np.zeros((0, p)), np.zeros((0, tree.N_NUMBERS))
        self._heap = self._spare = np.zeros(0, dtype=np.int64)
        self._stack = np.zeros(p + 3, dtype=np.int64)
        self.counters = np.zeros(tree.N_COUNTERS, dtype=np.int64)
        # One subtree, depth first, always has room.
        self._grow(max(SETTINGS.pool, p + 4))
        self._open(r)

    def _open(self, r: int) -> None:
        """The root: halves of the concave rows, and moduli of an even spread of directions."""
        convex = self._omega > 0.0
        self.counters[tree.HEAP], self.counters[tree.FREE] = 1, len(self._spare) - 1
        self._multipliers[0] = np.where(convex, 0.25 * np.sqrt(r), -0.5) * self._omega
        lam = float(self._multipliers[0] @ convex) + 0.1 * self.mass
        least = max(self.limits[CLOSING], 1e-3 * self.mass)
        self._reals[0] = np.inf, lam, 0.3 * least / (r + len(convex))

    def _grow(self, size: int) -> None:
        """Room for so many nodes; those that are new are free."""
        before = len(self._heap)
        more = size - before
        self._states = np.vstack([self._states, np.zeros((more, self._states.shape[1]), np.int8)])
        self._multipliers = np.vstack([self._multipliers, np.zeros((more, len(self._omega)))])
        self._reals = np.vstack([self._reals, np.zeros((more, tree.N_NUMBERS))])
        self._heap = np.concatenate([self._heap, np.zeros(more, dtype=np.int64)])
        free = self._spare[: self.counters[tree.FREE]]
        # The first of them last, so that it is taken first.
        new = np.arange(size - 1, before - 1, -1)
        self._spare = np.concatenate([new, free, np.zeros(before - len(free), dtype=np.int64)])
        self.counters[tree.FREE] += more
        bytes_ = 9 * size * (len(self._omega) + 5)
        self.counters[tree.GROWS] = int(2 * bytes_ <= SETTINGS.memory)

    @property
    def is_open(self) -> bool:
        return bool(self.counters[tree.HEAP] + self.counters[tree.STACK])

    @property
    def bound(self) -> float:
        heap = self._heap[: self.counters[tree.HEAP]]
        stack = self._stack[: self.counters[tree.STACK]]
        waiting = self._reals[np.concatenate([heap, stack]), tree.BOUND].max(initial=0.0)
        return float(max(waiting, self.limits[LARGEST], self.limits[LOST]))

    @property
    def is_lost(self) -> bool:
        """Whether a node was given up that is above what would have been enough."""
        return bool(self.limits[LOST] > self.limits[CLOSING])

    def run(self, max_work: float) -> None:
        if self.deadline.passed:
            return
        point = np.empty(self._normals.shape[1])
        while True:
            status = tree.advance(
                self.function.base, self._normals, self._omega, self._states, self._multipliers,
                self._reals, self._heap, self._stack, self._spare, self.limits, self.counters,
                point, max_work,
            )  # fmt: skip
            if status == FULL:
                self._grow(2 * len(self._heap))
                continue
            if status == FOUND:
                self.add(self.function.climb(point.copy(), self.deadline))
            return


@final
class SignSearch(PeakSearch[SignedFunction]):
    """One pricing: the nodes of both signs of the output, best first."""

    def __init__(
        self, normals: FloatArray, weights: HyperplaneWeights, threshold: float, tol: float,
        deadline: Deadline, max_nodes: int | None, signs: tuple[float, ...] = BOTH,
    ) -> None:  # fmt: skip
        functions, mass = signed_functions(normals, weights, signs)
        super().__init__(functions, mass, threshold, tol, deadline, max_nodes)
        p, r = normals.shape
        self._bounds = np.full(len(functions), np.inf if self.mass > 0.0 else 0.0)
        # Nothing can be decided below the rounding.
        self.floor = 32.0 * (p + r + 16.0) * EPS * self.mass

    @property
    def bound(self) -> float:
        return float(self._bounds.max())

    def run(self) -> None:
        """A kernel call for each sign at a time; the same for every number of cores."""
        # A tenth of the tolerance is for maxima not worth reporting.
        orders = (self.orders(0.8 * self.tol) for _ in self.functions)
        jobs = [
            _Job(f, *given, mass=self.mass) for f, given in zip(self.functions, orders, strict=True)
        ]
        with worker_map() as workers:
            while not self.stopped() and (active := [job for job in jobs if job.is_open]):
                work = SETTINGS.call_work if self.max_nodes is None else 1.0
                for _ in workers(lambda job: job.run(work), active):  # noqa: B023
                    pass
                for job in active:
                    self.take(job)
                for job in active:
                    job.raise_incumbent(self.incumbent)
                self._bounds[:] = [job.bound for job in jobs]
        self.finished = not any(job.is_open or job.is_lost for job in jobs)
