"""The classes of a target: the text of its cells, where one number may be written in two ways."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from cvxnn.array_types import Array
from cvxnn.cli.number_formats import FORMATS

# Groups of labels that a note names.
_SHOWN = 3


def same_number(label: str, style: str) -> str:
    """One text for all plain numbers that are exactly equal; any other label is itself.

    A plain number is of digits with or without decimals, and a minus: one with leading zeros,
    another sign, an exponent or separated thousands may be a name.

    Parameters
    ----------
    label : str
    style : str
        How numbers are written beside it, a key of :data:`cvxnn.cli.number_formats.FORMATS`.

    Examples
    --------
    >>> [same_number(label, "point") for label in ("1.0", "1", "2.50", "-0", "01", "1%")]
    ['1', '1', '2.5', '0', '01', '1%']
    >>> same_number("2,50", "comma")
    '2.5'
    """
    point = re.escape(FORMATS[style].decimal)
    plain = re.fullmatch(rf"(-?)(0|[1-9][0-9]*)(?:{point}([0-9]*))?", label)
    if plain is None:
        return label
    minus, whole, decimals = plain[1], plain[2], (plain[3] or "").rstrip("0")
    size = f"{whole}.{decimals}" if decimals else whole
    return size if size == "0" else minus + size


def merged(labels: Iterable[str], style: str) -> dict[str, str]:
    """The class of each label: itself, or the shortest that is the same number.

    Examples
    --------
    >>> merged(["1", "1.0", "0.0"], "point")
    {'1': '1', '0.0': '0.0', '1.0': '1'}
    """
    labels = sorted(set(labels), key=lambda label: (len(label), label))
    shortest: dict[str, str] = {}
    return {label: shortest.setdefault(same_number(label, style), label) for label in labels}


def merging(name: str, classes: Mapping[str, str]) -> list[str]:
    """A note on labels that are one class, nothing if there are none."""
    pairs = [f"{label!r} as {one!r}" for label, one in classes.items() if label != one]
    if not pairs:
        return []
    more = f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
    return [f"{name!r} has numbers in several ways: {', '.join(pairs[:_SHOWN])}{more}."]


def among(labels: Array, style: str, classes: Sequence[str], their_style: str) -> Array:
    """Labels of another table in the way in which the classes of a model are written.

    Parameters
    ----------
    labels : ndarray of str, shape (n,)
    style : str
        How numbers are written in their column.
    classes : sequence of str
    their_style : str
        The same of the table that the model was trained on.

    Returns
    -------
    labels : ndarray of str, shape (n,)
        Those that are none of the classes as they were.

    Examples
    --------
    >>> among(np.array(["1.0", "b"]), "point", ["0", "1"], "point").tolist()
    ['1', 'b']
    """
    known = {same_number(label, their_style): label for label in classes}
    found, places = np.unique(labels, return_inverse=True)
    names = [known.get(same_number(label, style), label) for label in found.tolist()]
    return np.array(names, dtype=str)[places]
