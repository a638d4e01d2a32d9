"""The cells of a table of any kind, read by pandas: numbers, and text as it is in the file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from cvxnn.array_types import Array, FloatArray
from cvxnn.cli.number_formats import (
    FORMATS,
    Readings,
    common_decimal,
    has_signs,
    may_be_thousands,
    signs,
)
from cvxnn.cli.reporting import counted
from cvxnn.cli.sources import Source
from cvxnn.cli.tables import Table
from cvxnn.errors import InputError
from cvxnn.validation import LARGEST_ENTRY, SMALLEST_ENTRY

# What stands for a missing cell: the words of pandas, and a question mark.
MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "?",
)  # fmt: skip
# That of them which may well be an answer, so that it is a class among words.
_ANSWER = "None"
# Characters of a cell that a message shows.
_SHOWN = 40


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
    decimal : str
        The sign before decimals that most columns tell, empty if none does.
    unknown : ndarray of str, shape (n,)
        The words that stand for a missing target, empty where there is none.
    """

    source: str
    separator: str
    frame: Any
    lines: Array
    decimal: str = ""
    unknown: Mapping[str, Array] = field(default_factory=dict)
    _cache: dict[str, Readings] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(
        cls, source: Source, text: Collection[str] = (), targets: Collection[str] = ()
    ) -> Cells:
        """Read a table, the targets and the columns of `text` as text whatever is in them.

        In a target "None" is a word as any other, unless all others are numbers.

        Raises
        ------
        InputError
            If it is no table with a header; the message names the line.
        """
        table = Table(source, unnamed=True)
        lines = np.array(table.lines())
        dtypes = dict.fromkeys({*text, *targets} & set(table.columns), str)
        frame = _read(source, table.columns, dtypes, targets)
        # What pandas takes for truth has to be known as text again: True may be TRUE in the file.
        odd = [name for name in frame if not (is_numeric(frame[name]) or _is_text(frame[name]))]
        if odd:
            frame = _read(source, table.columns, dtypes | dict.fromkeys(odd, str), targets)
        doubtful = _doubtful(frame, source.separator)
        if doubtful:
            dtypes |= dict.fromkeys([*odd, *doubtful], str)
            frame = _read(source, table.columns, dtypes, targets)
        if len(frame) != len(lines):
            raise InputError(f"{source.name} has lines that are neither rows nor blank.")
        for name in frame:
            if not is_numeric(frame[name]):
                stripped = frame[name].str.strip()
                frame[name] = stripped.mask(stripped == "")
        unknown = {}
        for target in set(targets) & set(frame):
            words = frame[target]
            is_missing = _stands_for_missing(words)
            unknown[target] = np.where(is_missing, words.fillna("").to_numpy(object), "")
            frame[target] = words.mask(is_missing)
        return cls(source.name, source.separator, frame, lines, _decimal(frame), unknown)

    def rows(self, chosen: Array) -> Cells:
        """Some of the rows, those of a mask or of indices."""
        return replace(
            self,
            frame=self.frame.loc[chosen].reset_index(drop=True),
            lines=self.lines[chosen],
            unknown={name: words[chosen] for name, words in self.unknown.items()},
            _cache={},
        )

    def line(self, bad: Any) -> int:
        """The first line where a mask is true."""
        return int(self.lines[int(np.argmax(np.asarray(bad)))])

    def style(self, name: str, known: str | None = None) -> tuple[str, float]:
        """How the numbers of a column are written, and the share of its cells that are some.

        Where several styles read as many cells it is that of the other columns, else the known
        one, else what is likely between such separators.
        """
        column = self.frame[name]
        n_cells = int(column.notna().sum())
        plain = "comma" if self.decimal == "," else "point"
        if is_numeric(column) or not n_cells:
            return known or plain, 1.0
        readings = self._readings(name)
        style = readings.chosen(self.decimal, known, self.separator)
        if not readings.differ(style, plain).any():
            style = plain
        return style, readings.count / n_cells

    def remarks(self, name: str, style: str) -> list[str]:
        """What is to be said of the way in which the numbers of a column are read."""
        column = self.frame[name]
        if is_numeric(column):
            return []
        readings = self._readings(name)
        found = [FORMATS[style].words] if readings.differ(style, "point").any() else []
        found.append(self._guess(column, readings, style))
        found.append(_left_out(column[readings.values[style].notna()]))
        return [words for words in found if words]

    def restyled(self, name: str, known: str) -> str:
        """What is to be said of numbers that would be others as another table has them written.

        Parameters
        ----------
        name : str
        known : str
            The style of the column there.
        """
        column = self.frame[name]
        style, _ = self.style(name, known)
        if is_numeric(column) or style == known:
            return ""
        readings = self._readings(name)
        here, there = readings.values[style], readings.values[known]
        others = here.notna() & there.notna() & (here != there)
        if not others.any():
            return ""
        return (
            f"{name!r} is read with {FORMATS[style].words}, and was with {FORMATS[known].words} in "
            f"the training: {shown(column[others])} is {here[others].iloc[0]:.12g}, not "
            f"{there[others].iloc[0]:.12g}."
        )

    def _readings(self, name: str) -> Readings:
        """Those of a column of text, which are asked for several times."""
        if name not in self._cache:
            self._cache[name] = Readings.of(self.frame[name])
        return self._cache[name]

    def signs(self, name: str) -> list[str]:
        """The signs of percent and currencies among the numbers of a column."""
        column = self.frame[name]
        return [] if is_numeric(column) else signs(column)

    def _guess(self, column: Any, readings: Readings, style: str) -> str:
        """A cell that would be another number in a format that nothing speaks against."""
        if self.decimal or self.separator == ",":
            return ""
        for other in readings.best():
            differ = readings.differ(style, other)
            if differ.any():
                value = readings.values[style][differ].iloc[0]
                return f"a guess: {shown(column[differ])} is {value:.12g}"
        return ""

    def numbers(self, name: str, style: str) -> tuple[FloatArray, str]:
        """A column as numbers, NaN where there is none, and a word on the cells that are none.

        Raises
        ------
        InputError
            If a number is too large or too small to compute with.
        """
        column = self.frame[name]
        values = column if is_numeric(column) else self._readings(name).values[style]
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


def _left_out(numbers: Any) -> str:
    """The signs among cells that are numbers, and in how many they are where not in all."""
    having = int(has_signs(numbers).sum())
    if not having:
        return ""
    where = "" if having == len(numbers) else f" in {having} of {counted(len(numbers), 'cell')}"
    return f"without {' and '.join(signs(numbers))}{where}"


def _doubtful(frame: Any, separator: str) -> list[str]:
    """Columns that pandas has read with decimal points, where they may be between thousands."""
    if separator == "," and _decimal(frame) != ",":
        return []
    floats = [name for name in frame if frame[name].dtype.kind == "f"]
    return [name for name in floats if may_be_thousands(frame[name].to_numpy())]


def _decimal(frame: Any) -> str:
    """The sign before decimals that most columns tell."""
    found = []
    for name in frame:
        column = frame[name]
        if _is_text(column):
            found.append(Readings.of(column.dropna().drop_duplicates()).decimal())
        elif column.dtype.kind == "f":
            found.append("" if may_be_thousands(column.to_numpy()) else ".")
    return common_decimal(found)


def is_numeric(column: Any) -> bool:
    """Whether pandas has read the whole column as numbers."""
    return column.dtype.kind in "iuf"


def _is_text(column: Any) -> bool:
    return pd.api.types.infer_dtype(column, skipna=True) in ("string", "empty")


def shown(cells: Any) -> str:
    """The first cell of some, as a message shows it."""
    text = str(cells.iloc[0])
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _stands_for_missing(words: Any) -> Array:
    """Where the words of a target stand for a missing one."""
    is_answer = words == _ANSWER
    others = words[~words.isin(MISSING)]
    is_missing = words.isin(MISSING)
    if len(others) == 0 or Readings.of(others).count < len(others):
        is_missing &= ~is_answer
    return is_missing.to_numpy(bool)


def _read(
    source: Source, names: Sequence[str], dtypes: Mapping[str, type], targets: Collection[str]
) -> Any:
    # The words of a target are looked at one by one, and are not lost here.
    missing = {name: [""] if name in targets else list(MISSING) for name in names}
    return pd.read_csv(
        source.open(), sep=source.separator, names=list(names), header=0, index_col=False,
        dtype=dtypes, skipinitialspace=True, na_values=missing, keep_default_na=False,
        low_memory=False,
    )  # fmt: skip
