"""The run of gated networks: rounds of their search."""

from __future__ import annotations

import numpy as np

from cvxnn.architectures.gated_networks import GatedNetwork
from cvxnn.architectures.rounds import Rounds, Settings
from cvxnn.solvers.columns.gate_strategy import GateStrategy
from cvxnn.solvers.columns.gates import GatedNeurons, GateSearch
from cvxnn.training.units import ScaledProblem


class GatedRun(Rounds):
    """Rounds of the search that a strategy opens.

    Parameters
    ----------
    problem : ScaledProblem
        The units of the strategy.
    strategy : GateStrategy
    settings : Settings
    """

    _patience = 1

    def __init__(self, problem: ScaledProblem, strategy: GateStrategy, settings: Settings) -> None:
        super().__init__(settings)
        self._problem, self._strategy = problem, strategy
        self._search: GateSearch | None = None
        self._neurons: GatedNeurons | None = None

    @property
    def network(self) -> GatedNetwork:
        """The best so far, in the units of the data."""
        neurons, d = self._neurons, self._problem.layer.n_features
        if neurons is None:
            return GatedNetwork(np.zeros((0, d)), np.zeros((0, d)), np.zeros(0))
        roots = np.sqrt(neurons.sizes) * self._problem.weight_unit
        return GatedNetwork(neurons.gates, neurons.directions * roots[:, None], roots)

    @property
    def _sizes(self) -> tuple[int, int]:
        assert self._search is not None
        return self._search.n_blocks, len(self._search.neurons)

    def _begin(self) -> None:
        self._search = self._strategy.open(self._deadline)
        self._take(self._search)

    def _round(self) -> bool:
        assert self._search is not None
        try:
            self._search.step(self._settings.tol)
        finally:
            self._take(self._search)
        return self._search.stalled < 3.0

    def _take(self, search: GateSearch) -> None:
        unit = self._problem.objective_unit
        self.objective, self.dual_bound = search.objective * unit, search.bound * unit
        self._neurons = search.neurons.turned(search.basis.T)

    def _open(self) -> None:
        if self._neurons is None or len(self._neurons) == 0:
            self._neurons = self._strategy.opening()
        if self._search is None:
            problem = self._problem
            bound = self._strategy.first_proof().bound(problem.loss, problem.y, problem.beta)
            self.dual_bound = bound * problem.objective_unit

    def _finish(self) -> None:
        assert self._search is not None
        self._search.finish(self._settings.tol, quick=False)
        self._take(self._search)
