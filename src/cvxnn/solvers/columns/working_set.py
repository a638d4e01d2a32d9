"""Column generation over a given set of cells, refined by Newton's method on their faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError
from cvxnn.layers import Layer
from cvxnn.oracle import CellOracle, LayerOracle
from cvxnn.oracle.cells import CellPrice
from cvxnn.patterns import PatternSet, count_patterns_bound
from cvxnn.patterns.enumeration import enumerate_until
from cvxnn.problems import Neurons, Problem
from cvxnn.program import ConvexProgram
from cvxnn.solvers.columns.blocks import Blocks
from cvxnn.solvers.columns.column_generation import ColumnGeneration, ColumnSettings, as_neurons
from cvxnn.solvers.columns.interior_point import InteriorPointResult
from cvxnn.solvers.newton.faces import dual_point, refine


@dataclass(frozen=True)
class Settings(ColumnSettings):
    """The numbers that the search over cells goes by.

    Attributes
    ----------
    refine : float
        Gap below which Newton's method takes over from the interior point.
    attempts : int
        Refinements of one round, at most: as long as each gains digits.
    steps : int
        Newton steps of one refinement, at most.
    small_arrangement : int
        Up to so many patterns a program on some of them is priced over all, in the end.
    cheap_work : int
        Rows times cells up to which a round takes a fraction of a second.
    """

    refine: float = 1e-3
    attempts: int = 4
    steps: int = 20
    small_arrangement: int = 5_000
    cheap_work: int = 1 << 24


@final
class WorkingSet(ColumnGeneration):
    """The program over the cells of an oracle, solved by column generation.

    Parameters
    ----------
    problem : Problem of Layer
        With the squared loss.
    patterns : PatternSet
    oracle : CellOracle
        Over the same patterns.
    random_state : numpy.random.Generator
        Chooses the first working set.
    deadline : Deadline, optional
        Cuts a round short.
    start : Neurons, optional
        A network to begin with.
    previous : WorkingSet, optional
        A search on the same rows, scaled otherwise: it lends its blocks.
    """

    # 64 MiB of cone rows took four times as long as these.
    settings = Settings(batch_variables=6_000, violation=1e-7, row_rounds=8, cone_bytes=1 << 23)
    alternative = "tree"

    def __init__(
        self,
        problem: Problem[Layer],
        patterns: PatternSet,
        oracle: CellOracle,
        random_state: np.random.Generator,
        deadline: Deadline = UNLIMITED,
        start: Neurons | None = None,
        previous: WorkingSet | None = None,
    ) -> None:
        self.basis, self.patterns, self.oracle = oracle.basis, patterns, oracle
        self._layer, self.layer = problem.rows, problem.rows.turned(oracle.basis)
        self.is_cheap = len(self.rows) * oracle.n_cells <= self.settings.cheap_work
        self._extra_rows: dict[int, IntArray] = {}
        start = None if start is None else start.turned(self.basis)
        super().__init__(problem.on(self.layer), oracle, oracle.is_complete, deadline, start)
        if previous is None:
            self._block_cells, self._block_signs = self._first_blocks(random_state)
        else:
            self._block_cells, self._block_signs = previous._block_cells, previous._block_signs
            self._add_blocks()

    @property
    def rows(self) -> FloatArray:
        """Rows of the layer, as they were given, shape (N, d)."""
        return self._layer.rows

    def finish(self, tol: float, *, quick: bool) -> None:
        """Leave a minimal network: activations linearly independent, cells merged."""
        steps = 0 if quick or self.deadline.passed else self.settings.steps
        try:
            finished = self._refined(self.neurons, steps, self._last_deadline(quick=quick))
        except OutOfTimeError:
            return
        self._offer_minimal(finished, tol)

    def _proof_over_space(self, dual_points: list[FloatArray], *, quick: bool) -> DualProof:
        """From every pattern if they are few, else without any."""
        oracle: LayerOracle[CellPrice] | None = None
        n_patterns = count_patterns_bound(*self.layer.rows.shape)
        if not quick and n_patterns <= self.settings.small_arrangement:
            try:
                patterns = enumerate_until(self.rows, self.deadline)
                cells = CellOracle(self.rows, patterns, deadline=self.deadline)
                oracle = LayerOracle(self.layer, cells)
            except OutOfTimeError:
                quick = True
        if oracle is None:
            proofs = [spectral_proof(self._layer, v, quick=quick) for v in dual_points]
        else:
            points = [v[:, None] for v in dual_points]
            beta = self.problem.beta
            proofs = [DualProof.priced(V, oracle.price(V, beta)) for V in points]
        return max(proofs, key=lambda proof: proof.bound(self.problem))

    def _take_master(self, result: InteriorPointResult, blocks: Blocks, tol: float) -> None:
        self._offer(as_neurons(result.z, self._block_signs))
        self._last_price = self._price(result.v)
        if tol < self.gap < self.settings.refine:
            self._refine(self._neurons_on_faces(result, blocks), tol)

    def _refined(self, neurons: Neurons, steps: int, deadline: Deadline) -> Neurons:
        # On chosen patterns every neuron stays in the cell it has.
        merge = self.oracle.is_complete
        return refine(self.problem, neurons, steps=steps, merge=merge, deadline=deadline)

    def _refine(self, candidates: Neurons, tol: float) -> None:
        """Refine the master's neurons and price their dual point, while that gains digits.

        Where it does not, blocks are missing, and they are the master's business.
        """
        for attempt in range(self.settings.attempts):
            before = self.gap
            self._offer(self._refined(candidates, self.settings.steps, self.deadline))
            price = self._price(dual_point(self.problem, self.neurons, self.deadline))
            if self.gap <= tol or self.deadline.passed or (attempt and self.gap > 0.5 * before):
                return
            cells, signs = self._improving(price)
            points = price.points[np.where(signs > 0, 0, 1), cells]
            units = points / np.linalg.norm(points, axis=1, keepdims=True)
            candidates = self.neurons.joined(units, signs[:, None])

    def _first_blocks(self, random_state: np.random.Generator) -> tuple[IntArray, FloatArray]:
        """A spread of cells, both signs: enough to make the first dual point sensible."""
        n_cells = self.oracle.n_cells if self.layer.n_features else 0
        size = min(n_cells, max(3 * len(self.problem.y), 64), self._batch)
        cells = np.sort(random_state.choice(n_cells, size, replace=False))
        return np.tile(cells, 2), np.repeat([1.0, -1.0], size)

    @property
    def _batch(self) -> int:
        """Cells to take at a time: fewer in high rank, where a block costs r^2 per row."""
        n, r, most = len(self.problem.y), self.layer.n_features, self.settings.batch_variables
        # Many rows mean a system over the blocks, quadratic in their variables.
        variables = most if n <= most // 3 else most // 4
        return int(np.clip(variables // max(r, 1), 32, 400))

    def _improving(self, price: CellPrice) -> tuple[IntArray, FloatArray]:
        """Cells whose bound exceeds beta: local maxima of the arrangement, best first."""
        bounds = price.cell_bounds
        least = self.problem.beta * (1.0 + self.settings.margin)
        above = (bounds > least) & (price.points != 0.0).any(axis=2)
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

    def _add_violated_rows(self, z: FloatArray) -> bool:
        """Where not all cone rows fit into the master: add those its blocks violate."""
        oracle, cells = self.oracle, self._block_cells
        if len(oracle.starts) or self._row_room >= len(oracle.normals):
            return False
        norms = np.linalg.norm(z, axis=1)
        slacks = np.where(oracle.sides(cells), 1.0, -1.0) * (z @ oracle.normals.T)
        floors = np.maximum(norms, 1e-6 * norms.max(initial=0.0))[:, None]
        wrong = slacks < -self.settings.violation * floors
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
        return max(4 * r, self.settings.cone_bytes // (8 * r * n_blocks))

    def _make_blocks(self, cones: FloatArray) -> Blocks:
        problem, layer = self.problem, self.layer
        program = ConvexProgram(
            layer.rows, problem.y, problem.beta,
            self.patterns, self._block_cells, self._block_signs,
            loss=problem.loss, readout=layer.readout,
        )  # fmt: skip
        return Blocks.of(program, cones)

    def _cone_rows(self) -> FloatArray:
        """Rows of ``G_c``, unit length; facets where they are known, else tight rows."""
        oracle, cells = self.oracle, self._block_cells
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
            tight = result.multipliers[c] / self.problem.beta > result.slacks[c] / norms[c]
            tight &= (blocks.cones[c] ** 2).sum(1) > 0.0
            directions[k] = _onto_face(result.z[c] / norms[c], blocks.cones[c][tight])
        return Neurons(directions, norms[alive], self._block_signs[alive, None])

    def _slack(self, result: InteriorPointResult) -> FloatArray:
        """How far each block's dual norm stays below beta, relative: 0 for a living block."""
        return np.asarray(np.maximum(1.0 - result.tension / self.problem.beta, 1e-12))


def _onto_face(u: FloatArray, tight: FloatArray) -> FloatArray:
    """u projected off the tight rows; u itself where they leave nothing of it."""
    if len(tight) == 0:
        return u
    projected = u - tight.T @ np.linalg.lstsq(tight.T, u, rcond=1e-9)[0]
    norm = float(np.linalg.norm(projected))
    return projected / norm if norm > 0.5 else u
