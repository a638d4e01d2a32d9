"""Training within the time of a command, and what is said of it in the words of its options."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sklearn.pipeline import Pipeline

from cvxnn.array_types import Array
from cvxnn.errors import InputError
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
    "aise time_limit": "aise --time-limit",
    "time_limit=60": "--time-limit 60",
    "aise max_iter": "aise --max-iter",
    "time_limit or proof_time": "time_limit or --proof-time",
    " larger time_limit": " larger --time-limit",
    " larger proof_time": " larger --proof-time",
    " larger beta or": " larger --beta or",
    "fewer or projected features": "fewer columns",
    "standardise them": "--standardize them",
    "append a column of ones to X or take intercept=True": "leave --no-bias out",
    " (largest_beta)": "",
    Status.TIME_LIMIT.value: (
        "The time was over; the best network so far is taken, with the gap it has. A longer "
        "--time-limit gives it more."
    ),
    "to X and y, of size": "to the columns and the target as the network has them, of size",
    "; rescale one of them.": "; give another --beta.",
    "raise tol or beta, or scale the data": "raise --beta",
}


@dataclass(frozen=True)
class Ending:
    """How a training ended.

    Attributes
    ----------
    status, message : str
        The name of the status of the estimator and its sentence.
    advice : str
        What would narrow the gap, in sentences; "" where the status says it all.
    warnings : tuple of str
        Each once, without what the message says.
    """

    status: str
    message: str
    advice: str
    warnings: tuple[str, ...]


def fitted(pipeline: Pipeline, frame: Any, values: Array) -> Ending:
    """Fit the encoder, then the estimator.

    Parameters
    ----------
    pipeline : Pipeline
        Of an encoder and an estimator.
    frame : DataFrame, n rows
    values : ndarray, shape (n,)

    Raises
    ------
    InputError
        If the data do not allow it.
    KeyboardInterrupt
        If Ctrl-C was pressed before there was a network.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with speaking():
            pipeline.fit(frame, values)
    status = pipeline[-1].status_
    said = [" ".join(str(warning.message).split()) for warning in caught]
    # What the status says is in the report.
    told = [spoken(text) for text in said if not text.startswith(_start(status))]
    advice = spoken(_advice(pipeline[-1]))
    return Ending(status.name, spoken(status.value), advice, tuple(dict.fromkeys(told)))


def _advice(estimator: Any) -> str:
    """For the network that is farthest from a proof, of those that have ended worst."""
    worst = [one for one in estimator.solutions_ if one.status is estimator.status_]
    return str(max(worst, key=lambda one: one.gap).advice)


@contextmanager
def speaking() -> Iterator[None]:
    """Raise the `InputError` of a computation with its message as :func:`spoken`."""
    try:
        yield
    except InputError as error:
        raise InputError(spoken(str(error))) from error


def spoken(text: str) -> str:
    """A message of an estimator, with the options of the command for its parameters."""
    for words, ours in SPOKEN.items():
        text = text.replace(words, ours)
    return text


def _start(status: Status) -> str:
    return status.value[:30]
