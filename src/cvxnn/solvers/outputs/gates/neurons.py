"""Neurons of several outputs on fixed gates: singular triples of a matrix for each gate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.solvers.outputs.gates.function import Weights


@final
@dataclass(frozen=True)
class GateTriples:
    """Balanced weights of neurons, and the number of the gate of each.

    Attributes
    ----------
    weights : Weights
        In reduced coordinates.
    gates : ndarray of int, shape (k,)
    """

    weights: Weights
    gates: IntArray

    @classmethod
    def none(cls, n_features: int, b: FloatArray) -> GateTriples:
        """No neurons, and an intercept, shape (c,)."""
        weights = Weights(np.zeros((0, n_features)), np.zeros((0, len(b))), b)
        return cls(weights, np.zeros(0, dtype=np.intp))

    def __len__(self) -> int:
        """The number of neurons k."""
        return len(self.gates)

    @property
    def sizes(self) -> FloatArray:
        """``||u_j|| ||a_j||``, shape (k,)."""
        hidden, output = self.weights.hidden, self.weights.output
        return np.asarray(np.linalg.norm(hidden, axis=1) * np.linalg.norm(output, axis=1))

    def joined(
        self, directions: FloatArray, outputs: FloatArray, sizes: FloatArray, gates: IntArray
    ) -> GateTriples:
        """With further neurons of unit directions and outputs, and sizes above 0."""
        root = np.sqrt(sizes)[:, None]
        weights = replace(
            self.weights,
            hidden=np.vstack([self.weights.hidden, directions * root]),
            output=np.vstack([self.weights.output, outputs * root]),
        )
        return GateTriples(weights, np.concatenate([self.gates, gates]))

    def scaled(self, scales: FloatArray) -> GateTriples:
        """With ``u_j a_j'`` times numbers >= 0, shape (k,), without those of 0."""
        kept, root = scales > 0.0, np.sqrt(scales)[:, None]
        hidden, output = self.weights.hidden * root, self.weights.output * root
        return GateTriples(Weights(hidden[kept], output[kept], self.weights.b), self.gates[kept])

    def recomposed(self, nothing: float) -> GateTriples:
        """The same sums ``Z_i = sum_j u_j a_j'`` of each gate, from their singular triples.

        That is the least penalty that a gate can have: the sum of the singular values of
        ``Z_i``, and at most min(d, c) neurons. Values below a share `nothing` of the largest
        of all are dropped. Gates are in their order.
        """
        if len(self) == 0:
            return self
        each = np.unique(self.gates)
        left, sizes, right = zip(*(self._triples(gate) for gate in each), strict=True)
        gates = np.repeat(each, [len(of_gate) for of_gate in sizes])
        joined = np.concatenate(sizes)
        kept = joined > nothing * joined.max()
        root = np.sqrt(joined[kept])[:, None]
        weights = replace(
            self.weights,
            hidden=np.concatenate(left)[kept] * root,
            output=np.concatenate(right)[kept] * root,
        )
        return GateTriples(weights, gates[kept])

    def _triples(self, gate: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Left vectors as rows, sizes and right vectors of ``Z_i``, from factors of few columns."""
        of_gate = self.gates == gate
        Q, R = np.linalg.qr(self.weights.hidden[of_gate].T)
        P, S = np.linalg.qr(self.weights.output[of_gate].T)
        left, sizes, right = np.linalg.svd(R @ S.T, full_matrices=False)
        return (Q @ left).T, sizes, right @ P.T
