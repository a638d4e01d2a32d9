"""Two-layer ReLU networks: values, objective and files; their symmetries are in `symmetries`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.errors import InputError, ModelFileError
from cvxnn.evaluation import Evaluation, evaluate, predict
from cvxnn.layers import Layer
from cvxnn.losses import Loss, SquaredLoss
from cvxnn.networks.files import read_model, write_model
from cvxnn.networks.stacking import dense_layers
from cvxnn.networks.stages import Activation, Stages
from cvxnn.networks.symmetries import NeuronSymmetries
from cvxnn.validation import as_real_array, check_data, check_finite, check_positive, check_target

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

_BUFFER_BYTES = 64 * 2**20


class TwoLayerNetwork(NeuronSymmetries):
    """The network ``f(X) = sum_j (X u_j)_+ a_j``; equation (1) of the seed paper.

    Immutable: the weights are private copies that cannot be written to, so a
    network can be shared, compared and hashed. There is no bias; a column of
    ones in the data is one.

    Parameters
    ----------
    hidden_weights : array-like of shape (m, d)
        Row j is ``u_j``. No neurons (m = 0) is the network that is 0.
    output_weights : array-like of shape (m,)
        Entry j is ``a_j``.

    Raises
    ------
    InputError
        If the weights are not numeric, not finite, or not of these shapes.

    References
    ----------
    Bian, "Convexifying Neural Networks", equations (1) and (2). The convex
    programs that such a network solves: Pilanci and Ergen, "Neural Networks
    are Convex Regularizers", ICML 2020.

    Examples
    --------
    >>> network = TwoLayerNetwork([[1.0, 0.0], [0.0, -1.0]], [2.0, 1.0])
    >>> network
    TwoLayerNetwork(n_neurons=2, n_features=2)
    >>> network.forward([[1.0, 1.0], [3.0, -4.0]])
    array([ 2., 10.])
    """

    __slots__ = ("_hidden_weights", "_output_weights")

    def __init__(self, hidden_weights: ArrayLike, output_weights: ArrayLike) -> None:
        hidden = as_real_array(hidden_weights, "hidden_weights")
        output = as_real_array(output_weights, "output_weights")
        if hidden.ndim != 2 or hidden.shape[1] == 0:
            raise InputError(
                "hidden_weights must be 2-D, of shape (m, d) with d at least 1, "
                f"got shape {hidden.shape}."
            )
        if output.shape != hidden.shape[:1]:
            raise InputError(
                f"output_weights must be of shape ({len(hidden)},), one for each row of "
                f"hidden_weights, got shape {output.shape}."
            )
        check_finite(hidden, "hidden_weights")
        check_finite(output, "output_weights")
        self._hidden_weights = _frozen_copy(hidden)
        self._output_weights = _frozen_copy(output)

    @property
    def hidden_weights(self) -> Matrix:
        """The ``u_j`` as rows: read-only array of shape (m, d)."""
        return self._hidden_weights

    @property
    def output_weights(self) -> Vector:
        """The ``a_j``: read-only array of shape (m,)."""
        return self._output_weights

    @property
    def n_neurons(self) -> int:
        """The number of neurons m."""
        return len(self._hidden_weights)

    @property
    def n_features(self) -> int:
        """The number of features d."""
        return int(self._hidden_weights.shape[1])

    # Any: a vector or a float, which the static type of X does not tell.
    def forward(self, X: ArrayLike) -> Any:
        """``f(X)``, also available by calling the network; O(nmd).

        The activations of at most about 64 MiB of rows are held at a time.

        Parameters
        ----------
        X : array-like of shape (n, d) or (d,)
            The data, possibly no rows, or one row.

        Returns
        -------
        ndarray of shape (n,), or float
            A float for one row of shape (d,).

        Raises
        ------
        InputError
            If `X` is not numeric, not finite, or does not have d features.

        Examples
        --------
        >>> network = TwoLayerNetwork([[1.0]], [2.0])
        >>> network([[3.0], [-3.0]]), network([3.0])
        (array([6., 0.]), 6.0)
        """
        rows = self._check_rows(X)
        if rows.ndim == 1:
            return float(self._values(rows[np.newaxis])[0])
        return self._values(rows)

    __call__ = forward

    def activations(self, X: ArrayLike) -> Matrix:
        """The hidden activations ``(X u_j)_+``, all at once; O(nmd).

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
        >>> TwoLayerNetwork([[1.0], [-1.0]], [2.0, 1.0]).activations([[3.0]])
        array([[3., 0.]])
        """
        return self._activate(self._check_rows(X))

    def objective(self, X: ArrayLike, y: ArrayLike, beta: float, loss: Loss | None = None) -> float:
        """``l(f(X), y) + beta/2 * sum_j (||u_j||^2 + a_j^2)``; O(nmd).

        With the squared loss this is equation (2) of the seed paper,
        ``1/2 ||f(X) - y||^2 + beta/2 * sum_j (||u_j||^2 + a_j^2)``: a sum over
        the rows, not a mean. Predictions are formed in twice the precision where their
        rounding would show in the first nine digits, as beside a tiny beta.

        Parameters
        ----------
        X : array-like of shape (n, d)
        y : array-like of shape (n,)
        beta : float
            Positive.
        loss : Loss, optional
            The squared loss if None.

        Raises
        ------
        InputError
            If an argument is not as described.

        Examples
        --------
        >>> TwoLayerNetwork([[1.0]], [1.0]).objective([[3.0]], [2.0], beta=0.5)
        1.0
        """
        data = check_data(X)
        target = check_target(y, len(data))
        beta = check_positive(beta, "beta")
        loss = SquaredLoss() if loss is None else loss
        if data.shape[1] != self.n_features:
            self._check_rows(data)
        return self.evaluate(Layer(data), target, beta, loss).value

    def evaluate(
        self, layer: Layer, y: Vector, beta: float, loss: Loss, tol: float = 1.0
    ) -> Evaluation:
        """The objective with a bound on its rounding error, small beside `tol` if that is cheap.

        Arguments are not checked.
        """
        prediction = predict(layer, self._hidden_weights, self._output_weights)
        return evaluate(loss, y, prediction, beta * self.penalty(), self.n_weights, tol)

    @property
    def n_weights(self) -> int:
        """The number of weights, m (d + 1)."""
        return self._hidden_weights.size + self._output_weights.size

    def penalty(self) -> float:
        """``1/2 sum_j (||u_j||^2 + a_j^2)``, what beta multiplies in (2); O(md).

        Examples
        --------
        >>> TwoLayerNetwork([[3.0, 4.0]], [1.0]).penalty()
        13.0
        """
        squares = np.vdot(self._hidden_weights, self._hidden_weights)
        return 0.5 * float(squares + np.vdot(self._output_weights, self._output_weights))

    def save(self, path: str | os.PathLike[str], metadata: Mapping[str, Any] | None = None) -> None:
        """Write the network to a file, complete or not at all.

        Parameters
        ----------
        path : str or path-like
            Ends in ``.npz``, or in ``.safetensors`` if that package is installed.
        metadata : mapping, optional
            Anything that `json` can write, kept with the network.

        Raises
        ------
        InputError
            If the suffix is another one, or `metadata` is no JSON object.
        ImportError
            If the suffix is ``.safetensors`` and safetensors is not installed.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> network = TwoLayerNetwork([[1.0]], [2.0])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "network.npz")
        ...     network.save(path, metadata={"beta": 0.1})
        ...     TwoLayerNetwork.load(path) == network
        True
        """
        write_model(path, self._hidden_weights, self._output_weights, metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TwoLayerNetwork:
        """Read a network that :meth:`save` wrote; errors as in :func:`load_model`."""
        return load_model(path)[0]

    @classmethod
    def stages(cls, networks: Sequence[Self]) -> Stages:
        """What the networks compute, for other libraries: one model with an output for each.

        Raises
        ------
        InputError
            If they read different numbers of features.
        """
        hidden, output = dense_layers(networks)
        return hidden, Activation(), output

    def __eq__(self, other: object) -> bool:
        """Whether the weights are the same numbers in the same order."""
        if not isinstance(other, TwoLayerNetwork):
            return NotImplemented
        return np.array_equal(self._hidden_weights, other._hidden_weights) and np.array_equal(
            self._output_weights, other._output_weights
        )

    def __hash__(self) -> int:
        # Adding 0.0 turns -0.0 into 0.0: they are equal, so their hashes must be.
        hidden, output = self._hidden_weights + 0.0, self._output_weights + 0.0
        return hash((hidden.shape, hidden.tobytes(), output.tobytes()))

    def __repr__(self) -> str:
        return f"TwoLayerNetwork(n_neurons={self.n_neurons}, n_features={self.n_features})"

    def __reduce__(self) -> tuple[type[TwoLayerNetwork], tuple[Matrix, Vector]]:
        # Arrays come out of a pickle writable, and must go through the constructor.
        return TwoLayerNetwork, (self._hidden_weights, self._output_weights)

    def _renewed(self, hidden: Matrix, output: Vector) -> Self:
        return type(self)(hidden, output)

    def _check_rows(self, X: ArrayLike) -> Matrix:
        rows = as_real_array(X, "X")
        if rows.ndim not in (1, 2) or rows.shape[-1] != self.n_features:
            raise InputError(
                f"X must be of shape (n, {self.n_features}) or ({self.n_features},), "
                f"as the network has {self.n_features} features, got shape {rows.shape}."
            )
        check_finite(rows, "X")
        return rows

    def _activate(self, rows: Matrix) -> Matrix:
        activations: Matrix = rows @ self._hidden_weights.T
        return np.maximum(activations, 0.0, out=activations)

    def _values(self, rows: Matrix) -> Vector:
        values = np.empty(len(rows))
        row_bytes = values.itemsize * max(self.n_neurons, 1)
        step = max(_BUFFER_BYTES // row_bytes, 1)
        for start in range(0, len(rows), step):
            chunk = slice(start, start + step)
            values[chunk] = self._activate(rows[chunk]) @ self._output_weights
        return values


def load_model(path: str | os.PathLike[str]) -> tuple[TwoLayerNetwork, dict[str, Any]]:
    """Read a network and its metadata from a file that `save` wrote; O(md).

    Parameters
    ----------
    path : str or path-like
        Ends in ``.npz`` or ``.safetensors``.

    Returns
    -------
    network : TwoLayerNetwork
    metadata : dict
        As `json` reads it: tuples have become lists, keys strings.

    Raises
    ------
    InputError
        If the suffix is another one.
    FileNotFoundError, OSError
        If the file is missing or cannot be read.
    ImportError
        If the suffix is ``.safetensors`` and safetensors is not installed.
    ModelFileError
        If the file is damaged, of another version, or not from cvxnn.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "network.npz")
    ...     TwoLayerNetwork([[1.0]], [2.0]).save(path, metadata={"beta": 0.1})
    ...     load_model(path)
    (TwoLayerNetwork(n_neurons=1, n_features=1), {'beta': 0.1})
    """
    arrays, metadata = read_model(path)
    try:
        return TwoLayerNetwork(arrays["hidden_weights"], arrays["output_weights"]), metadata
    except InputError as error:
        raise ModelFileError(f"{os.fspath(path)} holds no network: {error}") from error


def _frozen_copy(array: NDArray[np.float64]) -> NDArray[np.float64]:
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy
