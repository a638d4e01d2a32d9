"""Runs a benchmark and keeps the tables that it prints, for README and docs.

    python benchmarks/record.py [--name NAME] SCRIPT [ARGUMENTS ...]

writes `benchmarks/records/NAME.json`, by default with the name of the script: all tables, the date,
the commit, and with what it ran. `fill_pages.py` takes them from there. A run that did not come to
its end is kept as such, and no page takes it.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

import harness
from records import Record


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--name", help="of the record, by default that of the script")
    parser.add_argument("script", help="in this folder, such as growth.py")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the script")
    given = parser.parse_args()
    script = Path(given.script).name
    sys.argv = [script, *given.arguments]
    start, complete = time.perf_counter(), False
    try:
        # By its name, so that processes which it starts find what is in it.
        code = importlib.import_module(Path(script).stem).main()
        complete = not code
    finally:
        seconds = time.perf_counter() - start
        record = Record.of_run(script, given.arguments, seconds, complete, harness.PRINTED)
        print(f"Kept in {record.save(given.name or Path(script).stem)}")
    raise SystemExit(code)


if __name__ == "__main__":
    main()
