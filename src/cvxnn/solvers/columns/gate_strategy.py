"""How networks with fixed gates are trained: gates are given or drawn, then searched."""

from __future__ import annotations

from functools import cached_property
from typing import final

import numpy as np

from cvxnn.array_types import EPS
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.layers.gated import GatedRows
from cvxnn.oracle.gates import GateOracle, GatePrice
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.columns.gate_draws import GatesStrategy
from cvxnn.solvers.columns.gate_search import GatedNeurons, GateSearch
from cvxnn.solvers.line_search import best_size


@final
class GateStrategy(GatesStrategy):
    """One search for one output, on the gates of the rows and those that are drawn."""

    def open_for(
        self,
        problem: Problem[GatedRows],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> GateSearch:
        """The same for another problem on the rows, whose gates are drawn once."""
        return GateSearch(self._on_gates(problem, deadline), deadline)

    def opening(self) -> GatedNeurons:
        """The gate of the largest correlation alone, with the best neuron in its direction.

        Where gates have not been drawn, one is tried that opens on the rows whose weights
        pull in the direction of all of them, and its opposite.
        """
        problem, rows = self._problem, self._problem.rows
        if self._draws is None:
            price = self._price
        else:
            v = problem.residual_at_zero
            pull = rows.X.T @ v
            rows = rows.opened(np.array([pull, -pull]))
            price = GateOracle(rows).price(v[:, None])
        gate = int(np.argmax(price.norms))
        if price.norms[gate] <= problem.beta:
            return self.nothing()
        direction = price.correlations[gate] / price.norms[gate]
        move = rows.masks[gate] * (rows.X @ direction)
        size = best_size(problem, np.zeros_like(problem.y), move)
        one = GatedNeurons.on(rows.gates[[gate]], direction[None])
        return one.sized(np.array([size])).select(np.array([size > 0.0]))

    def nothing(self) -> GatedNeurons:
        """The network without neurons."""
        rows = self._problem.rows
        return GatedNeurons.on(rows.gates[:0], rows.X[:0])

    def first_proof(self) -> DualProof:
        """Over the gates; over all that there can be where they have not been drawn."""
        v, rows = self._problem.residual_at_zero, self._problem.rows
        if self._draws is None:
            return DualProof.priced(v[:, None], self._price)
        n, d = rows.X.shape
        # Only the moduli of the terms are known; a sum of n of them with d entries each.
        rounding = 1.0 + 2.0 * (n + d + 8) * EPS
        bound = float(np.abs(v) @ rows.lengths) * rounding + n * 1e-300
        return DualProof.of(v, bound, "gates")

    @cached_property
    def _price(self) -> GatePrice:
        """Without neurons, once there are gates: from then on they stay the same."""
        return GateOracle(self._problem.rows).price(self._problem.residual_at_zero[:, None])
