"""How networks of several outputs on fixed gates are trained: gates are given or drawn."""

from __future__ import annotations

from functools import cached_property
from typing import final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.layers.gated import GatedRows
from cvxnn.oracle.outputs.gates import OutputsGateOracle
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.columns.gate_draws import GateDraws, GatesStrategy
from cvxnn.solvers.columns.gate_search import GatedNeurons
from cvxnn.solvers.line_search import best_size
from cvxnn.solvers.outputs.gates.search import GatedOutputsSearch
from cvxnn.solvers.outputs.intercept import dual_point, without_neurons


@final
class GatedOutputsStrategy(GatesStrategy):
    """One search for several outputs, on the gates of the rows and those that are drawn.

    Parameters
    ----------
    problem : Problem of GatedRows
        With c outputs; the rows have no gates only where some are drawn.
    draws : GateDraws, optional
    intercept : bool
        Whether a number that costs nothing is added to each output.
    """

    def __init__(
        self, problem: Problem[GatedRows], draws: GateDraws | None = None, *, intercept: bool
    ) -> None:
        super().__init__(problem, draws)
        self._intercept = intercept

    def open_for(
        self,
        problem: Problem[GatedRows],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> GatedOutputsSearch:
        """The same for another problem on the rows, whose gates are drawn once."""
        on_gates = self._on_gates(problem, deadline)
        return GatedOutputsSearch(on_gates, deadline, intercept=self._intercept)

    def opening(self) -> Neurons:
        """The best neuron of the gate of the largest singular value, of the best size.

        Where gates have not been drawn, one is tried that opens on the rows that pull an output
        in the direction of all of them, and its opposite.
        """
        problem, nothing, V = self._problem, self.nothing(), self._residual
        rows = problem.rows if self._draws is None else self._opened(V)
        price = OutputsGateOracle(rows, most=1).price(V, problem.beta)
        if len(price.found) == 0:
            return nothing
        gate, u, a = price.gates[0], price.directions[0], price.outputs[0]
        move = np.outer(rows.masks[gate] * (rows.X @ u), a)
        size = best_size(problem, np.broadcast_to(nothing.intercept, V.shape), move)
        if size == 0.0:
            return nothing
        return GatedNeurons(
            u[None], np.array([size]), a[None],
            intercept=nothing.intercept, gates=rows.gates[[gate]],
        )  # fmt: skip

    def nothing(self) -> GatedNeurons:
        """The network without neurons."""
        none = without_neurons(self._problem, intercept=self._intercept)
        gates = self._problem.rows.gates[:0]
        return GatedNeurons(
            none.directions, none.sizes, none.outputs, intercept=none.intercept, gates=gates
        )

    def first_proof(self) -> DualProof:
        """Over the gates; over all that there can be where they have not been drawn."""
        if self._draws is None:
            return self._proof
        V, rows = self._dual_point, self._problem.rows
        n, d = rows.X.shape
        # Only the moduli of the terms are known; a sum of n of them with d c entries each.
        rounding = 1.0 + 2.0 * (n + d + V.shape[1] + 8) * EPS
        bound = float(np.linalg.norm(V, axis=1) @ rows.lengths) * rounding + n * 1e-300
        return DualProof(V, np.array([bound]), "gates")

    def _opened(self, V: FloatArray) -> GatedRows:
        """The rows with a gate that opens where V pulls, and its opposite."""
        rows, pulls = self._problem.rows, V.T @ self._problem.rows.X
        pull = pulls[int(np.argmax(np.linalg.norm(pulls, axis=1)))]
        return rows.opened(np.array([pull, -pull]))

    @property
    def _residual(self) -> FloatArray:
        """Minus the gradient at the network without neurons, shape (n, c)."""
        f = np.broadcast_to(self.nothing().intercept, self._problem.Y.shape)
        return self._problem.residual(f)

    @property
    def _dual_point(self) -> FloatArray:
        return dual_point(self._problem, self._residual, intercept=self._intercept)

    @cached_property
    def _proof(self) -> DualProof:
        """Without neurons, once there are gates: from then on they stay the same."""
        V = self._dual_point
        return DualProof.priced(V, OutputsGateOracle(self._problem.rows).price(V))
