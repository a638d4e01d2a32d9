"""How quantised networks are trained, and what there is before a search."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers.quantized import QuantizedRows
from cvxnn.losses.offset import best_offset
from cvxnn.methods import Method
from cvxnn.oracle.quantized.oracle import QuantizedOracle
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.proof_time import ProofTime
from cvxnn.solvers.quantized.neurons import QuantizedNeurons
from cvxnn.solvers.quantized.proofs import proof_of
from cvxnn.solvers.quantized.search import QuantizedSearch
from cvxnn.solvers.quantized.settings import SETTINGS
from cvxnn.solvers.quantized.sizes import Sizes, best_sizes
from cvxnn.solvers.strategy import Join, Strategy

# Pairs of a first network, at most.
_FIRST = 16


@final
class QuantizedStrategy(Strategy):
    """One search over pairs of vectors of signs; there are no patterns.

    Parameters
    ----------
    problem : Problem of QuantizedRows
    method : Method
    random_state : numpy.random.Generator
    start : Neurons, optional
    proof_time : ProofTime, optional
    """

    def __init__(
        self,
        problem: Problem[QuantizedRows],
        method: Method,
        random_state: np.random.Generator,
        start: Neurons | None = None,
        proof_time: ProofTime | None = None,
    ) -> None:
        self._problem, self._method, self._random_state = problem, method, random_state
        self._start, self._proof_time = start, proof_time

    def open(self, deadline: Deadline) -> QuantizedSearch:
        """The search, in the time of a few passes over the data."""
        return self.open_for(self._problem, self._start, deadline)

    def open_for(
        self,
        problem: Problem[QuantizedRows],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> QuantizedSearch:
        """The same for another problem on the same rows."""
        return self._search(problem, start, deadline, certifies)

    def jointly(
        self,
        problem: Problem[QuantizedRows],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> QuantizedSearch:
        """The same with an intercept, which is one more column, without a price."""
        constant = best_offset(problem.loss, np.zeros_like(problem.y), problem.y)
        return self._search(problem, start, deadline, certifies, constant)

    def join(self, problem: Problem[QuantizedRows], deadline: Deadline) -> Join:
        """At once: an intercept costs nothing."""
        return Join.FIRST

    def _search(
        self,
        problem: Problem[QuantizedRows],
        start: Neurons | None,
        deadline: Deadline,
        certifies: bool,
        constant: float | None = None,
    ) -> QuantizedSearch:
        assert start is None or isinstance(start, QuantizedNeurons)
        certifies = certifies and self._method.certify and self._method.polish
        return QuantizedSearch(
            problem, self._random_state, deadline, start, self._proof_time,
            certifies=certifies, constant=constant,
        )  # fmt: skip

    def opening(self) -> QuantizedNeurons:
        """A few pairs that walks find for the residual without neurons."""
        problem, rows = self._problem, self._problem.rows
        oracle = QuantizedOracle(rows, np.random.default_rng(0))
        found = oracle.walk(problem.residual_at_zero, problem.beta).head(_FIRST)
        columns = rows.activations(found.left, found.right)
        sizes = best_sizes(problem, columns, Sizes(np.zeros(len(found)))).values
        neurons = QuantizedNeurons.pairs(found.left, found.right, sizes)
        return neurons.select(sizes > 0.0)

    def nothing(self) -> QuantizedNeurons:
        """The network without neurons."""
        none = np.zeros((0, self._problem.rows.n_features))
        return QuantizedNeurons.pairs(none, none, np.zeros(0))

    def first_proof(self) -> DualProof:
        """What the residual without neurons proves by its entries alone."""
        v = self._problem.residual_at_zero
        return proof_of(v, QuantizedOracle(self._problem.rows, self._random_state).quick(v))

    def sharp_proof(self, deadline: Deadline = UNLIMITED) -> DualProof:
        """The same by a tree of some seconds, or by the relaxation where that does not end."""
        v = self._problem.residual_at_zero
        oracle = QuantizedOracle(self._problem.rows, np.random.default_rng(0))
        known = oracle.walk(v).left
        start = known[0] if len(known) else None
        bound = oracle.exact(v, 0.0, start, deadline, SETTINGS.quick_nodes)
        return proof_of(v, bound if bound.finished else oracle.semidefinite(v))
