"""Neurons that see one group of columns each, in the coordinates of their groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, final

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray, IntArray
from cvxnn.layers.groups import GroupedLayer
from cvxnn.problems import Neurons

# A neuron this much shorter than the longest is none.
_NOTHING = 1e-13


@final
@dataclass(frozen=True)
class Members:
    """Neurons ``s_j (X_g w_j)_+`` with the group g of each.

    Attributes
    ----------
    groups : ndarray of int, shape (k,)
    rays : ndarray, shape (k, r)
        The ``w_j``, zero beyond the columns of a group that has fewer than the largest.
    signs : ndarray, shape (k,)
    """

    groups: IntArray
    rays: FloatArray
    signs: FloatArray

    @classmethod
    def of(cls, layer: GroupedLayer, neurons: Neurons, groups: IntArray | None = None) -> Self:
        """Neurons of which each is in a group."""
        groups = layer.group_of(neurons.directions) if groups is None else groups
        width, whole = max(map(len, layer.groups)), neurons.rays
        rays = np.zeros((len(neurons), width))
        for ray, own, group in zip(whole, rays, groups, strict=True):
            columns = list(layer.groups[group])
            own[: len(columns)] = ray[columns]
        return cls(groups, rays, neurons.signs)

    def __len__(self) -> int:
        """The number of neurons k."""
        return len(self.signs)

    @property
    def lengths(self) -> FloatArray:
        """Of the rays, shape (k,)."""
        return np.asarray(np.linalg.norm(self.rays, axis=1))

    def select(self, index: BoolArray | IntArray) -> Members:
        """The neurons in `index`."""
        return Members(self.groups[index], self.rays[index], self.signs[index])

    def moved(self, rays: FloatArray) -> Members:
        """With other rays; those of no length are dropped."""
        lengths = np.linalg.norm(rays, axis=1)
        alive = lengths > _NOTHING * lengths.max(initial=0.0)
        return Members(self.groups[alive], rays[alive], self.signs[alive])

    def neurons(self, layer: GroupedLayer) -> Neurons:
        """In the coordinates of all columns."""
        lengths = self.lengths
        directions = np.zeros((len(self), layer.n_features))
        for ray, length, whole, group in zip(
            self.rays, lengths, directions, self.groups, strict=True
        ):
            columns = list(layer.groups[group])
            whole[columns] = ray[: len(columns)] / length
        return Neurons(directions, lengths, self.signs[:, None])
