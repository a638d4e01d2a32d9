"""Units that cost no rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def power_of_two(array: NDArray[np.float64]) -> float:
    """The power of two next to the largest modulus; 1 for zeros.

    Examples
    --------
    >>> power_of_two(np.array([-3.0, 1.0]))
    4.0
    """
    largest = float(np.abs(array).max(initial=0.0))
    return float(np.exp2(np.rint(np.log2(largest)))) if largest > 0.0 else 1.0
