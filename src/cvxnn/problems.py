"""The training problem, and the neurons that solve it.

Whatever the network, the problem is

    min  l(f, Y) + beta sum_j sizes_j,    f = sum_j sizes_j phi(u_j) a_j',

over any number of neurons with ``||u_j|| = ||a_j|| = 1``, where ``phi(u)`` is what the rows
make of a direction u. That is objective (2) of balanced weights ``sqrt(size_j) u_j`` and
``sqrt(size_j) a_j``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cvxnn.networks import TwoLayerNetwork

FloatArray = NDArray[np.float64]

# A neuron this much shorter than the longest is none.
_NOTHING = 1e-13


@dataclass(frozen=True)
class Neurons:
    """Neurons as unit directions, sizes and unit output weights.

    Attributes
    ----------
    directions : ndarray, shape (k, d)
        The ``u_j``.
    sizes : ndarray, shape (k,)
        ``||w_j|| ||a_j|| >= 0`` of the weights.
    outputs : ndarray, shape (k, c)
        The ``a_j``; for one output the signs.
    """

    directions: FloatArray
    sizes: FloatArray
    outputs: FloatArray

    @classmethod
    def of(cls, rays: FloatArray, outputs: FloatArray) -> Neurons:
        """From rays ``size_j u_j``, shape (k, d); those of length zero are dropped."""
        norms = np.linalg.norm(rays, axis=1)
        alive = norms > _NOTHING * norms.max(initial=0.0)
        return cls(rays[alive] / norms[alive, None], norms[alive], outputs[alive])

    @classmethod
    def none(cls, n_features: int, n_outputs: int = 1) -> Neurons:
        """No neurons."""
        return cls(np.zeros((0, n_features)), np.zeros(0), np.zeros((0, n_outputs)))

    def __len__(self) -> int:
        """The number of neurons k."""
        return len(self.sizes)

    @property
    def signs(self) -> FloatArray:
        """Of one output: its sign for each neuron, shape (k,)."""
        (signs,) = self.outputs.T
        return signs

    @property
    def rays(self) -> FloatArray:
        """``size_j u_j``, shape (k, d)."""
        return self.directions * self.sizes[:, None]

    def network(self, basis: FloatArray | None = None) -> TwoLayerNetwork:
        """The balanced network, from coordinates ``w = basis'u`` (of the rows, if None)."""
        root = np.sqrt(self.sizes)
        hidden = self.directions * root[:, None]
        return TwoLayerNetwork(hidden if basis is None else hidden @ basis.T, self.signs * root)

    def sized(self, sizes: FloatArray) -> Self:
        """The same directions and output weights with other sizes, shape (k,)."""
        return replace(self, sizes=sizes)

    def turned(self, matrix: FloatArray) -> Self:
        """Directions times a matrix with orthonormal columns or rows, shape (d, r)."""
        return replace(self, directions=self.directions @ matrix)

    def select(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """The neurons in `index`."""
        return replace(self, **{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def joined(self, directions: FloatArray, outputs: FloatArray) -> Neurons:
        """With candidates of size zero appended."""
        return Neurons(
            np.vstack([self.directions, directions]),
            np.concatenate([self.sizes, np.zeros(len(outputs))]),
            np.concatenate([self.outputs, outputs]),
        )
