"""Rows in segments, wherever they are, and what a search for neurons asks of all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.problems import Problem
from cvxnn.solvers.segments.segment import LENGTH, Offset, Segment
from cvxnn.solvers.segments.tree import Sums, nodes_of, total_of

# Called now and then; it raises to end the work.
Check: TypeAlias = Callable[[], object]


def never() -> None:
    """For work that is not to be ended: what has been reached is to be looked at first."""


# One thing for each segment, which stays beside it.
Kept: TypeAlias = Any


class RowTiles(Protocol):
    """Rows in tiles, on which gradients of weights are computed."""

    def __len__(self) -> int:
        """The number of rows."""

    @property
    def n_tiles(self) -> int:
        """The number of tiles."""

    def value_and_gradient(
        self, hidden: FloatArray, output: FloatArray, b: Offset, only: slice
    ) -> Sums:
        """See :meth:`~cvxnn.solvers.segments.segment.Segment.value_and_gradient`."""


class SegmentedRows(ABC):
    """All rows of a problem, in segments of 4096 that may be in several memories.

    Methods of segments are given by name, with what is kept beside each segment as their first
    arguments and then `arguments`, which are the same for all.

    Attributes
    ----------
    n_rows, n_features, n_outputs : int
    loss : Loss
        Of all rows: only what it is called and promises is looked at.
    """

    n_rows: int
    n_features: int
    n_outputs: int
    loss: Loss

    @abstractmethod
    def keep(
        self, method: str, kept: Sequence[Kept], *arguments: Any, check: Check = never
    ) -> Kept:
        """What a method finds on each segment, kept beside it."""

    @abstractmethod
    def total(
        self, method: str, kept: Sequence[Kept], *arguments: Any, check: Check = never
    ) -> Sums:
        """The sums of what a method finds on each segment, in the order of :func:`total_of`."""

    @abstractmethod
    def gather(self, rows: slice | NDArray[np.intp]) -> Segment:
        """Some of the rows, in this memory, in this order."""

    def tiled(self, rows: NDArray[np.intp]) -> RowTiles:
        """The same in tiles for steps on each of them, wherever these are fastest."""
        return self.gather(rows)


@final
class LocalRows(SegmentedRows):
    """Rows in this memory.

    Parameters
    ----------
    problem : Problem of Layer
        Without a readout, with a loss that is a sum over the rows.
    dtype : type, optional
        Of gradients of weights on a tile.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> X, y = np.ones((5000, 1)), np.ones(5000)
    >>> rows = LocalRows(Problem.of(Layer(X), y, 1.0, SquaredLoss()))
    >>> f = rows.keep("predictions", (), np.array([[3.0]]), np.array([1.0]))
    >>> rows.total("value", (f,), 0.0)
    (10000.0,)
    """

    def __init__(self, problem: Problem[Layer], dtype: type[np.floating[Any]] = np.float32) -> None:
        assert problem.rows.readout is None
        self.n_rows, self.n_outputs = problem.Y.shape
        self.n_features, self.loss = problem.rows.n_features, problem.loss
        self._whole = Segment(problem.rows.rows, problem.target, problem.loss, dtype)
        starts = range(0, self.n_rows, LENGTH)
        self._segments = [self._whole.take(slice(i, i + LENGTH)) for i in starts]

    def keep(
        self, method: str, kept: Sequence[Kept], *arguments: Any, check: Check = never
    ) -> list[Any]:
        return list(self._each(method, kept, arguments, check))

    def total(
        self, method: str, kept: Sequence[Kept], *arguments: Any, check: Check = never
    ) -> Sums:
        found = self._each(method, kept, arguments, check)
        return total_of(nodes_of(each if isinstance(each, tuple) else (each,) for each in found))

    def gather(self, rows: slice | NDArray[np.intp]) -> Segment:
        return self._whole.take(rows)

    def _each(
        self, method: str, kept: Sequence[Kept], arguments: Sequence[Any], check: Check
    ) -> Iterator[Any]:
        for segment, *beside in zip(self._segments, *kept, strict=True):
            check()
            yield getattr(segment, method)(*beside, *arguments)
