"""A run of a linear network: the frame of rounds around its search."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvxnn.architectures.rounds import Rounds, Settings
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.problems import Neurons
from cvxnn.solvers.gauge.objective import Objective
from cvxnn.solvers.gauge.programs import GaugeProgram, Weights
from cvxnn.solvers.gauge.search import GaugeSearch
from cvxnn.solvers.gauge.strategy import GaugeStrategy
from cvxnn.training.units import ScaledProblem

FloatArray = NDArray[np.float64]


class Run(Rounds):
    """The search on the program of a gauge, in the units of the data.

    Attributes
    ----------
    weights : pair of ndarray
        Filters and output weights in the units of the data.
    """

    _patience = 4

    def __init__(
        self, program: GaugeProgram, y: FloatArray, beta: float, loss: Loss, settings: Settings
    ) -> None:
        super().__init__(settings)
        self._scaled = scaled = ScaledProblem.of(Layer(program.matrix), y, beta, loss)
        inner = program.in_units(program.unit)
        self._inner = Objective(inner, scaled.y, scaled.beta, scaled.loss)
        self._strategy = GaugeStrategy(inner, scaled.y, scaled.beta, scaled.loss)
        self._search: GaugeSearch | None = None
        self._neurons = inner.neurons(np.zeros(inner.matrix.shape[1]))

    @property
    def weights(self) -> Weights:
        root = np.sqrt(self._neurons.sizes)[:, None] * self._scaled.weight_unit
        return self._neurons.directions * root, self._neurons.outputs * root

    def _begin(self) -> None:
        self._search = self._strategy.open(self._deadline)
        self._take(self._search.neurons)

    def _round(self) -> bool:
        assert self._search is not None
        try:
            self._search.step(self._settings.tol)
        finally:
            self._take(self._search.neurons)
        return False

    def _open(self) -> None:
        if len(self._neurons) == 0:
            self._take(self._strategy.opening())

    def _finish(self) -> None:
        assert self._search is not None
        self._search.finish(self._settings.tol, quick=False)

    def _take(self, neurons: Neurons) -> None:
        unit, objective = self._scaled.objective_unit, self._inner.of_neurons(neurons)
        if objective * unit < self.objective:
            self._neurons, self.objective = neurons, objective * unit
        if self._search is not None:
            self.dual_bound = max(self.dual_bound, self._search.bound * unit)

    @property
    def _sizes(self) -> tuple[int, int]:
        return len(self._neurons), len(self._neurons)
