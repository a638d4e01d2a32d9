"""Newton's method on neurons in groups of columns, each inside the face of its cell.

As in :mod:`cvxnn.solvers.planar.newton` a neuron may cross as many hyperplanes as it likes:
what counts is that the exact objective falls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.linalg

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, check_interrupt
from cvxnn.layers import row_chunks
from cvxnn.solvers.additive.members import Members
from cvxnn.solvers.additive.objective import GroupedObjective
from cvxnn.solvers.atoms import TIGHT

# Trial steps that do not look at kinks.
_LENGTHS = (1.0, 0.3, 0.1)
# Curvature along a neuron as a share of that across, where the objective has none.
_ALONG = 1e-10
# Gains below this share of the objective are not worth another step.
SMALL_GAIN = 1e-13
# Of the diagonal: what rounding takes from a Gram matrix.
_RIDGE = 1e-14


def descend(
    objective: GroupedObjective, members: Members, steps: int, deadline: Deadline = UNLIMITED
) -> Members:
    """Newton steps with a line search on the exact objective; neurons merge on the way.

    Notes
    -----
    O(n p^2) a step for neurons on faces of p dimensions together.
    """
    value = objective.value(members)
    for _ in range(steps):
        check_interrupt()
        if len(members) == 0 or deadline.passed:
            break
        before = value
        members, value = _step(objective, members, value)
        if not value < before:
            break
        merged = objective.merged(members, deadline)
        if len(merged) < len(members):
            members, value = merged, min(value, objective.value(merged))
        if before - value <= SMALL_GAIN * before:
            break
    return members


def stationary_residual(objective: GroupedObjective, members: Members) -> FloatArray:
    """The residual, corrected to ``J'v = beta u`` for the face columns J of all neurons."""
    v = objective.residual(members)
    if len(members) == 0:
        return v
    faces = Faces.of(objective, members)
    for _ in range(2):
        gram, pull = faces.gram_and_pull(v)
        change = _solved(gram, objective.problem.beta * faces.along - pull)
        v = v + faces.forward(change)
    return v


def _step(
    objective: GroupedObjective, members: Members, value: float
) -> tuple[Members, float]:
    faces = Faces.of(objective, members)
    beta, lengths = objective.problem.beta, members.lengths
    gram, pull = faces.gram_and_pull(objective.residual(members))
    for part, length in zip(faces.parts, lengths, strict=True):
        b = faces.along[part]
        across = (1.0 + _ALONG) * np.eye(len(b)) - np.outer(b, b)
        gram[part, part] += beta / length * across
    found = _solved(gram, pull - beta * faces.along)
    moves = faces.moves(found)
    # A neuron that would turn round stops at zero, and is gone.
    shrinking = -(moves * members.rays).sum(axis=1) / lengths**2
    ends = np.where(shrinking > 0.0, 1.0 / np.maximum(shrinking, 1e-300), np.inf)
    for steps in _trials(objective, members, faces, moves, ends):
        rays = members.rays + steps[:, None] * moves
        rays[steps >= ends] = 0.0
        moved = members.moved(rays)
        reached = objective.value(moved)
        if reached < value:
            return moved, reached
    return members, value


def _trials(
    objective: GroupedObjective, members: Members, faces: Faces, moves: FloatArray,
    ends: FloatArray,
) -> Iterator[FloatArray]:  # fmt: skip
    """Step lengths for each neuron: across kinks; each to its next one; all to the first."""
    for length in _LENGTHS:
        yield np.minimum(length, ends)
    kinks = faces.kinks_ahead(objective, members, moves)
    events = np.minimum(np.minimum(kinks, ends), 1.0)
    yield events
    yield np.full(len(ends), events.min())


@dataclass(frozen=True)
class Faces:
    """The face that each neuron lies on, as a basis in the coordinates of its group.

    Attributes
    ----------
    objective : GroupedObjective
    members : Members
    bases : list of ndarray, shape (r, q_j)
    tight : list of ndarray of int
        The rows whose hyperplanes a neuron lies on.
    parts : list of slice
        Of each among all p coordinates.
    """

    objective: GroupedObjective
    members: Members
    bases: list[FloatArray]
    tight: list[FloatArray]
    parts: list[slice]

    @classmethod
    def of(cls, objective: GroupedObjective, members: Members) -> Self:
        bases, tight = [], []
        for group, ray in zip(members.groups, members.rays, strict=True):
            X = objective.seen(int(group))
            rows = np.flatnonzero(np.abs(X @ ray) <= TIGHT * (np.abs(X) @ np.abs(ray)))
            rows = rows[X[rows].any(axis=1)]
            own = len(objective.layer.groups[group])
            bases.append(_face_basis(X[rows], ray, own))
            tight.append(rows)
        ends = np.cumsum([basis.shape[1] for basis in bases])
        parts = [slice(end - basis.shape[1], end) for end, basis in zip(ends, bases, strict=True)]
        return cls(objective, members, bases, tight, parts)

    @property
    def along(self) -> FloatArray:
        """The unit directions in the bases of their faces, stacked."""
        units = self.members.rays / self.members.lengths[:, None]
        return np.concatenate([basis.T @ u for basis, u in zip(self.bases, units, strict=True)])

    def moves(self, coordinates: FloatArray) -> FloatArray:
        """Moves of the rays, shape (k, r)."""
        return np.array(
            [basis @ coordinates[part] for part, basis in zip(self.parts, self.bases, strict=True)]
        )

    def gram_and_pull(self, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``J'J`` and ``J'v`` for the columns J of all faces."""
        p = self.parts[-1].stop
        gram, pull = np.zeros((p, p)), np.zeros(p)
        for rows in row_chunks(len(v), p):
            check_interrupt()
            J = self._columns(rows)
            gram += J.T @ J
            pull += J.T @ v[rows]
        return gram, pull

    def forward(self, coordinates: FloatArray) -> FloatArray:
        """``J m``, shape (n,)."""
        total = np.empty(self.objective.layer.n_outputs)
        for rows in row_chunks(len(total), len(coordinates)):
            total[rows] = self._columns(rows) @ coordinates
        return total

    def _columns(self, rows: slice) -> FloatArray:
        J = np.empty((rows.stop - rows.start, self.parts[-1].stop))
        members = self.members
        for j, (group, ray, sign) in enumerate(
            zip(members.groups, members.rays, members.signs, strict=True)
        ):
            X = self.objective.seen(int(group))[rows]
            on = X @ ray > 0.0
            inside = self.tight[j][(self.tight[j] >= rows.start) & (self.tight[j] < rows.stop)]
            on[inside - rows.start] = False
            J[:, self.parts[j]] = (X @ (sign * self.bases[j])) * on[:, None]
        return J

    def kinks_ahead(
        self, objective: GroupedObjective, members: Members, moves: FloatArray
    ) -> FloatArray:
        """The step at which each neuron reaches the end of its cell, shape (k,)."""
        steps = np.full(len(members), np.inf)
        for j, (group, ray, move) in enumerate(
            zip(members.groups, members.rays, moves, strict=True)
        ):
            X = objective.seen(int(group))
            at, rate = X @ ray, X @ move
            ahead = at * rate < 0.0
            ahead[self.tight[j]] = False
            if ahead.any():
                steps[j] = float((-at[ahead] / rate[ahead]).min())
        return steps


def _face_basis(tight: FloatArray, ray: FloatArray, width: int) -> FloatArray:
    """Orthonormal basis of the directions that keep the tight rows tight, shape (r, q)."""
    r = len(ray)
    whole = np.eye(r)[:, :width]
    if len(tight) == 0:
        return whole
    unit = ray[:, None] / np.linalg.norm(ray)
    if width <= 2:
        return unit
    rows = tight[:, :width] / np.linalg.norm(tight, axis=1, keepdims=True)
    _, singular, right = np.linalg.svd(rows, full_matrices=True)
    rank = int(np.count_nonzero(singular > 1e-7))
    return unit if rank >= width - 1 else whole @ right[rank:].T


def _solved(gram: FloatArray, right: FloatArray) -> FloatArray:
    """``G x = b`` for a Gram matrix; the shortest x, about, where G is singular."""
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
