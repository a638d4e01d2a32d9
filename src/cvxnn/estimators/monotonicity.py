"""How predictions may change with features, as scikit-learn spells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvxnn.array_types import Array
from cvxnn.errors import InputError
from cvxnn.layers.costs import check_monotone
from cvxnn.models.base import Model

_NAME = "monotonic_cst"


def constrained(model: Model, monotonic_cst: Any, names: Array | None) -> Model:
    """A model with the constraints of an estimator, where it has any.

    Parameters
    ----------
    model : Model
    monotonic_cst : array-like of int, mapping or None
        -1, 0 or 1 for each feature, or by the names of some of them.
    names : ndarray of str, optional
        Of the features, once the data are known.

    Raises
    ------
    InputError
        If it is not as described, or the model takes none.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.models.relu import ReLU
    >>> constrained(ReLU(), {"b": -1}, np.array(["a", "b"]))
    ReLU(slope=0.0, skip=None, monotonic_cst=(0, -1))
    """
    if monotonic_cst is None:
        return model
    own = model.get_params()
    if _NAME not in own:
        raise InputError(f"{_NAME} is for networks of ReLU, not for {model.label}.")
    if own[_NAME] is not None:
        raise InputError(f"{_NAME} must be None where model has one already, got {model.label}.")
    if isinstance(monotonic_cst, Mapping):
        if not monotonic_cst:
            return model
        # Before the data are known only the values can be looked at.
        check_monotone(list(monotonic_cst.values()))
        known = list(monotonic_cst) if names is None else names
        monotonic_cst = [monotonic_cst.get(name, 0) for name in known]
    return model.replaced(**{_NAME: monotonic_cst})


def check_features(monotonic_cst: Any, names: Array | None, n_features: int) -> None:
    """InputError unless constraints are for features of these names, and this number.

    Examples
    --------
    >>> check_features([1, 0], None, 3)
    Traceback (most recent call last):
    cvxnn.errors.InputError: monotonic_cst must have a number for each of the 3 features of X, got
    2.
    """
    if isinstance(monotonic_cst, Mapping):
        if names is None:
            raise InputError(
                f"{_NAME} must be a list where X has no names of its features; "
                'set_output(transform="pandas") makes a transformer keep them.'
            )
        unknown = [name for name in monotonic_cst if name not in names]
        if unknown:
            raise InputError(f"{_NAME} must be for features of X, and {unknown[0]!r} is none.")
    elif monotonic_cst is not None and len(monotonic_cst) != n_features:
        raise InputError(
            f"{_NAME} must have a number for each of the {n_features} features of X, got "
            f"{len(monotonic_cst)}."
        )
