"""A free linear skip connection leaves a projection of the predictions.

With the squared loss ``min_w 1/2 ||D (f + S w - y)||^2 = 1/2 ||P D (f - y)||^2`` for the
projection P onto what is orthogonal to ``D S``, where D has the roots of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.certificates import DualProof
from cvxnn.evaluation import Evaluation, evaluate, predict
from cvxnn.layers import Layer
from cvxnn.layers.powers import power_of_two
from cvxnn.layers.skip import SkipLayer
from cvxnn.losses import Loss, WeightedLoss
from cvxnn.losses.roots import mixing_error
from cvxnn.problems import Neurons
from cvxnn.solvers.skip.column_space import ColumnSpace
from cvxnn.validation import SMALLEST_ENTRY

FloatArray = NDArray[np.float64]

# Share of the targets below which what a free skip connection leaves of them is nothing.
_NOTHING = 1e-30


@final
@dataclass(frozen=True)
class ProjectedProblem:
    """The problem for the neurons alone, and the way back from it.

    Columns of S that depend on others up to rounding, whatever the weights of rows and
    the units of columns, have the weight 0: bound and optimum are those of networks for
    which that is so.

    Attributes
    ----------
    rows : SkipLayer
    y : ndarray, shape (n,)
    beta : float
    loss : Loss
        The squared one, with weights or without.
    space : ColumnSpace
        Of ``D S``.
    matrix : ndarray, shape (n, n)
        ``P D``.
    layer : Layer
        The layer with predictions times that.
    unit : float
        The power of two next to what is left of the targets, by which `target` and
        `inner_beta` are divided: the problem for the neurons has data of size one.
    target : ndarray, shape (n,)
    """

    rows: SkipLayer
    y: FloatArray
    beta: float
    loss: Loss
    space: ColumnSpace
    matrix: FloatArray
    layer: Layer
    unit: float
    target: FloatArray

    @classmethod
    def of(cls, rows: SkipLayer, y: FloatArray, beta: float, loss: Loss) -> Self:
        """O(n^2 (N + p)) for N rows of the layer, where its readout is dense."""
        root = np.sqrt(loss.weights) if isinstance(loss, WeightedLoss) else np.ones_like(y)
        space = ColumnSpace.of(rows.linear, root)
        matrix = (np.eye(len(root)) - space.basis @ space.basis.T) * root
        left = space.project(root * y)
        # Entries that are rounding, and too small for a search: the bound has its own y.
        left[np.abs(left) < max(_NOTHING * float(np.abs(left).max()), SMALLEST_ENTRY)] = 0.0
        unit = power_of_two(left)
        layer = rows.layer.mixed(matrix)
        return cls(rows, y, beta, loss, space, matrix, layer, unit, left / unit)

    @property
    def inner_beta(self) -> float:
        """The beta beside `target`."""
        return self.beta / self.unit

    def neurons(self, found: Neurons) -> Neurons:
        """Neurons of the projected problem as neurons of this one."""
        return found.sized(found.sizes * self.unit)

    def linear(self, neurons: Neurons) -> FloatArray:
        """The best w beside neurons, shape (p,)."""
        f = self.rows.layer.forward(neurons.rays, neurons.signs)
        w = np.zeros(self.rows.linear.shape[1])
        w[self.space.kept] = self.space.solve(self.space.scales * (self.y - f))
        return w

    def evaluate(self, neurons: Neurons, w: FloatArray) -> Evaluation:
        """The objective of neurons and w."""
        rays, price = neurons.rays, self.beta * float(neurons.sizes.sum())
        prediction = predict(self.rows.layer, rays, neurons.signs, (self.rows.linear, w))
        return evaluate(self.loss, self.y, prediction, price, rays.size + len(rays))

    def proof(self, found: DualProof, reached: float) -> DualProof:
        """A proof for the projected problem, carried over.

        A dual point has to vanish on S; what rounding leaves of it there costs.
        ``l(f + Sw, y) >= v'(y - f - Sw) - ...`` for every v, and only the term ``v'Sw`` is
        new: at most the length of the part of ``v / D`` in the space of ``D S``, times
        ``||D S w||``. A network below the objective p that is `reached` has
        ``||D (y - f - Sw)|| <= sqrt(2 p)`` and neurons of ``p / beta`` in all.
        """
        space, lengths = self.space, self.rows.layer.lengths
        inner = found.v * self.unit
        pulled = self.matrix.T @ inner
        v = space.scales * space.project(pulled / space.scales)
        moved = float(np.abs(v - pulled) @ lengths) * (1.0 + 1e-9)
        mixing = mixing_error(self.matrix, inner, lengths)
        neurons = reached / self.beta * float(np.linalg.norm(space.scales * lengths))
        reach = np.sqrt(2.0 * reached) + float(np.linalg.norm(space.scales * self.y)) + neurons
        share = space.share(v / space.scales)
        bounds = found.bounds * self.unit + mixing + moved
        return DualProof(v[:, None], bounds, found.kind, share * float(reach) * (1.0 + 1e-9))
