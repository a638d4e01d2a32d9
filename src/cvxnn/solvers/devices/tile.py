"""Whole segments of rows on a device, and what is computed on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

from cvxnn.array_types import Array
from cvxnn.backends.namespaces import Namespace, namespace_of
from cvxnn.solvers.devices.operations import activations, curved, gradients, pulls
from cvxnn.solvers.devices.row_loss import RowLoss

# Added to predictions: a number, or an array with one for each output.
Offset: TypeAlias = Any


@final
@dataclass(frozen=True)
class Part:
    """Rows, their targets and their loss, in one precision.

    Attributes
    ----------
    X : array, shape (m, d)
    target : array, shape (m,) or (m, c)
    loss : RowLoss
    """

    X: Array
    target: Array
    loss: RowLoss


@final
@dataclass(frozen=True)
class Tile:
    """What :class:`~cvxnn.solvers.segments.segment.Segment` is, for several segments at once.

    Methods have the same names and arguments, but results for each of the L segments: sums have
    the shape (L, ...). Arguments and results are arrays on the device, in double precision.

    Attributes
    ----------
    single, double : Part
        The same rows for products with neurons, and for predictions and losses.
    length : int
        Rows of a segment; their number m is a multiple of it.
    """

    single: Part
    double: Part
    length: int

    @property
    def xp(self) -> Namespace:
        """The functions of the library."""
        return namespace_of(self.double.X)

    def predictions(self, hidden: Array, output: Array) -> Array:
        """Of the rows, shape (m,) or (m, c)."""
        A = output if output.ndim == 2 else output[:, None]
        # In leaves, of which each is multiplied alike whatever the tile.
        f = activations(self._leaves(self.double.X), hidden) @ A
        return self.xp.reshape(f, self.double.target.shape)

    def value(self, predictions: Array, b: Offset) -> tuple[Array]:
        values = self.double.loss.values(predictions + b, self.double.target)
        return (self._summed(self._leaves(values)),)

    def value_beyond(
        self, predictions: Array, step: Array, share: float, b: Offset
    ) -> tuple[Array]:
        return self.value(predictions + share * step, b)

    def residual(self, predictions: Array, b: Offset) -> Array:
        """Minus the gradient of the loss, shaped as targets."""
        return -self.double.loss.gradient(predictions + b, self.double.target)

    def pulls(self, predictions: Array, b: Offset, directions: Array) -> tuple[Array, Array]:
        h = self.double.loss.majorizer(predictions + b, self.double.target)
        V, H = (self._columns(part) for part in (self.residual(predictions, b), h))
        active = activations(self._leaves(self.single.X), self._in_single(directions))
        of_v, of_h = pulls(active, self._in_single(V), self._in_single(H))
        if self.double.target.ndim == 2:
            return of_v, of_h
        return of_v[:, 0, :], of_h[:, 0, :]

    def squares_of_wanted(self, predictions: Array, b: Offset) -> tuple[Array, Array]:
        h = self.double.loss.majorizer(predictions + b, self.double.target)
        wanted = self.residual(predictions, b) / h
        of_wanted, of_rows = (self._leaves(part**2) for part in (wanted, self.double.X))
        return self._summed(of_wanted), self._summed(of_rows)

    def value_and_gradient(
        self, hidden: Array, output: Array, b: Offset
    ) -> tuple[Array, Array, Array, Array]:
        X, loss, y = self._leaves(self.single.X), self.single.loss, self.single.target
        U, A = self._in_single(hidden), self._in_single(output)
        A = A if output.ndim == 2 else A[:, None]
        active = activations(X, U)
        flat = self.xp.reshape(active @ A, y.shape) + self._in_single(b)
        G = self._columns(loss.gradient(flat, y))
        values = self.xp.astype(loss.values(flat, y), self.double.X.dtype, copy=False)
        of_hidden, of_output = gradients(X, active, A, G)
        slope = self.xp.sum(G, axis=1)
        if output.ndim == 1:
            of_output, slope = of_output[:, :, 0], slope[:, 0]
        return self._summed(self._leaves(values)), of_hidden, of_output, slope

    def curved_sums(
        self, predictions: Array, b: Offset, directions: Array, straight: float
    ) -> tuple[Array, Array, Array, Array, Array]:
        xp, loss, y = self.xp, self.double.loss, self.double.target
        f = predictions + b
        V = self._columns(-loss.gradient(f, y))
        h = xp.maximum(loss.curvature(f, y), straight * loss.majorizer(f, y))
        h = xp.max(self._columns(h), axis=2, keepdims=True)
        active = activations(self._leaves(self.single.X), self._in_single(directions))
        gram, pull, sums = curved(active, self._in_single(h), self._in_single(V))
        total = xp.sum(V, axis=1)
        if y.ndim == 1:
            pull, total = pull[:, :, 0], total[:, 0]
        return gram, pull, sums, self._summed(h), total

    def beside(
        self, predictions: Array, what: str, b: Offset, output: int | None
    ) -> tuple[Array, ...]:
        """See :class:`~cvxnn.losses.offset_sums.OffsetSums`."""
        columns = slice(None) if output is None else output
        f, y = (part[..., columns] for part in (predictions, self.double.target))
        loss, xp = self.double.loss, self.xp
        match what:
            case "value":
                return (self._summed(self._leaves(loss.values(f + b, y))),)
            case "slopes":
                slopes = self._leaves(loss.gradient(f + b, y))
                return xp.sum(slopes, axis=1), xp.sum(xp.abs(slopes), axis=1)
            case "majorizer":
                return (xp.sum(self._leaves(loss.majorizer(f + b, y)), axis=1),)
        if f.ndim == 1:
            return (xp.sum(self._leaves(loss.curvature(f + b, y)), axis=1),)
        h, g = loss.factors(f + b, y)
        unit = xp.eye(f.shape[1], dtype=f.dtype, device=f.device)
        own = xp.sum(self._leaves(h), axis=1)[:, :, None] * unit
        if g is None:
            return (own,)
        G = self._leaves(g)
        return (own - xp.matrix_transpose(G) @ G,)

    def _leaves(self, array: Array) -> Array:
        """What belongs to rows, shape (m, ...), as (L, r, ...)."""
        return self.xp.reshape(array, (-1, self.length, *array.shape[1:]))

    def _columns(self, array: Array) -> Array:
        """The same with an axis of outputs, shape (L, r, c)."""
        return self._leaves(array if array.ndim == 2 else array[:, None])

    def _summed(self, leaves: Array) -> Array:
        """Over all axes but that of the leaves."""
        return self.xp.sum(leaves, axis=tuple(range(1, leaves.ndim)))

    def _in_single(self, array: Any) -> Any:
        if isinstance(array, float):
            return array
        return self.xp.astype(array, self.single.X.dtype, copy=False)
