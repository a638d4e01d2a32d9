"""The function that is maximised for several outputs, and the way up to a local maximum."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline, interrupt_pending
from cvxnn.oracle.outputs.ascent_kernels import climb
from cvxnn.oracle.outputs.weights import OutputWeights
from cvxnn.oracle.peaks import Peak
from cvxnn.patterns.cone_kernels import project_on_cell

# Evaluations of an ascent, and exact maximisers of cells after it.
_CLIMB_STEPS, _CELL_STEPS = 200, 100


@final
class NormFunction:
    """``||F(u)||`` with ``F(u) = base'u + sum_k omega_k (n_k'u)_+`` in R^c.

    Attributes
    ----------
    normals : ndarray, shape (p, r)
    omega : ndarray, shape (p, c)
    base : ndarray, shape (r, c)
    kinks : ndarray of int
        The hyperplanes whose omega is not zero.
    """

    def __init__(self, normals: FloatArray, omega: FloatArray, base: FloatArray) -> None:
        self.normals, self.omega, self.base = normals, omega, base
        self.kinks = np.flatnonzero(omega.any(axis=1))
        self._columns = np.ascontiguousarray(normals.T)
        self._weights = np.ascontiguousarray(omega.T)

    @classmethod
    def of(cls, normals: FloatArray, weights: OutputWeights) -> NormFunction:
        """That of a dual point: ``(-t)_+ = (t)_+ - t``."""
        # Pairwise sums, for an error that does not grow with n.
        terms = np.ascontiguousarray(np.einsum("kj,kq->jqk", normals, weights.negative))
        return cls(normals, weights.positive + weights.negative, -terms.sum(axis=2))

    def output(self, u: FloatArray) -> FloatArray:
        """F(u), shape (c,)."""
        return np.asarray(np.maximum(self.normals @ u, 0.0) @ self.omega + u @ self.base)

    def value(self, u: FloatArray) -> float:
        """Its norm."""
        return float(np.linalg.norm(self.output(u)))

    def climb(self, u: FloatArray, deadline: Deadline) -> Peak:
        """A local maximum: ascent across cells, then exact maximisers of cells."""
        climbed = u[None].copy()
        climb(
            self._columns, self._weights, self.base, climbed, np.ones(1), np.zeros(1), _CLIMB_STEPS
        )
        return self.polish(climbed[0], deadline)

    def polish(self, u: FloatArray, deadline: Deadline) -> Peak:
        """A local maximum above a unit vector u, where a gradient may stall at a kink.

        In turn the output a is put along F(u), and u at the maximiser of ``a'F`` over its
        closed cell, by a projection; then hyperplanes are crossed beyond which it grows.
        """
        value = self.value(u)
        sides, every = self.normals @ u > 0.0, np.arange(len(self.normals))
        for _ in range(_CELL_STEPS):
            if deadline.passed or interrupt_pending() or value == 0.0:
                break
            output = self.output(u) / value
            pull = self.omega @ output
            gradient = np.where(sides, pull, 0.0) @ self.normals + self.base @ output
            _, z, active, multipliers = project_on_cell(gradient, self.normals, sides, every)
            length = float(np.linalg.norm(z))
            if length == 0.0:
                break
            candidate = self.value(z / length)
            if candidate > value * (1.0 + 1e-13):
                u, value = z / length, candidate
                continue
            # Beyond a kink of this weight the function still grows.
            crossed = active[multipliers + pull[active] > 1e-12 * length]
            if len(crossed) == 0:
                break
            sides[crossed] ^= True
        return Peak(1.0, u, value)
