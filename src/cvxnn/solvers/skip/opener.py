"""How a search with a skip connection opens one without."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.problems import Neurons
from cvxnn.solvers.search import Search


class Opener(Protocol):
    """Opens the search for neurons alone, from some to start with."""

    def __call__(
        self, layer: Layer, y: NDArray[np.float64], beta: float, loss: Loss, start: Neurons | None
    ) -> Search: ...
