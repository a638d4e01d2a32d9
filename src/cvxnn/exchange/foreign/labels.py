"""The labels of a classifier as -1 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.validation import check_dense


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
    check_dense(y, "y")
    labels = np.asarray(y)
    flat = labels.ravel().tolist()
    known = dict(zip(classes, (-1.0, 1.0), strict=True))
    signs = [known.get(label) if _is_hashable(label) else None for label in flat]
    if None in signs:
        k = signs.index(None)
        names = " and ".join(map(repr, known))
        raise InputError(
            f"y must have labels of the network, which are {names}, got {flat[k]!r} at entry {k}."
        )
    return np.array(signs, dtype=np.float64).reshape(labels.shape)


def _is_hashable(label: Any) -> bool:
    try:
        hash(label)
    except TypeError:
        return False
    return True
