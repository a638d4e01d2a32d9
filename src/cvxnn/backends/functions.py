"""Functions that the array API standard has not: of SciPy for numpy, by formulas for the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from cvxnn.array_types import Array
from cvxnn.backends.namespaces import namespace_of


def expit(t: Any) -> Array:
    """``1 / (1 + e^-t)``.

    Examples
    --------
    >>> expit(np.array([0.0, -1e4]))
    array([0.5, 0. ])
    """
    xp = namespace_of(t)
    if xp is np:
        return np.asarray(special.expit(t))
    # Of -|t|, which no exponential overflows at.
    power = xp.exp(-xp.abs(t))
    return xp.where(t >= 0.0, 1.0, power) / (1.0 + power)


def softplus(t: Any) -> Array:
    """``log(1 + e^t)``.

    Examples
    --------
    >>> softplus(np.array([0.0, 1e4])).round(4).tolist()
    [0.6931, 10000.0]
    """
    xp = namespace_of(t)
    if xp is np:
        return np.logaddexp(0.0, t)
    return (t + xp.abs(t)) / 2.0 + xp.log1p(xp.exp(-xp.abs(t)))


def softmax(t: Any) -> Array:
    """``e^t_ik / sum_j e^t_ij`` along the last axis.

    Examples
    --------
    >>> softmax(np.log([[1.0, 3.0]]))
    array([[0.25, 0.75]])
    """
    xp = namespace_of(t)
    if xp is np:
        return np.asarray(special.softmax(t, axis=-1))
    powers = xp.exp(t - xp.max(t, axis=-1, keepdims=True))
    return powers / xp.sum(powers, axis=-1, keepdims=True)


def log_sum_exp(t: Any) -> Array:
    """``log sum_j e^t_ij`` along the last axis.

    Examples
    --------
    >>> round(float(log_sum_exp(np.zeros((1, 2)))[0]), 4)
    0.6931
    """
    xp = namespace_of(t)
    largest = xp.max(t, axis=-1, keepdims=True)
    return xp.log(xp.sum(xp.exp(t - largest), axis=-1)) + largest[..., 0]
