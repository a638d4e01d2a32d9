"""The rows of a network with a linear skip connection: those of its layer, and its linear part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray
from cvxnn.layers.relu import Layer


@final
@dataclass(frozen=True)
class SkipLayer:
    """Rows that neurons look at, and a linear part ``S w`` beside the neurons.

    Attributes
    ----------
    layer : Layer
    linear : ndarray, shape (n, p)
        S.
    is_free : bool
        Whether w costs nothing; else it costs ``||w||``, as weight decay makes of a linear
        neuron.

    Examples
    --------
    >>> rows = SkipLayer(Layer(np.array([[1.0], [-2.0]])), np.array([[1.0], [-2.0]]), False)
    >>> rows.forward(np.array([[3.0]]), np.array([2.0]), np.array([10.0]))
    array([ 16., -20.])
    """

    layer: Layer
    linear: FloatArray
    is_free: bool

    @property
    def n_outputs(self) -> int:
        """Number of predictions n."""
        return self.layer.n_outputs

    @property
    def n_features(self) -> int:
        """Length d of a neuron's weights."""
        return self.layer.n_features

    @property
    def unit(self) -> float:
        """The power of two next to the largest entry of the layer's rows."""
        return self.layer.unit

    def in_units(self, unit: float) -> SkipLayer:
        """Rows and S divided by a power of two.

        S in the unit of the rows makes w a size like those of the neurons: where targets
        are b times larger and rows a times, the sizes and w are ``b / a`` times larger, and
        both terms of the penalty stay beside each other.
        """
        return replace(self, layer=self.layer.in_units(unit), linear=self.linear / unit)

    def take(self, outputs: slice | NDArray[np.integer]) -> SkipLayer:
        """The rows of some of the predictions."""
        return replace(self, layer=self.layer.take(outputs), linear=self.linear[outputs])

    def forward(self, hidden: FloatArray, weights: FloatArray, linear: FloatArray) -> FloatArray:
        """``sum_j R (M u_j)_+ a_j + S w``, shape (n,), for w of shape (p,)."""
        return np.asarray(self.layer.forward(hidden, weights) + self.linear @ linear)
