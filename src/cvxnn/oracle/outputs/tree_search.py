"""The search over cones for several outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.interrupts import Deadline, interrupt_pending
from cvxnn.oracle.outputs import tree_kernels as tree
from cvxnn.oracle.outputs.ascent_kernels import climb
from cvxnn.oracle.outputs.weights import OutputWeights
from cvxnn.oracle.peaks import Peak
from cvxnn.oracle.tree_search import ConeJob, ConeSearch, max_depth
from cvxnn.patterns.cone_kernels import project_on_cell

# Evaluations of an ascent, and exact maximisers of cells after it.
_CLIMB_STEPS, _CELL_STEPS = 200, 100


@final
class NormFunction:
    """``||F(u)||`` with ``F(u) = base'u + sum_k omega_k (n_k'u)_+`` in R^c."""

    def __init__(self, normals: FloatArray, weights: OutputWeights) -> None:
        self.normals = normals
        self.omega = weights.positive + weights.negative
        # Pairwise sums, for an error that does not grow with n.
        terms = np.ascontiguousarray(np.einsum("kj,kq->jqk", normals, weights.negative))
        self.base = -terms.sum(axis=2)
        self.kinks = np.flatnonzero(self.omega.any(axis=1))
        self._columns = np.ascontiguousarray(normals.T)
        self._weights = np.ascontiguousarray(self.omega.T)

    def output(self, u: FloatArray) -> FloatArray:
        """F(u), shape (c,)."""
        return np.asarray(np.maximum(self.normals @ u, 0.0) @ self.omega + u @ self.base)

    def value(self, u: FloatArray) -> float:
        """Its norm."""
        return float(np.linalg.norm(self.output(u)))

    def climb(self, u: FloatArray, deadline: Deadline) -> Peak:
        """A local maximum: ascent across cells, then exact maximisers of cells and outputs."""
        climbed, values = u[None].copy(), np.zeros(1)
        climb(self._columns, self._weights, self.base, climbed, np.ones(1), values, _CLIMB_STEPS)
        (u,), value = climbed, self.value(climbed[0])
        sides, every = self.normals @ u > 0.0, np.arange(len(self.normals))
        for _ in range(_CELL_STEPS):
            if deadline.passed or interrupt_pending() or value == 0.0:
                break
            pull = self.omega @ (self.output(u) / value)
            gradient = (
                np.where(sides, pull, 0.0) @ self.normals + self.base @ self.output(u) / value
            )
            _, z, active, multipliers = project_on_cell(gradient, self.normals, sides, every)
            length = float(np.linalg.norm(z))
            if length == 0.0:
                break
            candidate = self.value(z / length)
            if candidate > value * (1.0 + 1e-13):
                u, value = z / length, candidate
                continue
            # Beyond a kink of this weight the function still grows.
            crossed = active[multipliers + pull[active] > 1e-12 * length]
            if len(crossed) == 0:
                break
            sides[crossed] ^= True
        return Peak(1.0, u, value)


@final
@dataclass(eq=False)
class _Job(ConeJob[NormFunction]):
    """The tree below one orthant."""

    def _first_rows(self) -> tuple[FloatArray, FloatArray]:
        function, corner, kinks = self.function, self.corner, self.function.kinks
        self._omega = np.ascontiguousarray(function.omega[kinks])
        self._sizes = np.linalg.norm(self._omega, axis=1)
        rows = np.column_stack([np.arange(len(kinks)), function.normals[kinks] * corner])
        return (function.base * corner[:, None]).ravel(), rows

    def _advance(self, point: FloatArray, max_work: int) -> int:
        return tree.advance(
            self._omega, self._sizes, self.generators, self.sums, self.reals, self.links,
            self.entries, self.limits, self.counters, point, max_work,
        )  # fmt: skip


@final
class OutputsSearch(ConeSearch[NormFunction]):
    """One pricing for several outputs."""

    def __init__(
        self, normals: FloatArray, weights: OutputWeights, threshold: float, tol: float,
        deadline: Deadline, max_nodes: int | None,
    ) -> None:  # fmt: skip
        r, c = normals.shape[1], weights.positive.shape[1]
        sizes = np.linalg.norm(weights.positive, axis=1) + 2.0 * np.linalg.norm(
            weights.negative, axis=1
        )
        mass = float(sizes.sum()) * (1.0 + 1e-9)
        functions = [NormFunction(normals, weights)]
        super().__init__(functions, mass, r, threshold, tol, deadline, max_nodes)
        # Nothing can be decided below the rounding at the largest depth.
        self.floor = 10.0 * r * (2.0 * max_depth(r) + 2.0 * c + 70.0) * EPS * mass

    def start(self, k: int, tolerance: float) -> _Job:
        """The tree of orthant k."""
        function, corner = self.tasks[k]
        return _Job(function, *self.orders(tolerance), corner=corner)
