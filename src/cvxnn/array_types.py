"""Types of arrays by what is in them, and the rounding of float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
# In kernels, which are compiled for what they are given.
Array = NDArray[Any]
# Twice what rounding changes a number by at most, relative.
EPS = float(np.finfo(np.float64).eps)


def is_dask(value: object) -> bool:
    """Whether it is an array, a frame or a series of dask, which is not imported for that.

    Examples
    --------
    >>> is_dask(np.zeros(2))
    False
    """
    package = type(value).__module__.split(".")[0]
    return package in ("dask", "dask_expr") and hasattr(value, "__dask_graph__")
