"""How networks of three layers are trained: the search that is opened, and what there is before."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError
from cvxnn.layers import Layer
from cvxnn.layers.parallel import ParallelRows
from cvxnn.layers.rows import power_of_two
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.opening import opening
from cvxnn.solvers.parallel.gauge import upper_point
from cvxnn.solvers.parallel.neurons import SubNetworks
from cvxnn.solvers.parallel.proofs import proof_of, quick_proof
from cvxnn.solvers.parallel.search import ParallelSearch
from cvxnn.solvers.strategy import Strategy

# Of a sharp proof, beyond which there are no splits.
_MOST_LEAVES = 60


@final
class ParallelStrategy(Strategy):
    """One search for sub-networks of three layers.

    Parameters
    ----------
    problem : Problem of ParallelRows
    random_state : numpy.random.Generator
    start : SubNetworks, optional
    """

    def __init__(
        self,
        problem: Problem[ParallelRows],
        random_state: np.random.Generator,
        start: SubNetworks | None = None,
    ) -> None:
        self._problem, self._random_state, self._start = problem, random_state, start

    def open(self, deadline: Deadline) -> ParallelSearch:
        """The search, once its oracle is ready."""
        return self.open_for(self._problem, self._start, deadline)

    def open_for(
        self,
        problem: Problem[ParallelRows],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> ParallelSearch:
        """The same for another problem on the same rows."""
        known = start if isinstance(start, SubNetworks) else None
        return ParallelSearch(problem, self._random_state, deadline, known)

    def opening(self) -> SubNetworks:
        """Neurons of two layers."""
        return SubNetworks.of_neurons(opening(self._problem.on(Layer(self._problem.rows.X))))

    def nothing(self) -> SubNetworks:
        """No sub-networks."""
        return SubNetworks.nothing(self._problem.rows.n_features)

    def first_proof(self) -> DualProof:
        """What the residual of the network without sub-networks proves, by eigenvalues."""
        return quick_proof(self._problem.rows.X, self._problem.residual_at_zero)

    def sharp_proof(self, deadline: Deadline = UNLIMITED) -> DualProof:
        """The same by leaves, up to some dozens of them."""
        v = self._problem.residual_at_zero
        if not v.any():
            return self.first_proof()
        try:
            found = upper_point(
                self._problem.rows.X, v, deadline=deadline, most_leaves=_MOST_LEAVES
            )
        except OutOfTimeError:
            return self.first_proof()
        return proof_of(found).in_units(1.0, power_of_two(v))
