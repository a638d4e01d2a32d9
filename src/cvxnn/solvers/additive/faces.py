"""The faces of cells that neurons in groups of columns lie on, and what they do there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self, final

import numpy as np
import scipy.linalg

from cvxnn.array_types import BoolArray, FloatArray, IntArray
from cvxnn.interrupts import check_interrupt
from cvxnn.layers import row_chunks
from cvxnn.solvers.additive.members import Members
from cvxnn.solvers.additive.objective import GroupedObjective
from cvxnn.solvers.atoms import TIGHT
from cvxnn.solvers.newton.faces import solve_normal

# Curvature along a neuron as a share of that across, where the objective has none.
_ALONG = 1e-10
# Of the diagonal: what rounding takes from a Gram matrix.
_RIDGE = 1e-14
# An entry that a step leaves of less than this share stops at zero.
_STOPPED = 1e-12
# Beyond its price, over beta: a smaller pull is rounding.
_LEAST_PULL = 1e-7
# Singular values of unit rows below this are of rows that depend on the others.
_DEPENDENT = 1e-7


@final
@dataclass(frozen=True)
class Faces:
    """The face of each neuron, as a basis in the coordinates of its group.

    Attributes
    ----------
    objective : GroupedObjective
    members : Members
    bases : list of ndarray, shape (r, q_j)
    tight : list of ndarray of int
        The rows on whose hyperplanes a neuron lies.
    orthants : ndarray, shape (k, r)
        Signs of the entries that have a price or a cone; 0 for those held at zero.
    parts : list of slice
        Of each among all p coordinates.
    """

    objective: GroupedObjective
    members: Members
    bases: list[FloatArray]
    tight: list[IntArray]
    orthants: FloatArray
    parts: list[slice]

    @classmethod
    def of(
        cls, objective: GroupedObjective, members: Members, left: FloatArray | None = None
    ) -> Self:
        """Those of one neuron at least; entries at zero are let go where a residual pulls them."""
        bases, tight, orthants = [], [], np.zeros_like(members.units)
        for j, (group, unit) in enumerate(zip(members.groups, members.units, strict=True)):
            X = objective.seen(int(group))
            at = unit @ X
            on = np.abs(at) <= TIGHT * (np.abs(unit) @ np.abs(X))
            rows = np.flatnonzero(on)
            rows = rows[X[:, rows].any(axis=0)]
            width = len(objective.layer.groups[group])
            free = np.arange(width)
            if members.costs is not None:
                pull = None
                if left is not None and not unit[:width].all():
                    pull = members.signs[j] * (X @ np.where((at > 0.0) & ~on, left, 0.0))
                held, orthants[j] = _held(members, j, objective.problem.beta, pull)
                free = np.flatnonzero(~held[:width])
                unit = unit / np.linalg.norm(unit)
            bases.append(_face_basis(X[:, rows].T, unit, free))
            tight.append(rows)
        ends = np.cumsum([basis.shape[1] for basis in bases])
        parts = [slice(end - basis.shape[1], end) for end, basis in zip(ends, bases, strict=True)]
        return cls(objective, members, bases, tight, orthants, parts)

    @cached_property
    def along(self) -> FloatArray:
        """Gradients of the norms in the bases of their faces, stacked, shape (p,)."""
        members, costs = self.members, self.members.costs
        units = members.units
        if costs is not None:
            pairs = zip(units, self.orthants, strict=True)
            units = np.array([costs.gradient(unit, orthant) for unit, orthant in pairs])
        return np.concatenate([B.T @ unit for B, unit in zip(self.bases, units, strict=True)])

    def _root_across(self, j: int, beta: float) -> FloatArray:
        """A root of the curvature of the norm of a ray, in the basis of its face."""
        size, unit, costs = self.members.sizes[j], self.members.units[j], self.members.costs
        if costs is None:
            return np.asarray(np.sqrt(beta / size) * _root_across(self.along[self.parts[j]]))
        length = np.linalg.norm(unit)
        share = max(1.0 - costs.l1_ratio, _ALONG)
        across = _root_across(self.bases[j].T @ (unit / length))
        return np.asarray(np.sqrt(beta * share / (size * length)) * across)

    def newton(self, left: FloatArray, beta: float) -> FloatArray:
        """Moves of the rays to the minimum, as if the faces went on for ever, shape (k, r).

        O(n p^2); of few rows through their QR factorisation, which keeps all digits.
        """
        roots = [self._root_across(j, beta) for j in range(len(self.members))]
        across = scipy.linalg.block_diag(*roots)
        if self.objective.has_few_rows:
            J = self._columns(slice(0, len(left)))
            found = solve_normal(np.vstack([J.T, across]), J @ left - beta * self.along)
        else:
            gram, pull = self._gram_and_pull(left)
            found = _solved(gram + across @ across, pull - beta * self.along)
        pairs = zip(self.parts, self.bases, strict=True)
        return np.array([basis @ found[part] for part, basis in pairs])

    def stationary(self, v: FloatArray, beta: float) -> FloatArray:
        """The nearest dual point with ``J'v = beta u``, shape (n,)."""
        if self.objective.has_few_rows:
            J = self._columns(slice(0, len(v)))
            return v + np.asarray(np.linalg.lstsq(J, beta * self.along - J @ v, rcond=1e-12)[0])
        gram, pull = self._gram_and_pull(v)
        coordinates = _solved(gram, beta * self.along - pull)
        return v + np.concatenate([coordinates @ J for _, J in self._chunks()])

    def _gram_and_pull(self, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``J'J`` and ``J'v`` for the columns J of all faces; O(n p^2)."""
        p = self.parts[-1].stop
        gram, pull = np.zeros((p, p)), np.zeros(p)
        for rows, J in self._chunks():
            gram += J @ J.T
            pull += J @ v[rows]
        return gram, pull

    def _chunks(self) -> Iterator[tuple[slice, FloatArray]]:
        """The columns J of some of the rows after the other, transposed."""
        for rows in row_chunks(self.objective.layer.n_predictions, self.parts[-1].stop):
            check_interrupt()
            yield rows, self._columns(rows)

    def _columns(self, rows: slice) -> FloatArray:
        J = np.empty((self.parts[-1].stop, rows.stop - rows.start))
        for j, part in enumerate(self.parts):
            X = self.objective.seen(int(self.members.groups[j]))[:, rows]
            np.matmul(self.members.signs[j] * self.bases[j].T, X, out=J[part])
            J[part] *= self._active(j, X, rows)
        return J

    def _active(self, j: int, X: FloatArray, rows: slice) -> BoolArray:
        """On which rows a neuron is active: not on those whose hyperplanes it lies on."""
        active: BoolArray = self.members.units[j] @ X > 0.0
        tight = self.tight[j]
        active[tight[(tight >= rows.start) & (tight < rows.stop)] - rows.start] = False
        return active

    def kinks_ahead(self, moves: FloatArray) -> FloatArray:
        """The step at which each neuron reaches the end of its cell, shape (k,)."""
        steps, members = np.full(len(moves), np.inf), self.members
        for j, (ray, move) in enumerate(zip(members.rays, moves, strict=True)):
            X = self.objective.seen(int(members.groups[j]))
            at, rate = ray @ X, move @ X
            ahead = at * rate < 0.0
            ahead[self.tight[j]] = False
            steps[j] = float((-at[ahead] / rate[ahead]).min(initial=np.inf))
            if members.costs is not None:
                ahead = self.orthants[j] * ray * move * self.orthants[j] < 0.0
                first = float((-ray[ahead] / move[ahead]).min(initial=np.inf))
                steps[j] = min(steps[j], first)
        return steps

    def moved(self, steps: FloatArray, moves: FloatArray) -> FloatArray:
        """Rays after so long a step each: entries that would leave their orthants stop at zero."""
        before = self.members.rays
        rays = before + steps[:, None] * moves
        if self.members.costs is not None:
            nothing = np.abs(rays) <= _STOPPED * np.abs(before)
            rays[(self.orthants * rays < 0.0) | (nothing & (self.orthants != 0.0))] = 0.0
        return rays


def _held(
    members: Members, j: int, beta: float, pull: FloatArray | None
) -> tuple[BoolArray, FloatArray]:
    """The entries of a neuron that stay at zero, and the signs of the others where they matter.

    An entry has a cone, or a kink of the 1-norm at zero; one that is pulled by more than its
    price leaves it.
    """
    costs, unit, cone = members.costs, members.units[j], members.cones[j]
    assert costs is not None
    price = beta * costs.l1_ratio
    has_kink = np.ones(len(unit), dtype=np.bool_) if price > 0.0 else cone != 0.0
    orthant = np.where(has_kink, np.sign(unit), 0.0)
    held = has_kink & (unit == 0.0)
    if pull is not None:
        leaves = held & (cone * pull >= 0.0) & (np.abs(pull) > price + _LEAST_PULL * beta)
        orthant[leaves] = np.sign(pull[leaves])
        held &= ~leaves
    return held, orthant


def _face_basis(tight: FloatArray, unit: FloatArray, free: IntArray) -> FloatArray:
    """Orthonormal basis of the directions that keep the tight rows tight, shape (r, q).

    Entries that are not `free` are zero.
    """
    whole = np.eye(len(unit))[:, free]
    tight = tight[:, free]
    lengths = np.linalg.norm(tight, axis=1, keepdims=True)
    tight, lengths = tight[lengths[:, 0] > 0.0], lengths[lengths[:, 0] > 0.0]
    if len(tight) == 0:
        return whole
    if len(free) <= 2:
        return unit[:, None]
    _, singular, right = np.linalg.svd(tight / lengths)
    rank = int(np.count_nonzero(singular > _DEPENDENT))
    return unit[:, None] if rank >= len(free) - 1 else whole @ right[rank:].T


def _root_across(b: FloatArray) -> FloatArray:
    """The root of ``(1 + a) I - b b'`` for a unit vector b and a small a."""
    far, near = np.sqrt(1.0 + _ALONG), np.sqrt(_ALONG)
    return np.asarray(far * np.eye(len(b)) - (far - near) * np.outer(b, b))


def _solved(gram: FloatArray, right: FloatArray) -> FloatArray:
    """``G x = b`` for a Gram matrix; about the shortest x where G is singular."""
    size = np.sqrt(np.maximum(np.diag(gram), 0.0))
    scale = 1.0 / np.where(size > 0.0, size, 1.0)
    scaled = gram * scale * scale[:, None]
    scaled[np.diag_indices_from(scaled)] += _RIDGE * len(scaled)
    try:
        factor = scipy.linalg.cho_factor(scaled, check_finite=False)
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(scaled, right * scale, rcond=1e-14)[0]) * scale
    x = scipy.linalg.cho_solve(factor, right * scale, check_finite=False)
    return np.asarray(x) * scale
