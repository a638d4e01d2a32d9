"""A run: rounds of proximal steps, Newton's method and a certificate, until the gap is closed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cvxnn.architectures.descent import Objective, ProximalGradient, polish
from cvxnn.architectures.programs import GaugeProgram, Weights
from cvxnn.architectures.rounds import Rounds, Settings
from cvxnn.certificates import dual_bound
from cvxnn.interrupts import Deadline, check_interrupt
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.training.units import ScaledProblem

FloatArray = NDArray[np.float64]

# Proximal steps of a round: enough to find the rank where the problem is easy.
_STEPS = 60
# Rounds after which a problem counts as hard, and the path to it: the factor from one
# beta to the next, and the proximal steps for each.
_DIRECT_ROUNDS = 2
_PATH_FACTOR, _PATH_STEPS = 0.3, 20


class Run(Rounds):
    """Proximal steps and Newton's method on the program of a gauge.

    Attributes
    ----------
    weights : pair of ndarray
        Filters and output weights in the units of the data.
    """

    _patience = 4

    def __init__(
        self,
        program_of: Callable[[FloatArray], GaugeProgram],
        X: FloatArray,
        y: FloatArray,
        beta: float,
        loss: Loss,
        settings: Settings,
    ) -> None:
        super().__init__(settings)
        self._X, self._y, self._beta, self._loss = X, y, beta, loss
        self._scaled = ScaledProblem.of(Layer(X), y, beta, loss)
        self._program = program_of(self._scaled.layer.rows)
        self._inner = Objective(self._program, self._scaled.y, self._scaled.beta, self._scaled.loss)
        self._coefficients = np.zeros(self._program.matrix.shape[1])
        self._gradient: ProximalGradient | None = None
        self.weights: Weights = self._program.weights(self._coefficients)

    def _begin(self) -> None:
        self._note(self._coefficients)
        self._gradient = ProximalGradient(self._inner)

    def _round(self) -> bool:
        if len(self.history) == _DIRECT_ROUNDS:
            self._follow_path()
        assert self._gradient is not None
        stepped = self._gradient.run(self._coefficients, _STEPS, self._deadline)
        self._note(stepped)
        if self.gap > self._settings.tol:
            polished = polish(self._inner, stepped, self._deadline)
            self._note(polished)
            self._coefficients = polished if self._is_lower(polished, stepped) else stepped
        return False

    def _open(self) -> None:
        """One proximal step from 0, which leaves it wherever 0 is not optimal."""
        if len(self.weights[0]) == 0:
            gradient = self._gradient or ProximalGradient(self._inner)
            self._note(gradient.run(np.zeros_like(self._coefficients), 1, Deadline()))

    def _finish(self) -> None:
        """Nothing is left to do: the weights are minimal as they are."""

    def _follow_path(self) -> None:
        """Start again from solutions for falling beta: Newton finds a small one's rank slowly."""
        inner, t = self._inner, np.zeros_like(self._coefficients)
        beta = _PATH_FACTOR * self._program.dual_norm_bound(inner.dual_point(t))
        while beta * _PATH_FACTOR > inner.beta and not self._deadline.passed:
            check_interrupt()
            easier = Objective(self._program, inner.y, beta, inner.loss)
            t = ProximalGradient(easier).run(t, _PATH_STEPS, self._deadline)
            t = polish(easier, t, self._deadline)
            beta *= _PATH_FACTOR
        if self._is_lower(t, self._coefficients):
            self._coefficients = t

    def _is_lower(self, one: FloatArray, other: FloatArray) -> bool:
        values = [
            self._inner.smooth(t)[0] + self._scaled.beta * self._program.gauge(t)
            for t in (one, other)
        ]
        return bool(values[0] <= values[1])

    def _note(self, coefficients: FloatArray) -> None:
        """Keep the network of t if it is the best so far, and the bound of its residual."""
        unit = self._scaled.weight_unit
        filters, output = (part * unit for part in self._program.weights(coefficients))
        prediction = self._X @ self._program.product(filters, output)
        squares = float(np.vdot(filters, filters) + np.vdot(output, output))
        objective = self._loss.value(prediction, self._y) + 0.5 * self._beta * squares
        if objective < self.objective:
            self.weights, self.objective = (filters, output), objective
        v = self._inner.dual_point(coefficients)
        bound = dual_bound(
            self._inner.loss, self._inner.y, v, self._inner.beta, self._program.dual_norm_bound(v)
        )
        self.dual_bound = max(self.dual_bound, bound * self._scaled.objective_unit)

    @property
    def _sizes(self) -> tuple[int, int]:
        return len(self.weights[0]), len(self.weights[0])
