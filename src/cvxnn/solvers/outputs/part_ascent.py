"""A quick ascent for several outputs on predictions that read many rows: on some of them."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.oracle.outputs.ascent import OutputsAscent
from cvxnn.oracle.outputs.proposals import proposals_at
from cvxnn.oracle.price import Proposals
from cvxnn.solvers.outputs.settings import SETTINGS


@final
class PartAscent:
    """Climbs on the rows of some predictions, and holds what it finds against all of them.

    Parameters
    ----------
    layer : Layer
    to_direction : ndarray, shape (d, r)
        Maps evenly spread directions to those of the data.
    random_state : numpy.random.Generator

    Examples
    --------
    >>> from cvxnn.interrupts import UNLIMITED
    >>> ascent = PartAscent(Layer(np.eye(2)), np.eye(2), np.random.default_rng(0))
    >>> found = ascent.search(np.array([[3.0, 0.0], [0.0, -4.0]]), 3.5, UNLIMITED)
    >>> found.values.round(6).tolist(), found.outputs.round(6).tolist()
    ([4.0], [[0.0, -1.0]])
    """

    def __init__(
        self, layer: Layer, to_direction: FloatArray, random_state: np.random.Generator
    ) -> None:
        self._layer, self._to_direction, self._random_state = layer, to_direction, random_state
        rows_each = max(1, len(layer.rows) // max(layer.n_predictions, 1))
        self._size = min(layer.n_predictions, -(-SETTINGS.many_rows // rows_each))

    @property
    def is_part(self) -> bool:
        """Whether there are more predictions than it looks at."""
        return self._size < self._layer.n_predictions

    def search(self, V: FloatArray, threshold: float, deadline: Deadline) -> Proposals:
        """Neurons whose values on all predictions are above a threshold, best first.

        Parameters
        ----------
        V : ndarray, shape (n, c)
        threshold : float
        deadline : Deadline
        """
        chosen = np.sort(self._random_state.permutation(len(V))[: self._size])
        part, share = self._layer.take(chosen), self._size / len(V)
        ascent = OutputsAscent(part.rows, self._to_direction, self._random_state)
        found = ascent.search(
            part.pull(V[chosen]), SETTINGS.unsure * share * threshold, SETTINGS.starts,
            most=SETTINGS.most_new, deadline=deadline,
        )  # fmt: skip
        return self._on_all(V, found.directions, threshold)

    def spread(self, V: FloatArray, threshold: float) -> Proposals:
        """Neurons in all directions, which find their places together."""
        drawn = self._random_state.standard_normal((SETTINGS.most_new, self._to_direction.shape[1]))
        return self._on_all(V, drawn @ self._to_direction.T, threshold)

    def _on_all(self, V: FloatArray, directions: FloatArray, threshold: float) -> Proposals:
        return proposals_at(self._layer.rows, self._layer.pull(V), directions, threshold)
