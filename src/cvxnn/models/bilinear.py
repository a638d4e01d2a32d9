"""Linear convolutional networks and their training: both layers are linear."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.evaluation import Prediction
from cvxnn.models.base import Choices, Model
from cvxnn.networks.stages import Affine, Flatten, Stages, common
from cvxnn.networks.weights import FilterNetwork, frozen
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.gauge.programs import GaugeProgram
from cvxnn.solvers.gauge.search import GaugeStrategy


class BilinearNetwork(FilterNetwork):
    """Filters and output weights; the function is linear in each of the two."""

    __slots__ = ()

    def __init__(
        self, filters: ArrayLike, output_weights: ArrayLike, *, intercept: float = 0.0
    ) -> None:
        arrays = {
            "filters": frozen(filters, "filters", 2, of="filter"),
            "output_weights": frozen(output_weights, "output_weights", 2, of="filter"),
        }
        super().__init__(arrays, {}, intercept)

    @property
    @abstractmethod
    def coefficients(self) -> FloatArray:
        """The linear function that the network is."""

    @abstractmethod
    def rows(self, data: ArrayLike) -> GaugeProgram:
        """The data as the program has them.

        Patches of shape (n, K, h) for :class:`LinearCNN`, rows of shape (n, d) for
        :class:`CircularCNN`.

        Raises
        ------
        InputError
            If `data` are not finite numbers of this shape.
        """

    def _neurons_on(self, rows: GaugeProgram) -> Prediction:
        X, m = rows.matrix, self.n_neurons
        moduli = np.abs(X) @ self._moduli().ravel()
        # The transforms behind a circular convolution round some ten times log2(d).
        roundings = X.shape[1] + m + 10 * int(np.log2(X.shape[1]) + 1.0)
        return Prediction(X @ self.coefficients.ravel(), moduli, roundings)

    @classmethod
    def _stages(cls, networks: Sequence[Self]) -> Stages:
        # The linear functions that the networks are.
        shape = common((n.coefficients.shape for n in networks), "shape of the coefficients")
        layer = Affine("linear", np.stack([n.coefficients.ravel() for n in networks]))
        return (layer,) if len(shape) == 1 else (Flatten(shape), layer)

    @abstractmethod
    def _moduli(self) -> FloatArray:
        """Bounds on the sums of moduli behind the coefficients, of their shape."""


class BilinearModel(Model):
    """A kind of linear convolutional networks, trained as the program of a gauge."""

    kind: ClassVar[type[BilinearNetwork]]
    takes_ones: ClassVar[bool] = False

    @abstractmethod
    def rows(self, data: ArrayLike) -> GaugeProgram:
        """The data as the program has them."""

    def strategy(self, problem: Problem[GaugeProgram], choices: Choices) -> GaugeStrategy:
        return GaugeStrategy(problem)

    def _network(self, neurons: Neurons, shape: tuple[int, ...]) -> BilinearNetwork:
        return self.kind(*neurons.balanced())
