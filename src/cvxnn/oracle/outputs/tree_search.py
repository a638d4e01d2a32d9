"""The search over cones for several outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.oracle.outputs import tree_kernels as tree
from cvxnn.oracle.outputs.norm_function import NormFunction
from cvxnn.oracle.outputs.weights import OutputWeights
from cvxnn.oracle.tree_search import ConeJob, ConeSearch, max_depth


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
        functions = [NormFunction.of(normals, weights)]
        super().__init__(functions, mass, r, threshold, tol, deadline, max_nodes)
        # Nothing can be decided below the rounding at the largest depth.
        self.floor = 10.0 * r * (2.0 * max_depth(r) + 2.0 * c + 70.0) * EPS * mass

    def start(self, k: int, tolerance: float) -> _Job:
        """The tree of orthant k."""
        function, corner = self.tasks[k]
        return _Job(function, *self.orders(tolerance), corner=corner)
