"""What the targets of a classifier stand for: its labels as the numbers of a loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.losses import Loss, as_loss
from cvxnn.validation import as_real_array, check_dense, check_targets

# Classes that a sentence names.
_SHOWN = 12


def signs_of(y: Any, classes: tuple[Any, Any]) -> FloatArray:
    """-1 for the first of the classes and 1 for the second, in the shape of y.

    Parameters
    ----------
    y : array-like
        Labels, equal to those of the classes: 1 is 1.0 and True, but not "1".
    classes : pair of labels

    Raises
    ------
    InputError
        If a label is masked, or none of the classes.

    Examples
    --------
    >>> signs_of(["yes", "no"], ("no", "yes"))
    array([ 1., -1.])
    """
    return _looked_up(y, dict(zip(classes, (-1.0, 1.0), strict=True)))


def one_hot(y: Any, classes: tuple[Any, ...]) -> FloatArray:
    """A column for each of the classes: 1 where it is the label of the row, else 0.

    Parameters
    ----------
    y : array-like, shape (n,) or (n, 1)
        Labels, equal to those of the classes.
    classes : tuple of c labels

    Returns
    -------
    ndarray, shape (n, c)

    Raises
    ------
    InputError
        If a label is masked, or none of the classes.

    Examples
    --------
    >>> one_hot(["red", "blue"], ("blue", "green", "red"))
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    numbers = _looked_up(y, {label: float(k) for k, label in enumerate(classes)})
    return np.eye(len(classes))[numbers.ravel().astype(np.intp)]


def _array(y: Any) -> Array:
    """Labels of any kind as an array."""
    check_dense(y, "y")
    try:
        return np.asarray(y)
    except ValueError as error:
        raise InputError(
            "y must be labels, one for each row, got rows of different lengths."
        ) from error


def _looked_up(y: Any, numbers: Mapping[Any, float]) -> FloatArray:
    """The number of each label, in the shape of y."""
    labels = _array(y)
    flat = labels.ravel().tolist()
    found = [numbers.get(label) if _is_hashable(label) else None for label in flat]
    if None in found:
        k = found.index(None)
        raise InputError(
            f"y must have labels of the network, which are {_listed(numbers)}, got {flat[k]!r} at "
            f"entry {k}."
        )
    return np.array(found, dtype=np.float64).reshape(labels.shape)


def _is_hashable(label: Any) -> bool:
    try:
        hash(label)
    except TypeError:
        return False
    return True


def _listed(labels: Mapping[Any, float]) -> str:
    *others, last = map(repr, labels)
    if len(others) >= _SHOWN:
        return f"{', '.join(others[:_SHOWN])} and {len(labels) - _SHOWN} more"
    return f"{', '.join(others)} and {last}"


class Labels(Protocol):
    """How a network calls what its targets are numbers for."""

    @property
    def classes(self) -> tuple[Any, ...]:
        """The labels."""

    def target(self, y: Any, n: int) -> FloatArray:
        """Targets of n rows from their labels; InputError if one is none of the classes."""

    def check_loss(self, loss: str | Loss) -> None:
        """InputError if a loss is for other targets."""

    def note(self) -> str:
        """Which number stands for which class, in a sentence; empty if there is nothing to say."""


@final
@dataclass(frozen=True)
class Signs:
    """-1 and 1 for the first and the second class, of one output or of each of several.

    Examples
    --------
    >>> Signs((0, 1)).target([[0, 1], [1, 1]], 2).tolist()
    [[-1.0, 1.0], [1.0, 1.0]]
    """

    classes: tuple[Any, Any]

    def target(self, y: Any, n: int) -> FloatArray:
        """Signs in the shape of y, (n,) or (n, c)."""
        return check_targets(signs_of(y, self.classes), n)

    def check_loss(self, loss: str | Loss) -> None:
        """Every loss takes signs, or says itself what it takes."""
        as_loss(loss)

    def note(self) -> str:
        """Of both classes."""
        return "The labels -1 and 1 are its classes {} and {}.".format(*self.classes)


@final
@dataclass(frozen=True)
class Columns:
    """A column for each of c classes, 1 for the class of a row and 0 for the others.

    Attributes
    ----------
    classes : tuple of c labels
    is_named : bool
        Whether the network calls them so, and not its user.

    Examples
    --------
    >>> classes = Columns(("a", "b", "c"))
    >>> classes.target(["b"], 1).tolist(), classes.target([[0.5, 0.5, 0.0]], 1).tolist()
    ([[0.0, 1.0, 0.0]], [[0.5, 0.5, 0.0]])
    """

    classes: tuple[Any, ...]
    is_named: bool = True

    def target(self, y: Any, n: int) -> FloatArray:
        """From labels, shape (n,), or from columns of numbers as they are, shape (n, c)."""
        labels = _array(y)
        if labels.shape[1:] == (len(self.classes),):
            return check_targets(as_real_array(y, "y"), n)
        if labels.ndim != 1 and labels.shape[1:] != (1,):
            raise InputError(
                f"y must be labels, of shape ({n},), or have {len(self.classes)} columns, as the "
                f"network has classes, got shape {labels.shape}."
            )
        return check_targets(one_hot(y, self.classes), n)

    def check_loss(self, loss: str | Loss) -> None:
        """Labels of two classes are another thing."""
        chosen = as_loss(loss)
        if chosen.has_labels and not chosen.joins_outputs:
            name = loss if isinstance(loss, str) else type(loss).__name__
            raise InputError(
                f"loss must be 'softmax' or one for numbers, such as 'squared', for the "
                f"{len(self.classes)} classes of the network, got {name!r}, which is for labels "
                "-1 and 1."
            )

    def note(self) -> str:
        """The classes in the order of the outputs, where they have names."""
        if not self.is_named:
            return ""
        names = [str(label) for label in self.classes]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"Its outputs are for the classes {', '.join(names[:_SHOWN])}{more}, in this order."
