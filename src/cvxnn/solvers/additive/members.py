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
class GroupCosts:
    """The costs of neurons in the coordinates of their groups.

    Attributes
    ----------
    monotone : ndarray, shape (g, r)
        The m_j of the columns of each group, 0 beyond the last.
    l1_ratio : float
    """

    monotone: FloatArray
    l1_ratio: float

    @classmethod
    def of(cls, layer: GroupedLayer) -> Self | None:
        """Those of a layer; None where neurons pay their Euclidean norm."""
        if layer.costs is None:
            return None
        monotone = np.zeros((len(layer.groups), layer.width))
        for own, group in zip(monotone, layer.groups, strict=True):
            own[: len(group)] = layer.costs.of(group).monotone
        return cls(monotone, layer.costs.l1_ratio)

    def norms(self, rays: FloatArray) -> FloatArray:
        """``N(w)`` of each row, shape (k,)."""
        euclidean, sums = np.linalg.norm(rays, axis=1), np.abs(rays).sum(axis=1)
        return np.asarray((1.0 - self.l1_ratio) * euclidean + self.l1_ratio * sums)

    def gradient(self, unit: FloatArray, orthant: FloatArray) -> FloatArray:
        """Of N at a direction, with the signs of its entries, 0 for those that are held at 0."""
        along = unit / np.linalg.norm(unit)
        return np.asarray((1.0 - self.l1_ratio) * along + self.l1_ratio * orthant)


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
    costs : GroupCosts, optional
        With them ``N(u_j) = 1``.
    """

    groups: IntArray
    units: FloatArray
    sizes: FloatArray
    signs: FloatArray
    costs: GroupCosts | None = None

    @classmethod
    def of(cls, layer: GroupedLayer, neurons: Neurons, groups: IntArray | None = None) -> Self:
        """Neurons of which each is in a group."""
        groups = layer.group_of(neurons.directions) if groups is None else groups
        units = np.zeros((len(neurons), layer.width))
        for whole, own, group in zip(neurons.directions, units, groups, strict=True):
            columns = list(layer.groups[group])
            own[: len(columns)] = whole[columns]
        return cls(groups, units, neurons.sizes, neurons.signs, GroupCosts.of(layer))

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

    @property
    def cones(self) -> FloatArray:
        """The t of the cones ``t_i u_i >= 0`` of each, 0 where there is none, shape (k, r)."""
        if self.costs is None:
            return np.zeros_like(self.units)
        return np.asarray(self.signs[:, None] * self.costs.monotone[self.groups])

    def select(self, index: BoolArray | IntArray) -> Members:
        """The neurons in `index`."""
        return replace(
            self, groups=self.groups[index], units=self.units[index], sizes=self.sizes[index],
            signs=self.signs[index],
        )  # fmt: skip

    def sized(self, sizes: FloatArray) -> Members:
        """With other sizes; those of size zero are dropped."""
        return replace(self, sizes=sizes).select(sizes > 0.0)

    def moved(self, rays: FloatArray) -> Members:
        """With other rays, moved into their cones; those of no length are dropped."""
        if self.costs is None:
            lengths = np.linalg.norm(rays, axis=1)
        else:
            rays = np.where(self.cones * rays < 0.0, 0.0, rays)
            lengths = self.costs.norms(rays)
        alive = lengths > _NOTHING * lengths.max(initial=0.0)
        units = rays[alive] / lengths[alive, None]
        return replace(self.select(alive), units=units, sizes=lengths[alive])

    def joined(self, other: Members) -> Members:
        """These, and others."""
        return Members(
            np.concatenate([self.groups, other.groups]),
            np.vstack([self.units, other.units]),
            np.concatenate([self.sizes, other.sizes]),
            np.concatenate([self.signs, other.signs]),
            self.costs,
        )

    def neurons(self, layer: GroupedLayer) -> Neurons:
        """In the coordinates of all columns."""
        directions = np.zeros((len(self), layer.n_features))
        for unit, whole, group in zip(self.units, directions, self.groups, strict=True):
            columns = list(layer.groups[group])
            whole[columns] = unit[: len(columns)]
        return Neurons(directions, self.sizes, self.signs[:, None])
