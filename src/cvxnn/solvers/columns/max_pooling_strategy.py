"""Max pooling: its own cells, priced by their own oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import Deadline
from cvxnn.layers.max_pooling import MaxLayer
from cvxnn.losses import SquaredLoss
from cvxnn.losses.roots import Root
from cvxnn.methods import Method
from cvxnn.oracle import MaxCellOracle
from cvxnn.patterns.max_pooling import MaxArrangement, MaxPatterns
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.columns.max_pooling import MaxSearch
from cvxnn.solvers.opening import opening
from cvxnn.solvers.proximal_newton import ProximalNewton
from cvxnn.solvers.search import Search
from cvxnn.solvers.strategy import Strategy

FloatArray = NDArray[np.float64]


class MaxPoolingStrategy(Strategy):
    """The search over the cells of a :class:`MaxLayer`.

    Parameters
    ----------
    problem : Problem of MaxLayer
    method : Method
        One that lists patterns.
    random_state : numpy.random.Generator
    """

    def __init__(
        self, problem: Problem[MaxLayer], method: Method, random_state: np.random.Generator
    ) -> None:
        self._problem, self._method, self._random_state = problem, method, random_state

    def open(self, deadline: Deadline) -> Search:
        problem, layer = self._problem, self._problem.rows
        arrangement = MaxArrangement(layer.rows, layer.n_patches)
        cells = self._method.list_patterns(arrangement, self._random_state, deadline)
        assert isinstance(cells, MaxPatterns)
        self.n_patterns = len(cells)
        oracle = MaxCellOracle(layer.patches, cells.winners(), cells.reach)

        def open_search(
            root: Root[Any] | None,
            y: FloatArray,
            beta: float,
            start: Neurons | None,
            certifies: bool,
        ) -> Search:
            weighted = layer if root is None else layer.weighted(root.root)
            return MaxSearch(weighted, y, beta, cells, oracle, deadline, start)

        if isinstance(problem.loss, SquaredLoss):
            return open_search(None, problem.y, problem.beta, None, True)
        return ProximalNewton(layer, problem.y, problem.beta, problem.loss, open_search, deadline)

    def opening(self) -> Neurons:
        return opening(self._problem)

    def first_proof(self) -> DualProof:
        v = self._problem.residual(np.zeros_like(self._problem.y))
        return spectral_proof(self._problem.rows, v, quick=True)

    def nothing(self) -> Neurons:
        return Neurons.none(self._problem.rows.n_features)
