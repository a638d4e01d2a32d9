"""The options that commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cvxnn.errors import InputError

PROBLEM, RUN, OUTPUT = "Problem", "Run", "Output"


class Method(StrEnum):
    """How the optimum is searched."""

    GLOBAL = "global"
    EXACT = "exact"
    SAMPLED = "sampled"
    FRANK_WOLFE = "frank_wolfe"
    INCREMENTAL = "incremental"


class Loss(StrEnum):
    """What the penalty is added to, in a training on a table."""

    SQUARED = "squared"
    HUBER = "huber"
    ABSOLUTE = "absolute"
    QUANTILE = "quantile"
    LOGISTIC = "logistic"
    SQUARED_HINGE = "squared_hinge"
    HINGE = "hinge"
    POISSON = "poisson"
    GAMMA = "gamma"


class NetworkLoss(StrEnum):
    """What a network was trained with, wherever."""

    SQUARED = "squared"
    HUBER = "huber"
    ABSOLUTE = "absolute"
    QUANTILE = "quantile"
    LOGISTIC = "logistic"
    SQUARED_HINGE = "squared_hinge"
    HINGE = "hinge"
    POISSON = "poisson"
    GAMMA = "gamma"
    SOFTMAX = "softmax"


def check_quantile(quantile: float | None, loss: Loss | NetworkLoss | None) -> float | None:
    """The level of a quantile, if one is given; InputError if it is none, or has no use."""
    if quantile is None:
        return None
    if loss is None or loss.value != "quantile":
        raise InputError("--quantile is for --loss quantile.")
    from cvxnn.losses.kinked import check_level

    return check_level(quantile, "--quantile")


class Task(StrEnum):
    """What is predicted."""

    REGRESSION = "regression"
    CLASSIFICATION = "classification"


class Shape(StrEnum):
    """What a function may be."""

    CONVEX = "convex"
    CONCAVE = "concave"


def option(
    text: str, panel: str | None, metavar: str | None = None, *names: str, **more: Any
) -> Any:
    """An option with its help, in a panel of the page of help."""
    return typer.Option(*names, help=text, rich_help_panel=panel, metavar=metavar, **more)


def argument(text: str, metavar: str) -> Any:
    """An argument with its help."""
    return typer.Argument(metavar=metavar, help=text)


def others(choices: type[StrEnum], *but: str) -> str:
    """The other choices, in words.

    Examples
    --------
    >>> others(Task, "regression")
    'classification'
    """
    return ", ".join(choice for choice in choices if choice not in but)


QuantileOption = Annotated[
    float | None,
    option(
        "Which quantile --loss quantile is for, between 0 and 1; 0.5 is the median.",
        PROBLEM,
        "LEVEL",
    ),
]
ModelArgument = Annotated[Path, argument("What 'cvxnn fit' or 'cvxnn solve' saved.", "MODEL")]
MethodOption = Annotated[
    Method,
    option(
        "global generates neurons until none is missing, exact lists all patterns, sampled draws "
        "some, frank_wolfe and incremental add one neuron a round.",
        RUN,
        "METHOD",
    ),
]
JsonOption = Annotated[bool, option("Print one JSON object instead.", OUTPUT, None, "--json")]
