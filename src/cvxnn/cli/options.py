"""The options that commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

PROBLEM, RUN, OUTPUT = "Problem", "Run", "Output"


class Method(StrEnum):
    """How the optimum is searched."""

    GLOBAL = "global"
    EXACT = "exact"
    SAMPLED = "sampled"


class Loss(StrEnum):
    """What the penalty is added to, in a training on a table."""

    SQUARED = "squared"
    HUBER = "huber"
    LOGISTIC = "logistic"
    SQUARED_HINGE = "squared_hinge"
    POISSON = "poisson"
    GAMMA = "gamma"


class NetworkLoss(StrEnum):
    """What a network was trained with, wherever."""

    SQUARED = "squared"
    HUBER = "huber"
    LOGISTIC = "logistic"
    SQUARED_HINGE = "squared_hinge"
    POISSON = "poisson"
    GAMMA = "gamma"
    SOFTMAX = "softmax"


class Task(StrEnum):
    """What is predicted."""

    REGRESSION = "regression"
    CLASSIFICATION = "classification"


def option(
    text: str, panel: str | None, metavar: str | None = None, *names: str, **more: Any
) -> Any:
    """An option with its help, in a panel of the page of help."""
    return typer.Option(*names, help=text, rich_help_panel=panel, metavar=metavar, **more)


def argument(text: str, metavar: str) -> Any:
    """An argument with its help."""
    return typer.Argument(metavar=metavar, help=text)


ModelArgument = Annotated[Path, argument("What 'cvxnn fit' or 'cvxnn solve' saved.", "MODEL")]
MethodOption = Annotated[
    Method,
    option("Generate neurons until none is missing; list all patterns; or sample some.", RUN),
]
JsonOption = Annotated[bool, option("Print one JSON object instead.", OUTPUT, None, "--json")]
