"""The table of `docs/models.md`: what can be done with which model, as the code declares it.

python benchmarks/capabilities.py [--write]
"""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from pathlib import Path

from cvxnn import CircularConv, Conv, Gated, LinearConv, Model, ReLU
from cvxnn.methods import METHODS
from cvxnn.models.base import Capabilities

PAGE = Path(__file__).resolve().parents[1] / "docs" / "models.md"
# The table is between two comments.
PLACE = re.compile(r"(<!-- capabilities -->\n).*?(<!-- end of capabilities -->)", re.DOTALL)
# One model of each kind, and of each setting that changes what can be done with it.
SHOWN: dict[str, Model] = {
    "ReLU()": ReLU(),
    "ReLU(slope)": ReLU(slope=0.1),
    "ReLU(skip=...)": ReLU(skip="penalised"),
    "Gated()": Gated(),
    "Conv()": Conv(),
    'Conv(pooling="max")': Conv(pooling="max"),
    "LinearConv()": LinearConv(),
    "CircularConv()": CircularConv(),
}


def table() -> str:
    """The table in Markdown: a column for each method, and for each flag of `Capabilities`."""
    flags = [field.name for field in fields(Capabilities) if field.name != "methods"]
    header = ["model", *METHODS, *(name.replace("_", " ") for name in flags)]
    lines = [_line(header), "|" + "---|" * len(header)]
    for name, model in SHOWN.items():
        can = model.capabilities
        marks = [*(m in can.methods for m in METHODS), *(getattr(can, flag) for flag in flags)]
        lines.append(_line([f"`{name}`", *("yes" if mark else "-" for mark in marks)]))
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="into docs/models.md")
    if parser.parse_args().write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(PLACE.sub(rf"\g<1>{table()}\g<2>", page), encoding="utf-8")
    print(table(), end="")


if __name__ == "__main__":
    main()
