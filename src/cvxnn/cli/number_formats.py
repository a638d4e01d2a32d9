"""How people write numbers: decimal points and commas, thousands, percent and currencies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

# Of the different cells of a column that tells how numbers are written, so many are numbers.
_EVIDENT = 0.5
# Between groups of three digits these are nothing else than separators of thousands: a space, one
# that does not break a line, a narrow one, and apostrophes.
_SPACES = " \u00a0\u202f'\u2019"
_BLANK = r"[\s\u00a0\u202f]*"
# The signs of currencies: those of Latin-1, and the block of Unicode.
_CURRENCIES = "$¢£¤¥\u20a0-\u20c0"
_BEFORE = rf"^{_BLANK}[{_CURRENCIES}]{_BLANK}"
_BEHIND_MINUS = rf"^{_BLANK}-{_BLANK}[{_CURRENCIES}]{_BLANK}"
_AFTER = rf"{_BLANK}[{_CURRENCIES}%]{_BLANK}$"
# A number with a unit: a word behind it, as in 12 km/h or 54m2, or a code of a currency before it.
_NUMBER = rf"[+-]?\d(?:[\d.,{_SPACES}]*\d)?"
_UNITS = (
    rf"^{_BLANK}{_NUMBER}{_BLANK}((?:°|[^\W\d_])[^\s\d]*[23]?){_BLANK}$",
    rf"^{_BLANK}([A-Z]{{3}})[\s\u00a0\u202f]+{_NUMBER}{_BLANK}$",
)
# Of the cells that are no numbers, so many have the unit of a column.
_WITH_UNIT = 0.5


@dataclass(frozen=True)
class Format:
    """How numbers are written.

    Attributes
    ----------
    decimal, thousands : str
        The signs before decimals and between thousands, empty where there is none.
    words : str
        What messages call it.
    """

    decimal: str
    thousands: str
    words: str

    def parsed(self, texts: Any) -> Any:
        """The numbers of a Series of text, NaN where there is none."""
        return self.parsed_bare(_without_signs(texts))

    def parsed_bare(self, bare: Any) -> Any:
        """The same of text without the signs of percent and currencies."""
        plain = bare.where(bare.str.fullmatch(self._pattern, na=False))
        marks = dict.fromkeys(self._between) | {self.decimal: "."}
        plain = plain.str.translate(str.maketrans(marks))
        return pd.to_numeric(plain, errors="coerce").astype(np.float64)

    @property
    def _between(self) -> list[str]:
        """What may be between thousands."""
        return [*self.thousands, *_SPACES]

    @property
    def _pattern(self) -> str:
        point = re.escape(self.decimal)
        # No thousands begin with a zero: 0.125 has a decimal point. All are apart in one way, by
        # alternatives, as pandas may search with RE2, which knows no references back.
        groups = "|".join(rf"(?:{sign}\d{{3}})+" for sign in map(re.escape, self._between))
        whole = rf"[1-9]\d{{0,2}}(?:{groups})(?:{point}\d*)?"
        # Beside an exponent there are no thousands: 1.234E+05 has a decimal point.
        scientific = rf"(?:\d+(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"
        return rf"\s*[+-]?(?:{scientific}|{whole})\s*"


FORMATS = {
    "point": Format(".", "", "decimal points"),
    "comma": Format(",", ".", "decimal commas"),
    "grouped": Format(".", ",", "commas between thousands"),
}
# What is more likely where nothing else tells: between commas a comma in a number is one between
# thousands; who takes other separators may need commas for decimals.
_LIKELY = {",": ("point", "grouped", "comma"), ";": ("comma", "point", "grouped")}
_LIKELY_ELSE = ("point", "comma", "grouped")


@dataclass(frozen=True)
class Readings:
    """The numbers of a column of text in every format.

    Attributes
    ----------
    values : dict of Series
        By the names of the formats, NaN where a cell is no number.
    """

    values: Mapping[str, Any]

    @classmethod
    def of(cls, texts: Any) -> Readings:
        """Read a Series of text."""
        bare = _without_signs(texts)
        return cls({key: form.parsed_bare(bare) for key, form in FORMATS.items()})

    @property
    def count(self) -> int:
        """Cells that are numbers in the best format."""
        return max(self._counts.values())

    def best(self) -> list[str]:
        """The formats in which as many cells are numbers as in any."""
        return [key for key in FORMATS if self._counts[key] == self.count]

    def differ(self, one: str, other: str) -> Any:
        """Where two formats read different numbers; a cell that is none in one differs, too."""
        first, second = self.values[one], self.values[other]
        return (first != second) & ~(first.isna() & second.isna())

    def chosen(self, decimal: str, known: str | None, separator: str) -> str:
        """One of the best formats.

        Parameters
        ----------
        decimal : str
            That of the other columns, empty if they do not tell.
        known : str or None
            The format of the column in another table.
        separator : str
            Of the cells of the table.
        """
        best, likely = self.best(), list(_LIKELY.get(separator, _LIKELY_ELSE))
        order = [known, *likely] if known in FORMATS else likely
        order.sort(key=lambda key: bool(decimal) and FORMATS[str(key)].decimal != decimal)
        return str(next(key for key in order if key in best))

    def decimal(self) -> str:
        """The decimal sign that is the only one to suit most cells, or an empty string."""
        n_cells = len(next(iter(self.values.values())))
        decimals = {FORMATS[key].decimal for key in self.best()}
        is_evident = self.count > 0 and self.count >= _EVIDENT * n_cells and len(decimals) == 1
        return decimals.pop() if is_evident else ""

    @cached_property
    def _counts(self) -> dict[str, int]:
        return {key: int(values.notna().sum()) for key, values in self.values.items()}


def common_decimal(decimals: Iterable[str]) -> str:
    """What most columns have; empty if none or as many have another.

    Examples
    --------
    >>> common_decimal([",", "", ".", ","]), common_decimal([",", "."])
    (',', '')
    """
    counts = Counter(decimals)
    commas, points = counts[","], counts["."]
    if commas == points:
        return ""
    return "," if commas > points else "."


def signs(texts: Any) -> list[str]:
    """The signs of percent and currencies at the ends of cells."""
    cells = texts[has_signs(texts)]
    found = cells.str.extractall(f"([{_CURRENCIES}%])")
    return sorted(found[0].unique().tolist())


def unit(texts: Any) -> str:
    """The unit beside the numbers of most of some cells, or an empty string.

    Examples
    --------
    >>> unit(pd.Series(["1 079 EUR", "980 EUR", "none"])), unit(pd.Series(["1st", "2nd", "3rd"]))
    ('EUR', '')
    """
    found = [texts.str.extract(pattern, expand=False) for pattern in _UNITS]
    counts = found[0].fillna(found[1]).value_counts()
    if len(counts) == 0 or counts.iloc[0] < _WITH_UNIT * len(texts):
        return ""
    return str(counts.index[0])


def may_be_thousands(values: Any) -> bool:
    """Whether numbers that were read with decimal points may have points between thousands.

    Examples
    --------
    >>> may_be_thousands(np.array([992.0, 1.015])), may_be_thousands(np.array([0.125, 1.015]))
    (True, False)
    """
    parts = np.abs(values[np.isfinite(values) & (values != np.floor(values))])
    thousands = parts * 1000.0
    is_whole = np.abs(thousands - np.round(thousands)) <= 1e-9 * thousands
    return bool(np.all((parts >= 1.0) & (parts < 1000.0) & is_whole))


def has_signs(texts: Any) -> Any:
    """Which cells have signs of percent or currencies."""
    return texts.str.contains(f"[{_CURRENCIES}%]", na=False).astype(bool)


def _without_signs(texts: Any) -> Any:
    """Without a percent sign behind a number, or a sign of a currency before or behind it."""
    if not has_signs(texts).any():
        return texts
    bare = texts.str.replace(_BEHIND_MINUS, "-", regex=True)
    return bare.str.replace(_BEFORE, "", regex=True).str.replace(_AFTER, "", regex=True)
