"""Two-layer networks with leaky ReLU or absolute values, and a linear skip connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.architectures.dense import DenseNetwork
from cvxnn.errors import InputError
from cvxnn.evaluation import Prediction, predict
from cvxnn.layers import Layer
from cvxnn.networks.stacking import common, dense_layers, with_skip
from cvxnn.networks.stages import Activation, Stages
from cvxnn.validation import as_real_array, check_finite, check_flag, check_number

FloatArray = NDArray[np.float64]


class LeakyNetwork(DenseNetwork):
    """``f(x) = sum_j s(x'u_j) a_j + x'w`` with ``s(t) = t`` for t > 0, else ``slope t``.

    Parameters
    ----------
    hidden_weights : array-like, shape (m, d)
        Row j is ``u_j``.
    output_weights : array-like, shape (m,)
        Entry j is ``a_j``.
    slope : float, default 0.0
        Of the activation below zero: 0 is ReLU, -1 the absolute value, 1 linear.
    skip_weights : array-like, shape (d,), optional
        The w of a linear skip connection; none by default.
    skip_is_free : bool, default False
        Whether the skip connection is left out of the penalty.

    Raises
    ------
    InputError
        If an argument is not as described.

    Notes
    -----
    A penalised skip connection is a linear neuron ``x'u a``: at the best balance its two
    weights cost ``beta ||w||``. Leaky activations train the
    program of ReLU with other maps of the same patterns: M. Pilanci and T. Ergen, ICML 2020.

    Examples
    --------
    >>> network = LeakyNetwork([[1.0]], [2.0], slope=-1.0, skip_weights=[1.0])
    >>> network
    LeakyNetwork(n_neurons=1, n_features=1, slope=-1.0, skip=True)
    >>> network.forward([[3.0], [-3.0]])
    array([9., 3.])
    >>> network.penalty()  # (1 + 4) / 2, and 1 for the skip connection
    3.5
    """

    __slots__ = ("_skip_is_free", "_skip_weights", "_slope")

    def __init__(
        self,
        hidden_weights: ArrayLike,
        output_weights: ArrayLike,
        slope: float = 0.0,
        skip_weights: ArrayLike | None = None,
        skip_is_free: bool = False,
    ) -> None:
        super().__init__(hidden_weights, output_weights)
        self._slope = check_number(slope, "slope")
        self._skip_is_free = check_flag(skip_is_free, "skip_is_free")
        self._skip_weights = None if skip_weights is None else self._checked_skip(skip_weights)

    def _checked_skip(self, skip_weights: ArrayLike) -> FloatArray:
        w = as_real_array(skip_weights, "skip_weights").copy()
        if w.shape != (self.n_features,):
            raise InputError(
                f"skip_weights must be None or of shape ({self.n_features},), one for each "
                f"feature, got shape {w.shape}."
            )
        check_finite(w, "skip_weights")
        w.setflags(write=False)
        return w

    @property
    def slope(self) -> float:
        """Of the activation below zero."""
        return self._slope

    @property
    def skip_weights(self) -> FloatArray | None:
        """The w of the skip connection: read-only array of shape (d,), or None."""
        return self._skip_weights

    @property
    def skip_is_free(self) -> bool:
        """Whether the skip connection is left out of the penalty."""
        return self._skip_is_free

    def forward(self, data: ArrayLike) -> FloatArray:
        """``f(X)`` for X of shape (n, d), shape (n,); O(nmd).

        Raises
        ------
        InputError
            If `data` are no finite numbers of d features.
        """
        return self._predict(data).values

    def _predict(self, data: ArrayLike) -> Prediction:
        X = self._check_rows(data)
        linear = None if self._skip_weights is None else (X, self._skip_weights)
        layer = Layer(X).with_slope(self._slope)
        return predict(layer, self.hidden_weights, self.output_weights, linear)

    def penalty(self) -> float:
        """``1/2 sum_j (||u_j||^2 + a_j^2)``, and ``||w||`` for a penalised skip connection."""
        if self._skip_weights is None or self._skip_is_free:
            return super().penalty()
        return super().penalty() + float(np.linalg.norm(self._skip_weights))

    @classmethod
    def stages(cls, networks: Sequence[Self]) -> Stages:
        """As :meth:`ImmutableNetwork.stages`."""
        slope = common((network.slope for network in networks), "slope")
        hidden, output = dense_layers(networks)
        skips = [network.skip_weights for network in networks]
        return with_skip((hidden, Activation(slope), output), skips)

    @property
    def _weights(self) -> tuple[FloatArray, ...]:
        return self.hidden_weights, self.output_weights

    @property
    def _settings(self) -> dict[str, Any]:
        skip = None if self._skip_weights is None else tuple(self._skip_weights.tolist())
        return {"slope": self._slope, "skip_weights": skip, "skip_is_free": self._skip_is_free}

    def __repr__(self) -> str:
        return (
            f"LeakyNetwork(n_neurons={self.n_neurons}, n_features={self.n_features}, "
            f"slope={self._slope}, skip={self._skip_weights is not None})"
        )
