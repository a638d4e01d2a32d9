"""What networks on rows of features have in common: hidden weights and output weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.errors import InputError
from cvxnn.evaluation import Prediction, predict
from cvxnn.networks.arrays import frozen, rows_of
from cvxnn.networks.base import Network

FloatArray = NDArray[np.float64]


class DenseNetwork(Network):
    """A network with hidden weights ``u_j`` and output weights ``a_j``.

    Parameters
    ----------
    hidden_weights : array-like, shape (m, d)
        Row j is ``u_j``.
    output_weights : array-like, shape (m,)
        Entry j is ``a_j``.
    arrays, settings
        What else there is, as for :class:`Network`.
    """

    __slots__ = ()

    def __init__(
        self,
        hidden_weights: ArrayLike,
        output_weights: ArrayLike,
        arrays: Mapping[str, FloatArray | None] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        neurons = {
            "hidden_weights": frozen(hidden_weights, "hidden_weights", 2, of="neuron"),
            "output_weights": frozen(output_weights, "output_weights", 1, of="neuron"),
        }
        super().__init__({**neurons, **(arrays or {})}, settings or {})
        if self.output_weights.shape != self.hidden_weights.shape[:1]:
            raise InputError(
                f"output_weights must be of shape ({len(self.hidden_weights)},), one for each row "
                f"of hidden_weights, got shape {self.output_weights.shape}."
            )

    @property
    def hidden_weights(self) -> FloatArray:
        """The ``u_j`` as rows: read-only array of shape (m, d)."""
        return self._arrays["hidden_weights"]

    @property
    def n_features(self) -> int:
        """The number of features d."""
        return int(self.hidden_weights.shape[1])

    @property
    def _squared(self) -> tuple[FloatArray, ...]:
        return self.hidden_weights, self.output_weights

    @property
    def _shown(self) -> dict[str, Any]:
        return {"n_neurons": self.n_neurons, "n_features": self.n_features}

    def predict_on(self, rows: Any) -> Prediction:
        """The values on the layer of some data, with what is known of their rounding."""
        return predict(rows, self.hidden_weights, self.output_weights)

    def _check_data(self, X: ArrayLike) -> FloatArray:
        return rows_of(X, self.n_features)
