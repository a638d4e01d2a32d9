"""What all convolutional networks are: filters and output weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvxnn.errors import InputError
from cvxnn.networks import Network

FloatArray = NDArray[np.float64]


class FilterNetwork(Network):
    """A network whose weights are filters and output weights, with a row for each filter."""

    __slots__ = ()

    def __init__(
        self, arrays: Mapping[str, FloatArray | None], settings: Mapping[str, Any]
    ) -> None:
        super().__init__(arrays, settings)
        if self.n_neurons != len(self.filters):
            raise InputError(
                f"output_weights must have a row for each of the {len(self.filters)} filters, "
                f"got {self.n_neurons}."
            )

    @property
    def filters(self) -> FloatArray:
        """The ``u_j`` as rows: read-only array."""
        return self._arrays["filters"]
