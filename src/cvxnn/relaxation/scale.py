"""A problem in the units of the iteration, and its bounds in those of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.backends.namespaces import in_float64
from cvxnn.certificates import DualProof
from cvxnn.layers import Layer
from cvxnn.problems import Problem
from cvxnn.relaxation.admm import SIGNS, Admm
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.iteration import Numbers
from cvxnn.relaxation.moments import Array
from cvxnn.relaxation.proximal import LossStep
from cvxnn.relaxation.readout import separated, squares
from cvxnn.relaxation.safe_bound import safe_bound
from cvxnn.verification.evidence import Evidence, RelaxationEvidence
from cvxnn.verification.leaves import LeavesEvidence

KIND = "relaxation"
# The largest singular value of the rows in the iteration, where it converges fastest; of many
# blocks each has too small a part of it, unless it grows with the root of their number.
_SPREAD, _FEW_BLOCKS = 6.0, 32


@final
@dataclass
class Scale:
    """The problem as it is iterated on: with rows, predictions and v times a factor c.

    That is ``min c^2 l(f / c) + c^2 beta sum_j size_j`` for rows ``c X``: sizes stay as they
    are. All factors are powers of two, so that nothing is rounded.

    Moments, multipliers and the weights ``R'v`` belong to the rows; the loss and its dual point
    v to the predictions that the layer reads from them.

    Attributes
    ----------
    problem : Problem of Layer
        In units of size one, with rows that one prediction each reads.
    units : Units
    blocks : Blocks
        Of the rows times c.
    factor : float
    v : ndarray, shape (n,)
        The dual point of the last step, in the units of `problem`.
    price : float
        That of :class:`~cvxnn.relaxation.proximal.LossStep`, in the same units.
    """

    problem: Problem[Layer]
    units: Any
    blocks: Blocks
    factor: float
    v: FloatArray
    price: float = 0.0

    @classmethod
    def of(cls, problem: Problem[Layer], block: int, price: float = 0.0) -> Self:
        """Blocks of so many rows at most."""
        scaled, units = problem.in_units()
        layer = separated(scaled.rows)
        if layer is None:
            raise TypeError("there is no relaxation of a layer that mixes all predictions")
        blocks, factor = in_blocks(layer.rows, block)
        return cls(
            scaled.on(layer), units, blocks, factor,
            scaled.residual_at_zero, price / units.targets,
        )  # fmt: skip

    def weights(self, v: FloatArray) -> FloatArray:
        """Those of the rows, in the blocks."""
        layer = self.problem.rows
        pulled = np.where(layer.rows.any(axis=1), layer.pull(v), 0.0)
        return self.blocks.scattered(self.factor * pulled)

    def step(self, numbers: Numbers) -> Any:
        """The proximal step of the loss, in the blocks.

        The nearest predictions of rows g to c are ``c + diag(theta) R'v``, and those read from
        them ``R c + R diag(theta) R' v``.
        """
        loss = LossStep(self.problem.loss, self.problem.y, self.price)
        layer = self.problem.rows
        # Rows of zeros would be fitted by moments that only slowly become zeros.
        reached = layer.lengths > 0.0

        def dual(centre: Array, theta: FloatArray) -> Array:
            rows = self.blocks.gathered(in_float64(centre))
            spread = squares(layer, self.blocks.gathered(theta)) * reached
            self.v = loss.dual(layer.read(rows / self.factor) * reached, spread)
            return numbers.placed(self.weights(self.v))

        return dual

    def levels(self, admm: Admm) -> list[float]:
        """Bounds of the leaves at the dual point of the last step, in the units of iteration."""
        weights, rows = self.weights(self._dual_point()), self.blocks.rows
        return [
            safe_bound(rows, leaf.sign * weights, admm.multipliers(k), leaf.fixed)
            for k, leaf in enumerate(admm.leaves)
        ]

    def proof(self, admm: Admm, levels: Sequence[float]) -> DualProof:
        """What these bounds of leaves prove, in the units of the data."""
        v = self._dual_point()
        # Every neuron of a sign is in one of its leaves.
        found = [
            max(level for leaf, level in zip(admm.leaves, levels, strict=True) if leaf.sign == sign)
            for sign in SIGNS
        ]
        bounds = np.array(found) / self.factor**2
        if self.problem.rows.readout is not None:
            bounds = (bounds + self.problem.rows.pull_error(v)) * (1.0 + 2.0 * EPS)
        bounds = bounds * self.units.targets * self.units.rows
        # Up, where the numbers leave the range of float64 below.
        return DualProof(
            v[:, None] * self.units.targets, np.nextafter(bounds, np.inf), KIND,
            evidence=self._evidence(admm),
        )  # fmt: skip

    def _evidence(self, admm: Admm) -> Evidence | None:
        """Multipliers as they are kept for a check of the proof, in the units of the data.

        None with a readout, whose rows are not those that a check knows.
        """
        if self.problem.rows.readout is not None:
            return None
        units = self.units.rows / self.factor, self.units.targets / self.factor
        multipliers = [admm.multipliers(k) for k in range(len(admm.leaves))]
        if len(multipliers) > len(SIGNS):
            return LeavesEvidence.of(self.blocks.places, admm.splits, multipliers, *units)
        by_sign = dict(zip(SIGNS, multipliers, strict=True))
        return RelaxationEvidence.of(self.blocks.places, by_sign, *units)

    def _dual_point(self) -> FloatArray:
        """A point of the domain of the conjugate that stays as it is in the units of the data."""
        v = self.problem.loss.project(self.v, self.problem.y)
        return np.asarray(v * self.units.targets / self.units.targets)


def in_blocks(X: FloatArray, size: int) -> tuple[Blocks, float]:
    """Blocks of so many rows at most, times a factor, and the factor."""
    largest = float(np.linalg.norm(X, 2)) if X.any() else 1.0
    blocks = Blocks.of(X, size)
    spread = _SPREAD * max(1.0, len(blocks) / _FEW_BLOCKS) ** 0.5
    factor = float(np.exp2(np.rint(np.log2(spread / largest))))
    return replace(blocks, rows=factor * blocks.rows), factor
