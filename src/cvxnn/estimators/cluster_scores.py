"""Scores of estimators on rows in dask: sums over blocks, each where it is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from cvxnn.array_types import Array, FloatArray
from cvxnn.distributed.collections import Collection, as_dask_array, beside_rows
from cvxnn.errors import InputError
from cvxnn.estimators.inputs import check_labels
from cvxnn.estimators.on_cluster import by_blocks
from cvxnn.validation import check_weights

# The cost of predictions, shape (n, c) or (n,), for targets of the same shape, row by row.
Cost = Callable[[FloatArray, FloatArray], FloatArray]


def accuracy_in_dask(
    predict: Callable[[Any], Array], X: Collection, y: Collection, sample_weight: Collection | None
) -> float:
    """The share of the rows whose label is predicted, weighted."""
    predicted, labels, weights = _beside(predict, X, y, sample_weight, of_numbers=False)
    right, total = _sums(_right, predicted, labels, weights)
    return float(right / total)


def explained_in_dask(
    values: Callable[[Any], FloatArray],
    cost: Cost,
    constant: Callable[[FloatArray], FloatArray],
    X: Collection,
    y: Collection,
    sample_weight: Collection | None,
) -> float:
    """What share of the cost of the best constant is explained: R^2 of squares, D^2 of a deviance.

    Parameters
    ----------
    values : callable
        Predictions for rows.
    cost : callable
        Of predictions and targets; InputError if these are not as they should be.
    constant : callable
        The best constant prediction, of the mean of each target.

    Notes
    -----
    Two passes over the rows; edge cases are those of scikit-learn, as for rows in one memory.
    """
    f, target, weights = _beside(values, X, y, sample_weight, of_numbers=True)
    if f.shape[0] < 2:
        warnings.warn(
            "A score is not well-defined with less than two samples.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
        return float("nan")
    sums, total = _sums(_first_sums, f, target, weights, cost)
    left, mean = sums[0], sums[1] / total
    whole = _sums(_costs_of_constant, f, target, weights, cost, constant(mean))[0]
    explained = 1.0 - left / np.where(whole > 0.0, whole, 1.0)
    return float(np.mean(np.where(whole > 0.0, explained, np.where(left > 0.0, 0.0, 1.0))))


def _beside(
    function: Callable[[Any], Array],
    X: Collection,
    y: Collection,
    sample_weight: Collection | None,
    *,
    of_numbers: bool,
) -> tuple[Any, Any, Any]:
    """Predictions, targets and weights in the same blocks."""
    names = list(X.columns) if hasattr(X, "columns") else None
    rows = as_dask_array(X, "X").rechunk({1: -1})
    predicted = by_blocks(partial(_named, function, names), rows)
    target = _along(y, "y", rows, of_numbers=of_numbers)
    weights = None
    if sample_weight is not None:
        weights = _along(sample_weight, "sample_weight", rows, of_numbers=True)
    if target.shape != predicted.shape:
        raise InputError(f"y must be of shape {predicted.shape}, got shape {target.shape}.")
    return predicted, target, weights


def _along(value: Collection, name: str, rows: Any, *, of_numbers: bool) -> Any:
    array = beside_rows(value, name, rows.shape[0], of_numbers=of_numbers)
    return array.rechunk({0: rows.chunks[0], **dict.fromkeys(range(1, array.ndim), -1)})


def _sums(function: Callable[..., Any], f: Any, y: Any, weights: Any, *rest: Any) -> Any:
    """What a function of blocks finds, summed over them."""
    import dask

    parts = [list(array.to_delayed().ravel()) for array in (f, y)]
    parts.append([None] * len(parts[0]) if weights is None else list(weights.to_delayed().ravel()))
    found = dask.compute(
        *[dask.delayed(_block_sums)(function, *part, *rest) for part in zip(*parts, strict=True)]
    )
    sums, totals = zip(*found, strict=True)
    return sum(sums), sum(totals)


def _block_sums(function: Callable[..., Any], f: Any, y: Any, weights: Any, *rest: Any) -> Any:
    f, y = np.asarray(f), np.asarray(y)
    counts = np.ones(len(y)) if weights is None else check_weights(np.asarray(weights), len(y))
    return function(f, y, counts, *rest), float(counts.sum())


def _right(predicted: Array, labels: Array, weights: FloatArray) -> float:
    check_labels(labels)
    return float(weights @ (predicted == labels))


def _first_sums(f: FloatArray, y: Array, weights: FloatArray, cost: Cost) -> FloatArray:
    y = y.astype(np.float64)
    return np.stack([weights @ cost(f, y), weights @ y])


def _costs_of_constant(
    f: FloatArray, y: Array, weights: FloatArray, cost: Cost, constant: FloatArray
) -> FloatArray:
    return np.asarray(weights @ cost(np.zeros_like(f) + constant, y.astype(np.float64)))


def _named(function: Callable[[Any], Array], names: list[str] | None, block: Any) -> Array:
    """Of rows with the names that the columns of a frame have."""
    if names is None:
        return function(block)
    import pandas as pd

    return function(pd.DataFrame(block, columns=names))
