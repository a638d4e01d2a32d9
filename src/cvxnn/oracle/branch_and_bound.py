"""The certified oracle without patterns: branch and bound on simplicial cones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cvxnn.interrupts import Deadline, check_interrupt
from cvxnn.oracle import tree_kernels as tree
from cvxnn.oracle.cone_kernels import project
from cvxnn.oracle.spectral import spectral_bound
from cvxnn.oracle.weights import HyperplaneWeights
from cvxnn.patterns.reduction import Reduction, reduce_rows

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
WorkerMap = Callable[..., Iterator[None]]

# Beyond it there are too many orthants to start from.
MAX_RANK = 9
# Directions returned at most.
CAPACITY = 200
# A search that takes long and may be cut short is interrupted after so many rows
# (about a second) for passes of these tolerances. Each costs a good part of a
# whole search, but depth first gives no useful bound before it is done.
_FIRST_WORK = 30_000_000
_COARSE = (0.3, 0.03, 0.003)
# Rows that one kernel call looks at: some ten milliseconds.
_CALL_WORK = 150_000
# Orthants under way at the same time. Not the number of cores: results must not
# depend on it.
_WINDOW = 16
# Ascents per orthant that may end in maxima known already.
_PATIENCE = 6
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class TreeResult:
    """What a branch and bound proved and found for one dual point v.

    Attributes
    ----------
    bound : float
        Proven upper bound on ``M(v) = max |v'(Xu)_+|`` over the unit ball, all
        rounding included; valid also when not finished.
    directions : ndarray, shape (m, d)
        Unit directions u with ``s v'(Xu)_+ > enough``: distinct local maxima,
        the best first.
    signs : ndarray, shape (m,)
        The signs s.
    values : ndarray, shape (m,)
        ``s v'(Xu)_+``, recomputed from X.
    n_nodes : int
        Nodes visited.
    finished : bool
        Whether every node was closed at the tolerance.
    """

    bound: float
    directions: FloatArray
    signs: FloatArray
    values: FloatArray
    n_nodes: int
    finished: bool


class BranchAndBound:
    """Bounds the oracle by covering the sphere with cones, finer where it matters.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    reduction : Reduction, optional
        ``reduce_rows(X)``, where it is known already.

    Notes
    -----
    *Bound of a node.* In the reduced coordinates the function is ``base'u +
    sum_k omega_k (n_k'u)_+``. A node is the cone of r generators ``w_j``, at
    first those of the orthants. A hyperplane that does not cut it is linear
    there. The others get a linear over-estimator: for ``omega_k > 0`` the chord,
    exact at the generators; for ``omega_k < 0`` any slope in [0, 1], best chosen
    for the whole node. With c_j the total over-estimator at ``w_j``, any z with
    ``w_j'z >= c_j`` proves the bound ``||z||``: a point ``u = sum_j lambda_j w_j``
    of node and ball has ``f(u) <= c'lambda <= z'u``. The shortest z over all
    slopes is a least-squares problem with bounds, in which at most r coefficients
    are strictly between their bounds; without convex kinks its bound is attained.
    Nodes that remain are halved at the edge where the chords are farthest from
    the function. Children inherit the products ``n_k'w_j`` of the undecided
    rows, so that a node costs O(r) for each of these.

    *Rounding.* Generators are defined by the recursion ``w = (w_a + w_b) t`` with
    the computed t, so that the cones cover space exactly; what is rounded are
    their stored coordinates, products and sums. A step errs by eps relative to
    unit size. Errors of ancestors enter a generator as its representation by
    these ancestors does, with weights ``>= 0`` that sum to ``sqrt(r)`` at most,
    because all lie in one orthant. At depth D with m undecided rows, ``mass =
    sum_k |omega_k|`` (and that of the base), and S the sum of the largest
    ``|omega_k n_k'w_j|`` of the undecided rows,

        |error of c_j| <= E = eps ((2 sqrt(r) D + 4) mass + (m + r + 2) S)

    (the sums of settled rows are compensated), and z, which violates ``w_j'z >=
    c_j`` by at most ``delta`` as computed, proves

        f <= ||z|| + sqrt(r) (delta + E + eps (sqrt(r) D + r + 4) ||z||)

    since ``sum_j lambda_j <= sqrt(r)``. :class:`HyperplaneWeights` adds the rest.

    References
    ----------
    R. Horst and H. Tuy, Global Optimization, 3rd ed., Springer 1996, section
    IV.3 (bisection of simplices). C. L. Lawson and R. J. Hanson, Solving Least
    Squares Problems, Prentice-Hall 1974, chapter 23. J. Stark and B. Parker,
    Bounded-variable least squares, Computational Statistics 10 (1995).

    Examples
    --------
    >>> import numpy as np
    >>> result = BranchAndBound(np.eye(2)).price(np.array([3.0, -4.0]))
    >>> round(result.bound, 5), result.directions.tolist(), result.signs.tolist()
    (4.0, [[0.0, 1.0]], [-1.0])
    """

    def __init__(self, X: FloatArray, reduction: Reduction | None = None) -> None:
        self._X = X
        self._reduction = reduce_rows(X) if reduction is None else reduction

    def price(
        self,
        v: FloatArray,
        enough: float = 0.0,
        *,
        tol: float = 1e-6,
        starts: FloatArray | None = None,
        deadline: Deadline | None = None,
        max_nodes: int | None = None,
        stop_at: int | None = None,
    ) -> TreeResult:
        """Bound the oracle at v, and collect directions above `enough`.

        Parameters
        ----------
        v : ndarray, shape (n,)
            Dual point.
        enough : float
            Usually beta: a finished search proves ``bound <= max(enough, best
            value) (1 + tol)``, up to rounding.
        tol : float
            Relative tolerance.
        starts : ndarray, shape (k, d), optional
            Directions that may have large values, such as current neurons.
        deadline : Deadline, optional
        max_nodes : int, optional
            Nodes to visit, approximately.
        stop_at : int, optional
            Stop when so many directions above `enough` are known.

        Returns
        -------
        TreeResult
            The same for every number of cores, unless a deadline passes.
        """
        weights = HyperplaneWeights.of(self._reduction, v)
        rank = self._reduction.rank
        search = _Search(
            self._reduction.normals, weights, max(enough, 0.0) / weights.unit, tol,
            deadline, max_nodes, stop_at,
        )  # fmt: skip
        if 0 < rank <= MAX_RANK and search.mass > 0.0:
            search.seed(self._seeds(v, starts))
            search.run()
        finished = search.finished or rank == 0
        bound = (search.bound + weights.error) * weights.unit * (1.0 + 8.0 * (rank + 4) * _EPS)
        if not finished:
            bound = min(bound, spectral_bound(self._X, v))
        return TreeResult(
            bound, *self._collect(v, enough, search), n_nodes=search.n_nodes, finished=finished
        )

    def _seeds(self, v: FloatArray, starts: FloatArray | None) -> FloatArray:
        """Directions to begin with, in reduced coordinates."""
        basis, normals = self._reduction.basis, self._reduction.normals
        rank = normals.shape[1]
        scale = float(np.abs(v).max(initial=0.0)) or 1.0
        pull = (self._X.T @ (v / scale)) @ basis
        rows = [np.eye(rank), pull[None], *([] if starts is None else [starts @ basis])]
        points = np.vstack(rows)
        points = np.vstack([points, -points[: rank + 1]])
        lengths = np.linalg.norm(points, axis=1)
        return points[lengths > 0.0] / lengths[lengths > 0.0, None]

    def _collect(
        self, v: FloatArray, enough: float, search: _Search
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        if not search.found:
            return np.zeros((0, self._X.shape[1])), np.zeros(0), np.zeros(0)
        signs = np.array([peak.sign for peak in search.found])
        directions = np.array([peak.point for peak in search.found]) @ self._reduction.basis.T
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        values = np.array(
            [s * float(v @ np.maximum(self._X @ u, 0.0)) for s, u in zip(signs, directions)]
        )
        order = np.argsort(-values, kind="stable")
        order = order[values[order] > enough][:CAPACITY]
        return directions[order], signs[order], values[order]


@dataclass(frozen=True)
class _Peak:
    """A point where the function of a sign is large."""

    sign: float
    point: FloatArray
    value: float

    def equals(self, other: _Peak) -> bool:
        return self.sign == other.sign and float(self.point @ other.point) > 1.0 - 1e-13


class _SignedFunction:
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

    def _gradient(self, sides: NDArray[np.bool_]) -> FloatArray:
        return np.asarray(np.where(sides, self.omega, 0.0) @ self.normals + self.base)

    def climb(self, u: FloatArray) -> _Peak:
        """A local maximum: ascent across cells, then exact maximisers of cells."""
        u, value = self._ascend(u)
        sides = self.normals @ u > 0.0
        for _ in range(50):
            z, active, multipliers = _maximise_cell(self._gradient(sides), self.normals, sides)
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
        return _Peak(self.sign, u, value)

    def _ascend(self, u: FloatArray, steps: int = 30) -> tuple[FloatArray, float]:
        value, step = self.value(u), 1.0
        for _ in range(steps):
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


def _maximise_cell(
    g: FloatArray, normals: FloatArray, sides: NDArray[np.bool_]
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Projection of g on a closed cell, its active rows and their multipliers."""
    p, r = normals.shape
    active, rho, z = np.empty(r + 1, dtype=np.int64), np.empty(r + 1), np.empty(r)
    _, size = project(
        g, normals, np.where(sides, 1.0, -1.0), np.arange(p), 0.0, active, rho, z,
        np.empty((r + 1, r)), np.zeros((r + 1, r + 1)), np.empty(p, dtype=np.bool_),
    )  # fmt: skip
    return z, active[:size], rho[:size]


class _Job:
    """The tree below one orthant for one sign."""

    def __init__(
        self, function: _SignedFunction, corner: FloatArray, limits: FloatArray, tol: float
    ) -> None:
        r = len(corner)
        kinks = function.kinks
        depth = _max_depth(r)
        self.function = function
        self.limits = limits
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
        self.counters = np.array([1, 0])
        self.found: list[_Peak] = []
        self._patience = _PATIENCE
        self._tol = tol
        self._visited = 0

    @property
    def is_open(self) -> bool:
        return bool(self.counters[0])

    @property
    def bound(self) -> float:
        """Proven bound on the function in this orthant."""
        stack = self.reals[: self.counters[0], 0].max(initial=0.0)
        return float(max(stack, self.limits[tree.LARGEST], self.limits[tree.LOST]))

    def run(self, max_work: int) -> None:
        """One short kernel call, repeated for as long as it reports points."""
        point = np.empty(len(self.sums[0, 0]))
        while True:
            status = tree.advance(
                self.generators, self.sums, self.reals, self.links, self.entries,
                self.limits, self.counters, point, max_work,
            )  # fmt: skip
            if status == tree.FULL:
                self.entries = np.vstack([self.entries, np.empty_like(self.entries)])
            elif status == tree.FOUND:
                self._add(self.function.climb(point.copy()))
                return
            else:
                return

    def raise_incumbent(self, value: float) -> None:
        limits = self.limits
        if value > limits[tree.INCUMBENT]:
            limits[tree.INCUMBENT] = value
            closing = value * limits[tree.GROWTH] + limits[tree.FLOOR]
            limits[tree.CLOSING] = max(limits[tree.CLOSING], closing)

    def _add(self, peak: _Peak) -> None:
        self.raise_incumbent(peak.value)
        if any(peak.equals(other) for other in self.found):
            self._patience -= 1
        else:
            self.found.append(peak)
        if self._patience <= 0 or len(self.found) >= CAPACITY:
            self.limits[tree.REPORT] = self.limits[tree.INCUMBENT] * (1.0 + 0.1 * self._tol)

    def take_visited(self) -> int:
        """Nodes visited since the last time."""
        visited = int(self.counters[1]) - self._visited
        self._visited += visited
        return visited


class _Search:
    """One pricing: all orthants and signs, in passes of falling tolerance."""

    def __init__(
        self, normals: FloatArray, weights: HyperplaneWeights, enough: float, tol: float,
        deadline: Deadline | None, max_nodes: int | None, stop_at: int | None,
    ) -> None:  # fmt: skip
        r = normals.shape[1]
        self.functions = [_SignedFunction(normals, weights, sign) for sign in (1.0, -1.0)]
        self.mass = float(np.abs(weights.positive).sum() + 2.0 * np.abs(weights.negative).sum())
        self.enough, self.tol = enough, tol
        self.deadline, self.max_nodes, self.stop_at = deadline, max_nodes, stop_at
        self.found: list[_Peak] = []
        self.incumbent = enough
        self.n_nodes = 0
        self.finished = self.mass == 0.0
        corners = np.array(list(product((1.0, -1.0), repeat=r)))
        self.tasks = [(f, corner) for f in self.functions for corner in corners]
        self.bounds = np.full(len(self.tasks), np.inf if self.mass > 0.0 else 0.0)
        # Nothing can be decided below the rounding at the largest depth.
        self.floor = 4.0 * r * (2.0 * _max_depth(r) + 8.0) * _EPS * self.mass

    @property
    def bound(self) -> float:
        return float(self.bounds.max(initial=0.0))

    def seed(self, points: FloatArray) -> None:
        """Climb from the best of some directions, if they are above `enough`."""
        for function in self.functions:
            values = np.array([function.value(point) for point in points])
            for k in np.argsort(-values, kind="stable")[:2]:
                if values[k] > self.enough:
                    self._add(function.climb(points[k]))

    def _add(self, peak: _Peak) -> None:
        self.incumbent = max(self.incumbent, peak.value)
        if not any(peak.equals(other) for other in self.found):
            self.found.append(peak)

    def run(self) -> None:
        """Close all orthants; rough bounds first where the search may be cut short."""
        with _worker_map() as worker_map:
            # A tenth of the tolerance is for maxima not worth reporting.
            last = _Pass(self, 0.8 * self.tol, worker_map)
            if self.limited and not last.run(_FIRST_WORK):
                for tolerance in _COARSE:
                    if tolerance > 8.0 * self.tol:
                        _Pass(self, tolerance, worker_map).run()
            self.finished = last.run() and not last.lost

    @property
    def limited(self) -> bool:
        return self.max_nodes is not None or self.deadline is not None

    def closing(self, tolerance: float) -> float:
        """Bound at which a node need not be looked at again."""
        return self.incumbent * (1.0 + tolerance) + self.floor

    def stopped(self) -> bool:
        """Whether a limit is reached; raises a pending interrupt."""
        check_interrupt()
        if self.max_nodes is not None and self.n_nodes >= self.max_nodes:
            return True
        if self.deadline is not None and self.deadline.passed:
            return True
        above = sum(peak.value > self.enough for peak in self.found)
        return self.stop_at is not None and above >= self.stop_at

    def start(self, k: int, tolerance: float) -> _Job:
        """The tree of orthant k."""
        limits = np.zeros(tree.N_LIMITS)
        limits[tree.INCUMBENT] = self.incumbent
        limits[tree.GROWTH] = 1.0 + tolerance
        limits[tree.FLOOR] = self.floor
        limits[tree.MASS] = self.mass
        limits[tree.CLOSING] = self.closing(tolerance)
        limits[tree.REPORT] = max(self.enough * (1.0 + self.tol), 0.0) or self.incumbent
        return _Job(*self.tasks[k], limits, self.tol)

    def merge(self, k: int, job: _Job) -> None:
        """Take over what a job has found and proved."""
        self.n_nodes += job.take_visited()
        self.bounds[k] = min(self.bounds[k], job.bound)
        self.incumbent = max(self.incumbent, float(job.limits[tree.INCUMBENT]))
        for peak in job.found:
            self._add(peak)


class _Pass:
    """All orthants at one tolerance, a few at a time; can be continued."""

    def __init__(self, search: _Search, tolerance: float, worker_map: WorkerMap) -> None:
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
        while self._waiting and len(self._active) < _WINDOW:
            k = int(self._waiting.pop(0))
            if search.bounds[k] > search.closing(self._tolerance):
                self._active[k] = search.start(k, self._tolerance)

    def _round(self) -> int:
        """One kernel call for every active orthant; the work it was given."""
        search, active = self._search, self._active
        work = _CALL_WORK
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


@contextmanager
def _worker_map() -> Iterator[WorkerMap]:
    """``map`` over the available cores."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    if cores == 1:
        yield map
        return
    pool = ThreadPoolExecutor(cores)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
