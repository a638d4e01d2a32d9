"""Data and labels as :func:`cvxnn.solve` accepts them, checked before scikit-learn sees them.

`validate_data` reads numbers out of text, dates and what is under a mask; what is no
number is refused here first, in the sentences of :mod:`cvxnn.validation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.class_weight import compute_sample_weight

from cvxnn.array_types import Array, FloatArray, IntArray
from cvxnn.backends.devices import Device
from cvxnn.errors import InputError
from cvxnn.validation import (
    as_real_array,
    check_dense,
    check_finite,
    check_range,
    check_weights,
    column_names,
)


def check_entries(X: Any) -> tuple[int, ...]:
    """The shape of the data, whose entries are numbers in the range of data.

    Shape, names and number of the features are left to scikit-learn.

    Raises
    ------
    InputError
        As :func:`cvxnn.validation.check_data`, except for the shape.

    Examples
    --------
    >>> check_entries([[1.0, 2.0]])
    (1, 2)
    """
    try:
        array = as_real_array(X, "X")
    except InputError:
        if isinstance(X, np.ndarray) and any(isinstance(entry, Mapping) for entry in X.flat):
            # The checks of scikit-learn want the TypeError that numpy raises here.
            np.asarray(X, dtype=np.float64)
        raise
    check_range(array, "X", columns=column_names(X))
    return array.shape


def check_numbers(y: Any) -> None:
    """Refuse targets of a regression that are no numbers in the range of data.

    Examples
    --------
    >>> check_numbers(["1", "2"])
    Traceback (most recent call last):
    cvxnn.errors.InputError: y must be numeric, got dtype <U1; labels are for ConvexReLUClassifier.
    """
    # What is missing altogether has words of its own in scikit-learn.
    if y is not None:
        check_range(as_real_array(y, "y"), "y")


def check_labels(y: Any) -> None:
    """Refuse labels that are masked, sparse, complex, infinite or missing.

    Examples
    --------
    >>> check_labels(["yes", None])
    Traceback (most recent call last):
    cvxnn.errors.InputError: y must have a label for every row, got None at entry 1.
    """
    if y is None:
        return
    check_dense(y, "y")
    array = np.asarray(y)
    if array.dtype.kind in "fc":
        check_finite(as_real_array(array, "y"), "y")
    elif array.dtype.kind in "OMm":
        _check_no_gap(array)


def _check_no_gap(labels: Array) -> None:
    for k, label in enumerate(labels.flat):
        # NaN and NaT are no number that equals itself; pandas' NA has no truth value.
        if label is None or type(label).__name__ == "NAType" or label != label:
            raise InputError(f"y must have a label for every row, got {label} at entry {k}.")


@dataclass(frozen=True)
class Samples:
    """Data as a network reads them, targets and weights, in an order of their own.

    Equal samples are one with the sum of their weights, and those of weight zero are
    gone: so weights, repetition and order give the same numbers to the last digit.

    Attributes
    ----------
    X : ndarray, shape (k, ...)
    y : ndarray, shape (k,), or (k, c) for a network of several outputs
    weights : ndarray, shape (k,), or None where all are 1
    """

    X: FloatArray
    y: FloatArray
    weights: FloatArray | None

    @classmethod
    def of(cls, X: FloatArray, y: FloatArray, weights: FloatArray | None) -> Samples:
        """Merge and sort n samples of d numbers; O(n d log n)."""
        weights = np.ones(len(X)) if weights is None else weights
        counted = weights > 0.0
        entries = X.reshape(len(X), -1)
        unique, member = np.unique(
            np.column_stack([entries, y])[counted], axis=0, return_inverse=True
        )
        total = np.bincount(member.reshape(-1), weights[counted]).astype(np.float64)
        data, target = np.hsplit(unique, [entries.shape[1]])
        data = np.ascontiguousarray(data).reshape(-1, *X.shape[1:])
        target = target.reshape(-1, *y.shape[1:]).copy()
        return cls(data, target, None if (total == 1.0).all() else total)

    @property
    def n_outputs(self) -> int:
        """Outputs c of a network for them."""
        return 1 if self.y.ndim == 1 else self.y.shape[1]

    @property
    def heaviest(self) -> float:
        """The largest weight."""
        return 1.0 if self.weights is None else float(self.weights.max(initial=0.0)) or 1.0

    @property
    def shares(self) -> FloatArray | None:
        """Weights as shares of the largest: so equal ones are those of none to the last digit."""
        return None if self.weights is None else self.weights / self.heaviest


@dataclass(frozen=True, eq=False)
class Table:
    """The data of a fit, checked, in the order in which they came.

    Attributes
    ----------
    X : ndarray, shape (n, ...)
    y : ndarray, shape (n,), or (n, c) for several targets
        Targets, or labels.
    weights : ndarray, shape (n,), or None where all are 1
    device : Device or None
        Where a search computes.
    """

    X: FloatArray
    y: Array
    weights: FloatArray | None
    device: Device | None = None

    def __len__(self) -> int:
        """The number of samples n."""
        return len(self.X)

    @property
    def total(self) -> float:
        """The sum of the weights."""
        return float(len(self) if self.weights is None else self.weights.sum())

    def take(self, rows: IntArray) -> Table:
        """Some of the samples."""
        weights = None if self.weights is None else self.weights[rows]
        return Table(self.X[rows], self.y[rows], weights, self.device)


def weights_of(sample_weight: ArrayLike | None, n_samples: int) -> FloatArray | None:
    """Weights of samples from what scikit-learn allows: None, one number, or one for each."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, float(sample_weight))
    return check_weights(sample_weight, n_samples)


def class_weighted(
    class_weight: dict[Any, float] | str, labels: Array, weights: FloatArray | None
) -> FloatArray:
    """The weights of rows, times those of their classes.

    Parameters
    ----------
    class_weight : dict or "balanced"
        As elsewhere in scikit-learn.
    labels : ndarray, shape (n,)
    weights : ndarray, shape (n,), optional
        Of the rows; None is 1 for each.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ValueError
        If `class_weight` is not as described, or leaves no weight.

    Examples
    --------
    >>> class_weighted("balanced", np.array([0, 0, 1]), np.array([1.0, 1.0, 4.0]))
    array([1.5, 1.5, 3. ])
    """
    if not (isinstance(class_weight, str) and class_weight == "balanced"):
        by_row = check_weights(compute_sample_weight(class_weight, labels), len(labels), _NAME)
        return by_row if weights is None else check_weights(weights * by_row, len(labels), _NAME)
    return _balanced(labels, np.ones(len(labels)) if weights is None else weights)


def _balanced(labels: Array, weights: FloatArray) -> FloatArray:
    """Total weight over the number of classes, shared out in each; scikit-learn 1.9 does it so.

    Before, it counted rows: a row of weight 2 was another thing than the row twice. A class
    whose rows all have weight 0 is no class, as it would be without these rows.
    """
    _, member = np.unique(labels, return_inverse=True)
    totals = np.bincount(member, weights)
    mean = totals.sum() / np.count_nonzero(totals)
    # Shares first: the quotient of two totals might leave the range of float64.
    shares = weights / np.where(totals > 0.0, totals, 1.0)[member]
    return check_weights(mean * shares, len(labels), _NAME)


_NAME = "sample_weight with class_weight"
