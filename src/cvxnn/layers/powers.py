"""Powers of two, by which data are scaled without rounding."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray


def power_of_two(array: FloatArray) -> float:
    """The power of two next to the largest modulus; 1 for zeros.

    Examples
    --------
    >>> power_of_two(np.array([-3.0, 1.0]))
    4.0
    """
    largest = float(np.abs(array).max(initial=0.0))
    return float(np.exp2(np.rint(np.log2(largest)))) if largest > 0.0 else 1.0
