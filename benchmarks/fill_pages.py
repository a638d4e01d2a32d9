"""Puts what benchmarks have measured into README and docs, so that no number is typed by hand.

    python benchmarks/fill_pages.py [--check]

A page says between comments which record it wants. A table, whole or some of its columns and those
rows that begin with a cell:

    <!-- table growth 0 | columns: n, gap | rows: ring -->
    ...
    <!-- end -->

and a number in a sentence, by table, first cells of its row, and column:

    <!-- value growth 0 | ring, 10000 | our s -->34.2<!-- end -->
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from records import ROOT, Record

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PLACE = re.compile(
    r"(?P<begin><!-- (?P<kind>table|value) (?P<name>\w+) (?P<number>\d+)(?P<rest>[^>]*?) -->)"
    r".*?(?P<end><!-- end -->)",
    re.DOTALL,
)


def filled(page: Path) -> str:
    """The text of a page, with what the records say now."""
    return PLACE.sub(lambda found: _fill(found, page), page.read_text("utf-8"))


def records_of(page: Path) -> set[str]:
    """The records that a page takes numbers from."""
    return {found["name"] for found in PLACE.finditer(page.read_text("utf-8"))}


def _fill(found: re.Match[str], page: Path) -> str:
    record = Record.load(found["name"])
    if not (record.complete and record.unchanged):
        raise ValueError(f"{page.name}: the run of {record.command} is not fit to be shown.")
    wanted = [part.strip() for part in found["rest"].split("|")[1:]]
    if found["kind"] == "value":
        first, column = wanted
        table = record.tables[int(found["number"])]
        text = table.row(_cells(first))[table.place(column)]
    else:
        options = dict(part.split(":", 1) for part in wanted)
        text = f"\n{_table(record, int(found['number']), options)}\n{_source(record, page)}\n"
    return found["begin"] + text + found["end"]


def _cells(text: str) -> list[str]:
    return [cell.strip() for cell in text.split(",")]


def _table(record: Record, number: int, options: dict[str, str]) -> str:
    table = record.tables[number]
    columns = _cells(options["columns"]) if "columns" in options else table.columns
    places = [table.place(column) for column in columns]
    first = options.get("rows", "").strip()
    rows = [row for row in table.rows if not first or row[0] == first]
    lines = [columns, ["---"] * len(columns), *([row[i] for i in places] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _source(record: Record, page: Path) -> str:
    """Script, day and commit, below a table."""
    script = os.path.relpath(ROOT / "benchmarks" / record.script, page.parent).replace(os.sep, "/")
    arguments = "".join(f" {argument}" for argument in record.arguments)
    return f"*[`{record.script}{arguments}`]({script}), {record.date}, commit {record.commit[:8]}*"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="ends with 1 where a page is behind")
    check = parser.parse_args().check
    behind = [page for page in PAGES if filled(page) != page.read_text("utf-8")]
    for page in behind:
        print(page.relative_to(ROOT))
        if not check:
            page.write_text(filled(page), encoding="utf-8")
    raise SystemExit(int(check and bool(behind)))


if __name__ == "__main__":
    main()
