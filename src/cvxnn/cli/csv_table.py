"""Reading CSV files of numbers, with errors that say where the problem is."""

from __future__ import annotations

import csv
import difflib
import math
import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.cli.outputs import counted
from cvxnn.errors import InputError

# Rows that exist as text at one time.
_CHUNK_ROWS = 4096
# Column names that an error message lists.
_LISTED_COLUMNS = 12

NumberedRow = tuple[int, list[str]]


@contextmanager
def open_table(path: str | os.PathLike[str]) -> Iterator[Table]:
    """Open a comma-separated file with a header; UTF-8, with or without a byte order mark.

    Raises
    ------
    InputError
        If the file is not such a table, here or while it is read; the message
        names the file, the line and the column.
    OSError
        If the file cannot be read.
    """
    source = os.fspath(path)
    with open(source, encoding="utf-8-sig", newline="") as stream:
        try:
            yield Table(source, stream)
        except UnicodeDecodeError as error:
            raise InputError(f"{source} is not a CSV file in UTF-8.") from error


class Table:
    """A CSV file whose header has been read; its rows can be read once.

    Attributes
    ----------
    source : str
        The path, as messages show it.
    columns : tuple of str
        Names of the header, without surrounding blanks.
    """

    def __init__(self, source: str, stream: TextIO) -> None:
        self.source = source
        self._line = ""
        lines = self._remembered(stream)
        self._rows = self._numbered(csv.reader(lines, strict=True, skipinitialspace=True))
        self.columns = self._header()

    def read(self, columns: Sequence[str], optional: Collection[str] = ()) -> FloatArray:
        """Read all rows of some columns.

        Parameters
        ----------
        columns : sequence of str
            Names that are in the header.
        optional : collection of str
            Those of the columns where a cell that is no finite number becomes NaN.

        Returns
        -------
        values : ndarray, shape (rows, len(columns))
        """
        picks = [self.columns.index(name) for name in columns]
        lenient = {self.columns.index(name) for name in optional}
        chunks = [self._numbers(chunk, picks, lenient) for chunk in self._chunks()]
        if not chunks:
            raise InputError(f"{self.source} has a header but no rows.")
        return np.concatenate(chunks)

    def require(self, name: str) -> None:
        """Raise `InputError` if there is no column `name`, with the nearest one there is."""
        if name in self.columns:
            return
        near = difflib.get_close_matches(name, self.columns, n=1)
        suggestion = f"; did you mean {near[0]!r}?" if near else "."
        raise InputError(
            f"{self.source} has no column {name!r}{suggestion} "
            f"Its columns are {_listed(self.columns)}.{self._separator_hint()}"
        )

    def _separator_hint(self) -> str:
        for separator, name in ((";", "semicolons"), ("\t", "tabs")):
            if len(self.columns) == 1 and separator in self.columns[0]:
                return f" It seems to be separated by {name}; cvxnn reads commas."
        return ""

    def _remembered(self, stream: TextIO) -> Iterator[str]:
        for self._line in stream:
            yield self._line

    def _numbered(self, reader: Iterator[list[str]]) -> Iterator[NumberedRow]:
        """Rows with the line they end on; blank lines are no rows."""
        line = 0
        try:
            for row in reader:
                line = reader.line_num  # type: ignore[attr-defined]
                # Not the row: an empty cell in quotes looks like a line of spaces there.
                if self._line.strip():
                    yield line, row
        except csv.Error as error:
            raise InputError(
                f"{self.source}, after line {line}: not readable as CSV ({error})."
            ) from error

    def _header(self) -> tuple[str, ...]:
        _, header = next(self._rows, (0, []))
        columns = tuple(name.strip() for name in header)
        if not columns:
            raise InputError(f"{self.source} is empty.")
        if any("\0" in name for name in columns):
            raise InputError(f"{self.source} is not a CSV file in UTF-8.")
        if "" in columns:
            raise InputError(f"{self.source}, line 1: column {columns.index('') + 1} has no name.")
        repeated = [name for name, count in Counter(columns).items() if count > 1]
        if repeated:
            raise InputError(f"{self.source}, line 1: two columns are called {repeated[0]!r}.")
        return columns

    def _chunks(self) -> Iterator[list[NumberedRow]]:
        chunk: list[NumberedRow] = []
        width = len(self.columns)
        for line, row in self._rows:
            if len(row) != width:
                raise InputError(
                    f"{self.source}, line {line}: {counted(len(row), 'cell')} "
                    f"where the header has {counted(width, 'cell')}."
                )
            chunk.append((line, row))
            if len(chunk) == _CHUNK_ROWS:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def _numbers(self, chunk: list[NumberedRow], picks: list[int], lenient: set[int]) -> FloatArray:
        cells = [[row[pick] for pick in picks] for _, row in chunk]
        # Python would read 1_000 as a number; no other reader of CSV does.
        if not any("_" in "".join(row) for row in cells):
            try:
                values = np.array(cells, dtype=np.float64)
                if np.isfinite(values).all():
                    return values
            except ValueError:
                pass
        # Some cell is bad: go cell by cell, to say which.
        return np.array(
            [[self._number(line, row, pick, lenient) for pick in picks] for line, row in chunk]
        )

    def _number(self, line: int, row: list[str], pick: int, lenient: set[int]) -> float:
        problem, value = _parse(row[pick])
        if not problem:
            return value
        if pick in lenient:
            return math.nan
        raise InputError(f"{self.source}, line {line}, column {self.columns[pick]!r}: {problem}.")


def _parse(cell: str) -> tuple[str, float]:
    """What is wrong with a cell, or an empty string, and its number."""
    if not cell.strip():
        return "the cell is empty", math.nan
    shown = repr(cell if len(cell) <= 40 else cell[:40] + "...")
    try:
        value = float(cell)
    except ValueError:
        return f"{shown} is not a number", math.nan
    if "_" in cell:
        return f"{shown} is not a number", math.nan
    return ("" if math.isfinite(value) else f"{shown} is not a finite number"), value


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_LISTED_COLUMNS])
    more = len(names) - _LISTED_COLUMNS
    return f"{shown} and {more} more" if more > 0 else shown
