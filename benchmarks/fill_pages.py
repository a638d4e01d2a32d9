"""Puts what benchmarks have measured into README and docs, so that no number is typed by hand.

    python benchmarks/fill_pages.py [--check]

A page says between comments which record it wants. A table, whole or some of its columns and those
rows that begin with some cells, or the first so many of them:

    <!-- table growth 0 | columns: n, gap | rows: ring | first: 10 -->
    ...
    <!-- end -->

a number in a sentence, by table, first cells of its row, and column:

    <!-- value growth 0 | ring, 10000 | our s -->34.2<!-- end -->

and what many rows say together: how many there are, with some cell in a column or at all, and the
`sum`, the `median`, the `smallest` and the `largest` of a column:

    <!-- count small_problems 0 | status: OPTIMAL -->108<!-- end -->
    <!-- largest small_problems 0 | gap | rows: grid -->4e-07<!-- end -->

In the cells of a table, which | ends, parts are divided by ; instead. In the place of a table whose
script has not run yet there is a sentence that says so, with the command in `script: ...` where the
record is not named like its script; a number in a sentence has no such place.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
from collections.abc import Sequence
from pathlib import Path

from records import ROOT, Record, Table

PAGES = [
    ROOT / "README.md",
    *(p for p in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in p.parts),
]
PLACE = re.compile(
    r"(?P<begin><!-- (?P<kind>table|value|count|sum|median|smallest|largest)"
    r" (?P<name>\w+) (?P<number>\d+)(?P<rest>[^>]*?) -->)"
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
    kind, name = found["kind"], found["name"]
    plain, options = _parts(found["rest"])
    if kind == "table" and name not in Record.names():
        text = f"\n{_missing(options.get('script', f'{name}.py'), page)}\n"
        return found["begin"] + text + found["end"]
    record = Record.load(name)
    if not (record.complete and record.unchanged):
        raise ValueError(f"{page.name}: the run of {record.command} is not fit to be shown.")
    table = record.tables[int(found["number"])]
    rows = table.beginning(options.pop("rows", ""))
    if kind == "table":
        text = f"\n{_table(table, rows, options)}\n{_source(record, page)}\n"
    elif kind == "value":
        first, column = plain
        text = table.row(first)[table.place(column)]
    elif kind == "count":
        text = str(sum(all(r[table.place(c)] == v for c, v in options.items()) for r in rows))
    else:
        (column,) = plain
        text = _reduced(kind, [row[table.place(column)] for row in rows])
    return found["begin"] + text + found["end"]


def _parts(text: str) -> tuple[list[str], dict[str, str]]:
    """The plain parts of a comment, and those with a name before a colon."""
    parts = [part.strip() for part in re.split(r"[|;]", text)[1:]]
    options = [part.split(":", 1) for part in parts if ":" in part]
    return [part for part in parts if ":" not in part], {k: v.strip() for k, v in options}


def _reduced(kind: str, cells: Sequence[str]) -> str:
    """One number of many; a cell with - has none."""
    numbers = {cell: float(cell) for cell in cells if cell != "-"}
    if kind in ("smallest", "largest"):
        return (min if kind == "smallest" else max)(numbers, key=lambda cell: numbers[cell])
    values = [float(cell) for cell in cells if cell != "-"]
    return f"{sum(values):g}" if kind == "sum" else f"{statistics.median(values):.2g}"


def _table(table: Table, rows: Sequence[Sequence[str]], options: dict[str, str]) -> str:
    columns = table.named(options["columns"]) if "columns" in options else table.columns
    places = [table.place(column) for column in columns] if "columns" in options else None
    shown = rows if places is None else [[row[i] for i in places] for row in rows]
    first = int(options.get("first", len(shown)))
    lines = [columns, ["---"] * len(columns), *shown[:first]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _source(record: Record, page: Path) -> str:
    """Script, day and commit, below a table."""
    return f"*{_link(record.command, page)}, {record.date}, commit {record.commit[:8]}*"


def _missing(command: str, page: Path) -> str:
    return f"*No figures of this version: {_link(command, page)} has not been run on it yet.*"


def _link(command: str, page: Path) -> str:
    script = ROOT / "benchmarks" / command.split()[0]
    if not script.is_file():
        raise ValueError(f"{page.name}: there is no script {script.name}.")
    return f"[`{command}`]({os.path.relpath(script, page.parent).replace(os.sep, '/')})"


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
