"""What the weights of every network go through: checks, a private copy, the activation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.evaluation import Prediction, predict
from cvxnn.networks.base import Network
from cvxnn.networks.stages import Affine, common, output_layer
from cvxnn.validation import as_real_array, check_data, check_finite


def frozen(weights: ArrayLike, name: str, *ndims: int, of: str) -> FloatArray:
    """A private, C-contiguous copy of weights that cannot be written to.

    Parameters
    ----------
    weights : array-like
    name : str
        How error messages call it.
    *ndims : int
        Dimensions that it may have.
    of : str
        What it has a row for: neurons, filters, features.

    Raises
    ------
    InputError
        If they are no finite numbers, of other dimensions, or of rows of length 0.

    Examples
    --------
    >>> frozen([[1.0, 2.0]], "filters", 2, of="filter").flags.writeable
    False
    """
    array = as_real_array(weights, name)
    if array.ndim not in ndims or 0 in array.shape[1:]:
        expected = " or ".join(f"{ndim}-D" for ndim in ndims)
        each = "an entry" if ndims == (1,) else "a row that is not empty"
        raise InputError(
            f"{name} must be {expected} with {each} for each {of}, got shape {array.shape}."
        )
    check_finite(array.reshape(len(array), math.prod(array.shape[1:])), name)
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy


def rows_of(X: ArrayLike, n_features: int) -> FloatArray:
    """The rows of data for a network of so many features; InputError if they are none.

    Examples
    --------
    >>> rows_of([[1, 2]], 2)
    array([[1., 2.]])
    """
    rows = check_data(X)
    if rows.shape[1] != n_features:
        raise InputError(
            f"X must have the {n_features} features of the network, got {rows.shape[1]}."
        )
    return rows


def activate(sums: FloatArray, slope: float) -> FloatArray:
    """``max(t, 0) + slope min(t, 0)``; for slope 0 in place.

    Examples
    --------
    >>> activate(np.array([-2.0, 3.0]), -1.0)
    array([2., 3.])
    """
    if slope == 0.0:
        return np.maximum(sums, 0.0, out=sums)
    return np.maximum(sums, 0.0) + slope * np.minimum(sums, 0.0)


class DenseNetwork(Network):
    """A network with hidden weights ``u_j`` and output weights ``a_j``.

    Parameters
    ----------
    hidden_weights : array-like, shape (m, d)
        Row j is ``u_j``.
    output_weights : array-like, shape (m,), for some kinds or (m, c)
        Entry or row j is ``a_j``.
    arrays, settings, intercept
        What else there is, as for :class:`Network`.
    """

    __slots__ = ()
    # Of the output weights: 2 where there may be several outputs.
    _output_axes: ClassVar[tuple[int, ...]] = (1,)

    def __init__(
        self,
        hidden_weights: ArrayLike,
        output_weights: ArrayLike,
        arrays: Mapping[str, FloatArray | None] | None = None,
        settings: Mapping[str, Any] | None = None,
        intercept: float | ArrayLike = 0.0,
    ) -> None:
        output = frozen(output_weights, "output_weights", *self._output_axes, of="neuron")
        neurons = {
            "hidden_weights": frozen(hidden_weights, "hidden_weights", 2, of="neuron"),
            "output_weights": output,
        }
        super().__init__({**neurons, **(arrays or {})}, settings or {}, intercept)
        self._check_heads()
        if len(self.output_weights) != len(self.hidden_weights):
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
    def n_outputs(self) -> int | None:
        return self._n_heads

    @property
    def _squared(self) -> tuple[FloatArray, ...]:
        return self.hidden_weights, self.output_weights

    @property
    def _shown(self) -> dict[str, Any]:
        shown = {"n_neurons": self.n_neurons, "n_features": self.n_features}
        return shown if self.n_outputs is None else {**shown, "n_outputs": self.n_outputs}

    def _neurons_on(self, rows: Any) -> Prediction:
        return predict(rows, self.hidden_weights, self.output_weights)

    def _check_data(self, X: ArrayLike) -> FloatArray:
        return rows_of(X, self.n_features)


def dense_layers(networks: Sequence[DenseNetwork]) -> tuple[Affine, Affine]:
    """The hidden layers stacked, and the output weights in blocks.

    Raises
    ------
    InputError
        If the networks read different numbers of features.
    """
    common((network.hidden_weights.shape[1] for network in networks), "number of features")
    hidden = np.concatenate([network.hidden_weights for network in networks])
    return Affine("hidden", hidden), output_layer(network.output_weights for network in networks)


class FilterNetwork(Network):
    """A network whose weights are filters and output weights, with a row for each filter."""

    __slots__ = ()

    def __init__(
        self,
        arrays: Mapping[str, FloatArray | None],
        settings: Mapping[str, Any],
        intercept: float | ArrayLike = 0.0,
    ) -> None:
        super().__init__(arrays, settings, intercept)
        if self.n_neurons != len(self.filters):
            raise InputError(
                f"output_weights must have a row for each of the {len(self.filters)} filters, "
                f"got {self.n_neurons}."
            )

    @property
    def filters(self) -> FloatArray:
        """The ``u_j`` as rows: read-only array."""
        return self._arrays["filters"]
