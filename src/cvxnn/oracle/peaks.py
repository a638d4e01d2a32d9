"""What searches with a proof share: the function of a sign, its peaks, and limits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray, IntArray
from cvxnn.interrupts import Deadline, interrupt_pending
from cvxnn.oracle import tree_kernels as tree
from cvxnn.oracle.price import Price, Proposals
from cvxnn.patterns.cone_kernels import project_on_cell
from cvxnn.patterns.reduction import HyperplaneWeights, Reduction

# Directions kept at most.
CAPACITY = 200
# Ascents of a job that may end in maxima known already.
_PATIENCE = 3


@dataclass(frozen=True)
class Peak:
    """A point where the function of a sign is large."""

    sign: float
    point: FloatArray
    value: float

    def equals(self, other: Peak) -> bool:
        return self.sign == other.sign and float(self.point @ other.point) > 1.0 - 1e-13


class PeakFunction(Protocol):
    """What a search maximises over the unit ball."""

    kinks: IntArray

    def value(self, u: FloatArray) -> float:
        """At a point, shape (r,)."""

    def climb(self, u: FloatArray, deadline: Deadline) -> Peak:
        """A local maximum above a unit vector."""


F = TypeVar("F", bound=PeakFunction)


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


def signed_functions(
    normals: FloatArray, weights: HyperplaneWeights, signs: tuple[float, ...]
) -> tuple[list[SignedFunction], float]:
    """The functions of some signs of one output, and the sum of the moduli of all weights."""
    functions = [SignedFunction(normals, weights, sign) for sign in signs]
    return functions, float(np.abs(weights.positive).sum() + 2.0 * np.abs(weights.negative).sum())


@dataclass(eq=False)
class PeakJob(ABC, Generic[F]):
    """A part of a search: nodes that a kernel works on.

    Attributes
    ----------
    function : PeakFunction
    limits : ndarray
        Of the kernel, see :func:`cvxnn.oracle.tree_kernels.advance`.
    tol : float
    known : list of Peak
        Belongs to the search, which changes it between kernel calls only.
    patience : int
        Ascents that may still end in maxima known already.
    deadline : Deadline
    found : list of Peak
    visited : int
        Nodes that the search has been told of.
    """

    function: F
    limits: FloatArray
    tol: float
    known: list[Peak]
    patience: int
    deadline: Deadline
    found: list[Peak] = field(default_factory=list)
    visited: int = 0

    counters: IntArray = field(init=False)

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether there are nodes left."""

    @property
    @abstractmethod
    def bound(self) -> float:
        """Proven bound on the function in its part; none before it was looked at."""

    @abstractmethod
    def run(self, max_work: int) -> None:
        """One short kernel call, and an ascent from the point that it reports."""

    def raise_incumbent(self, value: float) -> None:
        """Close and report from a larger value on."""
        limits = self.limits
        if value > limits[tree.INCUMBENT]:
            limits[tree.INCUMBENT] = value
            closing = value * limits[tree.GROWTH] + limits[tree.FLOOR]
            limits[tree.CLOSING] = max(limits[tree.CLOSING], closing)
        if self.patience <= 0 or len(self.found) >= CAPACITY:
            limits[tree.REPORT] = limits[tree.INCUMBENT] * (1.0 + 0.1 * self.tol)

    def add(self, peak: Peak) -> None:
        if any(peak.equals(other) for other in (*self.found, *self.known)):
            self.patience -= 1
        else:
            self.found.append(peak)
        self.raise_incumbent(peak.value)

    def take_visited(self) -> int:
        """Nodes visited since the last time."""
        visited = int(self.counters[tree.VISITED]) - self.visited
        self.visited += visited
        return visited


class PeakSearch(ABC, Generic[F]):
    """One pricing by a search with a proof.

    Attributes
    ----------
    functions : list of PeakFunction
        For one output those of both signs.
    mass : float
        Sum of the moduli of all weights, for the rounding.
    threshold, tol : float
        As of a price, in the unit of the weights.
    floor : float
        What the rounding leaves undecided above an incumbent.
    found : list of Peak
    incumbent : float
        The largest value met, or the threshold.
    n_nodes : int
        Nodes visited.
    finished : bool
    """

    floor: float

    def __init__(
        self, functions: list[F], mass: float, threshold: float, tol: float,
        deadline: Deadline, max_nodes: int | None,
    ) -> None:  # fmt: skip
        self.functions, self.mass = functions, mass
        self.threshold, self.tol = threshold, tol
        self.deadline = deadline
        self.max_nodes = max_nodes
        self.found: list[Peak] = []
        self.incumbent = threshold
        self.n_nodes = 0
        self.finished = self.mass == 0.0

    @property
    @abstractmethod
    def bound(self) -> float:
        """What is proven of all functions."""

    @abstractmethod
    def run(self) -> None:
        """Search until all is proven, or a limit is reached."""

    def seed(self, points: FloatArray) -> None:
        """Climb from the best of some directions, if they are above the threshold."""
        for function in self.functions:
            values = np.array([function.value(point) for point in points])
            for k in np.argsort(-values, kind="stable")[:2]:
                if values[k] > self.threshold:
                    if self.stopped():
                        return
                    self.add(function.climb(points[k], self.deadline))

    def add(self, peak: Peak) -> None:
        self.incumbent = max(self.incumbent, peak.value)
        if not any(peak.equals(other) for other in self.found):
            self.found.append(peak)

    def orders(self, tolerance: float) -> tuple[FloatArray, float, list[Peak], int, Deadline]:
        """What a job has to know, in the order of its attributes."""
        limits = np.zeros(tree.N_LIMITS)
        limits[tree.INCUMBENT] = self.incumbent
        limits[tree.GROWTH] = 1.0 + tolerance
        limits[tree.FLOOR] = self.floor
        limits[tree.MASS] = self.mass
        limits[tree.CLOSING] = self.closing(tolerance)
        limits[tree.REPORT] = max(self.threshold * (1.0 + self.tol), 0.0) or self.incumbent
        # Without a value that is enough, only ever larger maxima are of interest.
        patience = _PATIENCE if self.threshold > 0.0 else 0
        return limits, self.tol, self.found, patience, self.deadline

    def take(self, job: PeakJob[F]) -> None:
        """Take over what a job has found."""
        self.n_nodes += job.take_visited()
        self.incumbent = max(self.incumbent, float(job.limits[tree.INCUMBENT]))
        # A job that goes on has handed in the first of them before, and there may be thousands.
        known = set(map(id, self.found))
        for peak in job.found:
            if id(peak) not in known:
                self.add(peak)

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


@dataclass(frozen=True)
class SearchPrice(Price):
    """What a search has proven and found.

    Attributes
    ----------
    found : Proposals
        Distinct local maxima, their values recomputed from X.
    n_nodes : int
        Nodes visited.
    """

    found: Proposals
    n_nodes: int

    @property
    def proposals(self) -> Proposals:
        """What was found."""
        return self.found


def starting_points(
    X: FloatArray, reduction: Reduction, v: FloatArray, starts: FloatArray | None
) -> FloatArray:
    """Directions for a search to begin with, in reduced coordinates."""
    basis, normals = reduction.basis, reduction.normals
    rank = normals.shape[1]
    scale = float(np.abs(v).max(initial=0.0)) or 1.0
    pull = (X.T @ (v / scale)) @ basis
    rows = [np.eye(rank), pull[None], *([] if starts is None else [starts @ basis])]
    points = np.vstack(rows)
    points = np.vstack([points, -points[: rank + 1]])
    lengths = np.linalg.norm(points, axis=1)
    return points[lengths > 0.0] / lengths[lengths > 0.0, None]


def proposals_of(
    X: FloatArray, reduction: Reduction, v: FloatArray, threshold: float, found: list[Peak]
) -> Proposals:
    """The peaks that were found, their values recomputed from X."""
    if not found:
        return Proposals.none(X.shape[1])
    signs = np.array([peak.sign for peak in found])
    directions = np.array([peak.point for peak in found]) @ reduction.basis.T
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    values = np.array(
        [s * float(v @ np.maximum(X @ u, 0.0)) for s, u in zip(signs, directions, strict=True)]
    )
    order = np.argsort(-values, kind="stable")
    order = order[values[order] > threshold][:CAPACITY]
    return Proposals(directions, signs[:, None], values).select(order)
