"""Rows of features as sub-networks of three layers see them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray
from cvxnn.layers.rows import power_of_two


@final
@dataclass(frozen=True)
class ParallelRows:
    """Rows X of sub-networks ``((X W)_+ b)_+``.

    They are no :class:`~cvxnn.layers.Layer`: what is proven of neurons on the rows of a layer,
    by a relaxation say, is not true of sub-networks.

    Attributes
    ----------
    X : ndarray, shape (n, d)

    Examples
    --------
    >>> rows = ParallelRows(np.array([[3.0], [-8.0]]))
    >>> rows.unit, rows.in_units(8.0).X.tolist(), rows.weighted(np.array([1.0, 2.0])).X.tolist()
    (8.0, [[0.375], [-1.0]], [[3.0], [-16.0]])
    """

    X: FloatArray

    @property
    def n_predictions(self) -> int:
        """Number of predictions n."""
        return len(self.X)

    @property
    def n_features(self) -> int:
        """Length d of the weights of a hidden unit."""
        return int(self.X.shape[1])

    @property
    def unit(self) -> float:
        """The power of two next to the largest entry."""
        return power_of_two(self.X)

    def in_units(self, unit: float) -> ParallelRows:
        """The rows divided by a power of two, so without rounding."""
        return replace(self, X=self.X / unit)

    def take(self, outputs: NDArray[np.intp]) -> ParallelRows:
        """Some of the rows."""
        return replace(self, X=self.X[outputs])

    def weighted(self, root: FloatArray) -> ParallelRows:
        """The rows with predictions multiplied by `root` > 0, shape (n,)."""
        return replace(self, X=self.X * root[:, None])

    @cached_property
    def lengths(self) -> FloatArray:
        """Bounds on the moduli of predictions of a sub-network of size 1, shape (n,).

        ``|((x'W)_+ b)_+| <= ||x'W|| ||b|| <= ||x|| ||W||_F ||b||``.
        """
        return np.asarray(np.linalg.norm(self.X, axis=1))
