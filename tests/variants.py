"""Variants of a test of which some run by default, and those that are like them with `-m long`."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest


def with_long(
    names: str | Sequence[str],
    values: Iterable[Any],
    *,
    always: int = 1,
    ids: Callable[[Any], str] | Iterable[Any] | None = None,
) -> pytest.MarkDecorator:
    """``pytest.mark.parametrize`` with the first few values; the others are long tests."""
    parameters, values = [], list(values)
    several = "," in names if isinstance(names, str) else True
    named = [None] * len(values) if ids is None or callable(ids) else [*map(str, ids)]
    for place, (value, name) in enumerate(zip(values, named, strict=True)):
        each = value if several else (value,)
        marks = (pytest.mark.long,) if place >= always else ()
        label = ids(value) if callable(ids) else name
        parameters.append(pytest.param(*each, marks=marks, id=label))
    return pytest.mark.parametrize(names, parameters)
