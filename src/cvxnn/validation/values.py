"""Checks of single values: flags, numbers, choices and random states."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np

from cvxnn.errors import InputError

_Function = TypeVar("_Function", bound=Callable[..., Any])


def check_flag(value: object, name: str) -> bool:
    """Return a boolean, or raise `InputError`.

    Examples
    --------
    >>> check_flag(True, "bias")
    True
    """
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} must be True or False, got {_shown(value)}.")
    return bool(value)


def check_positive(value: object, name: str) -> float:
    """Return a finite number above 0 as a float, or raise `InputError`.

    Examples
    --------
    >>> check_positive(1, "beta")
    1.0
    """
    number = _finite(value)
    if number is not None and number > 0.0:
        return number
    raise InputError(f"{name} must be a finite number above 0, got {_shown(value)}.")


def check_number(value: object, name: str) -> float:
    """Return a finite number as a float, or raise `InputError`.

    Examples
    --------
    >>> check_number(-1, "slope")
    -1.0
    """
    number = _finite(value)
    if number is not None:
        return number
    raise InputError(f"{name} must be a finite number, got {_shown(value)}.")


def check_optional_positive(value: object, name: str) -> float | None:
    """Return None for None, and otherwise what :func:`check_positive` does.

    Examples
    --------
    >>> check_optional_positive(None, "time_limit") is None
    True
    """
    if value is None:
        return None
    try:
        return check_positive(value, name)
    except InputError:
        raise InputError(
            f"{name} must be None or a finite number above 0, got {_shown(value)}."
        ) from None


def check_proof_time(value: object, name: str = "proof_time") -> None:
    """Seconds, 0 for none, or "auto"."""
    if isinstance(value, str) and value == "auto":
        return
    number = _finite(value)
    if number is None or number < 0.0:
        raise InputError(f"{name} must be 'auto' or seconds >= 0, got {_shown(value)}.")


def check_tolerance(tol: object) -> float:
    """A relative gap: positive and below 1."""
    value = check_positive(tol, "tol")
    if value >= 1.0:
        raise InputError(f"tol must be below 1, it is a relative gap; got {value:g}.")
    return value


def check_callback(callback: _Function | None) -> _Function | None:
    """A function, or None."""
    if callback is not None and not callable(callback):
        raise InputError(f"callback must be callable or None, got {type(callback).__name__}.")
    return callback


def check_count(value: object, name: str, minimum: int = 1) -> int:
    """Return an integer of at least `minimum` as an int, or raise `InputError`.

    Examples
    --------
    >>> check_count(3, "n_samples")
    3
    """
    if (
        isinstance(value, numbers.Integral)
        and not isinstance(value, bool)
        and (count := int(value)) >= minimum
    ):
        return count
    raise InputError(f"{name} must be an integer of at least {minimum}, got {_shown(value)}.")


def check_choice(value: object, name: str, choices: Collection[str]) -> str:
    """Return `value` if it is one of the `choices`, or raise `InputError`.

    Examples
    --------
    >>> check_choice("exact", "method", ("exact", "sampled"))
    'exact'
    """
    if isinstance(value, str) and value in choices:
        return value
    accepted = ", ".join(repr(choice) for choice in choices)
    raise InputError(f"{name} must be one of {accepted}, got {_shown(value)}.")


def check_random_state(random_state: object) -> np.random.Generator:
    """Return the generator that a `random_state` argument stands for.

    Parameters
    ----------
    random_state : None, int, Generator or RandomState
        None draws a fresh seed, an int of at least 0 is a seed, a Generator is
        used as it is, and a RandomState draws a seed (which advances it).

    Raises
    ------
    InputError
        If it is anything else.

    Examples
    --------
    >>> check_random_state(0).integers(10)
    np.int64(8)
    """
    if isinstance(random_state, np.random.Generator):
        return random_state
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(int(random_state.randint(2**32, dtype=np.uint32)))
    if random_state is None:
        return np.random.default_rng()
    try:
        return np.random.default_rng(check_count(random_state, "random_state", minimum=0))
    except InputError:
        raise InputError(
            "random_state must be None, an integer of at least 0, a numpy Generator or a numpy "
            f"RandomState, got {_shown(random_state)}."
        ) from None


def _finite(value: object) -> float | None:
    """A finite number as a float; None for anything else, such as an integer beyond float64."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return None
    with suppress(OverflowError):
        number = float(value)
        return number if np.isfinite(number) else None
    return None


def _shown(value: object) -> str:
    """The value as a message shows it: its repr, or its type where that is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"a value of type {type(value).__name__}"
