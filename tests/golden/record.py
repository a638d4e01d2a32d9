"""Write the golden file: what the library gives today.

    PYTHONPATH=src:tests:benchmarks python -m golden.record [--only TEXT] [--times]

with `--only`, the cases with this text in their names, and the others stay as they are; with
`--times`, their seconds. Only what is meant to change is written again, and the commit says why.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from golden.cases import CASES

FILE = Path(__file__).with_name("golden.json")


def stored() -> dict[str, dict[str, Any]]:
    """The figures of all cases, by name."""
    figures: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="text in the names of the cases")
    parser.add_argument("--times", action="store_true")
    arguments = parser.parse_args()
    old = stored() if FILE.exists() else {}
    new = {}
    for case in CASES:
        if arguments.only in case.name:
            start = time.perf_counter()
            new[case.name] = case.run()
            if arguments.times:
                status = new[case.name].get("status", "")
                print(f"{time.perf_counter() - start:8.3f} {case.name} {status}", flush=True)
        elif case.name in old:
            new[case.name] = old[case.name]
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(new[name])}" for name in new)
    FILE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
