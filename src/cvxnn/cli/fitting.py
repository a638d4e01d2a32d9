"""Training within the time of a command, and what is said of it in the words of its options."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from sklearn.pipeline import Pipeline

from cvxnn.array_types import Array
from cvxnn.cli.options import FIT_LIMIT
from cvxnn.errors import InputError
from cvxnn.interrupts import interrupted_after
from cvxnn.results import Status

# What messages of the estimators say to who calls them from Python, and how it is done here.
SPOKEN = {
    "Take a smaller beta, or the estimator with CV, which chooses one.": (
        "Take a smaller --beta, or --beta cv, which chooses one."
    ),
    "Give betas that go beyond it.": "Try some with --beta.",
    "Take another cv (the rows may be sorted: shuffle the folds) or scoring.": (
        "Give --beta auto or a number."
    ),
    "; take another cv.": "; give --beta auto or a number.",
    "raise time_limit": "raise --time-limit",
    "a larger time_limit": "a larger --time-limit",
    Status.TIME_LIMIT.value: (
        "The --time-limit was reached; the best network so far is taken, with the gap it has. "
        "Raise it to go on."
    ),
    "raise tol or beta, or scale the data": "raise --beta",
}


@dataclass(frozen=True)
class Ending:
    """How a training ended.

    Attributes
    ----------
    status, message : str
        The name of the status of the estimator and its sentence; ``TIME_LIMIT`` as well where
        the limit was that of the command.
    warnings : tuple of str
        Each once, without what the message says.
    """

    status: str
    message: str
    warnings: tuple[str, ...]


def fit_in_time(pipeline: Pipeline, frame: Any, values: Array, *, limited: bool) -> Ending:
    """Fit the encoder, then the estimator.

    Parameters
    ----------
    pipeline : Pipeline
        Of an encoder and an estimator.
    frame : DataFrame, n rows
    values : ndarray, shape (n,)
    limited : bool
        Whether the estimator ends by a limit of its own; else it is interrupted after
        `FIT_LIMIT` seconds, as by Ctrl-C.

    Raises
    ------
    InputError
        If the data do not allow it, or time is over before there is a network.
    KeyboardInterrupt
        If Ctrl-C was pressed before there was one.
    """
    estimator = pipeline[-1]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        encoded = pipeline[0].fit_transform(frame)
        try:
            if limited:
                is_over = False
                estimator.fit(encoded, values)
            else:
                is_over = _interrupted_fit(estimator, encoded, values)
        except InputError as error:
            raise InputError(spoken(str(error))) from error
    status = estimator.status_
    said = [" ".join(str(warning.message).split()) for warning in caught]
    # What the status says is in the report.
    told = tuple(
        dict.fromkeys(spoken(text) for text in said if not text.startswith(_start(status)))
    )
    if is_over and status is Status.INTERRUPTED:
        return Ending(Status.TIME_LIMIT.name, _OVER, told)
    return Ending(status.name, spoken(status.value), told)


def spoken(text: str) -> str:
    """A message of an estimator, with the options of the command for its parameters."""
    for words, ours in SPOKEN.items():
        text = text.replace(words, ours)
    return text


_OVER = (
    f"The time of {FIT_LIMIT:g} s was over; the best network so far is taken. More --time-limit "
    "gives it more."
)


def _interrupted_fit(estimator: Any, encoded: Any, values: Array) -> bool:
    """Fit, and whether it took the time that there is by default."""
    with interrupted_after(FIT_LIMIT) as is_over:
        try:
            estimator.fit(encoded, values)
        except KeyboardInterrupt as error:
            if not is_over.is_set():
                raise
            raise InputError(
                f"{FIT_LIMIT:g} s were over before there was a network; raise --time-limit."
            ) from error
    return is_over.is_set()


def _start(status: Status) -> str:
    return status.value[:30]
