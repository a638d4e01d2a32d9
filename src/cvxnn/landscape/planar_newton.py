"""Newton's method for neurons of several outputs in a plane, by angles and output weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.layers import Layer
from cvxnn.networks.pruning import columns_of
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import sides_of

# Singular values of a Hessian that are 0, relative to the largest.
_SINGULAR = 1e-12
# Halvings of a step that leaves an arc, or turns an output weight around.
_HALVINGS = 30
# Steps at most; each has to halve the gradient.
_STEPS = 12


@dataclass(frozen=True)
class PlanarNetwork:
    """Neurons with output weights ``A_j``, shape (k, c); those on a hyperplane stay there."""

    problem: Problem[Layer]
    directions: FloatArray
    A: FloatArray
    on: BoolArray
    free: BoolArray

    @classmethod
    def of(cls, problem: Problem[Layer], neurons: Neurons) -> PlanarNetwork:
        rows = problem.rows.rows
        sides = sides_of(rows, neurons.directions)
        is_held = ((sides == 0) & (np.linalg.norm(rows, axis=1) > 0.0)).any(axis=1)
        free = ~is_held & (rows.shape[1] == 2)
        A = neurons.outputs * neurons.sizes[:, None]
        return cls(problem, neurons.directions, A, (sides > 0).T, free)

    @property
    def _frame(self) -> tuple[FloatArray, FloatArray]:
        """``phi(u_j)`` and its derivatives by the angles, shapes (n, k)."""
        layer = self.problem.rows
        values, slopes = (layer.rows @ u.T for u in (self.directions, left_of(self.directions)))
        return layer.read(values * self.on), layer.read(slopes * self.on)

    @property
    def residual(self) -> FloatArray:
        """What is left of the targets, shape (n, c)."""
        return self.problem.Y - self._frame[0] @ self.A

    @property
    def neurons(self) -> Neurons:
        sizes = np.linalg.norm(self.A, axis=1)
        return Neurons(self.directions, sizes, self.A / sizes[:, None])

    @property
    def slope(self) -> float:
        """Length of the gradient."""
        return float(np.linalg.norm(self._gradient()))

    def _gradient(self) -> FloatArray:
        phi, psi = self._frame
        V, units = self.problem.Y - phi @ self.A, self.A / np.linalg.norm(self.A, axis=1)[:, None]
        by_weights = self.problem.beta * units - phi.T @ V
        by_angles = -(self.A * (psi.T @ V)).sum(axis=1)
        return np.concatenate([by_angles[self.free], by_weights.ravel()])

    def _hessian(self) -> FloatArray:
        phi, psi = self._frame
        (k, c), n = self.A.shape, len(phi)
        V, sizes = self.problem.Y - phi @ self.A, np.linalg.norm(self.A, axis=1)
        turns = columns_of(psi, self.A)
        weights = np.einsum("nj,lm->nljm", phi, np.eye(c)).reshape(n * c, k * c)
        J = np.hstack([turns, weights])
        hessian = J.T @ J
        places = k + np.arange(k)[:, None] * c + np.arange(c)
        unknowns, mixed = np.arange(k), -(psi.T @ V)
        hessian[unknowns, unknowns] += (self.A * (phi.T @ V)).sum(axis=1)
        hessian[unknowns[:, None], places] += mixed
        hessian[places, unknowns[:, None]] += mixed
        units = self.A / sizes[:, None]
        for j in range(k):
            bend = self.problem.beta / sizes[j] * (np.eye(c) - np.outer(units[j], units[j]))
            hessian[np.ix_(places[j], places[j])] += bend
        kept = np.concatenate([np.flatnonzero(self.free), np.arange(k, k + k * c)])
        return np.asarray(hessian[np.ix_(kept, kept)])

    def moved(self) -> PlanarNetwork:
        """After one step, of least length where several solve it; kinks cut it short."""
        step = np.linalg.lstsq(self._hessian(), -self._gradient(), rcond=_SINGULAR)[0]
        turns = np.zeros(len(self.A))
        n_free = int(self.free.sum())
        turns[self.free] = step[:n_free]
        A = step[n_free:].reshape(self.A.shape)
        share = 1.0
        for _ in range(_HALVINGS):
            cos, sin = np.cos(share * turns)[:, None], np.sin(share * turns)[:, None]
            directions = cos * self.directions + sin * left_of(self.directions)
            point = replace(self, directions=directions, A=self.A + share * A)
            if point.is_in_place and ((point.A * self.A).sum(axis=1) > 0.0).all():
                return point
            share *= 0.5
        return self

    @property
    def is_in_place(self) -> bool:
        """Whether the neurons that may turn are in the arcs that they were in."""
        if not self.free.any():
            return True
        products = self.problem.rows.rows @ self.directions[self.free].T
        return bool(np.where(self.on[:, self.free], products >= 0.0, products <= 0.0).all())

    def settled(self) -> PlanarNetwork:
        """After steps as long as each halves the gradient: the objective does not see the last."""
        point = self
        for _ in range(_STEPS if len(self.A) else 0):
            moved = point.moved()
            if not moved.slope < 0.5 * point.slope:
                break
            point = moved
        return point


def left_of(directions: FloatArray) -> FloatArray:
    """Directions of a plane turned left by a right angle, shape (k, 2); 0 on a line."""
    if directions.shape[1] < 2:
        return np.zeros_like(directions)
    return np.column_stack([-directions[:, 1], directions[:, 0]])
