"""Column generation over the cells of max pooling: cone rows as needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import Deadline
from cvxnn.layers.max_pooling import MaxLayer
from cvxnn.oracle import MaxCellOracle
from cvxnn.oracle.cells import CellPrice
from cvxnn.patterns.max_pooling import MaxPatterns
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import prune, reweigh
from cvxnn.solvers.columns.blocks import Blocks, ReadBlocks
from cvxnn.solvers.columns.column_generation import ColumnGeneration, ColumnSettings, as_neurons
from cvxnn.solvers.columns.interior_point import InteriorPointResult


@dataclass(frozen=True)
class Settings(ColumnSettings):
    """The numbers that the search over the cells of max pooling goes by.

    Attributes
    ----------
    nothing : float
        Blocks below this share of the longest are no neurons.
    digits : int
        Directions that agree to so many, on a face that cells share, are one.
    """

    nothing: float = 1e-9
    digits: int = 6


@final
class MaxSearch(ColumnGeneration):
    """The program over the cells of max pooling, with squared loss.

        min_z  1/2 ||sum_c A_c z_c - y||^2 + beta sum_c ||z_c||   subject to  G_c z_c >= 0,

    where c runs over cells and both signs s, and row i of ``A_c`` is s times the patch
    that wins in image i.

    Parameters
    ----------
    problem : Problem of MaxLayer
    patterns : MaxPatterns
    oracle : MaxCellOracle
        Over the same patterns and the patches of the layer.
    deadline : Deadline
    start : Neurons, optional
        A network to begin with.

    Notes
    -----
    A round solves the program on a working set of blocks by the interior-point method
    and prices all cells, see :class:`MaxCellOracle`. A cell has n K cone rows, nearly all
    of them redundant: those next to its direction enter at first, then what is violated.
    """

    settings = Settings(batch_variables=3_000, violation=1e-8, row_rounds=12, cone_bytes=1 << 20)

    def __init__(
        self,
        problem: Problem[MaxLayer],
        patterns: MaxPatterns,
        oracle: MaxCellOracle,
        deadline: Deadline,
        start: Neurons | None = None,
    ) -> None:
        self.layer, self.patterns, self._oracle = problem.rows, patterns, oracle
        self.basis = np.eye(self.layer.n_features)
        self._rows: dict[int, FloatArray] = {}
        self._taken: dict[int, IntArray] = {}
        super().__init__(problem, oracle, patterns.is_complete, deadline, start)
        self._add_blocks()

    def finish(self, tol: float, *, quick: bool) -> None:
        """Leave a network of linearly independent activations, at most n of them."""
        last = self._last_deadline(quick=quick)
        self._offer_minimal(prune(self.layer, self.neurons, last), tol)

    def _proof_over_space(self, dual_points: list[FloatArray], *, quick: bool) -> DualProof:
        return spectral_proof(self.layer, dual_points[0], quick=quick)

    def _take_master(self, result: InteriorPointResult, blocks: Blocks, tol: float) -> None:
        """As the blocks stand, and with the best weights for their directions."""
        found = as_neurons(result.z, self._block_signs, self.settings.nothing)
        self._offer(found)
        self._offer(reweigh(self.problem, found, self.deadline))
        self._last_price = self._price(result.v)

    @property
    def _batch(self) -> int:
        return max(self.settings.batch_variables // self.layer.n_features, 16)

    def _improving(self, price: CellPrice) -> tuple[IntArray, FloatArray]:
        bounds, points = price.cell_bounds, price.points
        improves = (bounds > self.problem.beta * (1.0 + self.settings.margin)) & points.any(axis=2)
        half, cells = np.nonzero(improves)
        best = np.argsort(-bounds[half, cells], kind="stable")
        half, cells = half[best], cells[best]
        directions = points[half, cells]
        # The largest entry first: squares of small ones vanish.
        directions = directions / np.abs(directions).max(axis=1, keepdims=True)
        directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
        kinds = np.column_stack([half, np.round(directions, self.settings.digits)])
        _, distinct = np.unique(kinds, axis=0, return_index=True)
        distinct.sort()
        half, cells = half[distinct], cells[distinct]
        return cells, np.where(half == 0, 1.0, -1.0)

    def _make_blocks(self, cones: FloatArray) -> ReadBlocks:
        cells, signs = self._block_cells, self._block_signs
        maps = (self._oracle.maps(cells) * signs[:, None, None]).transpose(1, 0, 2)
        columns = np.ascontiguousarray(maps).reshape(len(self.problem.y), -1)
        if self.layer.weights is not None:
            columns *= self.layer.weights[:, None]
        return ReadBlocks(cones, columns)

    def _cone_rows(self) -> FloatArray:
        """The cone rows that the master knows, shape (C, m, h); zeros fill up."""
        h, cells = self.layer.n_features, self._block_cells.tolist()
        room = max(8 * h, self.settings.cone_bytes // (8 * h * len(cells)))
        for cell in set(cells) - set(self._rows):
            self._rows[cell] = np.unique(self._oracle.cones(slice(cell, cell + 1))[0], axis=0)
            inner = self._rows[cell] @ self.patterns.directions[cell]
            self._taken[cell] = np.argsort(inner, kind="stable")[:room]
        cones = np.zeros((len(cells), max(len(self._taken[cell]) for cell in cells), h))
        for cone, cell in zip(cones, cells, strict=True):
            taken = self._rows[cell][self._taken[cell]]
            cone[: len(taken)] = taken
        return cones

    def _add_violated_rows(self, z: FloatArray) -> bool:
        """Let the master know cone rows that its blocks violate; whether there are any."""
        norms = np.linalg.norm(z, axis=1)
        floors = np.maximum(norms, 1e-6 * norms.max(initial=0.0))
        found = False
        for cell, block, floor in zip(self._block_cells.tolist(), z, floors, strict=True):
            slacks = self._rows[cell] @ block
            slacks[self._taken[cell]] = 0.0
            wrong = np.flatnonzero(slacks < -self.settings.violation * floor)
            worst = wrong[np.argsort(slacks[wrong])[: 2 * self.layer.n_features]]
            self._taken[cell] = np.union1d(self._taken[cell], worst)
            found |= len(worst) > 0
        return found
