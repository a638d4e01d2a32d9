"""Two-layer linear convolutional networks: values, objective, immutable weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.architectures.filter_network import FilterNetwork
from cvxnn.errors import InputError
from cvxnn.evaluation import Prediction
from cvxnn.layers.circular import circular_convolution
from cvxnn.layers.images import check_patches
from cvxnn.networks.arrays import frozen
from cvxnn.networks.stacking import common
from cvxnn.networks.stages import Affine, Flatten, Stages
from cvxnn.validation import check_data

FloatArray = NDArray[np.float64]


class _BilinearNetwork(FilterNetwork):
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

    @abstractmethod
    def _check(self, data: ArrayLike) -> FloatArray:
        """The data in the shape that the network takes."""

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
        checked = self._check(data)
        values: FloatArray = checked.reshape(len(checked), -1) @ self.coefficients.ravel()
        return values

    def _predict(self, data: ArrayLike) -> Prediction:
        checked = self._check(data)
        rows, m = checked.reshape(len(checked), -1), self.n_filters
        moduli = np.abs(rows) @ self._moduli().ravel()
        # The transforms behind a circular convolution round some ten times log2(d).
        roundings = rows.shape[1] + m + 10 * int(np.log2(rows.shape[1]) + 1.0)
        return Prediction(self.forward(data), moduli, roundings)

    @classmethod
    def stages(cls, networks: Sequence[Self]) -> Stages:
        """As :meth:`Network.stages`: the linear functions that the networks are."""
        shape = common((n.coefficients.shape for n in networks), "shape of the coefficients")
        layer = Affine("linear", np.stack([n.coefficients.ravel() for n in networks]))
        return (layer,) if len(shape) == 1 else (Flatten(shape), layer)

    @abstractmethod
    def _moduli(self) -> FloatArray:
        """Bounds on the sums of moduli behind the coefficients, of their shape."""


class LinearCNN(_BilinearNetwork):
    """``f = sum_j sum_k X^(k) u_j w_jk``: filters without activation, weights for every patch.

    Parameters
    ----------
    filters : array-like, shape (m, h)
        Row j is ``u_j``.
    output_weights : array-like, shape (m, K)
        Row j is ``w_j``: a weight for each patch.

    Raises
    ------
    InputError
        If the weights are not finite numbers of these shapes.

    Notes
    -----
    Source: seed paper, section 3.2.3.

    Examples
    --------
    >>> network = LinearCNN([[1.0, -1.0]], [[2.0, 3.0]])
    >>> network
    LinearCNN(n_filters=1, filter_size=2, n_patches=2)
    >>> network.forward([[[5.0, 4.0], [1.0, 0.0]]])
    array([5.])
    >>> network.objective([[[5.0, 4.0], [1.0, 0.0]]], [5.0], beta=2.0)
    15.0
    """

    __slots__ = ()

    @property
    def coefficients(self) -> FloatArray:
        """``Z' = sum_j w_j u_j'``, shape (K, h): what multiplies the patches; O(m K h)."""
        return self.output_weights.T @ self.filters

    def _moduli(self) -> FloatArray:
        return np.abs(self.output_weights).T @ np.abs(self.filters)

    def _check(self, data: ArrayLike) -> FloatArray:
        patches = check_patches(data)
        expected = (self.output_weights.shape[1], self.filters.shape[1])
        if patches.shape[1:] != expected:
            raise InputError(
                f"patches must be of shape (n, {expected[0]}, {expected[1]}) for this network, "
                f"got {patches.shape}."
            )
        return patches

    @property
    def _shown(self) -> dict[str, Any]:
        sizes = {
            "filter_size": self.filters.shape[1],
            "n_patches": self.output_weights.shape[1],
        }
        return {"n_filters": self.n_filters, **sizes}


class CircularCNN(_BilinearNetwork):
    """``f = sum_j X C(u_j) w_j``: circular convolution without activation.

    ``C(u)`` is the circulant matrix whose first column is u, so ``C(u) w`` is the
    circular convolution of the two.

    Parameters
    ----------
    filters, output_weights : array-like, shape (m, d)
        Rows are ``u_j`` and ``w_j``.

    Raises
    ------
    InputError
        If the weights are not finite numbers of these shapes.

    Examples
    --------
    >>> network = CircularCNN([[0.0, 1.0, 0.0]], [[1.0, 2.0, 3.0]])  # a shift by one
    >>> network
    CircularCNN(n_filters=1, n_features=3)
    >>> network.forward([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).round(12)
    array([3., 1.])
    """

    __slots__ = ()

    def __init__(self, filters: ArrayLike, output_weights: ArrayLike) -> None:
        super().__init__(filters, output_weights)
        if self.filters.shape != self.output_weights.shape:
            raise InputError(
                "filters and output_weights must have the same shape (m, d), got "
                f"{self.filters.shape} and {self.output_weights.shape}."
            )

    @property
    def coefficients(self) -> FloatArray:
        """``sum_j C(u_j) w_j``, shape (d,): what multiplies a row; O(m d log d)."""
        return circular_convolution(self.filters, self.output_weights).sum(axis=0)

    def _moduli(self) -> FloatArray:
        # A Fourier transform errs relative to the length of its vector.
        lengths = np.linalg.norm(self.filters, axis=1) @ np.linalg.norm(self.output_weights, axis=1)
        return np.full(self.filters.shape[1], float(lengths))

    def _check(self, data: ArrayLike) -> FloatArray:
        rows = check_data(data)
        if rows.shape[1] != self.filters.shape[1]:
            raise InputError(
                f"X must have the {self.filters.shape[1]} features of the network, "
                f"got {rows.shape[1]}."
            )
        return rows

    @property
    def _shown(self) -> dict[str, Any]:
        return {"n_filters": self.n_filters, "n_features": self.filters.shape[1]}
