"""Rows on a device, in the memory of a GPU for instance."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import Array, FloatArray
from cvxnn.backends.devices import Device, is_out_of_memory
from cvxnn.backends.namespaces import in_float64, namespace_of
from cvxnn.backends.tiling import Tiling
from cvxnn.layers import Layer
from cvxnn.problems import Problem
from cvxnn.solvers.devices.row_loss import RowLoss, loss_on
from cvxnn.solvers.devices.tile import Part, Tile
from cvxnn.solvers.segments.rows import Check, Kept, LocalRows, SegmentedRows, never
from cvxnn.solvers.segments.segment import LENGTH, Offset, Segment
from cvxnn.solvers.segments.tree import Node, Sums, joined, total_of

# What is asked once in a search, of the rows alone and to the last digits.
_ON_CPU = ("moduli", "triangle")
# Rows of a tile for steps on each: fewer do not keep a device busy.
_HEIGHT = 512


@final
class DeviceRows(SegmentedRows):
    """Rows on a device, in float64, and in float32 for products with neurons.

    What a product with neurons has for all rows is formed for as many as the memory has room for;
    where even the rows have none, they are brought there tile by tile.

    Parameters
    ----------
    problem : Problem of Layer
        Without a readout, with a loss that is a sum over the rows.
    device : Device

    Notes
    -----
    Sums over the segments of 4096 rows are in float32 for gradients of weights, and added in
    float64 in the order of :func:`~cvxnn.solvers.segments.tree.total_of`, so that digits do not
    depend on the tiles but where a library's products do.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> X, y = np.ones((5000, 1)), np.ones(5000)
    >>> problem = Problem.of(Layer(X), y, 1.0, SquaredLoss())
    >>> rows = DeviceRows(problem, Device("numpy", "cpu"))
    >>> f = rows.keep("predictions", (), np.array([[3.0]]), np.array([1.0]))
    >>> rows.total("value", (f,), 0.0)
    (10000.0,)
    """

    def __init__(self, problem: Problem[Layer], device: Device) -> None:
        self.n_rows, self.n_outputs = problem.Y.shape
        self.n_features, self.loss = problem.rows.n_features, problem.loss
        self._here = LocalRows(problem)
        self._device, self._length = device, LENGTH
        whole = self._here.gather(slice(None))
        self._double = _Placed(whole, device, "float64")
        self._single = _Placed(whole, device, "float32")
        # Of the memory that is left.
        device.release()
        self._tiling = Tiling(device, self.n_rows, self._length)

    def keep(
        self, method: str, kept: Sequence[Kept], *arguments: Any, check: Check = never
    ) -> Array:
        each = self._each(method, kept, arguments, check, lambda found: found)
        return self._device.xp.concat([part for _, part in each])

    def total(
        self, method: str, kept: Sequence[Kept], *arguments: Any, check: Check = never
    ) -> Sums:
        if method in _ON_CPU:
            return self._here.total(method, kept, *arguments, check=check)
        shapes: list[tuple[int, ...]] = []
        each = self._each(method, kept, arguments, check, partial(_stacked, shapes))
        nodes = joined(_nodes_of(stack, first) for first, stack in self._segments(each))
        return _shaped(total_of(nodes)[0], shapes)

    def gather(self, rows: slice | NDArray[np.intp]) -> Segment:
        return self._here.gather(rows)

    def tiled(self, rows: NDArray[np.intp]) -> DeviceTiles:
        return DeviceTiles(self.gather(rows), self._device)

    def _each(
        self,
        method: str,
        kept: Sequence[Array],
        arguments: Sequence[Any],
        check: Check,
        made: Callable[[Any], Array],
    ) -> Iterator[tuple[slice, Array]]:
        """What is made, on each tile, of what a method finds there."""
        there = [self._placed(argument) for argument in arguments]
        # Arrays of (rows x neurons), or of (rows x features) where there are none.
        widths = [len(a) for a in arguments if isinstance(a, np.ndarray) and a.ndim > 0]
        width = max([self.n_features, *widths])

        def work(rows: slice) -> tuple[slice, Array]:
            check()
            beside = (part[rows, ...] for part in kept)
            with self._device.in_full_precision():
                return rows, made(getattr(self._tile(rows), method)(*beside, *there))

        return self._tiling.done(work, width)

    def _placed(self, argument: Any) -> Any:
        if isinstance(argument, np.floating):
            return float(argument)
        is_array = isinstance(argument, np.ndarray)
        return self._device.placed(argument, "float64") if is_array else argument

    def _tile(self, rows: slice) -> Tile:
        count = rows.stop - rows.start
        length = count if count % self._length else self._length
        return Tile(self._single.part(rows), self._double.part(rows), length)

    def _segments(self, each: Iterator[tuple[slice, Array]]) -> Iterator[tuple[int, Array]]:
        """Sums over whole segments, with the number of the first."""
        before = None
        for rows, stack in each:
            # Of a segment that is too large for a tile.
            before = stack if before is None else before + stack
            if rows.stop % self._length == 0 or rows.stop == self.n_rows:
                yield rows.start // self._length, before
                before = None


@final
class DeviceTiles:
    """Some rows on a device in float32, in tiles of 512.

    Parameters
    ----------
    segment : Segment
    device : Device
    """

    def __init__(self, segment: Segment, device: Device) -> None:
        self._device, self._length = device, len(segment)
        self._part = _Placed(segment, device, "float32")

    def __len__(self) -> int:
        """The number of rows."""
        return self._length

    @property
    def n_tiles(self) -> int:
        """The number of tiles."""
        return -(-self._length // _HEIGHT)

    def value_and_gradient(
        self, hidden: FloatArray, output: FloatArray, b: Offset, only: slice
    ) -> Sums:
        """Of some of the tiles, see :class:`~cvxnn.solvers.segments.rows.RowTiles`."""
        first, last, _ = only.indices(self.n_tiles)
        part = self._part.part(slice(first * _HEIGHT, min(last * _HEIGHT, self._length)))
        place, offset = self._device.placed, b
        if isinstance(b, np.ndarray):
            offset = place(b, "float32")
        weights = place(hidden, "float32"), place(output, "float32")
        with self._device.in_full_precision():
            found = Tile(part, part, part.target.shape[0]).value_and_gradient(*weights, offset)
            shapes: list[tuple[int, ...]] = []
            flat = _stacked(shapes, found)
        return _shaped(flat[0, ...], shapes)


@final
class _Placed:
    """Rows, targets and loss on a device in one precision; the rows as far as there is room."""

    def __init__(self, segment: Segment, device: Device, dtype: str) -> None:
        self._device, self._dtype, self._rows = device, dtype, segment.X
        self._X = self._whole()
        self._target: Array = device.placed(segment.target, dtype)
        self._loss: RowLoss = loss_on(device, segment.loss, dtype)

    def part(self, rows: slice) -> Part:
        """Some of the rows."""
        X = self._brought(self._rows[rows]) if self._X is None else self._X[rows, ...]
        return Part(X, self._target[rows, ...], self._loss.take(rows))

    def _whole(self) -> Array | None:
        try:
            return self._brought(self._rows)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        self._device.release()
        return None

    def _brought(self, rows: FloatArray) -> Array:
        return self._device.placed(rows, self._dtype)


def _stacked(shapes: list[tuple[int, ...]], found: tuple[Array, ...]) -> Array:
    """Sums of segments as rows of one array, in float64; what shapes they have is noted.

    A device takes as long to add few numbers as many.
    """
    xp = namespace_of(found[0])
    shapes[:] = [part.shape[1:] for part in found]
    parts = (xp.astype(part, xp.float64, copy=False) for part in found)
    return xp.concat([xp.reshape(part, (part.shape[0], -1)) for part in parts], axis=1)


def _shaped(flat: Array, shapes: Sequence[tuple[int, ...]]) -> Sums:
    """Sums in the memory of the CPU, in these shapes; numbers as floats."""
    parts = np.split(in_float64(flat), np.cumsum([math.prod(shape) for shape in shapes])[:-1])
    return tuple(
        part.reshape(shape) if shape else float(part[0])
        for part, shape in zip(parts, shapes, strict=True)
    )


def _nodes_of(stack: Array, first: int) -> list[Node]:
    """What :func:`~cvxnn.solvers.segments.tree.nodes_of` gives, all nodes of a level at once."""
    front: list[Node] = []
    back: list[Node] = []
    level, count = 0, stack.shape[0]
    while True:
        if first % 2:
            front.append(Node(level, first, (stack[0, ...],)))
            stack, first, count = stack[1:, ...], first + 1, count - 1
        if count % 2:
            back.append(Node(level, first + count - 1, (stack[count - 1, ...],)))
            count -= 1
        if count == 0:
            return [*front, *reversed(back)]
        stack = stack[0:count:2, ...] + stack[1:count:2, ...]
        level, first, count = level + 1, first // 2, count // 2
