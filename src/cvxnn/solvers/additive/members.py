"""Neurons that see one group of columns each, in the coordinates of their groups."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    """Neurons ``s_j c_j (X_g u_j)_+`` with the group g of each.

    Attributes
    ----------
    groups : ndarray of int, shape (k,)
    units : ndarray, shape (k, r)
        The ``u_j``, zero beyond the columns of a group that has fewer than the largest.
    sizes : ndarray, shape (k,)
        The ``c_j``, zero for candidates.
    signs : ndarray, shape (k,)
    """

    groups: IntArray
    units: FloatArray
    sizes: FloatArray
    signs: FloatArray

    @classmethod
    def of(cls, layer: GroupedLayer, neurons: Neurons, groups: IntArray | None = None) -> Self:
        """Neurons of which each is in a group."""
        groups = layer.group_of(neurons.directions) if groups is None else groups
        units = np.zeros((len(neurons), layer.width))
        for whole, own, group in zip(neurons.directions, units, groups, strict=True):
            columns = list(layer.groups[group])
            own[: len(columns)] = whole[columns]
        return cls(groups, units, neurons.sizes, neurons.signs)

    def __len__(self) -> int:
        """The number of neurons k."""
        return len(self.signs)

    @property
    def rays(self) -> FloatArray:
        """``c_j u_j``, shape (k, r)."""
        return self.units * self.sizes[:, None]

    @property
    def total(self) -> float:
        """The sum of the sizes."""
        return float(self.sizes.sum())

    def select(self, index: BoolArray | IntArray) -> Members:
        """The neurons in `index`."""
        return Members(self.groups[index], self.units[index], self.sizes[index], self.signs[index])

    def sized(self, sizes: FloatArray) -> Members:
        """With other sizes; those of size zero are dropped."""
        return replace(self, sizes=sizes).select(sizes > 0.0)

    def moved(self, rays: FloatArray) -> Members:
        """With other rays; those of no length are dropped."""
        lengths = np.linalg.norm(rays, axis=1)
        alive = lengths > _NOTHING * lengths.max(initial=0.0)
        units = rays[alive] / lengths[alive, None]
        return Members(self.groups[alive], units, lengths[alive], self.signs[alive])

    def joined(self, other: Members) -> Members:
        """These, and others."""
        return Members(
            np.concatenate([self.groups, other.groups]),
            np.vstack([self.units, other.units]),
            np.concatenate([self.sizes, other.sizes]),
            np.concatenate([self.signs, other.signs]),
        )

    def neurons(self, layer: GroupedLayer) -> Neurons:
        """In the coordinates of all columns."""
        directions = np.zeros((len(self), layer.n_features))
        for unit, whole, group in zip(self.units, directions, self.groups, strict=True):
            columns = list(layer.groups[group])
            whole[columns] = unit[: len(columns)]
        return Neurons(directions, self.sizes, self.signs[:, None])
