"""Data that come with the library."""

from __future__ import annotations

from importlib import resources

import numpy as np

from cvxnn.array_types import FloatArray


def load_ring() -> tuple[FloatArray, FloatArray]:
    """Load the ring: 50 points of the plane, +1 between two circles and -1 elsewhere.

    The points are drawn from a normal distribution with standard deviation 5
    in each coordinate; the label is +1 where the distance from the origin is
    above 1.5 and at most 5. It is the two-dimensional problem of section 4.3
    of the seed paper, with one draw of its random data.

    Returns
    -------
    X : ndarray of shape (50, 3)
        The two coordinates and a column of ones, the bias.
    y : ndarray of shape (50,)
        Labels, -1.0 or 1.0.

    References
    ----------
    Y. Bian, "Convexifying Neural Networks", section 4.3.

    Examples
    --------
    >>> from cvxnn import load_ring
    >>> X, y = load_ring()
    >>> X.shape, y.shape
    ((50, 3), (50,))
    >>> X[0]
    array([8.82026173, 2.00078604, 1.        ])
    """
    source = resources.files("cvxnn").joinpath("data", "ring.csv")
    with source.open(encoding="utf-8") as file:
        table = np.loadtxt(file, delimiter=",", skiprows=1)
    X = np.column_stack([table[:, :2], np.ones(len(table))])
    return X, table[:, 2].copy()
