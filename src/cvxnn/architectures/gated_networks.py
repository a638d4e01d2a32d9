"""Gated ReLU networks: fixed gates decide which rows a neuron sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.architectures.gated_decomposition import relu_network
from cvxnn.errors import InputError
from cvxnn.evaluation import Prediction
from cvxnn.networks import TwoLayerNetwork
from cvxnn.networks.arrays import frozen
from cvxnn.networks.dense import DenseNetwork
from cvxnn.networks.stacking import dense_layers
from cvxnn.networks.stages import Affine, Gate, Stages
from cvxnn.validation import check_choice

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


class GatedNetwork(DenseNetwork):
    """``f(X) = sum_j 1[X g_j >= 0] (X u_j) a_j``: ReLU with gates apart from the weights.

    A gate is open on its boundary, so that the gate 0 is open everywhere and its
    neurons are a linear skip connection. Gates are fixed: no penalty counts them.

    Parameters
    ----------
    gates : array-like, shape (m, d)
        Row j is ``g_j``.
    hidden_weights : array-like, shape (m, d)
        Row j is ``u_j``.
    output_weights : array-like, shape (m,)
        Entry j is ``a_j``.

    Raises
    ------
    InputError
        If the arrays are not finite numbers of these shapes.

    References
    ----------
    A. Mishkin, A. Sahiner and M. Pilanci, Fast Convex Optimization for Two-Layer ReLU
    Networks, ICML 2022.

    Examples
    --------
    >>> network = GatedNetwork([[1.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [1.0, 1.0]], [2.0, 1.0])
    >>> network
    GatedNetwork(n_neurons=2, n_features=2)
    >>> network.forward([[1.0, 3.0], [-1.0, 3.0]])
    array([10.,  2.])
    """

    __slots__ = ()

    def __init__(
        self, gates: ArrayLike, hidden_weights: ArrayLike, output_weights: ArrayLike
    ) -> None:
        arrays = {"gates": frozen(gates, "gates", 2, of="neuron")}
        super().__init__(hidden_weights, output_weights, arrays, {})
        if self.gates.shape != self.hidden_weights.shape:
            raise InputError(
                f"gates must be of shape {self.hidden_weights.shape}, one for each row of "
                f"hidden_weights, got shape {self.gates.shape}."
            )

    @property
    def gates(self) -> FloatArray:
        """The ``g_j`` as rows: read-only array, shape (m, d)."""
        return self._arrays["gates"]

    def forward(self, data: ArrayLike) -> FloatArray:
        """``f(X)``, also available by calling the network; O(nmd).

        Parameters
        ----------
        data : array-like, shape (n, d)
            The rows X.

        Raises
        ------
        InputError
            If `data` are not finite numbers of this shape.
        """
        rows = self._check_data(data)
        values: FloatArray = (
            open_gates(rows, self.gates) * (rows @ self.hidden_weights.T)
        ) @ self.output_weights
        return values

    def _predict(self, data: ArrayLike) -> Prediction:
        # Which gates are open is part of the network: that of float64.
        size = np.abs(self.hidden_weights).T @ np.abs(self.output_weights)
        moduli = np.abs(self._check_data(data)) @ size
        return Prediction(self.forward(data), moduli, self.n_features + self.n_neurons)

    def to_relu(self, X: ArrayLike, method: str = "closed_form") -> TwoLayerNetwork:
        """A ReLU network with the same outputs on the rows of X.

        On these rows a neuron ``w = u_j a_j`` is linear where its gate is open. Two
        ReLU neurons with its pattern, v and u of its cone with ``v - u = w``, are the
        same; elsewhere than on X they may differ.

        Parameters
        ----------
        X : array-like, shape (n, d)
            The data of the training.
        method : {"closed_form", "minimum_norm"}
            ``"closed_form"``: u (or v) on the ray through the middle of the cone, as
            short as it can be. ``"minimum_norm"``: the pair with the least ``||v|| + ||u||``,
            from a small conic program for each pattern.

        Returns
        -------
        TwoLayerNetwork
            Balanced, with at most two neurons for each pattern of the gates on X. Its
            penalty is at least that of this network and can be far above the least
            that a ReLU network needs. The gate 0 gives the exact pair ``(w, -w)``.

        Raises
        ------
        InputError
            If an argument is not as described, or a row lies on the boundary of a gate.

        Notes
        -----
        The middle is the u of length 1 with the largest ``min_k |x_k'u|``, by
        non-negative least squares; O(n d^2) a gate about. The rounding of the
        conic solver is mended by a step towards the middle.

        References
        ----------
        A. Mishkin, A. Sahiner and M. Pilanci, ICML 2022, section 3 (cone decompositions);
        C. Lawson and R. Hanson, Solving Least Squares Problems, 1974, chapter 23.

        Examples
        --------
        >>> network = GatedNetwork([[2.0]], [[-1.0]], [1.0])
        >>> network.forward([[3.0], [-3.0]])
        array([-3.,  0.])
        >>> network.to_relu([[3.0], [-3.0]])
        TwoLayerNetwork(n_neurons=1, n_features=1)
        """
        rows = self._check_data(X)
        method = check_choice(method, "method", ("closed_form", "minimum_norm"))
        products = self.hidden_weights * self.output_weights[:, None]
        return relu_network(rows, self.gates, products, least=method == "minimum_norm")

    @classmethod
    def stages(cls, networks: Sequence[Self]) -> Stages:
        """As :meth:`Network.stages`."""
        hidden, output = dense_layers(networks)
        gates = np.concatenate([network.gates for network in networks])
        return Gate(Affine("gate", gates), hidden), output


def open_gates(X: FloatArray, gates: FloatArray) -> BoolArray:
    """``X g >= 0`` for every row and gate, shape (n, m)."""
    return np.asarray(X @ gates.T >= 0.0)
