"""How networks of three layers are trained on rows of high rank: a rough search, no oracle."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers.parallel import ParallelRows
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.parallel.neurons import SubNetworks
from cvxnn.solvers.parallel.rough_search import RoughSubNetworkSearch
from cvxnn.solvers.strategy import Strategy


@final
class RoughSubNetworkStrategy(Strategy):
    """One rough search for sub-networks and any intercept at once.

    Parameters
    ----------
    exact : Strategy
        The one with oracles, which knows all that needs no search.
    problem : Problem of ParallelRows
    random_state : numpy.random.Generator
    start : Neurons, optional
    intercept : bool
        Whether there is one beside the sub-networks.
    """

    def __init__(
        self,
        exact: Strategy,
        problem: Problem[ParallelRows],
        random_state: np.random.Generator,
        start: Neurons | None = None,
        *,
        intercept: bool = False,
    ) -> None:
        self._exact, self._problem, self._intercept = exact, problem, intercept
        self._random_state, self._start = random_state, start

    def open(self, deadline: Deadline) -> RoughSubNetworkSearch:
        """The search."""
        return self.open_for(self._problem, self._start, deadline)

    def open_for(
        self,
        problem: Problem[ParallelRows],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> RoughSubNetworkSearch:
        """The same for another problem on the same rows."""
        known = start if isinstance(start, SubNetworks) else None
        return RoughSubNetworkSearch(
            problem, self._random_state, deadline, known, intercept=self._intercept
        )

    @property
    def polishes(self) -> bool:
        """False."""
        return False

    def opening(self) -> Neurons:
        """Neurons of two layers."""
        return self._exact.opening()

    def nothing(self) -> Neurons:
        """No sub-networks."""
        return self._exact.nothing()

    def first_proof(self) -> DualProof:
        """What the residual of the network without sub-networks proves, by eigenvalues."""
        return self._exact.first_proof()

    def sharp_proof(self, deadline: Deadline = UNLIMITED) -> DualProof:
        """The same by an oracle of two layers, some seconds for each vector."""
        return self._exact.sharp_proof(deadline)
