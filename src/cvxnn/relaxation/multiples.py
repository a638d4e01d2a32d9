"""Proofs of parts of the rows as one of all rows: multiples of their dual points, and the sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import EPS, FloatArray
from cvxnn.certificates import DualProof
from cvxnn.problems import Problem
from cvxnn.verification.parts import PartsEvidence

# Steps, how often one that gains nothing is halved, and halvings in each.
_STEPS, _HALVINGS = 20, 6
_BISECTIONS = 50
# Share of its own length that a dual point keeps away from the end of the domain.
_INSIDE = 1e-9
# Lengths whose squares leave the range of float64 below, and products that do.
_SHORT, _UNDERFLOW = 1e-150, 1e-300


@final
@dataclass(frozen=True)
class JoinedParts:
    r"""Proofs of parts of the rows, each row in one of them.

    With ``M(v) = max_{||u|| <= 1} s v'phi(u)`` for an output sign s, and v made of ``t_k v_k``
    for any ``t_k >= 0``, ``M(v) <= sum_k t_k M_k(v_k)``. So proofs of parts give a proof for all
    rows: the sum over the parts of lower bounds at any shares of beta that sum to beta, since
    the share of part k may be ``t_k M_k``.

    Attributes
    ----------
    problem : Problem
        Of all rows, in units.
    parts : sequence of ndarray of int
        The rows of each part.
    proofs : sequence of DualProof
        Of each part, for its rows in this order.

    Examples
    --------
    >>> from cvxnn.layers import Layer
    >>> from cvxnn.losses import SquaredLoss
    >>> problem = Problem.of(Layer(np.ones((2, 1))), np.array([2.0, 2.0]), 1.0, SquaredLoss())
    >>> proofs = [DualProof(np.array([[2.0]]), np.array([2.0, 0.0]), "cells")] * 2
    >>> joined = JoinedParts(problem, [np.array([0]), np.array([1])], proofs)
    >>> round(joined.best().bound(problem), 9)  # the optimum: 2 (1/2 2^2 - 1/2 (2 - 1/2)^2)
    1.75
    """

    kind: ClassVar[str] = "parts"

    problem: Problem[Any]
    parts: Sequence[NDArray[np.intp]]
    proofs: Sequence[DualProof]

    def best(self) -> DualProof:
        """The proof of the best multiples that are found, beginning with the same for each part.

        ``sum_k -l_k*(-t_k v_k)`` is concave in t, and is to be as large as possible where
        ``sum_k t_k M_k <= beta`` for both signs: Newton's method, each step a quadratic program.
        What it finds need not be the best to be a proof. O(n + K^2) for a step.
        """
        largest = float(self._bounds.sum(axis=0).max())
        t = np.full(len(self.parts), min(1.0, self.problem.beta / largest) if largest else 1.0)
        proof = self.proof(t)
        value = proof.bound(self.problem)
        with np.errstate(all="ignore"):
            ends = self._ends()
            for _ in range(_STEPS):
                wanted = self._newton(t, ends)
                tried = [t + 0.5**k * (wanted - t) for k in range(_HALVINGS)]
                found = next((x for x in tried if self._value(x) > value), None)
                if found is None:
                    break
                t, proof = found, self.proof(found)
                value = proof.bound(self.problem)
        return replace(proof, evidence=self._evidence(t))

    def proof(self, t: FloatArray) -> DualProof:
        """That of the multiples t >= 0, shape (K,), rounding included.

        A product ``t_k v_i`` is off by half of EPS, which changes M by as much of its modulus
        times the length of the row at most.
        """
        lengths = self.problem.rows.lengths + _SHORT
        moduli = self._sums(np.abs(self._v) * lengths)
        each = t[:, None] * (self._bounds + 4.0 * EPS * moduli[:, None])
        total = each.sum(axis=0) * (1.0 + 4.0 * (len(t) + 8) * EPS) + len(self._v) * _UNDERFLOW
        return DualProof((t[self._labels] * self._v)[:, None], total, self.kind)

    def _evidence(self, t: FloatArray) -> PartsEvidence | None:
        """That of the parts, for their dual points times t; None where a readout mixes rows."""
        if self.problem.rows.readout is not None:
            return None
        parts = [
            proof.evidence.in_units(1.0, share) if proof.evidence is not None and share else None
            for proof, share in zip(self.proofs, t.tolist(), strict=True)
        ]
        labels = self._labels.astype(np.int64)
        return PartsEvidence(labels, t * self._bounds.max(axis=1), tuple(parts))

    def _value(self, t: FloatArray) -> float:
        return self.proof(t).bound(self.problem) if np.isfinite(t).all() else -np.inf

    @cached_property
    def _v(self) -> FloatArray:
        """The dual points of all parts, shape (n,)."""
        v = np.empty(len(self.problem.Y))
        for rows, proof in zip(self.parts, self.proofs, strict=True):
            v[rows] = proof.v
        return v

    @cached_property
    def _labels(self) -> NDArray[np.intp]:
        """The part of each row, shape (n,)."""
        labels = np.empty(len(self.problem.Y), dtype=np.intp)
        for k, rows in enumerate(self.parts):
            labels[rows] = k
        return labels

    @cached_property
    def _bounds(self) -> FloatArray:
        """What is proven of each part, for both output signs, shape (K, 2)."""
        return np.array([proof.bounds for proof in self.proofs])

    def _sums(self, values: FloatArray) -> FloatArray:
        """Over the rows of each part, shape (K,)."""
        return np.asarray(np.bincount(self._labels, values, len(self.parts)), dtype=np.float64)

    def _ends(self) -> FloatArray:
        """The largest multiples for which the dual points are in the domain, shape (K,)."""
        loss, y = self.problem.loss, self.problem.y
        ends = [
            loss.take(rows).longest(proof.v, y[rows])
            for rows, proof in zip(self.parts, self.proofs, strict=True)
        ]
        return np.array(ends) * (1.0 - _INSIDE)

    def _newton(self, t: FloatArray, ends: FloatArray) -> FloatArray:
        """Where the quadratic model at t is largest, under both constraints and 0 <= t <= ends."""
        loss, y = self.problem.loss, self.problem.y
        f = loss.prediction(t[self._labels] * self._v, y)
        slopes = self._sums(np.where(self._v == 0.0, 0.0, self._v * f))
        curvature = np.where(self._v == 0.0, 0.0, self._v**2 / loss.curvature(f, y))
        inverse = 1.0 / self._sums(curvature)
        # A part whose dual point is zero, or of unknown curvature, stays as it is.
        inverse = np.where(np.isfinite(inverse), inverse, 0.0)
        model = _Model(t + slopes * inverse, inverse, ends, self._bounds, self.problem.beta)
        return model.best()


@final
@dataclass(frozen=True)
class _Model:
    """``max -sum_k (t_k - w_k)^2 / (2 r_k)``, ``M't <= beta`` for both signs, ``0 <= t <= ends``.

    For multipliers mu of the two constraints, ``t = clip(w - r M mu, 0, ends)``.
    """

    wanted: FloatArray
    inverse: FloatArray
    ends: FloatArray
    bounds: FloatArray
    beta: float

    def best(self) -> FloatArray:
        """Bisection: the multiplier of the constraint that is violated has to be larger."""
        low, high = 0.0, 1.0
        for _ in range(_BISECTIONS):
            share = 0.5 * (low + high)
            t = self._under(self.bounds @ np.array([share, 1.0 - share]))
            first, second = t @ self.bounds
            if max(first, second) <= self.beta:
                break
            low, high = (share, high) if first > second else (low, share)
        return t

    def _under(self, loads: FloatArray) -> FloatArray:
        """The best t with ``loads't <= beta``: piecewise linear in the multiplier."""
        slopes = self.inverse * loads
        kinks = np.concatenate([[0.0], self.wanted / slopes, (self.wanted - self.ends) / slopes])
        kinks = np.sort(kinks[np.isfinite(kinks) & (kinks >= 0.0)])
        totals = np.clip(self.wanted - kinks[:, None] * slopes, 0.0, self.ends) @ loads
        mu = np.interp(self.beta, totals[::-1], kinks[::-1]) if totals[0] > self.beta else 0.0
        return np.asarray(np.clip(self.wanted - mu * slopes, 0.0, self.ends))
