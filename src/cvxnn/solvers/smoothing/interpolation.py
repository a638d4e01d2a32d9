"""Networks of a smooth loss, moved to where the rows next to their kinks are right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.layers import Layer
from cvxnn.layers.groups import GroupedLayer
from cvxnn.layers.relu import SkipLayer
from cvxnn.problems import Neurons, Problem

# A row counts as tight when |x'u| is below this times sum_i |x_i u_i|.
_TIGHT = 1e-7
# Singular values of the equations that are rounding, and entries of theirs beyond which it takes
# longer than a narrower width.
_RANK, _MOST = 1e-10, 1 << 23


def interpolated(problem: Problem[Any], neurons: Neurons, *, intercept: bool) -> Neurons | None:
    """Neurons whose predictions are right in the rows next to their kinks; None if unknown.

    Parameters
    ----------
    problem : Problem
        Smooth, next to the kinks of another: there rows have a curvature. Moved are neurons on
        a :class:`~cvxnn.layers.Layer`, and a linear part beside them, or such as see groups of
        columns, of one output.
    neurons : Neurons
        In the coordinates of the rows, near the optimum.
    intercept : bool
        Whether there is one beside the neurons, which moves with them.

    Notes
    -----
    The shortest move, relative to the sizes, that makes these predictions right, and leaves a
    direction on the hyperplanes that it is on. At the optimum of the loss with kinks about as
    many rows are right as the network has parameters; at that of a smooth one they are off by
    shares of its width, which costs as much. The objective is smooth along the move but for
    these rows, so that what it costs beside them is of the second order. O(K^2 p) for K
    equations of p parameters.

    Examples
    --------
    >>> from cvxnn.losses import AbsoluteLoss
    >>> smooth = AbsoluteLoss().smoothed(0.5)
    >>> problem = Problem.of(Layer(np.array([[1.0]])), np.array([2.0]), 0.1, smooth)
    >>> near = Neurons(np.array([[1.0]]), np.array([1.9]), np.array([[1.0]]))
    >>> interpolated(problem, near, intercept=False).sizes.round(6)
    array([2.])
    """
    parts = _Parts.of(problem)
    if parts is None or len(neurons) == 0:
        return None
    inside = problem.loss.curvature(parts.prediction(neurons), problem.y) > 0.0
    if inside.sum() * neurons.directions.size > _MOST:
        return None
    equations, wanted = parts.equations(neurons, inside, problem.y, intercept=intercept)
    move = scipy.linalg.lstsq(equations, wanted, cond=_RANK, check_finite=False)[0]
    return parts.moved(neurons, move)


@dataclass(frozen=True)
class _Parts:
    """The layer of neurons, and S of a linear part beside them, shape (n, p).

    Entries of directions that are 0 stay 0 where they say what a neuron sees.
    """

    layer: Layer
    linear: FloatArray
    keeps_zeros: bool = False

    @classmethod
    def of(cls, problem: Problem[Any]) -> _Parts | None:
        rows = problem.rows
        if problem.n_outputs > 1:
            return None
        if isinstance(rows, SkipLayer):
            return cls(rows.layer, rows.linear)
        none = np.zeros((len(problem.y), 0))
        if isinstance(rows, GroupedLayer):
            # A move might lead out of a cone, and changes a norm other than that of rays.
            return cls(rows.layer, none, keeps_zeros=True) if rows.costs is None else None
        return cls(rows, none) if isinstance(rows, Layer) else None

    def prediction(self, neurons: Neurons) -> FloatArray:
        f = self.layer.forward(neurons.rays, neurons.signs) + neurons.intercept
        return np.asarray(f if neurons.linear is None else f + self.linear @ neurons.linear)

    def equations(
        self, neurons: Neurons, inside: BoolArray, y: FloatArray, *, intercept: bool
    ) -> tuple[FloatArray, FloatArray]:
        """Of moves of the rays in their sizes, of the intercept and of w; and what they are to be.

        First those of predictions, then of rows that are tight.
        """
        M, U, (k, d) = self.layer.rows, neurons.directions, neurons.directions.shape
        of_predictions = self.layer.take(np.flatnonzero(inside))
        read, moves = of_predictions.rows, self._moves(neurons)
        weights = (read @ U.T > 0.0) * (neurons.signs * neurons.sizes)
        slopes = weights[:, :, None] * read[:, None, :] * moves
        of_rays = of_predictions.read(slopes.reshape(len(read), k * d))
        ones = np.full((len(of_rays), 1), float(intercept))
        tight = np.abs(M @ U.T) <= _TIGHT * (np.abs(M) @ np.abs(U).T)
        rows, places = np.nonzero(tight)
        of_tight = np.zeros((len(rows), k, d))
        of_tight[np.arange(len(rows)), places] = (
            M[rows] * neurons.sizes[places, None] * moves[places]
        )
        count = 1 + self.linear.shape[1]
        equations = np.vstack(
            [
                np.hstack([of_rays, ones, self.linear[inside]]),
                np.hstack([of_tight.reshape(len(rows), k * d), np.zeros((len(rows), count))]),
            ]
        )
        left = (y - self.prediction(neurons))[inside]
        return equations, np.concatenate([left, np.zeros(len(rows))])

    def moved(self, neurons: Neurons, move: FloatArray) -> Neurons:
        k, d = neurons.directions.shape
        by_size = move[: k * d].reshape(k, d) * self._moves(neurons)
        rays = neurons.rays + by_size * neurons.sizes[:, None]
        intercept = neurons.intercept + float(move[k * d])
        linear = None if neurons.linear is None else neurons.linear + move[k * d + 1 :]
        return replace(Neurons.of(rays, neurons.outputs), intercept=intercept, linear=linear)

    def _moves(self, neurons: Neurons) -> FloatArray:
        """1 for entries of directions that may move, else 0, shape (k, d)."""
        U = neurons.directions
        return (U != 0.0).astype(np.float64) if self.keeps_zeros else np.ones_like(U)
