"""Weights of the classes as weights of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from cvxnn.array_types import Array, FloatArray
from cvxnn.validation import check_weights


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
