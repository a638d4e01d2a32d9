"""Problems with the squared loss, which most searches are for."""

import numpy as np

from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.problems import Problem


def least_squares(rows, y, beta=1.0):
    """The problem of plain rows, or of a layer."""
    layer = Layer(rows) if isinstance(rows, np.ndarray) else rows
    return Problem.of(layer, y, beta, SquaredLoss())


def network_of(search):
    """The network that a search on plain rows has come to."""
    hidden, output = search.incumbent().balanced()
    return TwoLayerNetwork(hidden, output[:, 0])
