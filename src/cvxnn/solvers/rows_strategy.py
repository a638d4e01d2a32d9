"""What the searches on any rows have in common before they are open."""

from __future__ import annotations

from typing import Any

import numpy as np

from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.methods import Method
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.opening import opening
from cvxnn.solvers.strategy import Strategy


class RowsStrategy(Strategy):
    """A strategy for neurons on rows, with the cells that a method lists.

    Parameters
    ----------
    problem : Problem of Rows
    method : Method
    random_state : numpy.random.Generator
    """

    def __init__(
        self, problem: Problem[Any], method: Method, random_state: np.random.Generator
    ) -> None:
        self._problem, self._method, self._random_state = problem, method, random_state

    def opening(self) -> Neurons:
        return opening(self._problem)

    def nothing(self) -> Neurons:
        return Neurons.none(self._problem.rows.n_features)

    def first_proof(self) -> DualProof:
        return spectral_proof(self._problem.rows, self._problem.residual_at_zero, quick=True)
