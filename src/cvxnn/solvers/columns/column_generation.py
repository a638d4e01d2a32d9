"""Column generation: the program on a working set of blocks, and the prices of all cells.

The master solves the program on the blocks; the oracle prices every cell at the master's
dual point, gives the lower bound, and names the blocks that are missing. Few blocks are
ever needed: an optimum has at most n.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.oracle import LayerOracle
from cvxnn.oracle.cells import CellPrice
from cvxnn.oracle.price import Oracle
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import neuron_objective, residual
from cvxnn.solvers.columns.blocks import Blocks
from cvxnn.solvers.columns.interior_point import InteriorPoint, InteriorPointResult
from cvxnn.solvers.search import IncumbentSearch


@dataclass(frozen=True)
class ColumnSettings:
    """The numbers that column generation goes by.

    Attributes
    ----------
    batch_variables : int
        Variables of the blocks that one round may add: what a master solves in a second.
    violation : float
        Of a cone row, relative to its block, that the master has to mend.
    row_rounds : int
        Masters of a round, at most, to find the cone rows that count.
    cone_bytes : int
        For the cone rows of one master; beyond it the tightest rows enter first, for most are
        redundant.
    drop : float
        Blocks below this share of the largest norm leave the working set. An early, inexact
        master leaves all of them above it, rightly: it cannot tell yet.
    margin : float
        Cells that improve by less than this are rounding.
    """

    batch_variables: int
    violation: float
    row_rounds: int
    cone_bytes: int
    drop: float = 1e-5
    margin: float = 1e-10


class ColumnGeneration(IncumbentSearch):
    """The program with squared loss over the cells of an oracle, a block for each and each sign.

    Parameters
    ----------
    problem : Problem of Rows
        In the coordinates of the cells.
    oracle : Oracle
        Of the cells.
    covers_all : bool
        Whether its bounds hold for all networks.
    deadline : Deadline
        Cuts a round short.
    start : Neurons, optional
        A network to begin with.
    """

    settings: ClassVar[ColumnSettings]

    def __init__(
        self,
        problem: Problem[Any],
        oracle: Oracle[CellPrice],
        covers_all: bool,
        deadline: Deadline,
        start: Neurons | None,
    ) -> None:
        assert problem.is_least_squares
        super().__init__(problem, Neurons.none(problem.rows.n_features), "cells", deadline)
        self._of_predictions = LayerOracle(problem.rows, oracle)
        self._covers_all = covers_all
        self._block_cells: IntArray = np.zeros(0, dtype=np.int64)
        self._block_signs = np.zeros(0)
        if start is not None:
            self._offer(start)
        self._last_price = self._price(residual(problem, self.neurons))

    def step(self, tol: float) -> None:
        """One round: new blocks, master, pricing."""
        before = (self.objective, self.bound)
        # The first ones are there already.
        added = self._add_blocks() if self.n_blocks else 1
        if not len(self._block_cells):
            # Data of zeros, or blocks that rounding has made vanish: there is nothing to solve.
            self.n_blocks, self.stalled = 0, self.stalled + 1.0
            return
        result, blocks = self._solve_master(tol)
        self._take_master(result, blocks, tol)
        norms = np.linalg.norm(result.z, axis=1)
        keep = norms > self.settings.drop * norms.max(initial=0.0)
        self._block_cells, self._block_signs = self._block_cells[keep], self._block_signs[keep]
        improved = self.objective < before[0] * (1.0 - 1e-9) or self.bound > before[1] * (1 + 1e-9)
        # New blocks may need a few rounds to show; then they are no excuse.
        self.stalled = 0.0 if improved else self.stalled + (1.0 if not added else 0.25)

    def final_proofs(self, *, quick: bool) -> tuple[DualProof, DualProof]:
        """Also from the residual of the network; without a price per cell in a quick."""
        quick = quick or self.deadline.passed
        residuals = [] if quick else [residual(self.problem, self.neurons)]
        for v in residuals:
            try:
                self._price(v)
            except OutOfTimeError:
                quick, residuals = True, []
        if self._covers_all:
            return self.proof, self.proof
        return self.proof, self._proof_over_space([self.dual_point, *residuals], quick=quick)

    @abstractmethod
    def _proof_over_space(self, dual_points: list[FloatArray], *, quick: bool) -> DualProof:
        """A proof for all networks from dual points, the best of the cells first."""

    @abstractmethod
    def _improving(self, price: CellPrice) -> tuple[IntArray, FloatArray]:
        """Cells whose bound exceeds beta, best first, and their signs."""

    @property
    @abstractmethod
    def _batch(self) -> int:
        """Cells to take at a time."""

    @abstractmethod
    def _cone_rows(self) -> FloatArray:
        """The cone rows of the working set that the master knows, shape (C, m, r)."""

    @abstractmethod
    def _make_blocks(self, cones: FloatArray) -> Blocks:
        """The working set with these cone rows."""

    @abstractmethod
    def _add_violated_rows(self, z: FloatArray) -> bool:
        """Let the master know cone rows that its blocks violate; whether there are any."""

    @abstractmethod
    def _take_master(self, result: InteriorPointResult, blocks: Blocks, tol: float) -> None:
        """Take over the neurons of a master, and price its dual point."""

    def _price(self, v: FloatArray) -> CellPrice:
        price = self._of_predictions.price(v[:, None], self.problem.beta, deadline=self.deadline)
        self._take(DualProof.priced(v[:, None], price))
        return price

    def _offer(self, neurons: Neurons, at_most: float = 0.0) -> None:
        """Keep these neurons if they are the best so far, or worse by `at_most` (relative)."""
        objective = neuron_objective(self.problem, neurons)
        if objective < self.objective * (1.0 + at_most):
            self.neurons, self.objective = neurons, objective

    def _offer_minimal(self, neurons: Neurons, tol: float) -> None:
        """Keep these, whose activations are independent, if they are hardly any worse."""
        too_many = len(self.neurons) > len(self.problem.y)
        self._offer(neurons, at_most=0.1 * tol if too_many else 1e-12)

    def _add_blocks(self) -> int:
        """Put improving cells into the working set; how many were not there yet."""
        cells, signs = self._improving(self._last_price)
        present = set(zip(self._block_cells.tolist(), self._block_signs.tolist(), strict=True))
        keys = zip(cells.tolist(), signs.tolist(), strict=True)
        new = [k for k, key in enumerate(keys) if key not in present][: self._batch]
        self._block_cells = np.concatenate([self._block_cells, cells[new]])
        self._block_signs = np.concatenate([self._block_signs, signs[new]])
        return len(new)

    def _solve_master(self, tol: float) -> tuple[InteriorPointResult, Blocks]:
        self.n_blocks = len(self._block_cells)
        wanted = min(max(1e-3 * self.gap, 0.1 * tol, 1e-10), 1e-2)
        blocks = self._make_blocks(self._cone_rows())
        for attempt in range(self.settings.row_rounds):
            if attempt:
                blocks = replace(blocks, cones=self._cone_rows())
            solver = InteriorPoint(blocks, self.problem)
            result = solver.solve(wanted, v=self.dual_point, deadline=self.deadline)
            if self.deadline.passed or not self._add_violated_rows(result.z):
                break
        return result, blocks


def as_neurons(z: FloatArray, signs: FloatArray, least: float = 0.0) -> Neurons:
    """Blocks as neurons, as they stand, but for those below a share of the longest."""
    norms = np.linalg.norm(z, axis=1)
    alive = norms > least * norms.max(initial=0.0)
    return Neurons(z[alive] / norms[alive, None], norms[alive], signs[alive, None])
