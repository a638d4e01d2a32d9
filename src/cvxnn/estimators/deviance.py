"""How much of the deviance of targets is explained where their logarithm is predicted."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from cvxnn.array_types import FloatArray
from cvxnn.losses import Loss
from cvxnn.validation import check_finite

# The exponential of this is 0 in float64.
_LOG_OF_ZERO = -1000.0


def explained_deviance(
    loss: Loss, values: FloatArray, y: FloatArray, weights: FloatArray | None
) -> float:
    """``D^2 = 1 - deviance / (deviance of the mean)``, as scikit-learn's GLMs have it.

    Parameters
    ----------
    loss : Loss
        Half of a deviance.
    values : ndarray, shape (n,) or (n, c)
        Logarithms of what is expected of the targets.
    y : ndarray, of the same shape
    weights : ndarray, shape (n,), optional

    Returns
    -------
    float
        1 where all is right, 0 for the mean; of several targets the mean of each. NaN for fewer
        than two samples. Of targets without deviance 1 or 0, as scikit-learn's R^2.

    Examples
    --------
    >>> from cvxnn.losses import PoissonLoss
    >>> y = np.array([0.0, 1.0, 5.0])
    >>> explained_deviance(PoissonLoss(), np.full(3, np.log(2.0)), y, None)
    0.0
    """
    if len(y) < 2:
        warnings.warn(
            "D^2 score is not well-defined with less than two samples.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
        return float("nan")
    counts = np.ones(len(y)) if weights is None else weights
    columns = zip(np.atleast_2d(values.T), np.atleast_2d(y.T), strict=True)
    return float(np.mean([_of_one(loss, f, target, counts) for f, target in columns]))


def deviance(loss: Loss, values: FloatArray, y: FloatArray) -> FloatArray:
    """Half of that of each entry; InputError if targets are none of the loss.

    Examples
    --------
    >>> from cvxnn.losses import PoissonLoss
    >>> deviance(PoissonLoss(), np.zeros(1), np.ones(1))
    array([0.])
    """
    loss.check(y)
    return np.asarray(loss.values(values, y))


def squares(values: FloatArray, y: FloatArray) -> FloatArray:
    """The squared errors of targets, which are finite.

    Examples
    --------
    >>> squares(np.zeros(1), np.array([2.0]))
    array([4.])
    """
    check_finite(y, "y")
    return np.asarray((values - y) ** 2)


def log_of_mean(mean: FloatArray) -> FloatArray:
    """The best constant logarithm; for targets of zeros one whose exponential is 0.

    Examples
    --------
    >>> log_of_mean(np.array([1.0]))
    array([0.])
    """
    is_zero = mean == 0.0
    return np.where(is_zero, _LOG_OF_ZERO, np.log(np.where(is_zero, 1.0, mean)))


def _of_one(loss: Loss, f: FloatArray, y: FloatArray, weights: FloatArray) -> float:
    mean = float(np.average(y, weights=weights))
    left = float(weights @ loss.values(f, y))
    # The mean of zeros is right everywhere.
    whole = float(weights @ loss.values(np.full_like(y, np.log(mean)), y)) if mean > 0.0 else 0.0
    if whole == 0.0:
        return 1.0 if left == 0.0 else 0.0
    return 1.0 - left / whole
