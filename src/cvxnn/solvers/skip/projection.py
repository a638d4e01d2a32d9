"""A free linear skip connection leaves a projection of the predictions.

With the squared loss ``min_w 1/2 ||D (f + S w - y)||^2 = 1/2 ||P D (f - y)||^2`` for the
projection P onto what is orthogonal to ``D S``, where D has the roots of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.evaluation import Evaluation, evaluate, predict
from cvxnn.layers import Layer, Mixture
from cvxnn.layers.relu import SkipLayer
from cvxnn.layers.rows import power_of_two
from cvxnn.losses import SquaredLoss, WeightedLoss
from cvxnn.losses.composed import mixing_error
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.search import Opener, Search
from cvxnn.solvers.skip.column_space import ColumnSpace
from cvxnn.validation import SMALLEST_ENTRY

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
        space = ColumnSpace.of(rows.linear, root)
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
        w = np.zeros(rows.linear.shape[1])
        w[space.kept] = space.solve(space.scales * (self.problem.y - f))
        return w

    def evaluate(self, neurons: Neurons, w: FloatArray) -> Evaluation:
        """The objective of neurons and w."""
        problem, rows, rays = self.problem, self.problem.rows, neurons.rays
        price = problem.beta * float(neurons.sizes.sum())
        prediction = predict(rows.layer, rays, neurons.signs, (rows.linear, w))
        return evaluate(problem.loss, problem.y, prediction, price, rays.size + len(rays))

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


@final
class FreeSkipSearch(Search):
    """Search for ``min l(f + S w, y) + beta (sum of sizes)`` with the squared loss.

    Every round is one of the search for the neurons on the projected problem, whose
    network is taken over with the best w beside it.

    Parameters
    ----------
    projected : ProjectedProblem
    open_search : Opener
        Opens the search for neurons alone.

    Attributes
    ----------
    linear : ndarray, shape (p,)
        The w beside `neurons`.
    """

    def __init__(self, projected: ProjectedProblem, open_search: Opener) -> None:
        self._projected = projected
        self.basis = np.eye(projected.problem.rows.n_features)
        self._inner = open_search(projected.inner, None)
        self._take_over()

    def step(self, tol: float) -> None:
        """One round of the search for the neurons."""
        self._inner.step(tol)
        self._take_over()

    def sharpen(self, tol: float) -> bool:
        """One more round for the digits beyond the goal; False where there is nothing to gain."""
        sharpened = self._inner.sharpen(tol)
        self._take_over()
        return sharpened

    def finish(self, tol: float, *, quick: bool) -> None:
        """Leave a minimal network, with the best w beside it."""
        self._inner.finish(tol, quick=quick)
        self._take_over()

    def incumbent(self) -> Neurons:
        """The best neurons so far, and the linear part beside them."""
        return replace(self.neurons, linear=self.linear)

    def final_proofs(self, *, quick: bool) -> tuple[DualProof, DualProof]:
        """The best on the problem that was searched, and on that over all networks."""
        program, space = self._inner.final_proofs(quick=quick)
        return self._carried_over(program), self._carried_over(space)

    # Trial weights may have squares beyond float64 where units are far apart.
    @np.errstate(over="ignore", invalid="ignore")
    def _take_over(self) -> None:
        """State, network and proof of the search for the neurons."""
        projected, inner = self._projected, self._inner
        self.n_blocks, self.rank, self.is_cheap = inner.n_blocks, inner.rank, inner.is_cheap
        self.stalled, self.stationary = inner.stalled, inner.stationary
        self.deadline = inner.deadline
        self.neurons = projected.neurons(inner.incumbent())
        self.linear = projected.linear(self.neurons)
        evaluation = projected.evaluate(self.neurons, self.linear)
        self.objective = evaluation.value
        self._reached = evaluation.value + evaluation.error
        self.proof = self._carried_over(inner.proof)
        self.bound = self.proof.bound(projected.problem)

    def _carried_over(self, proof: DualProof) -> DualProof:
        return self._projected.proof(proof, self._reached)
