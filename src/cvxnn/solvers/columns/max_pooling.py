"""Column generation over the cells of max pooling: master, pricing, cone rows as needed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers.max_pooling import MaxLayer
from cvxnn.losses import SquaredLoss
from cvxnn.oracle import LayerOracle, MaxCellOracle
from cvxnn.oracle.cells import CellPrice
from cvxnn.patterns.max_pooling import MaxPatterns
from cvxnn.problems import Neurons
from cvxnn.solvers.columns.blocks import ReadBlocks
from cvxnn.solvers.columns.interior_point import InteriorPoint, InteriorPointResult
from cvxnn.solvers.neurons import (
    neuron_objective,
    prune,
    residual,
    reweigh,
)
from cvxnn.solvers.search import Search

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Blocks below this share of the largest norm leave the working set, and blocks below
# the other are no neurons.
_DROP, _NOTHING = 1e-5, 1e-9
# Cells that improve by less than this are rounding; directions that agree to so many
# digits, on a face that cells share, are one.
_MARGIN, _DIGITS = 1e-10, 6
# Variables of the blocks that one round may add.
_BATCH_VARIABLES = 3_000
# Violation of a cone row, relative to its block, that the master has to mend.
_VIOLATION, _ROW_ROUNDS = 1e-8, 12
# Bytes for the cone rows of one master; beyond it the tightest rows enter first.
_CONE_BYTES = 1 << 20


class MaxSearch(Search):
    """The program over the cells of max pooling, with squared loss.

        min_z  1/2 ||sum_c A_c z_c - y||^2 + beta sum_c ||z_c||   subject to  G_c z_c >= 0,

    where c runs over cells and both signs s, and row i of ``A_c`` is s times the patch
    that wins in image i.

    Parameters
    ----------
    layer : MaxLayer
    y : ndarray, shape (n,)
    beta : float
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

    def __init__(
        self,
        layer: MaxLayer,
        y: FloatArray,
        beta: float,
        patterns: MaxPatterns,
        oracle: MaxCellOracle,
        deadline: Deadline,
        start: Neurons | None = None,
    ) -> None:
        self.layer, self.y, self.beta, self.patterns = layer, y, beta, patterns
        self._oracle, self.deadline = oracle, deadline
        self._of_layer = LayerOracle(layer, oracle)
        self.basis = np.eye(layer.n_features)
        self.neurons = Neurons.none(layer.n_features)
        self.objective = 0.5 * float(y @ y)
        self.bound, self.n_blocks, self.stalled = -np.inf, 0, 0.0
        self.proof = DualProof.of(y, np.inf, "cells")
        if start is not None:
            self._offer(start)
        self._block_cells, self._block_signs = np.zeros(0, dtype=np.int64), np.zeros(0)
        self._rows: dict[int, FloatArray] = {}
        self._taken: dict[int, IntArray] = {}
        self._last_price = self._price(residual(layer, y, self.neurons))

    def step(self, tol: float) -> None:
        """One round: new blocks, master, pricing."""
        before = (self.objective, self.bound)
        added = self._add_blocks()
        if self.n_blocks:
            result = self._solve_master(tol)
            self._offer_blocks(result)
            self._last_price = self._price(result.v)
            self._drop_blocks(result)
        improved = self.objective < before[0] * (1.0 - 1e-9) or self.bound > before[1] * (1 + 1e-9)
        # New blocks may need a few rounds to show; then they are no excuse.
        self.stalled = 0.0 if improved else self.stalled + (1.0 if not added else 0.25)

    def finish(self, tol: float, *, quick: bool) -> None:
        """Leave a network of linearly independent activations, at most n of them."""
        too_many = len(self.neurons.sizes) > len(self.y)
        pruned = prune(self.layer, self.neurons, self._last_deadline(quick=quick))
        self._offer(pruned, at_most=0.1 * tol if too_many else 1e-12)

    def final_proofs(self, *, quick: bool) -> tuple[DualProof, DualProof]:
        """The best over the cells, and over all networks: the same where cells are all."""
        quick = quick or self.deadline.passed
        if not quick:
            try:
                self._price(residual(self.layer, self.y, self.neurons))
            except OutOfTimeError:
                quick = True
        if self.patterns.is_complete:
            return self.proof, self.proof
        return self.proof, spectral_proof(self.layer, self.proof.v, quick=quick)

    def _price(self, v: FloatArray) -> CellPrice:
        price = self._of_layer.price(v[:, None], self.beta, deadline=self.deadline)
        proof = DualProof.priced(v[:, None], price)
        bound = proof.bound(SquaredLoss(), self.y, self.beta)
        if bound > self.bound:
            self.bound, self.proof = bound, proof
        return price

    def _offer(self, neurons: Neurons, at_most: float = 0.0) -> None:
        """Keep these neurons if they are the best so far, or worse by `at_most` (relative)."""
        objective = neuron_objective(self.layer, self.y, self.beta, neurons)
        if objective < self.objective * (1.0 + at_most):
            self.neurons, self.objective = neurons, objective

    def _offer_blocks(self, result: InteriorPointResult) -> None:
        """The blocks as neurons: as they stand, and with the best weights for their directions."""
        norms = np.linalg.norm(result.z, axis=1)
        alive = norms > _NOTHING * norms.max(initial=0.0)
        blocks = Neurons(
            result.z[alive] / norms[alive, None], norms[alive], self._block_signs[alive, None]
        )
        self._offer(blocks)
        self._offer(reweigh(self.layer, self.y, self.beta, blocks, self.deadline))

    def _add_blocks(self) -> int:
        """Put improving cells into the working set, best first; how many were not there yet."""
        bounds, points = self._last_price.cell_bounds, self._last_price.points
        improves = (bounds > self.beta * (1.0 + _MARGIN)) & points.any(axis=2)
        half, cells = np.nonzero(improves)
        best = np.argsort(-bounds[half, cells], kind="stable")
        half, cells = half[best], cells[best]
        directions = points[half, cells]
        # The largest entry first: squares of small ones vanish.
        directions = directions / np.abs(directions).max(axis=1, keepdims=True)
        directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
        kinds = np.column_stack([half, np.round(directions, _DIGITS)])
        _, distinct = np.unique(kinds, axis=0, return_index=True)
        distinct.sort()
        half, cells = half[distinct], cells[distinct]
        signs = np.where(half == 0, 1.0, -1.0)
        known = set(zip(self._block_cells.tolist(), self._block_signs.tolist(), strict=True))
        new = [
            k for k, key in enumerate(zip(cells.tolist(), signs.tolist(), strict=True))
            if key not in known
        ][: max(_BATCH_VARIABLES // self.layer.n_features, 16)]  # fmt: skip
        self._block_cells = np.concatenate([self._block_cells, cells[new]])
        self._block_signs = np.concatenate([self._block_signs, signs[new]])
        self.n_blocks = len(self._block_cells)
        return len(new)

    def _drop_blocks(self, result: InteriorPointResult) -> None:
        norms = np.linalg.norm(result.z, axis=1)
        keep = norms > _DROP * norms.max(initial=0.0)
        self._block_cells, self._block_signs = self._block_cells[keep], self._block_signs[keep]

    def _solve_master(self, tol: float) -> InteriorPointResult:
        wanted = min(max(1e-3 * self.gap, 0.1 * tol, 1e-10), 1e-2)
        cells, signs = self._block_cells, self._block_signs
        maps = (self._oracle.maps(cells) * signs[:, None, None]).transpose(1, 0, 2)
        columns = np.ascontiguousarray(maps).reshape(len(self.y), -1)
        if self.layer.weights is not None:
            columns *= self.layer.weights[:, None]
        for _ in range(_ROW_ROUNDS):
            blocks = ReadBlocks(self._taken_rows(), columns)
            solver = InteriorPoint(blocks, self.y, self.beta, SquaredLoss())
            result = solver.solve(wanted, v=self.dual_point, deadline=self.deadline)
            if self.deadline.passed or not self._take_violated(result.z):
                break
        return result

    def _taken_rows(self) -> FloatArray:
        """The cone rows that the master knows, shape (C, m, h); zeros fill up."""
        h, cells = self.layer.n_features, self._block_cells.tolist()
        room = max(8 * h, _CONE_BYTES // (8 * h * len(cells)))
        for cell in set(cells) - set(self._rows):
            self._rows[cell] = np.unique(self._oracle.cones(slice(cell, cell + 1))[0], axis=0)
            inner = self._rows[cell] @ self.patterns.directions[cell]
            self._taken[cell] = np.argsort(inner, kind="stable")[:room]
        cones = np.zeros((len(cells), max(len(self._taken[cell]) for cell in cells), h))
        for cone, cell in zip(cones, cells, strict=True):
            taken = self._rows[cell][self._taken[cell]]
            cone[: len(taken)] = taken
        return cones

    def _take_violated(self, z: FloatArray) -> bool:
        """Let the master know cone rows that its blocks violate; whether there are any."""
        norms = np.linalg.norm(z, axis=1)
        floors = np.maximum(norms, 1e-6 * norms.max(initial=0.0))
        found = False
        for cell, block, floor in zip(self._block_cells.tolist(), z, floors, strict=True):
            slacks = self._rows[cell] @ block
            slacks[self._taken[cell]] = 0.0
            wrong = np.flatnonzero(slacks < -_VIOLATION * floor)
            worst = wrong[np.argsort(slacks[wrong])[: 2 * self.layer.n_features]]
            self._taken[cell] = np.union1d(self._taken[cell], worst)
            found |= len(worst) > 0
        return found
