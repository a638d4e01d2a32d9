"""A bound for any network by the training of one: the optimal value is the same."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.methods import Global
from cvxnn.models.relu import ReLU
from cvxnn.networks import TwoLayerNetwork
from cvxnn.problems import Problem
from cvxnn.results import Solution
from cvxnn.training.run import Callback, Limits, Run

# Enough for a training that is ended by its tolerance or a clock.
_ROUNDS = 100


@final
class TrainingProver:
    """A :class:`~cvxnn.certificates.Prover` that trains with ``method="global"``.

    Parameters
    ----------
    problem : Problem of Layer
    random_state : numpy.random.Generator
    callback : callable, optional
        As for :func:`cvxnn.solve`.

    Attributes
    ----------
    solution : Solution or None
        Of the training, once there has been one.
    """

    def __init__(
        self,
        problem: Problem[Layer],
        random_state: np.random.Generator,
        callback: Callback | None = None,
    ) -> None:
        self._problem, self._random_state, self._callback = problem, random_state, callback
        self.solution: Solution[Any] | None = None

    def improve(
        self, incumbent: TwoLayerNetwork, proof: DualProof, tol: float, deadline: Deadline
    ) -> DualProof:
        """The better of a proof and that of the training, which starts anew."""
        if deadline.passed:
            return proof
        problem = self._problem
        seconds = deadline.remaining if deadline.limited else None
        # The incumbent may use up tol by itself: the bound must be closer.
        limits = Limits(tol / 4.0, _ROUNDS, seconds, self._callback)
        run = Run(
            ReLU(), (problem.rows.n_features,), problem, Global(), self._random_state, None, limits
        )
        self.solution = run.execute()
        return max(proof, run.proof, key=lambda p: p.bound(problem))
