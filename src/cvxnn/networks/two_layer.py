"""Two-layer networks of ReLU or leaky ReLU; their symmetries are in `symmetries`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.backends.namespaces import is_foreign
from cvxnn.backends.results import like_data, placed_like
from cvxnn.errors import InputError
from cvxnn.evaluation import Prediction, predict
from cvxnn.layers import Layer, Rows, row_chunks
from cvxnn.layers.costs import check_l1_ratio, mixed_norms
from cvxnn.layers.relu import SkipLayer
from cvxnn.networks.stages import Activation, Stages, common, with_skip
from cvxnn.networks.symmetries import NeuronSymmetries
from cvxnn.networks.tensors import values_there
from cvxnn.networks.weights import activate, dense_layers, frozen
from cvxnn.validation import as_real_array, check_finite, check_flag, check_number


class TwoLayerNetwork(NeuronSymmetries):
    """The network ``f(x) = sum_j s(x'u_j) a_j + x'w``: ReLU or leaky ReLU, and a linear part.

    The activation is ``s(t) = t`` for t > 0, else ``slope t``. By default it is ReLU, and
    there is no linear part: equation (1) of the seed paper. Immutable: the weights are private
    copies that cannot be written to, so a network can be shared, compared and hashed. There
    is no bias; a column of ones in the data is one.

    Parameters
    ----------
    hidden_weights : array-like of shape (m, d)
        Row j is ``u_j``. No neurons (m = 0) is the network that is 0, or linear.
    output_weights : array-like of shape (m,), or (m, c) for c outputs
        Entry or row j is ``a_j``; neurons are shared by the outputs.
    slope : float, default 0.0
        Of the activation below zero: 0 is ReLU, -1 the absolute value, 1 linear.
    skip_weights : array-like, shape (d,), optional
        The w of a linear skip connection; none by default.
    skip_is_free : bool, default False
        Whether the skip connection is left out of the penalty.
    l1_ratio : float, default 0.0
        The r of the norm ``N(u) = (1 - r) ||u|| + r ||u||_1`` by which the penalty measures
        hidden weights, in [0, 1]; above 0 for one output.
    intercept : float or array-like of shape (c,), default 0.0
        What is added to every value, without a penalty.

    Raises
    ------
    InputError
        If the weights are not numeric, not finite, or not of these shapes, or a setting
        is not as described.

    Notes
    -----
    A penalised skip connection is a linear neuron ``x'u a``: at the best balance its two
    weights cost ``beta ||w||``. Leaky activations train the program of ReLU with other maps
    of the same patterns.

    References
    ----------
    Bian, "Convexifying Neural Networks", equations (1) and (2). The convex
    programs that such a network solves: Pilanci and Ergen, "Neural Networks
    are Convex Regularizers", ICML 2020.

    Examples
    --------
    >>> from cvxnn import TwoLayerNetwork
    >>> network = TwoLayerNetwork([[1.0, 0.0], [0.0, -1.0]], [2.0, 1.0])
    >>> network
    TwoLayerNetwork(n_neurons=2, n_features=2)
    >>> network.forward([[1.0, 1.0], [3.0, -4.0]])
    array([ 2., 10.])
    >>> leaky = TwoLayerNetwork([[1.0]], [2.0], slope=-1.0, skip_weights=[1.0])
    >>> leaky
    TwoLayerNetwork(n_neurons=1, n_features=1, slope=-1.0, skip='penalised')
    >>> leaky.forward([[3.0], [-3.0]])
    array([9., 3.])
    >>> TwoLayerNetwork([[1.0]], [[2.0, -1.0]]).forward([[3.0], [-3.0]])
    array([[ 6., -3.],
           [ 0.,  0.]])
    """

    __slots__ = ()
    _output_axes = (1, 2)

    def __init__(
        self,
        hidden_weights: ArrayLike,
        output_weights: ArrayLike,
        *,
        slope: float = 0.0,
        skip_weights: ArrayLike | None = None,
        skip_is_free: bool = False,
        l1_ratio: float = 0.0,
        intercept: float | ArrayLike = 0.0,
    ) -> None:
        w = None if skip_weights is None else frozen(skip_weights, "skip_weights", 1, of="feature")
        settings = {
            "slope": check_number(slope, "slope"),
            "skip_is_free": check_flag(skip_is_free, "skip_is_free"),
            "l1_ratio": check_l1_ratio(l1_ratio),
        }
        super().__init__(hidden_weights, output_weights, {"skip_weights": w}, settings, intercept)
        if w is not None and self.n_outputs is not None:
            raise InputError("skip_weights must be None for a network of several outputs.")
        if self.l1_ratio and self.n_outputs is not None:
            raise InputError("l1_ratio must be 0 for a network of several outputs.")
        if w is not None and len(w) != self.n_features:
            raise InputError(
                f"skip_weights must be None or of shape ({self.n_features},), one for each "
                f"feature, got shape {w.shape}."
            )

    @property
    def slope(self) -> float:
        """Of the activation below zero."""
        return float(self._settings["slope"])

    @property
    def skip_weights(self) -> FloatArray | None:
        """The w of the skip connection: read-only array of shape (d,), or None."""
        return self._arrays.get("skip_weights")

    @property
    def skip_is_free(self) -> bool:
        """Whether the skip connection is left out of the penalty."""
        return bool(self._settings["skip_is_free"])

    @property
    def l1_ratio(self) -> float:
        """The share of the 1-norm in the norm of hidden weights."""
        return float(self._settings["l1_ratio"])

    @property
    def is_plain(self) -> bool:
        """Whether the activation is ReLU, without a skip connection and a norm of its own."""
        return self.slope == 0.0 and self.skip_weights is None and self.l1_ratio == 0.0

    def norms(self, vectors: FloatArray) -> FloatArray:
        """``N(u)`` of the rows of `vectors`, shape (k,)."""
        return mixed_norms(vectors, self.l1_ratio)

    # Any: a vector or a float, which the static type of X does not tell.
    @like_data
    def forward(self, X: ArrayLike) -> Any:
        """``f(X)``, also available by calling the network; O(nmd).

        The activations of some rows are held at a time, at most 16 MiB; for rows on a device of
        as many as its memory has room for.

        Parameters
        ----------
        X : array-like of shape (n, d) or (d,)
            The data, possibly no rows, or one row.

        Returns
        -------
        ndarray of shape (n,), or float
            A float for one row of shape (d,); of c outputs arrays of shapes (n, c) and (c,). Of
            arrays of another library, such as PyTorch, one of theirs, computed on their device
            in their precision.

        Raises
        ------
        InputError
            If `X` is not numeric, not finite, or does not have d features.

        Examples
        --------
        >>> from cvxnn import TwoLayerNetwork
        >>> network = TwoLayerNetwork([[1.0]], [2.0])
        >>> network([[3.0], [-3.0]]), network([3.0])
        (array([6., 0.]), 6.0)
        """
        there = self._values_there(X) if is_foreign(X) else None
        if there is not None:
            return there
        rows = self._check_rows(X)
        if rows.ndim == 2:
            return self._values(rows)
        (value,) = self._values(rows[np.newaxis])
        return float(value) if self.n_outputs is None else value

    def activations(self, X: ArrayLike) -> FloatArray:
        """The hidden activations ``s(X u_j)``, all at once; O(nmd).

        Parameters
        ----------
        X : array-like of shape (n, d) or (d,)

        Returns
        -------
        ndarray of shape (n, m) or (m,)

        Raises
        ------
        InputError
            As :meth:`forward`.

        Examples
        --------
        >>> from cvxnn import TwoLayerNetwork
        >>> TwoLayerNetwork([[1.0], [-1.0]], [2.0, 1.0]).activations([[3.0]])
        array([[3., 0.]])
        """
        return self._activate(self._check_rows(X))

    def penalty(self) -> float:
        """``1/2 sum_j (N(u_j)^2 + ||a_j||^2)``, and ``||w||`` for a penalised skip; O(md).

        N is the Euclidean norm, or that of `l1_ratio`.

        Examples
        --------
        >>> from cvxnn import TwoLayerNetwork
        >>> TwoLayerNetwork([[3.0, 4.0]], [1.0]).penalty()
        13.0
        >>> TwoLayerNetwork([[3.0, 4.0]], [1.0], skip_weights=[0.0, -2.0]).penalty()
        15.0
        >>> TwoLayerNetwork([[3.0, 4.0]], [1.0], l1_ratio=1.0).penalty()
        25.0
        """
        neurons = self._penalty_of_norms() if self.l1_ratio else super().penalty()
        if self.skip_weights is None or self.skip_is_free:
            return neurons
        return neurons + float(np.linalg.norm(self.skip_weights))

    def _penalty_of_norms(self) -> float:
        norms, output = self.norms(self.hidden_weights), self.output_weights
        return 0.5 * (float(norms @ norms) + float(output @ output))

    @property
    def penalty_roundings(self) -> int:
        """Also those of a norm, which count twice in its square."""
        return self.n_weights + (2 * self.n_features + 8 if self.l1_ratio else 0)

    @property
    def n_weights(self) -> int:
        """The number of weights, m (d + c), and d of a skip connection."""
        skip = 0 if self.skip_weights is None else self.n_features
        return super().n_weights + skip

    @property
    def _shown(self) -> dict[str, Any]:
        shown = super()._shown
        if self.slope != 0.0:
            shown["slope"] = self.slope
        if self.skip_weights is not None:
            shown["skip"] = "free" if self.skip_is_free else "penalised"
        if self.l1_ratio != 0.0:
            shown["l1_ratio"] = self.l1_ratio
        return shown

    def rows(self, data: ArrayLike) -> Layer | SkipLayer:
        X = self._check_data(data)
        layer = Layer(X).with_slope(self.slope)
        return layer if self.skip_weights is None else SkipLayer(layer, X, self.skip_is_free)

    def _neurons_on(self, rows: Rows | SkipLayer) -> Prediction:
        if not isinstance(rows, SkipLayer):
            return predict(rows, self.hidden_weights, self.output_weights)
        w = np.zeros(rows.linear.shape[1]) if self.skip_weights is None else self.skip_weights
        linear = rows.linear, w
        return predict(rows.layer, self.hidden_weights, self.output_weights, linear)

    @classmethod
    def _stages(cls, networks: Sequence[Self]) -> Stages:
        slope = common((network.slope for network in networks), "slope")
        hidden, output = dense_layers(networks)
        skips = [network.skip_weights for network in networks]
        return with_skip((hidden, Activation(slope), output), skips)

    def _renewed(self, hidden: FloatArray, output: FloatArray) -> Self:
        return type(self)(hidden, output, skip_weights=self.skip_weights, **self._settings)

    def _check_rows(self, X: ArrayLike) -> FloatArray:
        rows = as_real_array(X, "X")
        if rows.ndim not in (1, 2) or rows.shape[-1] != self.n_features:
            raise InputError(
                f"X must be of shape (n, {self.n_features}) or ({self.n_features},), "
                f"as the network has {self.n_features} features, got shape {rows.shape}."
            )
        check_finite(rows, "X")
        return rows

    def _activate(self, rows: FloatArray) -> FloatArray:
        return activate(rows @ self.hidden_weights.T, self.slope)

    def _values_there(self, X: Any) -> Any:
        """Those of an array of another library; None where it is none that they are for."""
        arguments = self.hidden_weights, self.output_weights, self.slope, self.skip_weights
        values = values_there(X, *arguments)
        if values is None or not np.any(self.intercept):
            return values
        # A number for each output, in the precision of the values.
        return values + placed_like(np.asarray(self.intercept), values)

    def _values(self, rows: FloatArray) -> FloatArray:
        values = np.empty((len(rows), *self.output_weights.shape[1:]))
        for chunk in row_chunks(len(rows), self.n_neurons):
            values[chunk] = self._activate(rows[chunk]) @ self.output_weights
        if self.skip_weights is not None:
            values += rows @ self.skip_weights
        return values + self.intercept


def check_plain(
    network: object,
    name: str,
    n_features: int | None = None,
    *,
    intercept: bool = False,
    n_outputs: int | None = 1,
) -> TwoLayerNetwork:
    """A network of ReLU without a skip connection or a 1-norm, for what exists for no other.

    Parameters
    ----------
    network : object
    name : str
        How the error message calls it.
    n_features : int, optional
        Columns of the data that it has to read.
    intercept : bool
        Whether it may have one.
    n_outputs : int or None
        Outputs that it has to have; None for any number.

    Raises
    ------
    InputError
        If it is anything else.

    Examples
    --------
    >>> check_plain(TwoLayerNetwork([[1.0]], [1.0], slope=0.1), "target")
    Traceback (most recent call last):
    cvxnn.errors.InputError: target must be a TwoLayerNetwork of slope 0 without a skip connection
    or an l1_ratio, got TwoLayerNetwork(n_neurons=1, n_features=1, slope=0.1).
    """
    if not isinstance(network, TwoLayerNetwork) or not network.is_plain:
        got = repr(network) if isinstance(network, TwoLayerNetwork) else type(network).__name__
        raise InputError(
            f"{name} must be a TwoLayerNetwork of slope 0 without a skip connection or an "
            f"l1_ratio, got {got}."
        )
    if n_outputs not in (None, network.n_outputs or 1):
        number = "one output" if n_outputs == 1 else f"{n_outputs} outputs"
        raise InputError(f"{name} must have {number}, got {network!r}.")
    if np.any(network.intercept) and not intercept:
        raise InputError(f"{name} must have no intercept, got {network!r}.")
    if n_features not in (None, network.n_features):
        raise InputError(
            f"{name} must have {n_features} features, as X has columns, got {network.n_features}."
        )
    return network
