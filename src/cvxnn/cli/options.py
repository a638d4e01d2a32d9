"""The options that commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Method(StrEnum):
    """How the optimum is searched."""

    GLOBAL = "global"
    EXACT = "exact"
    SAMPLED = "sampled"


MethodOption = Annotated[
    Method,
    typer.Option(
        help="Generate neurons until none is missing; list all patterns; or sample some.",
        rich_help_panel="Run",
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object instead.", rich_help_panel="Output"),
]
