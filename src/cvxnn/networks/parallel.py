"""Three-layer networks of sub-networks side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import block_diag

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.evaluation import Prediction
from cvxnn.layers.line import Line
from cvxnn.layers.parallel import ParallelRows
from cvxnn.layers.rows import power_of_two, row_chunks
from cvxnn.networks.base import Network
from cvxnn.networks.stages import Activation, Affine, Stages, common, output_layer
from cvxnn.networks.weights import frozen, rows_of


class ParallelNetwork(Network):
    """``f(X) = sum_k ((X W_k + c_k)_+ b_k + e_k)_+ a_k``: ReLU sub-networks of three layers.

    The penalty is ``1/3 sum_k (||W_k||_F^3 + ||b_k||^3 + |a_k|^3)``, and biases are free. Over
    all networks of the same function that differ by factors it is least where the three norms
    of every sub-network are equal, and then ``sum_k ||W_k||_F ||b_k|| |a_k|``: see
    :meth:`balance`.

    Parameters
    ----------
    hidden_weights : array-like, shape (K, m1, d)
        Row j of part k holds the weights of hidden unit j of sub-network k, column j of
        ``W_k``. Those with fewer hidden units than m1 have rows of zeros.
    inner_weights : array-like, shape (K, m1)
        Row k is ``b_k``.
    output_weights : array-like, shape (K,)
        The ``a_k``.
    hidden_biases : array-like, shape (K, m1), optional
        The ``c_k``; none by default.
    inner_biases : array-like, shape (K,), optional
        The ``e_k``; none by default.
    intercept : float, default 0.0
        What is added to every value, without a penalty.

    Raises
    ------
    InputError
        If the weights are not finite numbers of these shapes.

    References
    ----------
    T. Ergen and M. Pilanci, Global Optimality Beyond Two Layers: Training Deep ReLU Networks via
    Convex Programs, ICML 2021.

    Examples
    --------
    >>> from cvxnn import ParallelNetwork
    >>> network = ParallelNetwork([[[1.0], [-1.0]]], [[1.0, 1.0]], [2.0], inner_biases=[-1.0])
    >>> network
    ParallelNetwork(n_neurons=1, n_features=1, width=2)
    >>> network.forward([[3.0], [0.5], [-2.0]])  # 2 (|x| - 1)_+
    array([4., 0., 2.])
    """

    __slots__ = ()

    def __init__(
        self,
        hidden_weights: ArrayLike,
        inner_weights: ArrayLike,
        output_weights: ArrayLike,
        *,
        hidden_biases: ArrayLike | None = None,
        inner_biases: ArrayLike | None = None,
        intercept: float = 0.0,
    ) -> None:
        of = "sub-network"
        arrays = {
            "hidden_weights": frozen(hidden_weights, "hidden_weights", 3, of=of),
            "inner_weights": frozen(inner_weights, "inner_weights", 2, of=of),
            "output_weights": frozen(output_weights, "output_weights", 1, of=of),
            "hidden_biases": None
            if hidden_biases is None
            else frozen(hidden_biases, "hidden_biases", 2, of=of),
            "inner_biases": None
            if inner_biases is None
            else frozen(inner_biases, "inner_biases", 1, of=of),
        }
        super().__init__(arrays, {}, intercept)
        count, width, _ = self.hidden_weights.shape
        shapes = {
            "inner_weights": (count, width),
            "output_weights": (count,),
            "hidden_biases": (count, width),
            "inner_biases": (count,),
        }
        for name, shape in shapes.items():
            found = self._arrays.get(name)
            if found is not None and found.shape != shape:
                raise InputError(
                    f"{name} must be of shape {shape} for hidden_weights of shape "
                    f"{self.hidden_weights.shape}, got shape {found.shape}."
                )

    @property
    def hidden_weights(self) -> FloatArray:
        """The ``W_k'``: read-only array, shape (K, m1, d)."""
        return self._arrays["hidden_weights"]

    @property
    def inner_weights(self) -> FloatArray:
        """The ``b_k`` as rows: read-only array, shape (K, m1)."""
        return self._arrays["inner_weights"]

    @property
    def hidden_biases(self) -> FloatArray | None:
        """The ``c_k`` as rows: read-only array, shape (K, m1), or None."""
        return self._arrays.get("hidden_biases")

    @property
    def inner_biases(self) -> FloatArray | None:
        """The ``e_k``: read-only array, shape (K,), or None."""
        return self._arrays.get("inner_biases")

    @property
    def n_features(self) -> int:
        """The number of features d."""
        return int(self.hidden_weights.shape[2])

    @property
    def width(self) -> int:
        """Hidden units m1 of a sub-network, those of zeros included."""
        return int(self.hidden_weights.shape[1])

    def rows(self, data: ArrayLike) -> ParallelRows:
        """Rows of features, shape (n, d)."""
        return ParallelRows(rows_of(data, self.n_features))

    def penalty(self) -> float:
        """``1/3 sum_k (||W_k||_F^3 + ||b_k||^3 + |a_k|^3)``; O(K m1 d).

        Examples
        --------
        >>> from cvxnn import ParallelNetwork
        >>> ParallelNetwork([[[3.0], [4.0]]], [[1.0, 0.0]], [-2.0]).penalty()
        44.666666666666664
        """
        return float(sum((norms**3).sum() for norms in self._norms())) / 3.0

    def balance(self) -> Self:
        """The network of the same function whose penalty is least over all changes by factors.

        A hidden unit has ``||w_j|| = |b_j|`` then, and a sub-network
        ``||W_k||_F = ||b_k|| = |a_k|``. Sub-networks of which a part is zero add no more than a
        number without biases, and are left as they are with them, as no factor gives them
        another penalty. O(K m1 d).

        Examples
        --------
        >>> from cvxnn import ParallelNetwork
        >>> network = ParallelNetwork([[[8.0]]], [[1.0]], [-1.0])
        >>> balanced = network.balance()
        >>> balanced.hidden_weights.round(12).tolist(), round(balanced.penalty(), 12)
        ([[[2.0]]], 8.0)
        """
        lengths = np.linalg.norm(self.hidden_weights, axis=2)
        inner, outer = np.abs(self.inner_weights), np.abs(self.output_weights)
        # Of each hidden unit, then of the whole: what its weights are multiplied by.
        both = (lengths > 0.0) & (inner > 0.0)
        lengths, inner = (np.where(both, part, 1.0) for part in (lengths, inner))
        units = np.sqrt(inner / lengths)
        within = self._changed(units, np.ones(len(outer)))
        first, second, third = within._norms()
        alive = (first > 0.0) & (second > 0.0) & (third > 0.0)
        first, second, third = (np.where(alive, part, 1.0) for part in (first, second, third))
        goal = np.cbrt(first) * np.cbrt(second) * np.cbrt(third)
        return within._changed((goal / first)[:, None], third / goal)

    def prune(self) -> Self:
        """Without sub-networks and hidden units of which a part is zero; O(K m1 d).

        What such a sub-network adds by its biases, a number, goes into the intercept.

        Examples
        --------
        >>> from cvxnn import ParallelNetwork
        >>> hidden = [[[1.0], [2.0]], [[0.0], [0.0]]]
        >>> ParallelNetwork(hidden, [[0.0, 3.0]] * 2, [1.0, 1.0]).prune()
        ParallelNetwork(n_neurons=1, n_features=1, width=1)
        """
        used = self._used
        alive = used.any(axis=1) & (self.output_weights != 0.0)
        order = np.argsort(~used[alive], axis=1, kind="stable")
        width = max(1, int(used[alive].sum(axis=1).max(initial=0)))
        place = (np.flatnonzero(alive)[:, None], order[:, :width])
        kept, constant = used[place], self._constants()
        biases, offsets = self.hidden_biases, self.inner_biases
        if biases is not None:
            offsets = self._offsets(biases * ~used)
        return type(self)(
            self.hidden_weights[place] * kept[:, :, None],
            self.inner_weights[place] * kept,
            self.output_weights[alive],
            hidden_biases=None if biases is None else biases[place] * kept,
            inner_biases=None if offsets is None else offsets[alive],
            intercept=self.intercept + float(constant[~alive].sum()),
        )

    @property
    def _used(self) -> Any:
        """Hidden units that depend on the data and are read, shape (K, m1)."""
        return self.hidden_weights.any(axis=2) & (self.inner_weights != 0.0)

    def _offsets(self, biases: FloatArray) -> FloatArray:
        """Inner biases with what hidden units without weights add, shape (K,)."""
        added = (np.maximum(biases, 0.0) * self.inner_weights).sum(axis=1)
        return added if self.inner_biases is None else added + self.inner_biases

    def _constants(self) -> FloatArray:
        """What sub-networks are whose hidden units have no weights, shape (K,)."""
        none = np.zeros_like(self.inner_weights)
        offsets = self._offsets(none if self.hidden_biases is None else self.hidden_biases)
        return np.maximum(offsets, 0.0) * self.output_weights

    def _norms(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """``||W_k||_F``, ``||b_k||`` and ``|a_k|``, each of shape (K,)."""
        flat = self.hidden_weights.reshape(self.n_neurons, self.width * self.n_features)
        return _lengths(flat), _lengths(self.inner_weights), np.abs(self.output_weights)

    def _changed(self, hidden: FloatArray, outer: FloatArray) -> Self:
        """With hidden units times factors and outputs over others, so of the same function.

        Parameters
        ----------
        hidden : ndarray, shape (K, m1) or (K, 1)
        outer : ndarray, shape (K,)
        """
        biases, offsets = self.hidden_biases, self.inner_biases
        return type(self)(
            self.hidden_weights * hidden[:, :, None],
            self.inner_weights / hidden * outer[:, None],
            self.output_weights / outer,
            hidden_biases=None if biases is None else biases * hidden,
            inner_biases=None if offsets is None else offsets * outer,
            intercept=self.intercept,
        )

    def _neurons_on(self, rows: ParallelRows | Line) -> Prediction:
        X = rows.x[:, None] if isinstance(rows, Line) else rows.X
        values = np.empty(len(X))
        for chunk in row_chunks(len(X), self.n_neurons * self.width):
            values[chunk] = self._activations(X[chunk]) @ self.output_weights
        outer, inner = np.abs(self.output_weights), np.abs(self.inner_weights)
        paths = np.einsum("k,kj,kjd->d", outer, inner, np.abs(self.hidden_weights))
        moduli = np.abs(X) @ paths
        if self.hidden_biases is not None:
            moduli += np.einsum("k,kj,kj->", outer, inner, np.abs(self.hidden_biases))
        if self.inner_biases is not None:
            moduli += outer @ np.abs(self.inner_biases)
        return Prediction(values, moduli, self.n_features + self.width + self.n_neurons + 4)

    def _activations(self, X: FloatArray) -> FloatArray:
        """``((X W_k + c_k)_+ b_k + e_k)_+``, shape (n, K)."""
        count, width, d = self.hidden_weights.shape
        sums = X @ self.hidden_weights.reshape(count * width, d).T
        if self.hidden_biases is not None:
            sums += self.hidden_biases.ravel()
        hidden = np.maximum(sums, 0.0, out=sums).reshape(len(X), count, width)
        inner = (hidden * self.inner_weights).sum(axis=2)
        if self.inner_biases is not None:
            inner += self.inner_biases
        return np.maximum(inner, 0.0, out=inner)

    @property
    def _squared(self) -> tuple[FloatArray, ...]:
        return self.hidden_weights, self.inner_weights, self.output_weights

    @property
    def n_weights(self) -> int:
        """The number of weights, biases and the zeros of narrower sub-networks included."""
        return sum(part.size for part in self._arrays.values())

    @property
    def penalty_roundings(self) -> int:
        """Of a length, which count three times in its cube, and of the sums."""
        return 3 * (self.width * (self.n_features + 1) + 8) + self.n_neurons

    @property
    def _shown(self) -> dict[str, Any]:
        return {"n_neurons": self.n_neurons, "n_features": self.n_features, "width": self.width}

    @classmethod
    def _stages(cls, networks: Sequence[Self]) -> Stages:
        common((network.n_features for network in networks), "number of features")
        hidden = np.concatenate([network._flat(network.hidden_weights) for network in networks])
        rows = [row[None] for network in networks for row in network.inner_weights]
        # A block of no rows still counts the columns of those before it.
        inner = block_diag(*rows) if rows else np.zeros((0, 0))
        return (
            Affine("hidden", hidden, _joined([n.hidden_biases for n in networks], networks)),
            Activation(),
            Affine("inner", inner, _joined([n.inner_biases for n in networks], networks)),
            Activation(),
            output_layer(network.output_weights for network in networks),
        )

    def _flat(self, weights: FloatArray) -> FloatArray:
        return weights.reshape(self.n_neurons * self.width, self.n_features)


def _lengths(vectors: FloatArray) -> FloatArray:
    """Of rows, also where their squares leave the range of float64."""
    unit = power_of_two(vectors)
    return np.asarray(np.linalg.norm(vectors / unit, axis=1) * unit)


def _joined(
    biases: Sequence[FloatArray | None], networks: Sequence[ParallelNetwork]
) -> FloatArray | None:
    """Biases of a layer of all networks in a row; None where no network has any."""
    if all(each is None for each in biases):
        return None
    is_hidden = any(each is not None and each.ndim == 2 for each in biases)
    sizes = [n.n_neurons * n.width if is_hidden else n.n_neurons for n in networks]
    pairs = zip(biases, sizes, strict=True)
    return np.concatenate([np.zeros(size) if b is None else b.ravel() for b, size in pairs])
