"""Networks whose fixed gates, in one layer or two, decide which rows a neuron sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.evaluation import Prediction
from cvxnn.layers.gated import GatedRows, open_gates
from cvxnn.models.cone_decomposition import relu_network, shared_relu_network
from cvxnn.networks import TwoLayerNetwork
from cvxnn.networks.stages import Affine, Gate, Stages, common
from cvxnn.networks.weights import DenseNetwork, dense_layers, frozen
from cvxnn.validation import check_choice


class GatedNetwork(DenseNetwork):
    """``f(X) = sum_j 1[X g_j >= 0] (X u_j) a_j``: ReLU with gates apart from the weights.

    A gate is open on its boundary, so that the gate 0 is open everywhere and its
    neurons are a linear skip connection. Gates are fixed: no penalty counts them.

    With weights of an inner layer it has three,
    ``f(X) = sum_j 1[X h_j >= 0] (1[X g_j >= 0] (X u_j) b_j) a_j``, and the penalty
    ``1/3 sum_j (||u_j||^3 + |b_j|^3 + ||a_j||^3)``.

    Parameters
    ----------
    gates : array-like, shape (m, d)
        Row j is ``g_j``.
    hidden_weights : array-like, shape (m, d)
        Row j is ``u_j``.
    output_weights : array-like, shape (m,), or (m, c) for c outputs
        Entry or row j is ``a_j``; neurons are shared by the outputs.
    second_gates : array-like, shape (m, d), optional
        Row j is ``h_j``: the gate of the second layer, of a network of three.
    inner_weights : array-like, shape (m,), optional
        The ``b_j`` of a network of three layers.
    intercept : float or array-like of shape (c,), default 0.0
        What is added to every value, without a penalty.

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
    >>> from cvxnn import GatedNetwork
    >>> network = GatedNetwork([[1.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [1.0, 1.0]], [2.0, 1.0])
    >>> network
    GatedNetwork(n_neurons=2, n_features=2)
    >>> network.forward([[1.0, 3.0], [-1.0, 3.0]])
    array([10.,  2.])
    >>> GatedNetwork([[1.0]], [[2.0]], [[3.0, -1.0]]).forward([[1.0], [-1.0]])
    array([[ 6., -2.],
           [ 0.,  0.]])
    """

    __slots__ = ()
    _output_axes = (1, 2)

    def __init__(
        self,
        gates: ArrayLike,
        hidden_weights: ArrayLike,
        output_weights: ArrayLike,
        *,
        second_gates: ArrayLike | None = None,
        inner_weights: ArrayLike | None = None,
        intercept: float | ArrayLike = 0.0,
    ) -> None:
        if (second_gates is None) != (inner_weights is None):
            raise InputError(
                "second_gates and inner_weights belong together: both are of three layers."
            )
        arrays = {"gates": frozen(gates, "gates", 2, of="neuron")}
        if second_gates is not None and inner_weights is not None:
            arrays["second_gates"] = frozen(second_gates, "second_gates", 2, of="neuron")
            arrays["inner_weights"] = frozen(inner_weights, "inner_weights", 1, of="neuron")
        super().__init__(hidden_weights, output_weights, arrays, {}, intercept)
        for name, array in arrays.items():
            shape = self.hidden_weights.shape[: array.ndim]
            if array.shape != shape:
                raise InputError(
                    f"{name} must be of shape {shape}, one for each row of hidden_weights, got "
                    f"shape {array.shape}."
                )

    @property
    def gates(self) -> FloatArray:
        """The ``g_j`` as rows: read-only array, shape (m, d)."""
        return self._arrays["gates"]

    @property
    def second_gates(self) -> FloatArray | None:
        """The ``h_j`` as rows: read-only array, shape (m, d); None of two layers."""
        return self._arrays.get("second_gates")

    @property
    def inner_weights(self) -> FloatArray | None:
        """The ``b_j``: read-only array, shape (m,); None of two layers."""
        return self._arrays.get("inner_weights")

    @property
    def depth(self) -> int:
        """Layers, 2 or 3."""
        return 2 if self.inner_weights is None else 3

    @property
    def all_gates(self) -> FloatArray:
        """Those of both layers, one after the other: shape (m, d), or (m, 2 d) of three layers."""
        second = self.second_gates
        return self.gates if second is None else np.hstack([self.gates, second])

    @property
    def products(self) -> FloatArray:
        """``u_j b_j``, of two layers ``u_j``, shape (m, d)."""
        inner = self.inner_weights
        return self.hidden_weights if inner is None else self.hidden_weights * inner[:, None]

    def penalty(self) -> float:
        """Half the sum of all squares; of three layers a third of that of the cubes of lengths.

        Examples
        --------
        >>> from cvxnn import GatedNetwork
        >>> GatedNetwork([[1.0]], [[2.0]], [1.0]).penalty()
        2.5
        >>> deep = {"second_gates": [[1.0]], "inner_weights": [3.0]}
        >>> GatedNetwork([[1.0]], [[2.0]], [1.0], **deep).penalty()
        12.0
        """
        if self.inner_weights is None:
            return super().penalty()
        m = self.n_neurons
        parts = [part.reshape(m, part.size // max(m, 1)) for part in self._squared]
        return float(sum((np.linalg.norm(part, axis=1) ** 3).sum() for part in parts)) / 3.0

    @property
    def penalty_roundings(self) -> int:
        """Of three layers those of a length, which count three times in its cube."""
        if self.inner_weights is None:
            return super().penalty_roundings
        return 3 * (self.n_features + (self.n_outputs or 1) + 8) + self.n_neurons

    @property
    def _squared(self) -> tuple[FloatArray, ...]:
        inner = self.inner_weights
        return super()._squared if inner is None else (*super()._squared, inner)

    @property
    def _shown(self) -> dict[str, Any]:
        return super()._shown if self.inner_weights is None else {**super()._shown, "depth": 3}

    def rows(self, data: ArrayLike) -> GatedRows:
        """Rows of features, shape (n, d)."""
        return GatedRows.of(self._check_data(data), self.gates[:0])

    def _neurons_on(self, rows: GatedRows) -> Prediction:
        # Which gates are open is part of the network: that of float64.
        products = self.products
        size = np.abs(products).T @ np.abs(self.output_weights)
        moduli = np.abs(rows.X) @ size
        on = open_gates(rows.X, self.all_gates)
        values = (on * (rows.X @ products.T)) @ self.output_weights
        return Prediction(values, moduli, self.n_features + self.n_neurons + self.depth)

    def to_relu(self, X: ArrayLike, method: str = "closed_form") -> TwoLayerNetwork:
        """A ReLU network with the same outputs on the rows of X.

        On these rows a neuron ``w = u_j a_j`` is linear where its gate is open. Two
        ReLU neurons with its pattern, v and u of its cone with ``v - u = w``, are the
        same; elsewhere than on X they may differ. Of several outputs it is ``u_j`` that is
        taken apart, and both have the outputs of the neuron.

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
            Balanced, with at most two neurons for each pattern of the gates on X, or of several
            outputs for each neuron. Its penalty is at least that of this network and can be far
            above the least that a ReLU network needs. The gate 0 gives the exact pair ``(w, -w)``.

        Raises
        ------
        InputError
            If an argument is not as described, a row lies on the boundary of a gate, or the
            network has three layers.

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
        >>> from cvxnn import GatedNetwork
        >>> network = GatedNetwork([[2.0]], [[-1.0]], [1.0])
        >>> network.forward([[3.0], [-3.0]])
        array([-3.,  0.])
        >>> network.to_relu([[3.0], [-3.0]])
        TwoLayerNetwork(n_neurons=1, n_features=1)
        """
        if self.depth == 3:
            raise InputError("to_relu is for networks of two layers, this one has three.")
        rows = self._check_data(X)
        method = check_choice(method, "method", ("closed_form", "minimum_norm"))
        least = method == "minimum_norm"
        if self.n_outputs is not None:
            network = shared_relu_network(
                rows, self.gates, self.hidden_weights, self.output_weights, least=least
            )
        else:
            products = self.hidden_weights * self.output_weights[:, None]
            network = relu_network(rows, self.gates, products, least=least)
        return network.with_intercept(self.intercept)

    @classmethod
    def _stages(cls, networks: Sequence[Self]) -> Stages:
        hidden, output = dense_layers(networks)
        depth = common((network.depth for network in networks), "depth")
        first = Gate(Affine("gate", np.concatenate([n.gates for n in networks])), hidden)
        if depth == 2:
            return first, output
        second = np.concatenate([cast(FloatArray, n.second_gates) for n in networks])
        inner = np.concatenate([cast(FloatArray, n.inner_weights) for n in networks])
        both = Gate(Affine("second_gate", second), first)
        return both, Affine("inner", np.diag(inner)), output
