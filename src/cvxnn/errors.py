"""The exceptions of cvxnn, and the warning that a run fell short.

Each exception is also the built-in error a caller would expect.
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from types import FrameType
from typing import Any

# Code between a caller and the function that warns: ours, the wrappers that scikit-learn
# puts around `fit`, and those of decorators that are context managers.
_INNER = {"cvxnn", "sklearn", "joblib", "contextlib"}


class InputError(ValueError):
    """An argument is not what the function accepts; the message names it.

    Examples
    --------
    >>> import cvxnn
    >>> cvxnn.solve([[1.0]], [1.0], beta=-1.0)
    Traceback (most recent call last):
    cvxnn.errors.InputError: beta must be a finite number above 0, got -1.0.
    """


class TooManyPatternsError(InputError):
    """The arrangement of the data has more patterns than may be enumerated.

    Examples
    --------
    >>> import cvxnn, numpy as np
    >>> X = np.random.default_rng(0).standard_normal((60, 8))
    >>> cvxnn.solve(X, X[:, 0], beta=1.0, method="exact")
    Traceback (most recent call last):
    cvxnn.errors.TooManyPatternsError: The arrangement has 60 distinct hyperplanes of rank 8: ...
    """


class ModelFileError(ValueError):
    """A model file is damaged, or was not written by cvxnn.

    Examples
    --------
    >>> import pathlib, tempfile, cvxnn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "network.npz")
    ...     _ = path.write_bytes(b"no network")
    ...     cvxnn.load_network(path)
    Traceback (most recent call last):
    cvxnn.errors.ModelFileError: ...network.npz is damaged, or not a network that cvxnn wrote.
    """


# Any: the module is only there with an extra.
def import_optional(module: str, sentence: str) -> Any:
    """A module of an optional package; an `InputError` of this sentence where it is missing."""
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(sentence) from error


def warn_of_convergence(message: str) -> None:
    """Raise a :class:`sklearn.exceptions.ConvergenceWarning` at the caller's line.

    Not to be called where only a part of a longer work fell short: its caller says so, or
    nobody has to. Filtering a warning is no way to be silent, as filters are for all threads.

    Parameters
    ----------
    message : str
        What happened, with the gap, the tolerance and what to do.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_of_convergence("max_iter was reached.")
    >>> print(caught[0].category.__name__, caught[0].message)
    ConvergenceWarning max_iter was reached.
    """
    # Late: importing scikit-learn takes a second.
    from sklearn.exceptions import ConvergenceWarning

    warn_caller(message, ConvergenceWarning)


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Raise a warning at the first line outside the libraries.

    Parameters
    ----------
    message : str
    category : type
        Of the warning.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_caller("All scores are equal.")
    >>> caught[0].category.__name__
    'UserWarning'
    """
    warnings.warn(message, category, stacklevel=_levels_to_caller())


def _levels_to_caller() -> int:
    """The `stacklevel` with which our caller warns at the first line outside the libraries."""
    frame: FrameType | None = sys._getframe(1)
    level = 1
    while frame is not None and _is_inner(frame):
        frame, level = frame.f_back, level + 1
    return level


def _is_inner(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__") or ""
    return str(name).partition(".")[0] in _INNER
