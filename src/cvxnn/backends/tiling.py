"""Rows in tiles that the memory of a device has room for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar, final

from cvxnn.backends.devices import Device, is_out_of_memory
from cvxnn.errors import InputError

T = TypeVar("T")


@final
class Tiling:
    """Slices of n rows, as large as the memory allows.

    A slice consists of whole leaves, or is a part of one: the last one, and all of them where
    not even one leaf fits.

    Parameters
    ----------
    device : Device
    n, leaf : int
        Rows, of all and of a leaf.

    Attributes
    ----------
    entries : int
        Numbers that an array of (rows x width) may have: half as many whenever memory runs out.

    Examples
    --------
    >>> tiling = Tiling(Device("numpy", "cpu"), 10_000, 4096)
    >>> [(rows.start, rows.stop) for rows in tiling.done(lambda rows: rows, width=1)]
    [(0, 8192), (8192, 10000)]
    """

    def __init__(self, device: Device, n: int, leaf: int) -> None:
        self._device, self._n, self._leaf = device, n, leaf
        self.entries = device.entries

    def done(self, work: Callable[[slice], T], width: int) -> Iterator[T]:
        """What `work` gives for slices of the rows, one after the other.

        Parameters
        ----------
        work : callable
            Forms some arrays of (rows x width); it is called again with fewer rows where there
            was no memory for them.
        width : int

        Raises
        ------
        InputError
            If there is no memory for a single row.
        """
        start = 0
        while start < self._n:
            rows = slice(start, self._end(start, width))
            # Not while the exception is there, which has arrays in its frames.
            if (result := self._tried(work, rows)) is None:
                self._halve(rows, width)
                continue
            yield result[0]
            start = rows.stop

    def _tried(self, work: Callable[[slice], T], rows: slice) -> tuple[T] | None:
        """The result, or None where memory has run out."""
        try:
            return (work(rows),)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None

    def _end(self, start: int, width: int) -> int:
        """Of the slice from here, which does not go beyond a leaf that it does not begin."""
        leaf, height = self._leaf, max(self.entries // max(width, 1), 1)
        inside = start % leaf
        if inside or height < leaf:
            return min(start + min(height, leaf - inside), self._n)
        # The last leaf is a slice of its own, unless it is a whole one.
        last = self._n // leaf * leaf
        return min(start + height // leaf * leaf, last) if start < last else self._n

    def _halve(self, rows: slice, width: int) -> None:
        count = rows.stop - rows.start
        if count == 1:
            raise InputError(
                f"the memory of the device {self._device.place} is too small for one row and "
                f"{width} neurons; give fewer features, or none of device."
            )
        self.entries = max(count // 2, 1) * width
        self._device.release()
