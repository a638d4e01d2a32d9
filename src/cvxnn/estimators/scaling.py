"""Data and targets of mean 0 and deviation 1, in which the estimators train."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.estimators.inputs import Samples


@dataclass(frozen=True, eq=False)
class Scaling:
    """``x' = (x - centre) / scale`` and ``y' = (y - target_centre) / target_scale``.

    Attributes
    ----------
    centre : ndarray, shape (d,), or None
        Weighted means of the columns; None where data are not centred: images, signals and
        patches, whose entries share one scale, so that a convolution stays one.
    scale : ndarray, shape (d,), or float
        Weighted standard deviations of the columns, 1 for a constant one; the root mean
        square of all entries where data are not centred.
    target_centre, target_scale : float, or ndarray of shape (c,)
        The same of the target, or of each of several.

    Examples
    --------
    >>> samples = Samples.of(np.array([[1.0], [3.0]]), np.array([5.0, 9.0]), None)
    >>> scaling = Scaling().of_rows(samples).of_target(samples)
    >>> scaling.transform(np.array([[1.0], [2.0], [3.0]])).ravel().tolist()
    [-1.0, 0.0, 1.0]
    >>> scaling.target(samples.y).tolist(), scaling.restored(np.array([1.0])).tolist()
    ([-1.0, 1.0], [9.0])
    """

    centre: FloatArray | None = None
    scale: FloatArray | float = 1.0
    target_centre: FloatArray | float = 0.0
    target_scale: FloatArray | float = 1.0

    def of_rows(self, samples: Samples) -> Scaling:
        """With the means and deviations of the columns of X, of shape (n, d)."""
        centre, scale = _moments(samples.X, samples.shares)
        return replace(self, centre=centre, scale=scale)

    def of_entries(self, samples: Samples) -> Scaling:
        """With one scale for all entries of X, of any shape."""
        squares = np.mean(samples.X.reshape(len(samples.X), -1) ** 2, axis=1)
        root = float(np.sqrt(np.average(squares, weights=samples.shares)))
        return replace(self, scale=root if root > 0.0 else 1.0)

    def of_target(self, samples: Samples) -> Scaling:
        """With mean and deviation of y, or of each of its columns."""
        if samples.y.ndim == 1:
            centre, scale = _moments(samples.y[:, None], samples.shares)
            return replace(self, target_centre=float(centre[0]), target_scale=float(scale[0]))
        centre, scale = _moments(samples.y, samples.shares)
        return replace(self, target_centre=centre, target_scale=scale)

    def equals(self, other: Scaling) -> bool:
        """Whether it is the same to the last digit."""
        if self.centre is None or other.centre is None:
            same_centre = self.centre is other.centre
        else:
            same_centre = np.array_equal(self.centre, other.centre)
        others = ("scale", "target_centre", "target_scale")
        return same_centre and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in others
        )

    def transform(self, X: FloatArray) -> FloatArray:
        """Data of shape (n, ...) as the networks read them, but for a column of ones."""
        return X / self.scale if self.centre is None else (X - self.centre) / self.scale

    def target(self, y: FloatArray) -> FloatArray:
        """Targets as the networks are trained on them."""
        return (y - self.target_centre) / self.target_scale

    def restored(self, values: FloatArray) -> FloatArray:
        """Values of a network in the units of y."""
        return values * self.target_scale + self.target_centre

    def applied(self, samples: Samples) -> Samples:
        """The samples in units of this scaling."""
        return replace(samples, X=self.transform(samples.X), y=self.target(samples.y))


def _moments(columns: FloatArray, weights: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Means and deviations of columns; of a constant one its value and 1."""
    first = columns[0]
    # Around a value of its own a column far from zero loses no digits.
    mean = first + np.average(columns - first, axis=0, weights=weights)
    deviation = np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weights))
    # What rounding makes of a constant is no deviation.
    is_constant = deviation <= 4.0 * EPS * np.abs(mean)
    return np.where(is_constant, first, mean), np.where(is_constant, 1.0, deviation)
