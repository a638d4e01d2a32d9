"""What workers do with a block of rows: everything that is sent to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.losses import Loss, WeightedLoss
from cvxnn.losses.composed import weighted
from cvxnn.problems import Units
from cvxnn.solvers.segments.segment import LENGTH, Segment
from cvxnn.solvers.segments.tree import Node, joined, nodes_of
from cvxnn.validation import check_data, check_targets, check_weights


@final
@dataclass(frozen=True)
class RawBlock:
    """Rows as they were given, in float64, or what is wrong with them.

    Attributes
    ----------
    X : ndarray, shape (m, d)
    y : ndarray, shape (m,) or (m, c)
    weights : ndarray, shape (m,), or None
    start : int
        The number of the first row.
    fault : str
        "" where they are as they should be.
    """

    X: FloatArray
    y: FloatArray
    weights: FloatArray | None
    start: int
    fault: str = ""

    def __sizeof__(self) -> int:
        arrays = (self.X, self.y, self.weights)
        return sum(array.nbytes for array in arrays if array is not None)

    @classmethod
    def read(cls, X: Any, y: Any, weights: Any, start: int, loss: Loss) -> RawBlock:
        """Rows of a chunk, checked as those in one memory are."""
        try:
            rows = check_data(X, first_row=start)
            target = check_targets(y, len(rows), first_row=start)
            loss.check(target)
            if weights is not None:
                # Before the others: weights that are all 0 here need not be so elsewhere.
                if not np.asarray(weights).all():
                    raise InputError(
                        "sample_weight must be above 0 for rows in dask: leave the others out."
                    )
                weights = check_weights(weights, len(rows), first_row=start)
        except InputError as error:
            return cls(np.zeros((0, 1)), np.zeros(0), None, start, str(error))
        return cls(rows, target, weights, start)

    def facts(self, loss: Loss) -> Facts:
        """What the driver has to know of it."""
        if self.fault:
            return Facts(0.0, np.zeros(1), np.zeros(1), np.zeros(1), self.fault)
        columns = self._target(loss)[1].reshape(len(self.y), -1)
        ends = columns.min(axis=0), columns.max(axis=0)
        return Facts(float(np.abs(self.X).max()), *ends, columns.any(axis=0).astype(float), "")

    def in_units(self, loss: Loss, units: Units) -> Block:
        """The rows as a search takes them; powers of two round nothing."""
        whole, target = self._target(loss)
        X, y = self.X / units.rows, (target - units.offset) / units.targets
        inner = whole.in_units(units.targets)
        parts = [slice(i, i + LENGTH) for i in range(0, len(X), LENGTH)]
        segments = tuple(Segment(X[part], y[part], inner.take(part)) for part in parts)
        return Block(segments, self.y, self.weights, self.start, units.rows)

    def _target(self, loss: Loss) -> tuple[Loss, FloatArray]:
        return (loss, self.y) if self.weights is None else weighted(loss, self.y, self.weights)


@final
@dataclass(frozen=True)
class Facts:
    """What the driver knows of a block.

    Attributes
    ----------
    largest : float
        The largest modulus of its rows.
    smallest_target, largest_target, present : ndarray, shape (c,)
        Of each output, and whether it has targets other than 0.
    fault : str
    """

    largest: float
    smallest_target: FloatArray
    largest_target: FloatArray
    present: FloatArray
    fault: str

    def joined(self, other: Facts) -> Facts:
        """Those of both."""
        return Facts(
            max(self.largest, other.largest),
            np.minimum(self.smallest_target, other.smallest_target),
            np.maximum(self.largest_target, other.largest_target),
            np.maximum(self.present, other.present),
            self.fault or other.fault,
        )


@final
@dataclass(frozen=True)
class Block:
    """Segments that follow one another, on one worker.

    Attributes
    ----------
    segments : tuple of Segment
        In the units of a search.
    y, weights : ndarray
        As they were given.
    start : int
        The number of the first row, a multiple of `LENGTH`.
    unit : float
        By which rows are divided.
    """

    segments: tuple[Segment, ...]
    y: FloatArray
    weights: FloatArray | None
    start: int
    unit: float

    def __sizeof__(self) -> int:
        # For the memory of a worker: with the copies in float32 that gradients are made from.
        return sum(12 * segment.X.size + 8 * segment.target.size for segment in self.segments)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.y)

    def rows_of(self, number: int) -> tuple[FloatArray, FloatArray, FloatArray | None]:
        """Rows, targets and weights of a segment, as they were given."""
        part = slice(number * LENGTH, (number + 1) * LENGTH)
        X = self.segments[number].X * self.unit
        return X, self.y[part], None if self.weights is None else self.weights[part]

    def taken(self, rows: NDArray[np.intp]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Some rows by their numbers in the block, ascending: in units, with their weights."""
        places = rows // LENGTH
        parts = [
            self.segments[k].take(rows[places == k] % LENGTH) for k in np.unique(places).tolist()
        ]
        weights = [_weights_of(part) for part in parts]
        X, y = [part.X for part in parts], [part.target for part in parts]
        return np.concatenate(X), np.concatenate(y), np.concatenate(weights)


def kept(block: Block, method: str, *rest: Any) -> list[Any]:
    """What a method finds on each segment; `rest` is what is kept, its number, and arguments."""
    beside, arguments = _split(rest)
    rows = zip(block.segments, *beside, strict=True)
    return [getattr(segment, method)(*own, *arguments) for segment, *own in rows]


def summed(block: Block, method: str, *rest: Any) -> list[Node]:
    """The sums over the segments, as nodes of the tree over all."""
    found = kept(block, method, *rest)
    each = (one if isinstance(one, tuple) else (one,) for one in found)
    return nodes_of(each, first=block.start // LENGTH)


def merged(*parts: list[Node]) -> list[Node]:
    """The sums of blocks that follow one another."""
    return joined(parts)


def _split(rest: tuple[Any, ...]) -> tuple[list[Any], tuple[Any, ...]]:
    *kept_and_arguments, count = rest
    return list(kept_and_arguments[:count]), tuple(kept_and_arguments[count:])


def _weights_of(segment: Segment) -> FloatArray:
    loss = segment.loss
    return loss.weights if isinstance(loss, WeightedLoss) else np.ones(len(segment))
