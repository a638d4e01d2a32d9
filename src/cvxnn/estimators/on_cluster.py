"""Fits of estimators to rows in dask: scaling and labels by sums, beta by some of the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from cvxnn.array_types import Array, FloatArray, IntArray
from cvxnn.distributed.cluster import cluster
from cvxnn.distributed.collections import Collection, Pieces, as_dask_array, beside_rows
from cvxnn.distributed.moments import Moments, check_blocks
from cvxnn.errors import InputError
from cvxnn.estimators.inputs import check_labels
from cvxnn.estimators.scaling import Scaling
from cvxnn.losses import as_loss

# Rows in this memory, from which a beta is guessed.
_SAMPLE = 5_000


@final
@dataclass(frozen=True)
class ClusterTable:
    """The rows of a fit in dask.

    Attributes
    ----------
    X : dask array, shape (n, d)
    y : dask array, shape (n,) or (n, c)
        Targets, or labels.
    weights : dask array, shape (n,), or None
    names : list of str or None
        Of the columns of a data frame.
    """

    X: Any
    y: Any
    weights: Any | None
    names: list[str] | None

    @classmethod
    def of(cls, X: Collection, y: Collection, sample_weight: Collection | None) -> ClusterTable:
        """From the arguments of `fit`; InputError if they are no rows."""
        rows = as_dask_array(X, "X")
        names = [str(name) for name in X.columns] if hasattr(X, "columns") else None
        if rows.ndim != 2 or 0 in rows.shape:
            raise InputError(f"X must be of shape (n, d), got shape {rows.shape}.")
        n = rows.shape[0]
        target = beside_rows(y, "y", n, of_numbers=False)
        weights = None if sample_weight is None else beside_rows(sample_weight, "sample_weight", n)
        return cls(rows, target, weights, names)

    def __len__(self) -> int:
        """The number of rows."""
        return int(self.X.shape[0])

    def sample(self) -> tuple[Any, Array, FloatArray | None]:
        """Some of the rows in this memory, evenly from all: the same in any chunks."""
        rows = np.unique(np.linspace(0, len(self) - 1, min(_SAMPLE, len(self))).astype(np.intp))
        X, y = np.asarray(self.X[rows]), np.asarray(self.y[rows])
        weights = None if self.weights is None else np.asarray(self.weights[rows])
        if self.names is None:
            return X, y, weights
        import pandas as pd

        return pd.DataFrame(X, columns=self.names), y, weights

    def check(self) -> None:
        """InputError where rows or targets are not as they should be, with their numbers."""
        is_text = np.dtype(self.y.dtype).kind not in "biuf"
        target = np.zeros(len(self)) if is_text else self.y
        with cluster() as workers:
            pieces = Pieces.of(self.X, target, self.weights)
            check_blocks(workers, pieces.read(workers, as_loss("squared")))

    def classes(self) -> Array:
        """The labels that there are, sorted; what is distinct in each chunk comes here."""
        import dask

        chunks = [dask.delayed(_distinct)(chunk) for chunk in self.y.to_delayed().ravel()]
        found = np.unique(np.concatenate(dask.compute(*chunks)))
        check_labels(found)
        return found

    def numbered(self, classes: Array) -> Any:
        """The number of the class of each row."""
        return self.y.map_blocks(_numbers, classes, dtype=np.intp)

    def scaling(self, target: Any, *, rows: bool, targets: bool) -> Scaling:
        """Means and deviations of what is to be scaled."""
        with cluster() as workers:
            moments = Moments.of(
                workers, Pieces.of(self.X, target, self.weights), as_loss("squared")
            )
        d, scaling = self.X.shape[1], Scaling()
        if rows:
            scaling = Scaling(moments.mean[:d], moments.deviation[:d])
        if not targets:
            return scaling
        mean, deviation = moments.mean[d:], moments.deviation[d:]
        if target.ndim == 1:
            return Scaling(scaling.centre, scaling.scale, float(mean[0]), float(deviation[0]))
        return Scaling(scaling.centre, scaling.scale, mean, deviation)

    def rows_as_read(self, scaling: Scaling, *, has_ones: bool) -> Any:
        """As networks read them: scaled, and with the column of ones."""
        rows = self.X.rechunk({1: -1})
        width = self.X.shape[1] + int(has_ones)
        return rows.map_blocks(
            _as_read, scaling, has_ones, dtype=np.float64, chunks=(rows.chunks[0], (width,))
        )


def one_against_others(numbers: Any, k: int) -> Any:
    """Labels 1 for a class, and -1."""
    return numbers.map_blocks(_signs, k, dtype=np.float64)


def in_columns(numbers: Any, count: int) -> Any:
    """A column for each class, with 1 for the class of a row."""
    return numbers.map_blocks(
        _columns, count, dtype=np.float64, new_axis=1, chunks=(numbers.chunks[0], (count,))
    )


def by_blocks(function: Callable[[Any], Array], X: Collection) -> Any:
    """A function of rows, such as predictions, of rows in dask: an array in dask.

    Rows of a frame have their names.
    """
    some = np.zeros((1, X.shape[1]))
    if hasattr(X, "columns"):
        import pandas as pd

        meta = function(pd.DataFrame(some, columns=list(X.columns)))
        return X.map_partitions(function, meta=meta[:0])
    meta = function(some)
    rows = X.rechunk({1: -1})
    if meta.ndim == 1:
        return rows.map_blocks(function, dtype=meta.dtype, drop_axis=1)
    return rows.map_blocks(function, dtype=meta.dtype, chunks=(rows.chunks[0], (meta.shape[1],)))


def _distinct(chunk: Any) -> Array:
    return np.unique(np.asarray(chunk))


def _numbers(chunk: Any, classes: Array) -> IntArray:
    return np.searchsorted(classes, np.asarray(chunk))


def _as_read(block: Any, scaling: Scaling, has_ones: bool) -> FloatArray:
    scaled = scaling.transform(np.asarray(block, dtype=np.float64))
    return np.column_stack([scaled, np.ones(len(scaled))]) if has_ones else scaled


def _signs(numbers: IntArray, k: int) -> FloatArray:
    return np.where(numbers == k, 1.0, -1.0)


def _columns(numbers: IntArray, count: int) -> FloatArray:
    return np.eye(count)[numbers]
