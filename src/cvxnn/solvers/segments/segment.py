"""A run of rows with their targets, and what is computed on it: all sums and predictions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import Array, FloatArray
from cvxnn.evaluation import evaluate, predict
from cvxnn.layers import Layer, row_chunks
from cvxnn.layers.tiles import Tiles
from cvxnn.losses import Loss
from cvxnn.losses.offset_sums import LossBeside
from cvxnn.solvers.segments.space import Moduli, Triangle, scaled_units
from cvxnn.solvers.segments.tree import Sums

# Added to predictions: a number, or one for each output.
Offset: TypeAlias = float | FloatArray

# Rows of a segment. Sums over them are what is added up in a tree, and calls are few.
LENGTH = 4096


@final
@dataclass(frozen=True)
class Segment:
    """Rows, their targets and the loss of these rows, in one memory.

    Whatever a search asks of rows is a sum over them, and each of the methods is such a sum
    over the rows of this segment, or the predictions on them, which stay beside it. Those that
    are called `predictions` are without the number b that is added to them.

    Attributes
    ----------
    X : ndarray, shape (m, d)
    target : ndarray, shape (m,) or (m, c)
    loss : Loss
        A sum over the rows, without kinks.
    dtype : type
        float32 or float64, in which gradients of weights are summed over the rows of a tile.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> segment = Segment(np.array([[1.0], [2.0]]), np.array([0.0, 1.0]), SquaredLoss())
    >>> f = segment.predictions(np.array([[1.0]]), np.array([1.0]))
    >>> segment.value(f, 0.0), segment.value_and_gradient(np.array([[1.0]]), np.array([1.0]), 0.0)
    (1.0, (1.0, array([[3.]]), array([3.]), 2.0))
    """

    X: FloatArray
    target: FloatArray
    loss: Loss
    dtype: type[np.floating[Any]] = np.float32

    def __len__(self) -> int:
        """The number of rows m."""
        return len(self.target)

    def take(self, rows: slice | NDArray[np.intp]) -> Segment:
        """Some of the rows."""
        return Segment(self.X[rows], self.target[rows], self.loss.take(rows), self.dtype)

    def predictions(self, hidden: FloatArray, output: FloatArray) -> FloatArray:
        """``sum_j (X w_j)_+ a_j``, shape (m,) or (m, c), for weights (k, d) and (k,) or (k, c)."""
        f = np.empty((len(self), *output.shape[1:]))
        for part in row_chunks(len(self), len(hidden)):
            f[part] = np.maximum(self.X[part] @ hidden.T, 0.0) @ output
        return f

    def value(self, predictions: FloatArray, b: Offset) -> float:
        """The loss."""
        return self.loss.value(predictions + b, self.target)

    def value_beyond(
        self, predictions: FloatArray, step: FloatArray, share: float, b: Offset
    ) -> float:
        """The loss of predictions and a share of a step."""
        return self.value(predictions + share * step, b)

    def residual(self, predictions: FloatArray, b: Offset) -> FloatArray:
        """Minus its gradient, shaped as targets."""
        return -self.loss.gradient(predictions + b, self.target)

    def pulls(
        self, predictions: FloatArray, b: Offset, directions: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """``V'(X u)_+`` and ``sum_i h_i (x_i'u)_+^2`` for directions u, (k,) or (c, k) each.

        V is the residual, and curvatures h are above those of the loss, so that what would fit
        V does not overshoot.
        """
        v = self.residual(predictions, b)
        curvature = self.loss.majorizer(predictions + b, self.target)
        pulls, squares = np.zeros((2, *v.shape[1:], len(directions)))
        for part in row_chunks(len(self), len(directions)):
            activations = np.maximum(self.X[part] @ directions.T, 0.0)
            pulls += v[part].T @ activations
            squares += curvature[part].T @ activations**2
        return pulls, squares

    def squares_of_wanted(self, predictions: FloatArray, b: Offset) -> tuple[float, float]:
        """Squares of what would take the loss to rest, ``v / h``, and of the rows, summed."""
        h = self.loss.majorizer(predictions + b, self.target)
        wanted = self.residual(predictions, b) / h
        return float((wanted**2).sum()), float((self.X**2).sum())

    def value_and_gradient(
        self, hidden: FloatArray, output: FloatArray, b: Offset, only: slice = slice(None)
    ) -> tuple[float, FloatArray, FloatArray, Offset]:
        """The loss, and its gradients in the weights of both layers and in b; O(m d k).

        With `only`, of some of the tiles.
        """
        slope: Any = np.zeros(output.shape[1:])

        def loss_of(rows: slice, f: Array) -> tuple[float, Array]:
            nonlocal slope
            loss, target = self._of_tiles[rows.start]
            f += np.asarray(b, f.dtype)
            value, gradient = loss.value_and_gradient(f, target)
            gradient = gradient.astype(f.dtype, copy=False)
            slope = slope + gradient.sum(axis=0)
            return value, gradient

        value, *slopes = self.tiles.value_and_gradient(hidden, output, loss_of, only)
        return value, slopes[0], slopes[1], slope if slope.ndim else float(slope)

    def curved_sums(
        self, predictions: FloatArray, b: Offset, directions: FloatArray, straight: float
    ) -> tuple[FloatArray, FloatArray, FloatArray, float, Offset]:
        """``C'HC``, ``C'V``, ``C'h``, ``1'h`` and ``1'V`` for activations C and the residual V.

        The curvatures h are those of the loss, of several outputs the largest of each row, but at
        least a share `straight` of those of parabolas above it. O(m k^2), in float32.
        """
        f, k = predictions + b, len(directions)
        v = self.residual(predictions, b)
        h = np.maximum(
            self.loss.curvature(f, self.target), straight * self.loss.majorizer(f, self.target)
        )
        h = h if h.ndim == 1 else h.max(axis=1)
        root, pull32 = np.sqrt(h).astype(np.float32), v.astype(np.float32)
        gram, pull, sums = np.zeros((k, k)), np.zeros((k, *v.shape[1:])), np.zeros(k)
        rays = directions.T.astype(np.float32)
        for part in row_chunks(len(self), k):
            columns: Array = self.X[part].astype(np.float32) @ rays
            np.maximum(columns, 0.0, out=columns)
            pull += columns.T @ pull32[part]
            columns *= root[part, None]
            # Of a matrix with itself half of the products are formed.
            gram += columns.T @ columns
            sums += columns.T @ root[part]
        total = v.sum(axis=0)
        return gram, pull, sums, float(h.sum()), total if total.ndim else float(total)

    def beside(self, predictions: FloatArray, what: str, b: FloatArray, output: int | None) -> Sums:
        """A method of :class:`~cvxnn.losses.offset_sums.OffsetSums`, of all outputs or of one."""
        columns = slice(None) if output is None else output
        f, y = (part[..., columns] for part in (predictions, self.target))
        found = getattr(LossBeside(self.loss, f, y), what)(b)
        return found if isinstance(found, tuple) else (found,)

    @property
    def n_tiles(self) -> int:
        """The number of tiles on which gradients are computed."""
        return len(self.tiles.slices)

    def moduli(self) -> tuple[Moduli]:
        """The largest modulus of each column."""
        return (Moduli(np.abs(self.X).max(axis=0, initial=0.0)),)

    def triangle(self, scale: FloatArray) -> tuple[Triangle]:
        """That of the rows over the scales of columns, each row of length one; O(m d^2)."""
        return (Triangle.of(scaled_units(self.X, scale)),)

    def evaluated(
        self, hidden: FloatArray, output: FloatArray, b: Offset, tol: float
    ) -> tuple[float, float]:
        """The loss of a network from its weights, and a bound on its rounding."""
        prediction = predict(Layer(self.X), hidden, output).shifted(b)
        found = evaluate(self.loss, self.target, prediction, 0.0, 0, tol)
        return found.value, found.error

    @cached_property
    def tiles(self) -> Tiles:
        """The rows in tiles, in the precision of gradients."""
        return Tiles(self.X, self.dtype, 1 if self.target.ndim == 1 else self.target.shape[1])

    @cached_property
    def _of_tiles(self) -> dict[int, tuple[Loss, Array]]:
        """Loss and targets of the tile that begins with a row."""
        y = self.target.astype(self.dtype)
        return {rows.start: (self.loss.take(rows), y[rows]) for rows in self.tiles.slices}
