"""What is done with each column of a table: which are numbers, categories, dates and texts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np
import pandas as pd

from cvxnn.cli.cells import Cells
from cvxnn.cli.reporting import counted
from cvxnn.errors import InputError, ModelFileError

# Up to so many different words are categories, as for skrub.TableVectorizer; more are texts.
_CATEGORIES = 40
# Of the cells of a column of numbers, so many are numbers.
_NUMERIC = 0.9
# Fewer rows than this may all differ by chance.
_FEW = 10
# What is said of columns that look like ids.
_WORD_IDS = "another word in every row, as ids have"
_NUMBER_IDS = "another number in every row, and called an id"
_ROW_NUMBERS = "the rows' own numbers, one after the other"
_LIKE_IDS = (_WORD_IDS, _NUMBER_IDS, _ROW_NUMBERS)
# Columns that an error names.
_LISTED = 5
_ID = re.compile(r"(?:^|[\W_])id$|Id$|ID$|^Unnamed: \d+$")


class Kind(StrEnum):
    """What a column is taken for."""

    NUMBER = "number"
    CATEGORY = "category"
    DATE = "date"
    TEXT = "text"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
    kind : Kind
    style : str
        How its numbers are written, a key of :data:`cvxnn.cli.number_formats.FORMATS`; the
        format of its dates, as `strptime` has it.
    note : str
        What the user should know of it.
    """

    name: str
    kind: Kind
    style: str = "point"
    note: str = ""

    def to_record(self) -> dict[str, str]:
        """Plain text, which :meth:`from_record` reads."""
        return {name: str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_record(cls, record: Mapping[str, str]) -> Self:
        """Read back :meth:`to_record`."""
        try:
            return cls(record["name"], Kind(record["kind"]), record["style"], record["note"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError("The columns of the model are none that cvxnn wrote.") from error


@dataclass(frozen=True)
class Wishes:
    """What the user has said about columns, by their names."""

    drop: Collection[str] = ()
    keep: Collection[str] = ()
    category: Collection[str] = ()

    def named(self) -> list[str]:
        """All columns that have to be there."""
        return [*self.drop, *self.keep, *self.category]


def planned(cells: Cells, targets: Sequence[str], wishes: Wishes) -> list[Column]:
    """The kinds of all columns but the targets; InputError if no feature is left."""
    columns = [_column(cells, name, wishes) for name in cells.frame if name not in targets]
    if not any(column.kind is not Kind.LEFT_OUT for column in columns):
        named = ", ".join(map(repr, targets))
        word = "target" if len(targets) == 1 else "targets"
        raise InputError(
            f"{cells.source} has no column besides the {word} {named} to use.{_reasons(columns)}"
        )
    return columns


def features(cells: Cells, columns: Collection[Column]) -> tuple[Any, list[str]]:
    """The columns that the encoder reads, as a DataFrame, and what there is to say of them."""
    read, notes = {}, []
    for column in columns:
        name, note = column.name, ""
        if column.kind is Kind.NUMBER:
            read[name], note = cells.numbers(name, cells.style(name, column.style)[0])
            restyled = cells.restyled(name, column.style)
            notes += [f"column {restyled}"] if restyled else []
        elif column.kind is Kind.DATE:
            read[name], note = cells.dates(name, column.style)
        elif column.kind is not Kind.LEFT_OUT:
            texts = cells.frame[name].astype(object)
            # A column of texts that are all missing is none for skrub.
            read[name] = texts.fillna("") if column.kind is Kind.TEXT else texts
        notes += [f"column {name!r} has {note}, taken as missing."] if note else []
    return pd.DataFrame(read), notes


def _reasons(columns: Sequence[Column]) -> str:
    """Why columns are left out, and how one is kept that was taken for an id."""
    if not columns:
        return ""
    listed = "; ".join(f"{column.name!r}: {column.note}" for column in columns[:_LISTED])
    more = f"; and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
    ids = [column.name for column in columns if column.note in _LIKE_IDS]
    advice = f" --keep {shlex.quote(ids[0])} uses one that looks like an id." if ids else ""
    return f" Left out were {listed}{more}.{advice}"


def _column(cells: Cells, name: str, wishes: Wishes) -> Column:
    """The kind of one column, with its note; cheap questions first."""
    column = cells.frame[name]
    if name in wishes.drop:
        return Column(name, Kind.LEFT_OUT, note="as you said")
    known = column.dropna()
    n_values, n_missing = int(known.nunique()), int(column.isna().sum())
    missing = f", {n_missing} missing" if n_missing else ""
    if n_values == 0:
        return Column(name, Kind.LEFT_OUT, note="empty")
    if n_values == 1 and not n_missing:
        return Column(name, Kind.LEFT_OUT, note="the same in every row")
    if name in wishes.category:
        # However many they are: the user has said so.
        return Column(name, Kind.CATEGORY, note=counted(n_values, "value") + missing)
    differs = n_values == len(known) > _FEW and name not in wishes.keep
    style, share = cells.style(name)
    if share >= _NUMERIC:
        return _number(cells, name, style, differs)
    date = _date_format(known)
    if date is not None:
        return Column(name, Kind.DATE, date, missing[2:])
    if differs and not known.str.contains(r"\s").any():
        return Column(name, Kind.LEFT_OUT, note=_WORD_IDS)
    kind = Kind.CATEGORY if n_values <= _CATEGORIES else Kind.TEXT
    return Column(name, kind, note=counted(n_values, "value") + missing)


def _number(cells: Cells, name: str, style: str, differs: bool) -> Column:
    values, bad = cells.numbers(name, style)
    known = values[np.isfinite(values)]
    # Nobody numbers things in percent or in dollars.
    if differs and np.all(known == np.floor(known)) and not cells.signs(name):
        if _ID.search(name):
            return Column(name, Kind.LEFT_OUT, note=_NUMBER_IDS)
        if np.ptp(known) == len(known) - 1:
            return Column(name, Kind.LEFT_OUT, note=_ROW_NUMBERS)
    n_missing = len(values) - len(known)
    notes = [*cells.remarks(name, style), f"{n_missing} missing" if n_missing else "", bad]
    return Column(name, Kind.NUMBER, style, ", ".join(note for note in notes if note))


def _date_format(texts: Any) -> str | None:
    """The format in which skrub can read all of them as dates."""
    # Only then, because skrub takes a second to load.
    if not texts.str.contains(r"\d").all():
        return None
    from skrub import ToDatetime

    reader = ToDatetime()
    try:
        known = reader.fit_transform(texts).notna().all()
    except ValueError:
        # The way in which skrub rejects a column.
        return None
    return str(reader.format_) if known else None
