"""Searches that keep the best network and the best proof of their problem themselves."""

from __future__ import annotations

from typing import Any

import numpy as np

from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.search import Search


class IncumbentSearch(Search):
    """A search that starts from the network without neurons, of which nothing is proven.

    Parameters
    ----------
    problem : Problem
        In the coordinates of `neurons`.
    nothing : Neurons
        None, of the kind that is searched for.
    kind : str
        Of the proofs to come.
    deadline : Deadline
    """

    def __init__(
        self, problem: Problem[Any], nothing: Neurons, kind: str, deadline: Deadline
    ) -> None:
        self.problem, self.deadline = problem, deadline
        self.neurons = nothing
        self.objective = problem.value(np.zeros_like(problem.y))
        # A dual point of which nothing is known scales to zero.
        self.bound, self.proof = -np.inf, DualProof.of(problem.y, np.inf, kind)
        self.n_blocks, self.stalled = 0, 0.0

    def _take(self, proof: DualProof) -> None:
        """Keep a proof if it gives the best bound so far."""
        bound = proof.bound(self.problem)
        if bound > self.bound:
            self.bound, self.proof = bound, proof
