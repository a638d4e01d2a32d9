"""Rows in blocks of similar ones, all of the same size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray


@final
@dataclass(frozen=True)
class Blocks:
    """Rows in B blocks of b each, the last places of a block filled with zeros.

    Products of activations are constrained within a block only, so that rows whose kinks lie
    near each other belong together.

    Attributes
    ----------
    rows : ndarray, shape (B, b, d)
    places : ndarray of int, shape (n,)
        Where each row is in the B b places.

    Examples
    --------
    >>> blocks = Blocks.of(np.array([[1.0, 0.0], [0.0, 1.0], [-2.0, 0.1]]), 2)
    >>> blocks.rows.shape
    (2, 2, 2)
    >>> blocks.gathered(blocks.scattered(np.array([5.0, 6.0, 7.0])))
    array([5., 6., 7.])
    """

    rows: FloatArray
    places: NDArray[np.intp]

    @classmethod
    def of(cls, X: FloatArray, size: int) -> Blocks:
        """Blocks of `size` rows at most, from X, shape (n, d); O(n d^2 log(n / size)).

        Their number is a power of two, so that neighbours can be merged until one is left.
        """
        n, d = X.shape
        groups = _bisected(_units(X), np.arange(n), 1 << (-(-n // size) - 1).bit_length())
        width = max(1, *map(len, groups))
        places = np.empty(n, dtype=np.intp)
        for k, group in enumerate(groups):
            places[group] = k * width + np.arange(len(group))
        rows = np.zeros((len(groups) * width, d))
        rows[places] = X
        return cls(rows.reshape(len(groups), width, d), places)

    def __len__(self) -> int:
        """The number of blocks B."""
        return len(self.rows)

    def merged(self) -> Blocks:
        """With every two neighbours as one block."""
        B, b, d = self.rows.shape
        return Blocks(self.rows.reshape(B // 2, 2 * b, d), self.places)

    def scattered(self, values: FloatArray) -> FloatArray:
        """Numbers of the rows, shape (n,), as an array of shape (B, b)."""
        filled = np.zeros(self.rows.shape[:2])
        filled.reshape(-1)[self.places] = values
        return filled

    def gathered(self, values: FloatArray) -> FloatArray:
        """The way back."""
        return np.asarray(values.reshape(-1)[self.places])


def _units(X: FloatArray) -> FloatArray:
    """Rows of unit length; zeros stay zeros."""
    largest = np.abs(X).max(axis=1, initial=0.0)[:, None]
    # Relative to the largest entry, whose square might leave the range of float64.
    relative = X / np.where(largest > 0.0, largest, 1.0)
    lengths = np.linalg.norm(relative, axis=1)[:, None]
    return relative / np.where(lengths > 0.0, lengths, 1.0)


def _bisected(units: FloatArray, index: NDArray[np.intp], count: int) -> list[NDArray[np.intp]]:
    """Rows `index` in so many groups of sizes that differ by one at most.

    They are halved along the direction in which they differ most. A row and its negative have
    the same kink, so that each is first turned to the side of the axis they have in common.
    """
    if count == 1 or len(index) == 0:
        return [index] * count
    rows = units[index]
    sides = rows @ _axis(rows)
    turned = rows * np.where(sides < 0.0, -1.0, 1.0)[:, None]
    order = index[np.argsort(turned @ _axis(turned - turned.mean(axis=0)), kind="stable")]
    first = count // 2
    cut = len(order) * first // count
    return [
        *_bisected(units, order[:cut], first),
        *_bisected(units, order[cut:], count - first),
    ]


def _axis(rows: FloatArray) -> FloatArray:
    """The direction along which the rows are longest in all."""
    return np.asarray(np.linalg.eigh(rows.T @ rows)[1][:, -1])
