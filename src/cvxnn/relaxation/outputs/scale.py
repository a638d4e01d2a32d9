"""A problem of several outputs in the units of the iteration, and its bounds in those of data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.backends.namespaces import in_float64
from cvxnn.certificates import DualProof
from cvxnn.layers import Layer
from cvxnn.oracle.outputs.choice import pulled
from cvxnn.problems import Problem
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.iteration import Numbers
from cvxnn.relaxation.moments import Array
from cvxnn.relaxation.outputs.admm import OutputsAdmm
from cvxnn.relaxation.outputs.proximal import OutputsStep
from cvxnn.relaxation.outputs.safe_bound import safe_outputs_bound
from cvxnn.relaxation.readout import separated, squares
from cvxnn.relaxation.scale import KIND, in_blocks
from cvxnn.verification.evidence import Evidence
from cvxnn.verification.outputs.evidence import PairsEvidence


@final
@dataclass
class OutputsScale:
    """The problem as it is iterated on, see :class:`~cvxnn.relaxation.scale.Scale`.

    Attributes
    ----------
    problem : Problem of Layer
        In units of size one, with rows that one prediction each reads.
    units : Units
    blocks : Blocks
        Of the rows times c.
    factor : float
    V : ndarray, shape (n, c)
        The dual point of the last step, in the units of `problem`.
    intercept : bool
        Whether there is one beside the neurons.
    """

    problem: Problem[Layer]
    units: Any
    blocks: Blocks
    factor: float
    V: FloatArray
    intercept: bool = False

    @classmethod
    def of(cls, problem: Problem[Layer], block: int, *, intercept: bool) -> Self:
        """Blocks of so many rows at most."""
        scaled, units = problem.in_units()
        layer = separated(scaled.rows)
        if layer is None:
            raise TypeError("there is no relaxation of a layer that mixes all predictions")
        blocks, factor = in_blocks(layer.rows, block)
        return cls(scaled.on(layer), units, blocks, factor, scaled.residual_at_zero, intercept)

    def weights(self, V: FloatArray) -> FloatArray:
        """Those of the rows, in the blocks, shape (B, c, b)."""
        layer = self.problem.rows
        weights, _ = pulled(layer, V)
        weights = np.where(np.asarray(layer.rows.any(axis=1))[:, None], weights, 0.0)
        columns = [self.blocks.scattered(self.factor * column) for column in weights.T]
        return np.stack(columns, axis=1)

    def step(self, numbers: Numbers) -> Any:
        """The proximal step of the loss, in the blocks, as that of one output."""
        loss = OutputsStep(self.problem.loss, self.problem.Y, intercept=self.intercept)
        layer = self.problem.rows
        # Rows of zeros would be fitted by moments that only slowly become zeros.
        reached = layer.lengths > 0.0

        def dual(centre: Array, theta: FloatArray) -> Array:
            columns = in_float64(centre).swapaxes(0, 1)
            rows = np.column_stack([self.blocks.gathered(column) for column in columns])
            spread = squares(layer, self.blocks.gathered(theta)) * reached
            self.V = loss.dual(layer.read(rows / self.factor) * reached[:, None], spread)
            return numbers.placed(self.weights(self.V))

        return dual

    def proof(self, admm: OutputsAdmm) -> DualProof:
        """What the multipliers prove of the dual point of the last step, in the units of data."""
        V = self._dual_point()
        level = safe_outputs_bound(self.blocks.rows, self.weights(V), admm.multipliers(0))
        _, error = pulled(self.problem.rows, V)
        bound = (level / self.factor**2 + error) * (1.0 + 2.0 * EPS)
        bound = bound * self.units.targets * self.units.rows
        # Up, where the numbers leave the range of float64 below.
        bounds = np.nextafter(np.array([bound]), np.inf)
        return DualProof(V * self.units.targets, bounds, KIND, evidence=self._evidence(admm))

    def _evidence(self, admm: OutputsAdmm) -> Evidence | None:
        """The multipliers for a check; none is made for sums and differences of rows."""
        if self.problem.rows.readout is not None:
            return None
        units = self.units.rows / self.factor, self.units.targets / self.factor
        return PairsEvidence.of(self.blocks.places, admm.multipliers(0), *units)

    def _dual_point(self) -> FloatArray:
        """A point of the domain of the conjugate that stays as it is in the units of the data."""
        loss, Y = self.problem.loss, self.problem.Y
        V = loss.balanced(self.V, Y) if self.intercept else loss.project(self.V, Y)
        return np.asarray(V * self.units.targets / self.units.targets)
