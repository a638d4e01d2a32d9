"""Circular convolution: the product of a filter and its output weights."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray


def circular_convolution(first: FloatArray, second: FloatArray) -> FloatArray:
    """Row by row, shape (..., d); O(d log d) a row.

    Examples
    --------
    >>> circular_convolution(np.array([0.0, 1.0]), np.array([3.0, 4.0])).round(12)
    array([4., 3.])
    """
    d = first.shape[-1]
    spectrum = np.fft.rfft(first) * np.fft.rfft(second)
    return np.asarray(np.fft.irfft(spectrum, n=d))
