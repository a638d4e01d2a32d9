"""The layer of filters whose activations are pooled by their maximum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray
from cvxnn.layers.rows import Rows, row_chunks

_EPS = float(np.finfo(float).eps)


@final
@dataclass(frozen=True)
class MaxLayer(Rows):
    """``f_i = sum_j a_j max_k (x_ik'u_j)_+``: rows are patches, K after K for each image.

    A maximum is no linear function of activations, so that predictions can be weighed and
    selected, but not mixed, and oracles price the maxima themselves.

    Attributes
    ----------
    rows : ndarray, shape (n K, h)
    n_patches : int
        K.
    weights : ndarray, shape (n,), or None
        Positive factors of the predictions; None for 1. Rows are left as they are,
        because rounded products would not differ in the same directions.

    Examples
    --------
    >>> layer = MaxLayer(np.array([[1.0], [2.0], [-1.0], [-3.0]]), n_patches=2)
    >>> layer.activations(np.array([[1.0], [-1.0]]))
    array([[2., 0.],
           [0., 3.]])
    """

    rows: FloatArray
    n_patches: int = 1
    weights: FloatArray | None = None

    @property
    def patches(self) -> FloatArray:
        """The rows of each image, shape (n, K, h): a view."""
        return self.rows.reshape(-1, self.n_patches, self.n_features)

    @property
    def n_predictions(self) -> int:
        """Number of images n."""
        return len(self.rows) // self.n_patches

    def pull(self, v: FloatArray) -> FloatArray:
        """v, shape (n,), times the weights: a dual point of the maxima."""
        return self._times_weights(v)

    def pull_error(self, v: FloatArray) -> float:
        """0: oracles of the maxima cover the rounding of what they price."""
        return 0.0

    def attraction(self, v: FloatArray) -> FloatArray:
        """The weight of an image for each of its patches, shape (n K,)."""
        return np.repeat(self.pull(v), self.n_patches)

    def scores(self, v: FloatArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``v'f(u)`` for the rows u of `directions`, shape (k,), and its gradients, (k, h)."""
        weights, slopes = self.pull(v), np.zeros(directions.shape)
        for part in row_chunks(self.n_predictions, self.n_patches * len(directions)):
            products = self.patches[part] @ directions.T
            winners = products.argmax(axis=1)
            on = np.take_along_axis(products, winners[:, None], axis=1)[:, 0] > 0.0
            images = np.arange(len(winners))
            for k in range(len(directions)):
                won = self.patches[part][images, winners[:, k]]
                slopes[k] += (on[:, k] * weights[part]) @ won
        return np.einsum("ij,ij->i", slopes, directions), slopes

    def bound(self, v: FloatArray, *, quick: bool = False) -> float:
        """Each image at its longest patch; no time to speak of.

        Outputs of a filter are not negative, so that only the v_i of one sign add up.
        """
        largest = max(float(np.maximum(s * v, 0.0) @ self.lengths) for s in (1.0, -1.0))
        return largest * (1.0 + 2.0 * (self.n_predictions + self.n_features + 8) * _EPS)

    def activations(self, directions: FloatArray) -> FloatArray:
        """``max_k (x_ik'u)_+`` for the rows u of `directions`, shape (n, m)."""
        pooled = np.empty((self.n_predictions, len(directions)))
        for part in row_chunks(self.n_predictions, self.n_patches * len(directions)):
            largest = (self.patches[part] @ directions.T).max(axis=1)
            pooled[part] = np.maximum(largest, 0.0)
        return pooled if self.weights is None else pooled * self.weights[:, None]

    def forward(self, hidden: FloatArray, weights: FloatArray) -> FloatArray:
        """``sum_j a_j max_k (x_ik'u_j)_+``, shape (n,)."""
        return np.asarray(self.activations(hidden) @ weights)

    def moduli(self, size: FloatArray) -> FloatArray:
        """See :meth:`Rows.moduli`. Filters may win at different patches: largest entries count."""
        return self._times_weights(np.abs(self.patches).max(axis=1) @ size)

    @property
    def terms(self) -> int:
        """The features of a patch."""
        return self.n_features

    def precisely(self, hidden: FloatArray, weights: FloatArray) -> None:
        """None: which patch wins is decided in float64."""

    def _times_weights(self, values: FloatArray) -> FloatArray:
        return values if self.weights is None else values * self.weights

    def weighted(self, root: FloatArray) -> MaxLayer:
        """The layer with predictions multiplied by `root` > 0, shape (n,)."""
        return replace(self, weights=self._times_weights(root))

    def take(self, outputs: slice | NDArray[np.integer]) -> MaxLayer:
        """The layer of some of the images."""
        rows = self.patches[outputs].reshape(-1, self.n_features)
        weights = None if self.weights is None else self.weights[outputs]
        return replace(self, rows=rows, weights=weights)

    @cached_property
    def lengths(self) -> FloatArray:
        """Bounds on the moduli of the predictions over ``||u|| <= 1``, shape (n,)."""
        return self._times_weights(np.linalg.norm(self.patches, axis=2).max(axis=1))


def max_layer(patches: FloatArray, *, has_bias: bool) -> MaxLayer:
    """The layer of patches of shape (n, K, h), with a constant 1 at their end if it `has_bias`.

    Examples
    --------
    >>> max_layer(np.zeros((5, 3, 2)), has_bias=True).rows.shape
    (15, 3)
    """
    n, n_patches, size = patches.shape
    rows = np.ascontiguousarray(patches.reshape(n * n_patches, size))
    if has_bias:
        rows = np.column_stack([rows, np.ones(len(rows))])
    return MaxLayer(rows, n_patches)
