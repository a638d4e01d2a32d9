"""What all networks with one hidden layer have in common: rows that neurons look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray

# Entries of (rows x neurons) that are formed at a time.
_CHUNK = 1 << 21


def power_of_two(array: FloatArray) -> float:
    """The power of two next to the largest modulus; 1 for zeros.

    Examples
    --------
    >>> power_of_two(np.array([-3.0, 1.0]))
    4.0
    """
    largest = float(np.abs(array).max(initial=0.0))
    return float(np.exp2(np.rint(np.log2(largest)))) if largest > 0.0 else 1.0


class Rows(ABC):
    """Rows that neurons look at, and how their activations become the n predictions.

    A neuron is a direction u with ``||u|| <= 1``; its activations ``phi(u)``, shape (n,),
    are positively homogeneous in u, and ``f = sum_j phi(u_j) a_j``.

    Attributes
    ----------
    rows : ndarray, shape (N, d)
        Vectors of which a neuron sees the products ``x'u``.
    """

    rows: FloatArray

    @property
    def n_features(self) -> int:
        """Length d of a neuron's weights."""
        return int(self.rows.shape[1])

    @property
    @abstractmethod
    def n_predictions(self) -> int:
        """Number of predictions n."""

    @property
    def unit(self) -> float:
        """The power of two next to the largest entry of the rows."""
        return power_of_two(self.rows)

    def in_units(self, unit: float) -> Self:
        """The same with rows divided by a power of two, so without rounding."""
        return cast(Self, replace(cast(Any, self), rows=self.rows / unit))

    @abstractmethod
    def activations(self, directions: FloatArray) -> FloatArray:
        """``phi(u)`` for the rows u of `directions`, shape (n, k)."""

    @abstractmethod
    def forward(self, hidden: FloatArray, weights: FloatArray) -> FloatArray:
        """``sum_j phi(u_j) a_j``, shape (n,)."""

    @abstractmethod
    def scores(self, v: FloatArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``v'phi(u)`` for the rows u of `directions`, shape (k,), and its gradients, (k, d)."""

    @abstractmethod
    def attraction(self, v: FloatArray) -> FloatArray:
        """A dual point v, shape (n,), as weights of all rows that it may reach, shape (N,)."""

    @abstractmethod
    def pull(self, v: FloatArray) -> FloatArray:
        """A dual point v of the predictions as one of what an oracle prices."""

    @abstractmethod
    def pull_error(self, v: FloatArray) -> float:
        """By how much ``v'phi(u)`` may err for ``||u|| <= 1``, because :meth:`pull` rounds."""

    @abstractmethod
    def bound(self, v: FloatArray, *, quick: bool = False) -> float:
        """Upper bound on ``|v'phi(u)|`` over ``||u|| <= 1``, without a search, usually loose.

        In a `quick` a looser one takes the place of one that takes long.
        """

    @property
    @abstractmethod
    def lengths(self) -> FloatArray:
        """Bounds on the moduli of the predictions over ``||u|| <= 1``, shape (n,)."""

    @abstractmethod
    def moduli(self, size: FloatArray) -> FloatArray:
        """Sums of the moduli of all terms of the predictions, at most, shape (n,).

        `size` of shape (d,) is ``sum_j |a_j| |u_j|``, entry by entry.
        """

    @property
    @abstractmethod
    def terms(self) -> int:
        """Terms of the sums over features and rows behind a prediction, at most."""

    @abstractmethod
    def precisely(
        self, hidden: FloatArray, weights: FloatArray
    ) -> Callable[[], tuple[FloatArray, FloatArray]] | None:
        """What gives :meth:`forward` as a pair (high, low) of twice the precision.

        None where nothing does.
        """

    @abstractmethod
    def weighted(self, root: FloatArray) -> Self:
        """The same with predictions multiplied by `root` > 0, shape (n,)."""

    @abstractmethod
    def take(self, outputs: slice | NDArray[np.integer]) -> Self:
        """Some of the predictions, with the rows that they read."""

    def tiles(self, width: int) -> Iterator[tuple[slice, Self]]:
        """Slices of the predictions with their rows, such that (N x width) stays small."""
        rows_each = max(1, len(self.rows) // max(self.n_predictions, 1))
        for outputs in row_chunks(self.n_predictions, rows_each * width):
            whole = outputs.stop - outputs.start == self.n_predictions
            yield outputs, self if whole else self.take(outputs)


def row_chunks(n: int, width: int) -> Iterator[slice]:
    """Slices of n rows such that an array of so many columns stays small."""
    step = max(1, _CHUNK // max(width, 1))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))
