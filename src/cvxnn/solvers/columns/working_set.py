"""Column generation over a given set of cells: master, pricing, refinement.

The master solves the program on a working set of blocks; the oracle prices
every cell at the master's dual point, gives the lower bound, and names the
blocks that are missing. Few blocks are ever needed: an optimum has at most n.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.oracle import CellOracle, LayerOracle
from cvxnn.oracle.cells import CellPrice
from cvxnn.patterns import PatternSet, count_patterns_bound
from cvxnn.patterns.enumeration import enumerate_until
from cvxnn.problems import Neurons
from cvxnn.program import ConvexProgram
from cvxnn.solvers.columns.blocks import Blocks
from cvxnn.solvers.columns.interior_point import InteriorPoint, InteriorPointResult
from cvxnn.solvers.neurons import (
    neuron_objective,
    residual,
)
from cvxnn.solvers.newton.face_newton import dual_point, refine
from cvxnn.solvers.search import Search

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Blocks below this share of the largest norm leave the working set. An early,
# inexact master leaves all of them above it, rightly: it cannot tell yet.
_DROP = 1e-5
# Cells that improve by less than this are rounding.
_MARGIN = 1e-10
# Variables of the blocks that one round may add.
_BATCH_VARIABLES = 6_000
# Below this gap Newton's method takes over from the interior point.
_REFINE = 1e-3
# Violation of a cone row, relative to its block, that the master has to mend.
_VIOLATION = 1e-7
_ROW_ROUNDS = 8
# Up to this many patterns a program on some of them is priced over all, in the end.
_SMALL_ARRANGEMENT = 5_000
# Bytes for the cone rows of one master; beyond it the tightest rows enter first, for
# most are redundant: 64 MiB of them took four times as long.
_CONE_BYTES = 1 << 23
# Rows times cells up to which a round takes a fraction of a second.
_CHEAP_WORK = 1 << 24


class WorkingSet(Search):
    """The program over the cells of an oracle, solved by column generation.

    Parameters
    ----------
    layer : Layer
    y : ndarray, shape (n,)
    beta : float
    patterns : PatternSet
    oracle : CellOracle
        Over the same patterns.
    loss : Loss
    random_state : numpy.random.Generator
        Chooses the first working set.
    deadline : Deadline, optional
        Cuts a round short.
    start : Neurons, optional
        A network to begin with.
    previous : WorkingSet, optional
        A search on the same rows, scaled otherwise: it lends its blocks.

    Attributes
    ----------
    neurons : Neurons
        Best network so far, in reduced coordinates.
    objective : float
        Its objective (2).
    bound : float
        Best lower bound so far over the cells of the oracle.
    proof : DualProof
        The dual point behind that bound.
    n_blocks : int
        Blocks of the last master.
    """

    def __init__(
        self,
        layer: Layer,
        y: FloatArray,
        beta: float,
        patterns: PatternSet,
        oracle: CellOracle,
        loss: Loss,
        random_state: np.random.Generator,
        deadline: Deadline = UNLIMITED,
        start: Neurons | None = None,
        previous: WorkingSet | None = None,
    ) -> None:
        self.deadline = deadline
        self._layer, self.basis = layer, oracle.basis
        self.layer = layer.turned(oracle.basis)
        self.y, self.beta, self.loss = y, beta, loss
        self.patterns, self.oracle = patterns, oracle
        self._of_layer = LayerOracle(self.layer, oracle)
        self.neurons = Neurons.none(self.layer.n_features)
        self.objective = loss.value(np.zeros_like(y), y)
        # Of the dual point nothing is known yet, so it scales to zero.
        self.bound, self.proof = -np.inf, DualProof.of(y, np.inf, "cells")
        self.n_blocks = 0
        self.is_cheap = len(layer.rows) * oracle.n_cells <= _CHEAP_WORK
        self._extra_rows: dict[int, IntArray] = {}
        self.stalled = 0.0
        if start is not None:
            self._offer(start.turned(self.basis))
        self._last_price = self._price(residual(self.layer, y, self.neurons))
        if previous is None:
            self._block_cells, self._block_signs = self._first_blocks(random_state)
        else:
            self._block_cells, self._block_signs = previous._block_cells, previous._block_signs
            self._add_blocks()

    @property
    def rows(self) -> FloatArray:
        """Rows of the layer, as they were given, shape (N, d)."""
        return self._layer.rows

    def step(self, tol: float) -> None:
        """One round: master, pricing, and refinement once the gap is small."""
        before = (self.objective, self.bound)
        added = self._add_blocks() if self.n_blocks else 1
        if not len(self._block_cells):
            # Data of zeros, or blocks that rounding has made vanish: there is nothing to solve.
            self.n_blocks, self.stalled = 0, self.stalled + 1
            return
        result, blocks = self._solve_master(tol)
        self._offer(_plain_neurons(result.z, self._block_signs))
        self._last_price = self._price(result.v)
        if tol < self.gap < _REFINE:
            self._refine(self._neurons_on_faces(result, blocks), tol)
        self._drop_blocks(result)
        improved = self.objective < before[0] * (1.0 - 1e-9) or self.bound > before[1] * (1 + 1e-9)
        # New blocks may need a few rounds to show; then they are no excuse.
        self.stalled = 0 if improved else self.stalled + (1 if not added else 0.25)

    def finish(self, tol: float, *, quick: bool) -> None:
        """Leave a minimal network: activations linearly independent, cells merged."""
        polish = not quick and not self.deadline.passed
        last = self._last_deadline(quick=quick)
        try:
            finished = self._refined(self.neurons, steps=20 if polish else 0, deadline=last)
        except OutOfTimeError:
            return
        too_many = len(self.neurons.sizes) > len(self.y)
        self._offer(finished, at_most=0.1 * tol if too_many else 1e-12)

    def final_proofs(self, *, quick: bool) -> tuple[DualProof, DualProof]:
        """Also from the residual of the network; without a price per cell in a quick."""
        quick = quick or self.deadline.passed
        residuals = [] if quick else [residual(self.layer, self.y, self.neurons)]
        for v in residuals:
            try:
                self._price(v)
            except OutOfTimeError:
                quick, residuals = True, []
        if self.oracle.is_complete:
            return self.proof, self.proof
        return self.proof, self._proof_over_space([self.dual_point, *residuals], quick=quick)

    def _proof_over_space(self, dual_points: list[FloatArray], *, quick: bool) -> DualProof:
        """A proof for all networks, from every pattern if they are few, else without any."""
        oracle: LayerOracle[CellPrice] | None = None
        if not quick and count_patterns_bound(*self.layer.rows.shape) <= _SMALL_ARRANGEMENT:
            try:
                patterns = enumerate_until(self._layer.rows, self.deadline)
                cells = CellOracle(self._layer.rows, patterns, deadline=self.deadline)
                oracle = LayerOracle(self.layer, cells)
            except OutOfTimeError:
                quick = True
        proofs = [spectral_proof(self._layer, v, quick=quick) for v in dual_points]
        if oracle is not None:
            points = [v[:, None] for v in dual_points]
            proofs = [DualProof.priced(V, oracle.price(V, self.beta)) for V in points]
        return max(proofs, key=lambda proof: proof.bound(self.loss, self.y, self.beta))

    def _refined(
        self, neurons: Neurons, steps: int = 20, deadline: Deadline = UNLIMITED
    ) -> Neurons:
        return refine(
            self.layer,
            self.y,
            self.beta,
            neurons,
            steps=steps,
            # On chosen patterns every neuron stays in the cell it has.
            merge=self.oracle.is_complete,
            deadline=self.deadline if deadline is None else deadline,
        )

    def _price(self, v: FloatArray) -> CellPrice:
        price = self._of_layer.price(v[:, None], self.beta, deadline=self.deadline)
        proof = DualProof.priced(v[:, None], price)
        bound = proof.bound(self.loss, self.y, self.beta)
        if bound > self.bound:
            self.bound, self.proof = bound, proof
        return price

    def _offer(self, neurons: Neurons, at_most: float = 0.0) -> None:
        """Keep these neurons if they are the best so far, or worse by `at_most` (relative)."""
        objective = neuron_objective(self.layer, self.y, self.beta, neurons)
        if objective < self.objective * (1.0 + at_most):
            self.neurons, self.objective = neurons, objective

    def _refine(self, candidates: Neurons, tol: float) -> None:
        """Refine the master's neurons and price their dual point, while that gains digits.

        Where it does not, blocks are missing, and they are the master's business.
        """
        for attempt in range(4):
            before = self.gap
            self._offer(self._refined(candidates))
            v = dual_point(self.layer, self.y, self.beta, self.neurons, self.deadline)
            price = self._price(v)
            if self.gap <= tol or self.deadline.passed or (attempt and self.gap > 0.5 * before):
                return
            cells, signs = self._improving(price)
            points = price.points[np.where(signs > 0, 0, 1), cells]
            units = points / np.linalg.norm(points, axis=1, keepdims=True)
            candidates = self.neurons.joined(units, signs[:, None])

    def _first_blocks(self, random_state: np.random.Generator) -> tuple[IntArray, FloatArray]:
        """A spread of cells, both signs: enough to make the first dual point sensible."""
        n_cells = self.oracle.n_cells if self.layer.n_features else 0
        size = min(n_cells, max(3 * len(self.y), 64), self._batch)
        cells = np.sort(random_state.choice(n_cells, size, replace=False))
        return np.tile(cells, 2), np.repeat([1.0, -1.0], size)

    @property
    def _batch(self) -> int:
        """Cells to take at a time: fewer in high rank, where a block costs r^2 per row."""
        n, r = len(self.y), self.layer.n_features
        # Many rows mean a system over the blocks, quadratic in their variables.
        variables = _BATCH_VARIABLES if n <= _BATCH_VARIABLES // 3 else _BATCH_VARIABLES // 4
        return int(np.clip(variables // max(r, 1), 32, 400))

    def _improving(self, price: CellPrice) -> tuple[IntArray, FloatArray]:
        """Cells whose bound exceeds beta: local maxima of the arrangement, best first."""
        bounds = price.cell_bounds
        above = (bounds > self.beta * (1.0 + _MARGIN)) & (price.points != 0.0).any(axis=2)
        if len(self.oracle.neighbours):
            above &= bounds >= self._best_around(bounds) * (1.0 - 1e-12)
        half, cells = np.nonzero(above)
        best = np.argsort(-bounds[half, cells], kind="stable")[: self._batch]
        return cells[best], np.where(half[best] == 0, 1.0, -1.0)

    def _best_around(self, bounds: FloatArray) -> FloatArray:
        """The largest bound among the neighbours of each cell, shape (2, M)."""
        starts = self.oracle.starts
        has_neighbours = np.diff(starts) > 0
        around = np.zeros_like(bounds)
        around[:, has_neighbours] = np.maximum.reduceat(
            bounds[:, self.oracle.neighbours], starts[:-1][has_neighbours], axis=1
        )
        return around

    def _add_blocks(self) -> int:
        """Put improving cells into the working set; how many were not there yet."""
        cells, signs = self._improving(self._last_price)
        present = set(zip(self._block_cells.tolist(), self._block_signs.tolist(), strict=True))
        new = [
            k for k, key in enumerate(zip(cells.tolist(), signs.tolist(), strict=True))
            if key not in present
        ]  # fmt: skip
        self._block_cells = np.concatenate([self._block_cells, cells[new]])
        self._block_signs = np.concatenate([self._block_signs, signs[new]])
        return len(new)

    def _solve_master(self, tol: float) -> tuple[InteriorPointResult, Blocks]:
        self.n_blocks = len(self._block_cells)
        wanted = min(max(1e-3 * self.gap, 0.1 * tol, 1e-10), 1e-2)
        for _ in range(_ROW_ROUNDS):
            blocks = self._make_blocks()
            solver = InteriorPoint(blocks, self.y, self.beta, self.loss)
            result = solver.solve(wanted, v=self.dual_point, deadline=self.deadline)
            if self.deadline.passed or not self._add_violated_rows(result):
                break
        return result, blocks

    def _add_violated_rows(self, result: InteriorPointResult) -> bool:
        """Where not all cone rows fit into the master: add those its blocks violate."""
        oracle, cells = self.oracle, self._block_cells
        if len(oracle.starts) or self._row_room >= len(oracle.normals):
            return False
        norms = np.linalg.norm(result.z, axis=1)
        slacks = np.where(oracle.sides(cells), 1.0, -1.0) * (result.z @ oracle.normals.T)
        wrong = slacks < -_VIOLATION * np.maximum(norms, 1e-6 * norms.max(initial=0.0))[:, None]
        added = 0
        for c in np.flatnonzero(wrong.any(axis=1)):
            worst = np.argsort(slacks[c])[: min(int(wrong[c].sum()), 2 * self.layer.n_features)]
            known = self._extra_rows.get(int(cells[c]), worst[:0])
            self._extra_rows[int(cells[c])] = np.union1d(known, worst)
            added += len(self._extra_rows[int(cells[c])]) - len(known)
        return added > 0

    @property
    def _row_room(self) -> int:
        """Cone rows of a block for which there is memory."""
        r, n_blocks = self.layer.n_features, max(len(self._block_cells), 1)
        return max(4 * r, _CONE_BYTES // (8 * r * n_blocks))

    def _make_blocks(self) -> Blocks:
        cells, signs = self._block_cells, self._block_signs
        program = ConvexProgram(
            self.layer.rows, self.y, self.beta, self.patterns, cells, signs,
            loss=self.loss, readout=self.layer.readout,
        )  # fmt: skip
        return Blocks.of(program, self._cone_rows(cells))

    def _cone_rows(self, cells: IntArray) -> FloatArray:
        """Rows of ``G_c``, unit length; facets where they are known, else tight rows."""
        oracle = self.oracle
        r = self.layer.n_features
        if len(oracle.starts):
            counts = np.diff(oracle.starts)[cells]
            own = [oracle.rows[oracle.starts[c] : oracle.starts[c + 1]] for c in cells]
        else:
            own = self._tightest_rows(cells, self._row_room)
            counts = np.array([len(rows) for rows in own])
        cones = np.zeros((len(cells), max(int(counts.max(initial=0)), 1), r))
        block = np.repeat(np.arange(len(cells)), counts)
        slot = np.arange(len(block)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = np.concatenate(own) if own else np.zeros(0, dtype=np.int64)
        side = np.where(oracle.sides(cells)[block, rows], 1.0, -1.0)
        cones[block, slot] = side[:, None] * oracle.normals[rows]
        return cones

    def _tightest_rows(self, cells: IntArray, most: int) -> list[IntArray]:
        everything = np.arange(len(self.oracle.normals))
        if most >= len(everything):
            return [everything] * len(cells)
        inner = self.patterns.directions[cells] @ self.oracle.basis @ self.oracle.normals.T
        tightest = np.argpartition(np.abs(inner), most, axis=1)[:, :most]
        return [
            np.union1d(rows, self._extra_rows.get(int(cell), rows[:0]))
            for cell, rows in zip(cells, tightest, strict=True)
        ]

    def _neurons_on_faces(self, result: InteriorPointResult, blocks: Blocks) -> Neurons:
        """The master's living blocks as neurons, set on the faces that they tend to."""
        norms = np.linalg.norm(result.z, axis=1)
        alive = np.flatnonzero(norms > self._slack(result) * norms.max(initial=0.0))
        directions = np.empty((len(alive), self.layer.n_features))
        for k, c in enumerate(alive):
            # Strict complementarity: the row is tight if its multiplier wins.
            tight = result.multipliers[c] / self.beta > result.slacks[c] / norms[c]
            tight &= (blocks.cones[c] ** 2).sum(1) > 0.0
            directions[k] = _onto_face(result.z[c] / norms[c], blocks.cones[c][tight])
        return Neurons(directions, norms[alive], self._block_signs[alive, None])

    def _drop_blocks(self, result: InteriorPointResult) -> None:
        norms = np.linalg.norm(result.z, axis=1)
        keep = norms > _DROP * norms.max(initial=0.0)
        self._block_cells = self._block_cells[keep]
        self._block_signs = self._block_signs[keep]

    def _slack(self, result: InteriorPointResult) -> FloatArray:
        """How far each block's dual norm stays below beta, relative: 0 for a living block."""
        return np.asarray(np.maximum(1.0 - result.tension / self.beta, 1e-12))


def _plain_neurons(z: FloatArray, signs: FloatArray) -> Neurons:
    """Every block as a neuron, as it stands."""
    norms = np.linalg.norm(z, axis=1)
    alive = norms > 0.0
    return Neurons(z[alive] / norms[alive, None], norms[alive], signs[alive, None])


def _onto_face(u: FloatArray, tight: FloatArray) -> FloatArray:
    """u projected off the tight rows; u itself where they leave nothing of it."""
    if len(tight) == 0:
        return u
    projected = u - tight.T @ np.linalg.lstsq(tight.T, u, rcond=1e-9)[0]
    norm = float(np.linalg.norm(projected))
    return projected / norm if norm > 0.5 else u
