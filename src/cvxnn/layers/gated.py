"""Rows as neurons with fixed gates see them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers.rows import power_of_two

# Bytes of products of rows and gates that exist at a time.
_CHUNK_BYTES = 1 << 26


@final
@dataclass(frozen=True)
class GatedRows:
    """Rows X, and gates that are open on some of them: ``f = sum_j D_j X u_j a_j``.

    Attributes
    ----------
    X : ndarray, shape (n, d)
    gates : ndarray, shape (G, d) or (G, 2 d)
        The ``g_i``, or pairs of them one after the other, which are open where both are; only
        their directions matter.
    masks : ndarray of bool, shape (G, n)
        The diagonals of the ``D_i``: ``X g_i >= 0``, of pairs the products of two; a different
        one for each gate.

    Examples
    --------
    >>> rows = GatedRows.of(np.eye(2), np.array([[1.0, -1.0], [2.0, -2.0], [1.0, 1.0]]))
    >>> rows.gates
    array([[ 1., -1.],
           [ 1.,  1.]])
    >>> rows.masks
    array([[ True, False],
           [ True,  True]])
    """

    X: FloatArray
    gates: FloatArray
    masks: BoolArray

    @classmethod
    def of(cls, X: FloatArray, gates: FloatArray, deadline: Deadline = UNLIMITED) -> GatedRows:
        """Of the gates with the same pattern on X the first is kept; O(G n d).

        Raises
        ------
        OutOfTimeError
            If the deadline passes before the end.
        """
        masks = np.empty((len(gates), len(X)), dtype=np.bool_)
        step = max(1, _CHUNK_BYTES // (8 * max(len(X), 1)))
        for start in range(0, len(gates), step):
            deadline.check()
            part = slice(start, start + step)
            masks[part] = open_gates(X, gates[part]).T
        return cls(X, gates, masks)._distinct()

    def opened(self, directions: FloatArray) -> GatedRows:
        """The rows with gates in these directions, shape (k, d), before those that they have."""
        width = self.gates.shape[1] - directions.shape[1]
        first = np.pad(directions, ((0, 0), (0, width)))
        return GatedRows.of(self.X, np.vstack([first, self.gates]))

    def _distinct(self) -> GatedRows:
        # The gate 0 counts as a pattern of its own: it is open on other rows, too.
        kinds = np.column_stack([~self.gates.any(axis=1), self.masks])
        _, first = np.unique(np.packbits(kinds, axis=1), axis=0, return_index=True)
        first.sort()
        return replace(self, gates=self.gates[first], masks=self.masks[first])

    @property
    def n_predictions(self) -> int:
        """Number of predictions n."""
        return len(self.X)

    @property
    def n_features(self) -> int:
        """Length d of a neuron's weights."""
        return int(self.X.shape[1])

    @property
    def n_gates(self) -> int:
        """Number of gates G, which is that of their patterns."""
        return len(self.gates)

    @property
    def unit(self) -> float:
        """The power of two next to the largest entry of X."""
        return power_of_two(self.X)

    def in_units(self, unit: float) -> GatedRows:
        """The rows divided by a power of two, so without rounding."""
        return replace(self, X=self.X / unit)

    def take(self, outputs: NDArray[np.intp]) -> GatedRows:
        """Some of the rows, with the first gate of each pattern on them."""
        return GatedRows(self.X[outputs], self.gates, self.masks[:, outputs])._distinct()

    @cached_property
    def lengths(self) -> FloatArray:
        """Bounds on the moduli of predictions over ``||u|| <= 1``, whatever the gate, (n,)."""
        return np.asarray(np.linalg.norm(self.X, axis=1))


def open_gates(X: FloatArray, gates: FloatArray) -> BoolArray:
    """``X g >= 0`` for every row and gate, of pairs for both, shape (n, m)."""
    d = X.shape[1]
    opened = np.asarray(X @ gates[:, :d].T >= 0.0)
    return opened if gates.shape[1] == d else opened & (X @ gates[:, d:].T >= 0.0)


def pairs_of(gates: FloatArray, second: FloatArray) -> FloatArray:
    """Every gate of the first layer beside every one of the second, shape (G G', 2 d).

    Examples
    --------
    >>> pairs_of(np.array([[1.0], [2.0]]), np.array([[5.0], [6.0]])).tolist()
    [[1.0, 5.0], [2.0, 5.0], [1.0, 6.0], [2.0, 6.0]]
    """
    return np.hstack([np.tile(gates, (len(second), 1)), np.repeat(second, len(gates), axis=0)])
