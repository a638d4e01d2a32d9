"""Sub-networks of three layers as what a problem calls neurons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.layers.rows import power_of_two
from cvxnn.problems import Neurons


@final
@dataclass(frozen=True)
class SubNetworks(Neurons):
    """Sub-networks ``size_k s_k ((X W_k)_+ b_k)_+`` with ``||W_k||_F = ||b_k|| = 1``.

    They are the neurons of a :class:`~cvxnn.problems.Problem` on
    :class:`~cvxnn.layers.parallel.ParallelRows` (no ``Layer``, whose relaxations do not hold): the
    prediction is their sum, and the penalty ``beta sum_k size_k`` is the FRO penalty
    ``beta sum_k ||W_k||_F ||b_k|| |a_k|``. Rows and targets in other units change the sizes
    as those of a neuron of two layers, because a sub-network is homogeneous of degree one in X.

    Attributes
    ----------
    directions : ndarray, shape (K, m1, d)
        The ``W_k'``: row j of one holds the weights of its hidden unit j. Sub-networks with
        fewer than m1 hidden units are padded with zeros.
    sizes : ndarray, shape (K,)
        ``||W_k||_F ||b_k|| |a_k|`` of the weights.
    outputs : ndarray, shape (K, 1)
        The signs ``s_k``.
    inner : ndarray, shape (K, m1)
        The ``b_k``; zero where a hidden unit is padding.

    Examples
    --------
    >>> hidden = np.array([[[2.0], [0.0]], [[-1.0], [1.0]]])
    >>> inner, outer = np.array([[3.0, 0.0], [1.0, -1.0]]), np.array([-1.0, 0.5])
    >>> neurons = SubNetworks.of_layers(hidden, inner, outer)
    >>> neurons.sizes
    array([6., 1.])
    >>> neurons.activations(np.array([[1.0], [-2.0]])) @ (neurons.sizes * neurons.signs)
    array([-6.,  1.])
    """

    inner: FloatArray = field(kw_only=True)

    @classmethod
    def of_layers(cls, hidden: FloatArray, inner: FloatArray, outer: FloatArray) -> SubNetworks:
        """From weights of shapes (K, m1, d), (K, m1) and (K,), which need not be balanced.

        Sub-networks of size zero are dropped. The least sum of sizes of the same function has
        hidden units with ``||w_j|| = |b_j|`` up to a common factor, which
        :meth:`shortened` gives; here the weights of a sub-network only change by factors.
        """
        units = [_units(hidden), _units(inner), _units(outer[:, None])]
        scaled = [
            part.reshape(len(outer), math.prod(part.shape[1:])) / unit[:, None]
            for part, unit in zip((hidden, inner, outer), units, strict=True)
        ]
        norms = [np.linalg.norm(part, axis=1) for part in scaled]
        sizes = np.prod(norms, axis=0) * np.prod(units, axis=0)
        alive = sizes > 0.0
        shares = [part[alive] / norm[alive, None] for part, norm in zip(scaled, norms, strict=True)]
        directions = shares[0].reshape(-1, *hidden.shape[1:])
        return cls(directions, sizes[alive], np.sign(outer[alive])[:, None], inner=shares[1])

    @classmethod
    def nothing(cls, n_features: int) -> SubNetworks:
        """No sub-networks, with hidden units of so many features."""
        inner = np.zeros((0, 1))
        return cls(np.zeros((0, 1, n_features)), np.zeros(0), np.zeros((0, 1)), inner=inner)

    @classmethod
    def of_neurons(cls, neurons: Neurons) -> SubNetworks:
        """Neurons of two layers as sub-networks of one hidden unit: ``((X u)_+ 1)_+``."""
        return cls(
            neurons.directions[:, None, :], neurons.sizes, neurons.outputs,
            inner=np.ones((len(neurons), 1)),
        )  # fmt: skip

    @classmethod
    def stacked(cls, parts: Sequence[SubNetworks]) -> SubNetworks:
        """Those of all parts, one after another, padded to the widest."""
        widest = max(part.width for part in parts)
        padded = [part.padded(widest) for part in parts]
        return cls(
            np.concatenate([part.directions for part in padded]),
            np.concatenate([part.sizes for part in padded]),
            np.concatenate([part.outputs for part in padded]),
            inner=np.concatenate([part.inner for part in padded]),
        )

    @property
    def width(self) -> int:
        """Hidden units m1 of each, padding included."""
        return int(self.inner.shape[1])

    def padded(self, width: int) -> SubNetworks:
        """With hidden units of zero up to a width."""
        more = width - self.width
        return SubNetworks(
            np.pad(self.directions, ((0, 0), (0, more), (0, 0))), self.sizes, self.outputs,
            inner=np.pad(self.inner, ((0, 0), (0, more))),
        )  # fmt: skip

    def trimmed(self) -> SubNetworks:
        """With the hidden units that do something first, and no wider than the widest needs."""
        counts = (self.inner != 0.0) & self.directions.any(axis=2)
        order = np.argsort(~counts, axis=1, kind="stable")
        width = max(1, int(counts.sum(axis=1).max(initial=0)))
        order = order[:, :width]
        kept = np.take_along_axis(counts, order, axis=1)
        directions = np.take_along_axis(self.directions, order[:, :, None], axis=1)
        inner = np.take_along_axis(self.inner, order, axis=1)
        return SubNetworks(
            directions * kept[:, :, None], self.sizes, self.outputs, inner=inner * kept
        )

    def without_idle(self, share: float) -> SubNetworks:
        """Without hidden units of less than this share of the size of their sub-network."""
        products = np.linalg.norm(self.directions, axis=2) * np.abs(self.inner)
        kept = products > share * products.sum(axis=1, keepdims=True)
        return SubNetworks(
            self.directions * kept[:, :, None], self.sizes, self.outputs, inner=self.inner * kept
        ).trimmed()

    def shortened(self) -> SubNetworks:
        """The same functions at the least size: every hidden unit with ``||w_j|| ~ |b_j|``.

        Of all ``w_j``, ``b_j`` with given products the least ``||W||_F ||b||`` is
        ``sum_j ||w_j|| |b_j|``, by Cauchy and Schwarz.
        """
        lengths = np.linalg.norm(self.directions, axis=2)
        products = lengths * np.abs(self.inner)
        shares = products.sum(axis=1)
        roots = np.sqrt(products / np.where(shares > 0.0, shares, 1.0)[:, None])
        rays = self.directions / np.where(lengths > 0.0, lengths, 1.0)[:, :, None]
        alive = shares > 0.0
        return SubNetworks(
            (rays * roots[:, :, None])[alive], (self.sizes * shares)[alive], self.outputs[alive],
            inner=(np.sign(self.inner) * roots)[alive],
        )  # fmt: skip

    def balanced(self) -> tuple[FloatArray, FloatArray, FloatArray]:  # type: ignore[override]
        """Weights ``W_k'``, ``b_k`` and ``a_k`` with ``||W_k||_F = ||b_k|| = |a_k|``.

        Shapes (K, m1, d), (K, m1) and (K,). The modulus is the cube root of the size, so that
        ``1/3 sum_k (||W_k||_F^3 + ||b_k||^3 + |a_k|^3)``, which is the penalty of a network of
        three layers, is the sum of the sizes, the least that rescaling can reach.
        """
        root = np.cbrt(self.sizes)
        return (
            self.directions * root[:, None, None],
            self.inner * root[:, None],
            self.signs * root,
        )

    def sums(self) -> list[Neurons]:
        """Hidden units in the sums p and q of ``s ((X W)_+ b)_+ = s (p - q)_+``.

        First p and q of output 1, then of -1; sizes are those that they have in a network.
        """
        lengths = np.linalg.norm(self.directions, axis=2)
        sizes = self.sizes[:, None] * lengths * np.abs(self.inner)
        units = self.directions / np.where(lengths > 0.0, lengths, 1.0)[:, :, None]
        found = []
        for sign, side in ((1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)):
            alive = (self.signs[:, None] == sign) & (self.inner * side > 0.0) & (sizes > 0.0)
            outputs = np.full((int(alive.sum()), 1), sign)
            found.append(Neurons(units[alive], sizes[alive], outputs))
        return found

    def activations(self, X: FloatArray) -> FloatArray:
        """``((X W_k)_+ b_k)_+`` for all k, shape (n, K); O(n K m1 d)."""
        columns = np.empty((len(X), len(self)))
        for k, (hidden, inner) in enumerate(zip(self.directions, self.inner, strict=True)):
            columns[:, k] = np.maximum(np.maximum(X @ hidden.T, 0.0) @ inner, 0.0)
        return columns

    def predict(self, X: FloatArray) -> FloatArray:
        """``sum_k size_k s_k ((X W_k)_+ b_k)_+``, shape (n,)."""
        return self.activations(X) @ (self.sizes * self.signs)


def as_sub_networks(neurons: Neurons) -> SubNetworks:
    """Neurons of either kind as sub-networks."""
    return neurons if isinstance(neurons, SubNetworks) else SubNetworks.of_neurons(neurons)


def _units(weights: FloatArray) -> FloatArray:
    """A power of two next to the largest entry of each sub-network, shape (K,)."""
    return np.array([power_of_two(part) for part in weights])
