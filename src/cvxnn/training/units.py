"""The problem in the units of the solvers: data of size one, without rounding."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cvxnn.errors import InputError
from cvxnn.layers import Layer
from cvxnn.layers.units import power_of_two
from cvxnn.losses import Loss, SquaredLoss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.problems import Neurons

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ScaledProblem:
    """Rows, y and beta divided by powers of two, and the way back.

    With X = a X', y = b y' and beta = a b beta' objective (2) of the neurons
    u sqrt(b / a), a_j sqrt(b / a) is b^2 times that of the scaled problem. Labels
    are not scaled: there b = 1.

    Attributes
    ----------
    layer : Layer
        Its rows are the X above; what is read from them is not scaled.
    y : ndarray, shape (n,)
    beta : float
    loss : Loss
    objective_unit : float
        Objectives of the original problem over those of this one.
    weight_unit : float
        The same for weights.
    """

    layer: Layer
    y: FloatArray
    beta: float
    loss: Loss
    objective_unit: float
    weight_unit: float

    @classmethod
    def of(
        cls, layer: Layer, y: FloatArray, beta: float, loss: Loss | None = None
    ) -> ScaledProblem:
        """Scale a problem; InputError if beta does not fit the data at all."""
        loss = SquaredLoss() if loss is None else loss
        unit_X, unit_y = power_of_two(layer.rows), loss.unit(y)
        scaled_beta = beta / unit_X / unit_y
        if not 1e-150 < scaled_beta < 1e150:
            raise InputError(
                f"beta = {beta:g} is out of all proportion to X and y, of size "
                f"{unit_X:g} and {unit_y:g}; rescale one of them."
            )
        return cls(
            replace(layer, rows=layer.rows / unit_X), y / unit_y, scaled_beta,
            loss.in_units(unit_y), unit_y**2, float(np.sqrt(unit_y / unit_X)),
        )  # fmt: skip

    def unscaled(self, network: TwoLayerNetwork) -> TwoLayerNetwork:
        """The network in the units of the original problem."""
        return TwoLayerNetwork(
            np.asarray(network.hidden_weights) * self.weight_unit,
            np.asarray(network.output_weights) * self.weight_unit,
        )

    def neurons(self, network: TwoLayerNetwork) -> Neurons:
        """A network in the units of the original problem as neurons of this one."""
        output = np.asarray(network.output_weights) / self.weight_unit
        hidden = np.asarray(network.hidden_weights) / self.weight_unit
        return Neurons.of(hidden * np.abs(output)[:, None], np.sign(output)[:, None])

    @property
    def empty_network(self) -> TwoLayerNetwork:
        """The network without neurons."""
        return TwoLayerNetwork(np.zeros((0, self.layer.n_features)), np.zeros(0))
