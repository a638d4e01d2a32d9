"""Gates that are drawn when a search opens, for strategies on fixed gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers.gated import GatedRows, pairs_of
from cvxnn.patterns.sampling import sample_until
from cvxnn.problems import Problem
from cvxnn.solvers.search import Search
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
        Of the first layer.
    random_state : numpy.random.Generator
    first : ndarray, shape (G, d), optional
        The gates of the first layer, where they are given.
    second : ndarray, shape (G', d), or int, optional
        Those of a second layer, or how many there are to be.
    """

    X: FloatArray
    count: int
    random_state: np.random.Generator
    first: FloatArray | None = None
    second: FloatArray | int | None = None

    def draw(self, deadline: Deadline) -> FloatArray:
        """Gates of distinct patterns, shape (G, d), or pairs of them, shape (G G', 2 d).

        Raises
        ------
        OutOfTimeError
            If the deadline passes.
        """
        gates = self._drawn(self.count, deadline) if self.first is None else self.first
        if self.second is None:
            return gates
        second = self.second
        return pairs_of(gates, self._drawn(second, deadline) if isinstance(second, int) else second)

    def _drawn(self, count: int, deadline: Deadline) -> FloatArray:
        return sample_until(self.X, deadline, count, self.random_state, "data").directions

    def drawn_for(self, rows: GatedRows, deadline: Deadline) -> GatedRows:
        """The rows with these gates, and then those that they have."""
        gates = np.vstack([self.draw(deadline), rows.gates])
        return GatedRows.of(rows.X, gates, deadline)


class GatesStrategy(Strategy):
    """On the gates of the rows, and those that are drawn, once, when a search opens.

    Parameters
    ----------
    problem : Problem of GatedRows
        The rows have no gates only where some are drawn.
    draws : GateDraws, optional
    """

    def __init__(self, problem: Problem[GatedRows], draws: GateDraws | None = None) -> None:
        self._problem, self._draws = problem, draws
        self.n_patterns = problem.rows.n_gates

    def open(self, deadline: Deadline) -> Search:
        """Draw the gates and price the network without neurons."""
        return self.open_for(self._problem, None, deadline)

    @property
    def arrays(self) -> dict[str, FloatArray]:
        """The gates, once they are known."""
        return {} if self._draws is not None else {"gates": self._problem.rows.gates}

    def _on_gates(self, problem: Problem[GatedRows], deadline: Deadline) -> Problem[GatedRows]:
        """A problem on the rows, whose gates are drawn now at the latest; or OutOfTimeError."""
        if self._draws is not None:
            rows = self._draws.drawn_for(self._problem.rows, deadline)
            self._draws = None
            self._problem, self.n_patterns = self._problem.on(rows), rows.n_gates
        return problem.on(self._problem.rows)
