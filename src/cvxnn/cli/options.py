"""The options that commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Method(StrEnum):
    """Which activation patterns the convex program is solved on."""

    EXACT = "exact"
    SAMPLED = "sampled"


MethodOption = Annotated[
    Method,
    typer.Option(
        help="All activation patterns, or those of random directions.", rich_help_panel="Run"
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object instead.", rich_help_panel="Output"),
]
