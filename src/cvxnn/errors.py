"""The exceptions of cvxnn: each is also the built-in error a caller would expect."""

from importlib import import_module
from typing import Any


class InputError(ValueError):
    """An argument is not what the function accepts; the message names it."""


class TooManyPatternsError(InputError):
    """The arrangement of the data has more patterns than may be enumerated."""


class ModelFileError(ValueError):
    """A model file is damaged, or was not written by cvxnn."""


# Any: the module is only there with an extra.
def import_optional(module: str, sentence: str) -> Any:
    """A module of an optional package; an `InputError` of this sentence where it is missing."""
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(sentence) from error
