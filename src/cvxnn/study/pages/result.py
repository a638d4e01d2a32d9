"""What a page beyond the paper's experiments says: tables, figures, and what is proven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cvxnn.study.drawing import StudyFigure


@dataclass(frozen=True, eq=False)
class PageTable:
    """A table of a page.

    Attributes
    ----------
    name : str
        Of its file, without a suffix.
    caption : str
    records : tuple of mappings
        Rows by the names of the columns, which are the same for all; None where there is no
        value. Names that end in ``(s)`` are of times.
    summary : tuple of str
        The columns that a terminal has room for.

    Examples
    --------
    >>> table = PageTable("draws", "Draws", ({"draws": 10, "objective": 2.0},), ("objective",))
    >>> [record["objective"] for record in table.records]
    [2.0]
    """

    name: str
    caption: str
    records: tuple[Mapping[str, Any], ...]
    summary: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PageResult:
    """A page that was run.

    Attributes
    ----------
    name, title : str
    introduction : tuple of str
        What is trained, and on what: a paragraph each.
    tables : tuple of PageTable
    findings : tuple of str
        What the numbers say, a sentence each.
    certificate : str
        What the proofs of the page are about, and what they are not: a sentence.
    n_checked : int
        Networks that were compared with a proven bound.
    figures : tuple of StudyFigure

    Examples
    --------
    >>> page = PageResult("deep", "Three layers", (), (), ("A finding.",), "", 0, ())
    >>> page.findings
    ('A finding.',)
    """

    name: str
    title: str
    introduction: tuple[str, ...]
    tables: tuple[PageTable, ...]
    findings: tuple[str, ...]
    certificate: str
    n_checked: int
    figures: tuple[StudyFigure, ...]
