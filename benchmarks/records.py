"""Records of benchmarks: the tables that a script printed, the day, and the commit it ran on."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "benchmarks" / "records"
# Those that a number may depend on.
PACKAGES = ("numpy", "scipy", "scikit-learn", "numba", "clarabel")


@dataclass
class Table:
    """A table, its cells as they were printed."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)

    def beginning(self, first: str) -> list[list[str]]:
        """The rows that begin with these cells, divided by commas."""
        return [
            row for row in self.rows if not first or f"{', '.join(row)}, ".startswith(f"{first}, ")
        ]

    def row(self, first: str) -> list[str]:
        """The only row that begins with these cells."""
        found = self.beginning(first)
        if len(found) != 1:
            raise ValueError(f"{len(found)} rows begin with {first!r}.")
        return found[0]

    def named(self, text: str) -> list[str]:
        """The columns of a list divided by commas, which names may have as well."""
        found, left = [], text
        while left:
            fits = [name for name in self.columns if f"{left}, ".startswith(f"{name}, ")]
            if not fits:
                raise ValueError(f"No column begins {left!r}: {self.columns}.")
            found.append(max(fits, key=len))
            left = left[len(found[-1]) + 2 :]
        return found

    def place(self, column: str) -> int:
        """Which column has that name."""
        if self.columns.count(column) != 1:
            raise ValueError(f"No column, or several, named {column!r}: {self.columns}.")
        return self.columns.index(column)


@dataclass(frozen=True)
class Record:
    """One run of a script."""

    script: str
    arguments: list[str]
    date: str
    commit: str
    unchanged: bool
    """Whether the tree was that of the commit."""
    complete: bool
    """Whether the script came to its end."""
    seconds: float
    processors: int
    threads: str
    versions: dict[str, str]
    tables: list[Table]

    @classmethod
    def of_run(
        cls, script: str, arguments: Sequence[str], seconds: float, complete: bool,
        tables: list[Table],
    ) -> Record:  # fmt: skip
        """The record of a run that has just ended, in this process."""
        versions = {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}}
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        return cls(
            script, list(arguments), time.strftime("%Y-%m-%d"), _git("rev-parse", "HEAD"),
            not _git("status", "--porcelain", "--", "src", "benchmarks/*.py"), complete,
            round(seconds, 1), processors or os.cpu_count() or 1,
            os.environ.get("OMP_NUM_THREADS", ""), versions, tables,
        )  # fmt: skip

    @classmethod
    def names(cls) -> set[str]:
        """Of all that are stored."""
        return {path.stem for path in FOLDER.glob("*.json")}

    @classmethod
    def load(cls, name: str) -> Record:
        stored: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
        return cls(**{**stored, "tables": [Table(**table) for table in stored["tables"]]})

    def save(self, name: str) -> Path:
        """Whole or not at all."""
        FOLDER.mkdir(exist_ok=True)
        path, part = FOLDER / f"{name}.json", FOLDER / f"{name}.json.part"
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(path)
        return path

    @property
    def command(self) -> str:
        return shlex.join([self.script, *self.arguments])


def _git(*arguments: str) -> str:
    run = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return run.stdout.strip()
