"""A free linear skip connection leaves a projection of the predictions.

With the squared loss ``min_w 1/2 ||D (f + S w - y)||^2 = 1/2 ||P D (f - y)||^2`` for the
projection P onto what is orthogonal to ``D S``, where D has the roots of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.layers import Layer, Mixture
from cvxnn.layers.relu import SkipLayer
from cvxnn.layers.rows import power_of_two
from cvxnn.losses import SquaredLoss, WeightedLoss
from cvxnn.losses.skip import mixing_error
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.skip.column_space import ColumnSpace
from cvxnn.validation import SMALLEST_ENTRY

# Share of the targets below which what a free skip connection leaves of them is nothing.
_NOTHING = 1e-30


@final
@dataclass(frozen=True)
class ProjectedProblem:
    """The problem for the neurons alone, and the way back from it: a FreeProblem.

    Attributes
    ----------
    problem : Problem of SkipLayer
        With the squared loss, with weights or without.
    space : ColumnSpace
        Of ``D S``.
    matrix : Mixture, shape (n, n)
        ``P D``.
    unit : float
        The power of two next to what is left of the targets, by which those of `inner` and
        its beta are divided: the problem for the neurons has data of size one.
    inner : Problem of Layer
        That problem: a layer with predictions times the matrix.
    """

    problem: Problem[SkipLayer]
    space: ColumnSpace
    matrix: Mixture
    unit: float
    inner: Problem[Layer]

    @classmethod
    def of(cls, problem: Problem[SkipLayer]) -> Self:
        """O(n p^2 + N p) for N rows of the layer."""
        rows, y, loss = problem.rows, problem.y, problem.loss
        root = np.sqrt(loss.weights) if isinstance(loss, WeightedLoss) else np.ones_like(y)
        space = ColumnSpace.of(rows.columns, root)
        matrix = Mixture.diagonal(root, space.basis, space.basis * root[:, None])
        left = space.project(root * y)
        # Entries that are rounding, and too small for a search: the bound has its own y.
        left[np.abs(left) < max(_NOTHING * float(np.abs(left).max()), SMALLEST_ENTRY)] = 0.0
        unit = power_of_two(left)
        layer = rows.layer.mixed(matrix)
        inner = Problem.of(layer, left / unit, problem.beta / unit, SquaredLoss())
        return cls(problem, space, matrix, unit, inner)

    def neurons(self, found: Neurons) -> Neurons:
        """Neurons of the projected problem as neurons of this one."""
        return found.sized(found.sizes * self.unit)

    def linear(self, neurons: Neurons) -> FloatArray:
        """The best w beside neurons, shape (p,)."""
        rows, space = self.problem.rows, self.space
        f = rows.layer.forward(neurons.rays, neurons.signs)
        w = np.zeros(rows.columns.shape[1])
        w[space.kept] = space.solve(space.scales * (self.problem.y - f))
        return w

    def proof(self, found: DualProof, reached: float) -> DualProof:
        """A proof for the projected problem, carried over.

        A dual point has to vanish on S; what rounding leaves of it there costs.
        ``l(f + Sw, y) >= v'(y - f - Sw) - ...`` for every v, and only the term ``v'Sw`` is
        new: at most the length of the part of ``v / D`` in the space of ``D S``, times
        ``||D S w||``. A network below the objective p that is `reached` has
        ``||D (y - f - Sw)|| <= sqrt(2 p)`` and neurons of ``p / beta`` in all.
        """
        problem, space = self.problem, self.space
        lengths = problem.rows.layer.lengths
        inner = found.v * self.unit
        pulled = self.matrix.T @ inner
        v = space.scales * space.project(pulled / space.scales)
        moved = float(np.abs(v - pulled) @ lengths) * (1.0 + 1e-9)
        mixing = mixing_error(self.matrix, inner, lengths)
        neurons = reached / problem.beta * float(np.linalg.norm(space.scales * lengths))
        reach = np.sqrt(2.0 * reached) + float(np.linalg.norm(space.scales * problem.y)) + neurons
        share = space.share(v / space.scales)
        bounds = found.bounds * self.unit + mixing + moved
        return DualProof(v[:, None], bounds, found.kind, share * float(reach) * (1.0 + 1e-9))
