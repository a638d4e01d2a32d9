"""What the weights of every network go through: checks, a private copy, the activation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.errors import InputError
from cvxnn.validation import as_real_array, check_data, check_finite

FloatArray = NDArray[np.float64]


def frozen(weights: ArrayLike, name: str, *ndims: int, of: str) -> FloatArray:
    """A private, C-contiguous copy of weights that cannot be written to.

    Parameters
    ----------
    weights : array-like
    name : str
        How error messages call it.
    *ndims : int
        Dimensions that it may have.
    of : str
        What it has a row for: neurons, filters, features.

    Raises
    ------
    InputError
        If they are no finite numbers, of other dimensions, or of rows of length 0.

    Examples
    --------
    >>> frozen([[1.0, 2.0]], "filters", 2, of="filter").flags.writeable
    False
    """
    array = as_real_array(weights, name)
    if array.ndim not in ndims or 0 in array.shape[1:]:
        expected = " or ".join(f"{ndim}-D" for ndim in ndims)
        each = "an entry" if ndims == (1,) else "a row that is not empty"
        raise InputError(
            f"{name} must be {expected} with {each} for each {of}, got shape {array.shape}."
        )
    check_finite(array.reshape(len(array), math.prod(array.shape[1:])), name)
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy


def rows_of(X: ArrayLike, n_features: int) -> FloatArray:
    """The rows of data for a network of so many features; InputError if they are none.

    Examples
    --------
    >>> rows_of([[1, 2]], 2)
    array([[1., 2.]])
    """
    rows = check_data(X)
    if rows.shape[1] != n_features:
        raise InputError(
            f"X must have the {n_features} features of the network, got {rows.shape[1]}."
        )
    return rows


def activate(sums: FloatArray, slope: float) -> FloatArray:
    """``max(t, 0) + slope min(t, 0)``; for slope 0 in place.

    Examples
    --------
    >>> activate(np.array([-2.0, 3.0]), -1.0)
    array([2., 3.])
    """
    if slope == 0.0:
        return np.maximum(sums, 0.0, out=sums)
    return np.maximum(sums, 0.0) + slope * np.minimum(sums, 0.0)
