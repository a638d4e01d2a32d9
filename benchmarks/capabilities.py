"""The table of `docs/guide/models.md`: what can be done with which model, as the code declares it.

python benchmarks/capabilities.py [--write]
"""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from pathlib import Path

from cvxnn import Conv, Model, Parallel, ReLU
from cvxnn.methods import METHODS
from cvxnn.models.base import Capabilities, known_models

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guide" / "models.md"
# The table is between two comments.
PLACE = re.compile(r"(<!-- capabilities -->\n).*?(<!-- end of capabilities -->)", re.DOTALL)
# Settings that change what can be done with a kind; every kind has a line without any.
SETTINGS: dict[str, list[Model]] = {
    "ReLU": [ReLU(slope=0.1), ReLU(skip="penalised"), ReLU(features=1), ReLU(shape="convex")],
    "Conv": [Conv(pooling="max")],
    "Parallel": [Parallel(bias="free")],
}


def shown() -> dict[str, Model]:
    """Models by what the table calls them."""
    lines = {}
    for kind in known_models().values():
        plain = kind()
        lines[plain.label] = plain
        for model in SETTINGS.get(kind.__name__, []):
            lines[model.label] = model
    return lines


def table() -> str:
    """The table in Markdown: a column for each method, and for each flag of `Capabilities`."""
    flags = [field.name for field in fields(Capabilities) if field.name != "methods"]
    header = ["model", *METHODS, *(name.replace("_", " ") for name in flags)]
    lines = [_line(header), "|" + "---|" * len(header)]
    for name, model in shown().items():
        can = model.capabilities
        marks = [*(m in can.methods for m in METHODS), *(getattr(can, flag) for flag in flags)]
        lines.append(_line([f"`{name}`", *("yes" if mark else "-" for mark in marks)]))
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="into docs/guide/models.md")
    if parser.parse_args().write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(PLACE.sub(rf"\g<1>{table()}\g<2>", page), encoding="utf-8")
    print(table(), end="")


if __name__ == "__main__":
    main()
