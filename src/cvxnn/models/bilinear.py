"""Linear convolutional networks: filters and output weights, the function linear in each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.evaluation import Prediction
from cvxnn.networks.arrays import frozen
from cvxnn.networks.filters import FilterNetwork
from cvxnn.networks.stacking import common
from cvxnn.networks.stages import Affine, Flatten, Stages
from cvxnn.solvers.gauge.programs import GaugeProgram

FloatArray = NDArray[np.float64]


class BilinearNetwork(FilterNetwork):
    """Filters and output weights; the function is linear in each of the two."""

    __slots__ = ()

    def __init__(self, filters: ArrayLike, output_weights: ArrayLike) -> None:
        arrays = {
            "filters": frozen(filters, "filters", 2, of="filter"),
            "output_weights": frozen(output_weights, "output_weights", 2, of="filter"),
        }
        super().__init__(arrays, {})

    @property
    @abstractmethod
    def coefficients(self) -> FloatArray:
        """The linear function that the network is."""

    def forward(self, data: ArrayLike) -> FloatArray:
        """``f(data)``, shape (n,), also available by calling the network.

        Parameters
        ----------
        data : array-like, shape (n, K, h) or (n, d)
            Patches for :class:`LinearCNN`, rows for :class:`CircularCNN`.

        Raises
        ------
        InputError
            If `data` are not finite numbers of this shape.
        """
        values: FloatArray = self.rows(data).matrix @ self.coefficients.ravel()
        return values

    @abstractmethod
    def rows(self, data: ArrayLike) -> GaugeProgram:
        """The data as the program has them."""

    def predict_on(self, rows: GaugeProgram) -> Prediction:
        X, m = rows.matrix, self.n_neurons
        moduli = np.abs(X) @ self._moduli().ravel()
        # The transforms behind a circular convolution round some ten times log2(d).
        roundings = X.shape[1] + m + 10 * int(np.log2(X.shape[1]) + 1.0)
        return Prediction(X @ self.coefficients.ravel(), moduli, roundings)

    @classmethod
    def stages(cls, networks: Sequence[Self]) -> Stages:
        """As :meth:`Network.stages`: the linear functions that the networks are."""
        shape = common((n.coefficients.shape for n in networks), "shape of the coefficients")
        layer = Affine("linear", np.stack([n.coefficients.ravel() for n in networks]))
        return (layer,) if len(shape) == 1 else (Flatten(shape), layer)

    @abstractmethod
    def _moduli(self) -> FloatArray:
        """Bounds on the sums of moduli behind the coefficients, of their shape."""
