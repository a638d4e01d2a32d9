"""Variants of a test of which some run by default, and those that are like them with `-m long`."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def with_long(
    names: str, values: Iterable[Any], *, always: int = 1, ids: Callable[[Any], str] | None = None
) -> pytest.MarkDecorator:
    """``pytest.mark.parametrize`` with the first few values; the others are long tests."""
    parameters = []
    for place, value in enumerate(values):
        each = value if "," in names else (value,)
        marks = (pytest.mark.long,) if place >= always else ()
        parameters.append(pytest.param(*each, marks=marks, id=None if ids is None else ids(value)))
    return pytest.mark.parametrize(names, parameters)
