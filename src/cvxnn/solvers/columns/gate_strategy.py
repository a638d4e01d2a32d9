"""How networks with fixed gates are trained: gates are given or drawn, then searched."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.layers.gated import GatedRows
from cvxnn.oracle.gates import GateOracle, GatePrice
from cvxnn.patterns.sampling import sample_until
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.columns.gate_search import GatedNeurons, GateSearch
from cvxnn.solvers.line_search import best_size
from cvxnn.solvers.strategy import Strategy


@final
@dataclass(frozen=True)
class GateDraws:
    """Gates that are still to be drawn, as in :func:`cvxnn.sample_patterns`.

    Attributes
    ----------
    X : ndarray, shape (n, d)
        Rows through which the directions go; their unit does not matter.
    count : int
    random_state : numpy.random.Generator
    """

    X: FloatArray
    count: int
    random_state: np.random.Generator

    def draw(self, deadline: Deadline) -> FloatArray:
        """Gates of distinct patterns, shape (G, d); OutOfTimeError if the deadline passes."""
        return sample_until(self.X, deadline, self.count, self.random_state, "data").directions

    def drawn_for(self, rows: GatedRows, deadline: Deadline) -> GatedRows:
        """The rows with these gates, and then those that they have."""
        gates = np.vstack([self.draw(deadline), rows.gates])
        return GatedRows.of(rows.X, gates, deadline)


@final
class GateStrategy(Strategy):
    """One search, on the gates of the rows and those that are drawn when it opens.

    Parameters
    ----------
    problem : Problem of GatedRows
        The rows have no gates only where some are drawn.
    draws : GateDraws, optional
    """

    def __init__(self, problem: Problem[GatedRows], draws: GateDraws | None = None) -> None:
        self._problem, self._draws = problem, draws
        self.n_patterns = problem.rows.n_gates

    def open(self, deadline: Deadline) -> GateSearch:
        """Draw the gates and price the network without neurons."""
        return self.open_for(self._problem, None, deadline)

    def open_for(
        self,
        problem: Problem[GatedRows],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> GateSearch:
        """The same for another problem on the rows, whose gates are drawn once."""
        if self._draws is not None:
            rows = self._draws.drawn_for(self._problem.rows, deadline)
            self._draws = None
            self._problem, self.n_patterns = self._problem.on(rows), rows.n_gates
        return GateSearch(problem.on(self._problem.rows), deadline)

    @property
    def arrays(self) -> dict[str, FloatArray]:
        """The gates, once they are known."""
        return {} if self._draws is not None else {"gates": self._problem.rows.gates}

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
            rows = GatedRows.of(rows.X, np.vstack([pull, -pull, rows.gates]))
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
        gates = self._problem.rows.gates[:0]
        return GatedNeurons.on(gates, gates)

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
