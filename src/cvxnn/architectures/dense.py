"""What networks on rows of features have in common: a hidden layer and an output."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.errors import InputError
from cvxnn.networks import TwoLayerNetwork
from cvxnn.networks.base import ImmutableNetwork
from cvxnn.validation import check_data

FloatArray = NDArray[np.float64]


class DenseNetwork(ImmutableNetwork):
    """A network with hidden weights ``u_j`` and output weights ``a_j``."""

    __slots__ = ("_neurons",)

    def __init__(self, hidden_weights: ArrayLike, output_weights: ArrayLike) -> None:
        self._neurons = TwoLayerNetwork(hidden_weights, output_weights)

    @property
    def hidden_weights(self) -> FloatArray:
        """The ``u_j`` as rows: read-only array of shape (m, d)."""
        return self._neurons.hidden_weights

    @property
    def output_weights(self) -> FloatArray:
        """The ``a_j``: read-only array of shape (m,)."""
        return self._neurons.output_weights

    @property
    def n_neurons(self) -> int:
        """The number of neurons m."""
        return self._neurons.n_neurons

    @property
    def n_features(self) -> int:
        """The number of features d."""
        return self._neurons.n_features

    def penalty(self) -> float:
        """``1/2 sum_j (||u_j||^2 + a_j^2)``, what beta multiplies in the objective."""
        return self._neurons.penalty()

    def _check_rows(self, data: ArrayLike) -> FloatArray:
        rows = check_data(data)
        if rows.shape[1] != self.n_features:
            raise InputError(
                f"X must have the {self.n_features} features of the network, got {rows.shape[1]}."
            )
        return rows
