"""Problems with the squared loss, which most searches are for."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.problems import Problem
from cvxnn.solvers.search import Search


def least_squares(rows: FloatArray | Layer, y: FloatArray, beta: float = 1.0) -> Problem[Layer]:
    """The problem of plain rows, or of a layer."""
    layer = Layer(rows) if isinstance(rows, np.ndarray) else rows
    return Problem.of(layer, y, beta, SquaredLoss())


def network_of(search: Search) -> TwoLayerNetwork:
    """The network that a search on plain rows has come to."""
    hidden, output = search.incumbent().balanced()
    return TwoLayerNetwork(hidden, output[:, 0])
