"""CSV files of numbers, and which of their columns a network reads."""

from __future__ import annotations

import csv
import difflib
import math
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TextIO

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.cli.reporting import counted
from cvxnn.cli.sources import Source
from cvxnn.errors import InputError, ModelFileError

# Rows that exist as text at one time.
_CHUNK_ROWS = 4096
# Column names that an error message lists.
_LISTED_COLUMNS = 12

NumberedRow = tuple[int, list[str]]


def open_table(path: str | os.PathLike[str]) -> Table:
    """Read a table with a header from a file, or from the standard input where the path is ``-``.

    Raises
    ------
    InputError
        If there is no such table, here or while its rows are read; the message
        names the file, the line and the column.
    OSError
        If the file cannot be read.
    """
    return Table(Source.read(path))


class Table:
    """A CSV file whose header has been read; its rows can be read once.

    Parameters
    ----------
    source : Source
    unnamed : bool, default False
        Whether columns without a name get one, as the index that pandas writes has none.

    Attributes
    ----------
    source : str
        The path, as messages show it.
    columns : tuple of str
        Names of the header, without surrounding blanks.
    """

    def __init__(self, source: Source, *, unnamed: bool = False) -> None:
        self.source = source.name
        self._separator = source.separator
        self._line = ""
        reader = csv.reader(
            self._remembered(source.open()),
            delimiter=self._separator,
            strict=True,
            skipinitialspace=True,
        )
        self._rows = self._numbered(reader)
        self.columns = self._header(unnamed)

    def lines(self) -> list[int]:
        """The line that each of the rows ends on; all rows have as many cells as the header."""
        return [line for line, _ in self._complete()]

    def read(
        self, columns: Sequence[str], optional: Collection[str] = (), hint: str = ""
    ) -> FloatArray:
        """Read all rows of some columns.

        Parameters
        ----------
        columns : sequence of str
            Names that are in the header.
        optional : collection of str
            Those of the columns where a cell that is no finite number becomes NaN.
        hint : str
            What else is said of a cell that is none elsewhere.

        Returns
        -------
        values : ndarray, shape (rows, len(columns))
        """
        picks = [self.columns.index(name) for name in columns]
        lenient = {self.columns.index(name) for name in optional}
        rows = self._complete()
        chunks = []
        while chunk := list(islice(rows, _CHUNK_ROWS)):
            chunks.append(self._numbers(chunk, picks, lenient, hint))
        return np.concatenate(chunks)

    def texts(self, name: str) -> list[str]:
        """Read all rows of one column as they are; `InputError` if a cell is empty."""
        pick, words = self.columns.index(name), []
        for line, row in self._complete():
            word = row[pick].strip()
            if not word:
                raise InputError(f"{self.source}, line {line}, column {name!r}: the cell is empty.")
            words.append(word)
        return words

    def require(self, name: str) -> None:
        """Raise `InputError` if there is no column `name`, with the nearest one there is."""
        require(name, self.columns, self.source)

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
                # Between tabs, a line of nothing but tabs is a row of empty cells.
                if self._separator in self._line or self._line.strip():
                    yield line, row
        except csv.Error as error:
            raise InputError(
                f"{self.source}, after line {line}: not readable as CSV ({error})."
            ) from error

    def _header(self, unnamed: bool) -> tuple[str, ...]:
        _, header = next(self._rows, (0, []))
        columns = tuple(name.strip() for name in header)
        if unnamed:
            # The names that pandas gives them.
            columns = tuple(name or f"Unnamed: {j}" for j, name in enumerate(columns))
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

    def _complete(self) -> Iterator[NumberedRow]:
        """All rows, at least one, with as many cells as the header."""
        width, any_row = len(self.columns), False
        for line, row in self._rows:
            if len(row) != width:
                raise InputError(
                    f"{self.source}, line {line}: {counted(len(row), 'cell')} "
                    f"where the header has {counted(width, 'cell')}."
                )
            any_row = True
            yield line, row
        if not any_row:
            raise InputError(f"{self.source} has a header but no rows.")

    def _numbers(
        self, chunk: list[NumberedRow], picks: list[int], lenient: set[int], hint: str
    ) -> FloatArray:
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
            [
                [self._number(line, row, pick, lenient, hint) for pick in picks]
                for line, row in chunk
            ]
        )

    def _number(self, line: int, row: list[str], pick: int, lenient: set[int], hint: str) -> float:
        problem, value = _parse(row[pick])
        if not problem:
            return value
        if pick in lenient:
            return math.nan
        where = f"{self.source}, line {line}, column {self.columns[pick]!r}"
        raise InputError(f"{where}: {problem}{hint}.")


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


def require(name: str, columns: Sequence[str], source: str) -> None:
    """Raise `InputError` if `name` is none of the columns, with the nearest one there is."""
    if name in columns:
        return
    near = difflib.get_close_matches(name, columns, n=1)
    suggestion = f"; did you mean {near[0]!r}?" if near else "."
    raise InputError(
        f"{source} has no column {name!r}{suggestion} Its columns are {_listed(columns)}."
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_LISTED_COLUMNS])
    more = len(names) - _LISTED_COLUMNS
    return f"{shown} and {more} more" if more > 0 else shown


@dataclass(frozen=True)
class Features:
    """The columns that a network reads.

    Attributes
    ----------
    names : tuple of str
        Feature columns, in the order of the hidden weights.
    targets : tuple of str
        The columns that the network predicts, one for each of its outputs.
    bias : bool
        Whether a column of ones follows the features.
    mean, scale : ndarray of shape (len(names),), or None
        What is subtracted from a feature, and what it is then divided by.
    n_columns : int or None
        Of the table, where the features are made of its columns.
    """

    names: tuple[str, ...]
    targets: tuple[str, ...]
    bias: bool
    mean: FloatArray | None = None
    scale: FloatArray | None = None
    n_columns: int | None = None

    def matrix(self, values: FloatArray) -> FloatArray:
        """X for the feature columns `values`, of shape (n, len(names))."""
        if self.mean is not None and self.scale is not None:
            values = (values - self.mean) / self.scale
        return np.column_stack([values, np.ones(len(values))]) if self.bias else values

    @property
    def target(self) -> str:
        """The targets in words."""
        return ", ".join(self.targets)

    def describe(self) -> str:
        """How many features there are and what they predict, in words."""
        features = features_in_words(len(self.names), self.n_columns)
        return f"{features}{' and a bias' if self.bias else ''} -> {self.target}"

    def to_metadata(self) -> dict[str, Any]:
        """The part of a model's metadata that :meth:`from_metadata` reads."""
        return {
            "feature_names": list(self.names),
            "target": self.target if len(self.targets) == 1 else list(self.targets),
            "bias": self.bias,
            "mean": None if self.mean is None else self.mean.tolist(),
            "scale": None if self.scale is None else self.scale.tolist(),
        }

    @classmethod
    def from_metadata(
        cls, metadata: Mapping[str, Any], n_features: int | None, source: str
    ) -> Features:
        """Read back :meth:`to_metadata`; `ModelFileError` if it does not fit the network."""
        try:
            features = cls(
                names=tuple(str(name) for name in metadata["feature_names"]),
                targets=_names(metadata["target"]),
                bias=bool(metadata["bias"]),
                mean=_optional_vector(metadata["mean"]),
                scale=_optional_vector(metadata["scale"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"{source} does not say in full which columns its network reads."
            ) from error
        sizes = {len(features.names)}
        sizes.update(len(part) for part in (features.mean, features.scale) if part is not None)
        if n_features is not None:
            sizes.add(n_features - features.bias)
        if len(sizes) > 1 or (features.mean is None) != (features.scale is None):
            raise ModelFileError(f"{source} names other features than its network has.")
        return features


def features_in_words(n_features: int, n_columns: int | None) -> str:
    """How many features there are, and of how many columns where that is another number.

    Examples
    --------
    >>> features_in_words(11, 6), features_in_words(1, 1), features_in_words(2, None)
    ('6 columns as 11 features', '1 feature', '2 features')
    """
    features = counted(n_features, "feature")
    if n_columns in (None, n_features):
        return features
    return f"{counted(n_columns, 'column')} as {features}"


def standardization(values: FloatArray, names: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of every column; the deviation of a constant column is 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = values.mean(axis=0), values.std(axis=0)
    bad = ~(np.isfinite(mean) & np.isfinite(scale))
    if bad.any():
        name = names[int(np.argmax(bad))]
        raise InputError(f"Column {name!r} has numbers too large to standardize.")
    # Not scale == 0: rounding leaves a constant column a deviation of 1e-17.
    return mean, np.where(np.ptp(values, axis=0) == 0.0, 1.0, scale)


def check_different(targets: Sequence[str]) -> None:
    """Raise `InputError` if a column is named twice."""
    for name, count in Counter(targets).most_common(1):
        if count > 1:
            raise InputError(f"The target {name!r} is given {count} times.")


def read_training_data(
    table: Table, targets: Sequence[str], *, bias: bool, standardize: bool
) -> tuple[Features, FloatArray, FloatArray]:
    """Read a table whose columns are all features but the targets: features, X and y.

    y is of shape (n,), or (n, c) for c targets.
    """
    for target in targets:
        table.require(target)
    check_different(targets)
    names = tuple(name for name in table.columns if name not in targets)
    if not names:
        word, named = "target" if len(targets) == 1 else "targets", ", ".join(map(repr, targets))
        raise InputError(f"{table.source} has no column besides the {word} {named}.")
    values = table.read([*names, *targets], hint="; 'cvxnn fit' takes such tables")
    inputs, y = np.hsplit(values, [len(names)])
    y = y[:, 0].copy() if len(targets) == 1 else y.copy()
    mean, scale = standardization(inputs, names) if standardize else (None, None)
    features = Features(names, tuple(targets), bias, mean, scale)
    return features, np.ascontiguousarray(features.matrix(inputs)), y


def _names(entry: Any) -> tuple[str, ...]:
    """One name, or a list of them."""
    return tuple(map(str, entry)) if isinstance(entry, list) else (str(entry),)


def _optional_vector(entries: Any) -> FloatArray | None:
    if entries is None:
        return None
    vector = np.asarray(entries, dtype=np.float64)
    if vector.ndim != 1:
        raise ValueError("not a vector")
    return vector
