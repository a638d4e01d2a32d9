"""The cells of a table of any kind, read by pandas: numbers, and text as it is in the file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from cvxnn.array_types import Array, FloatArray
from cvxnn.cli.outputs import counted
from cvxnn.cli.sources import Source
from cvxnn.cli.tables import Table
from cvxnn.errors import InputError
from cvxnn.validation import LARGEST_ENTRY, SMALLEST_ENTRY

# Besides what pandas takes for missing.
_MISSING = ["?"]
# Characters of a cell that a message shows.
_SHOWN = 40


@dataclass(frozen=True)
class Format:
    """How a number is written: a pattern of all of its cell, and what is left out and replaced."""

    decimal: str
    thousands: str
    words: str

    def parsed(self, texts: Any) -> Any:
        """The numbers of a Series of text, NaN where there is none."""
        plain = texts.where(texts.str.fullmatch(self._pattern, na=False))
        if self.thousands:
            plain = plain.str.replace(self.thousands, "", regex=False)
        plain = plain.str.replace(self.decimal, ".", regex=False)
        return pd.to_numeric(plain, errors="coerce").astype(np.float64)

    @property
    def _pattern(self) -> str:
        point, group = rf"\{self.decimal}", rf"\{self.thousands}"
        whole = rf"(?:\d{{1,3}}(?:{group}\d{{3}})+|\d+)" if self.thousands else r"\d+"
        return rf"\s*[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?\s*"


FORMATS = {
    "point": Format(".", "", ""),
    "comma": Format(",", ".", "decimal commas"),
    "grouped": Format(".", ",", "commas between thousands"),
}


@dataclass(frozen=True)
class Cells:
    """A table in memory.

    Attributes
    ----------
    source : str
        The file, as messages call it.
    separator : str
        What was between the cells.
    frame : DataFrame
        Columns of numbers, and columns of text where not all cells are; NaN for missing ones.
    lines : ndarray of int, shape (n,)
        Where the rows end in the file.
    """

    source: str
    separator: str
    frame: Any
    lines: Array

    @classmethod
    def read(cls, source: Source, text: Collection[str] = ()) -> Cells:
        """Read a table, the columns of `text` as text whatever is in them.

        Raises
        ------
        InputError
            If it is no table with a header; the message names the line.
        """
        table = Table(source, unnamed=True)
        lines = np.array(table.lines())
        dtypes = dict.fromkeys(set(text) & set(table.columns), str)
        frame = _read(source, table.columns, dtypes)
        # What pandas takes for truth has to be known as text again: True may be TRUE in the file.
        odd = [name for name in frame if not (is_numeric(frame[name]) or _is_text(frame[name]))]
        if odd:
            frame = _read(source, table.columns, dtypes | dict.fromkeys(odd, str))
        if len(frame) != len(lines):
            raise InputError(f"{source.name} has lines that are neither rows nor blank.")
        for name in frame:
            if not is_numeric(frame[name]):
                stripped = frame[name].str.strip()
                frame[name] = stripped.mask(stripped == "")
        return cls(source.name, source.separator, frame, lines)

    def rows(self, chosen: Array) -> Cells:
        """Some of the rows, those of a mask or of indices."""
        return replace(
            self, frame=self.frame.loc[chosen].reset_index(drop=True), lines=self.lines[chosen]
        )

    def line(self, bad: Any) -> int:
        """The first line where a mask is true."""
        return int(self.lines[int(np.argmax(np.asarray(bad)))])

    def style(self, name: str, known: str = "point") -> tuple[str, float]:
        """How the numbers of a column are written, and the share of its cells that are some.

        Where several styles read as many cells it is the known one.
        """
        column = self.frame[name]
        n_cells = int(column.notna().sum())
        if is_numeric(column) or not n_cells:
            return known, 1.0
        # Between commas a comma in a number is more likely one between thousands.
        others = ["point", "grouped", "comma"] if self.separator == "," else ["point", "comma"]
        order = dict.fromkeys([known, *others])
        counts = {key: int(FORMATS[key].parsed(column).notna().sum()) for key in order}
        best = max(order, key=counts.__getitem__)
        return best, counts[best] / n_cells

    def numbers(self, name: str, style: str) -> tuple[FloatArray, str]:
        """A column as numbers, NaN where there is none, and a word on the cells that are none.

        Raises
        ------
        InputError
            If a number is too large or too small to compute with.
        """
        column = self.frame[name]
        values = column if is_numeric(column) else FORMATS[style].parsed(column)
        values = values.to_numpy(np.float64, na_value=np.nan)
        bad = ~np.isfinite(values) & column.notna().to_numpy()
        size = np.abs(values)
        extreme = np.isfinite(values) & (
            (size > LARGEST_ENTRY) | ((size < SMALLEST_ENTRY) & (size > 0.0))
        )
        if extreme.any():
            raise InputError(
                f"{self.source}, line {self.line(extreme)}, column {name!r}: "
                f"{shown(column[extreme])} is not 0, nor between {SMALLEST_ENTRY:g} and "
                f"{LARGEST_ENTRY:g} in size."
            )
        return np.where(bad, np.nan, values), self._told(name, bad, "number")

    def dates(self, name: str, form: str) -> tuple[Any, str]:
        """A column as times of UTC, NaT where there is none, and a word on the cells of no date."""
        column = self.frame[name]
        dates = pd.to_datetime(column, format=form, errors="coerce", utc=True)
        bad = (dates.isna() & column.notna()).to_numpy()
        return dates.dt.tz_localize(None).dt.as_unit("us"), self._told(name, bad, "date")

    def _told(self, name: str, bad: Any, what: str) -> str:
        """A word on the cells of a column that are bad, nothing if none is."""
        if not bad.any():
            return ""
        cells = counted(int(bad.sum()), "cell")
        first = shown(self.frame[name][bad])
        return f"{cells} without a {what}, as {first} in line {self.line(bad)}"


def is_numeric(column: Any) -> bool:
    """Whether pandas has read the whole column as numbers."""
    return column.dtype.kind in "iuf"


def _is_text(column: Any) -> bool:
    return pd.api.types.infer_dtype(column, skipna=True) in ("string", "empty")


def shown(cells: Any) -> str:
    """The first cell of some, as a message shows it."""
    text = str(cells.iloc[0])
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _read(source: Source, names: Sequence[str], dtypes: Mapping[str, type]) -> Any:
    return pd.read_csv(
        source.open(), sep=source.separator, names=list(names), header=0, index_col=False,
        dtype=dtypes, skipinitialspace=True, na_values=_MISSING, low_memory=False,
    )  # fmt: skip
