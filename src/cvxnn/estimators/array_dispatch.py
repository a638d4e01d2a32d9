"""Arrays of other libraries in and out of estimators, where scikit-learn lets them through."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from sklearn import get_config

from cvxnn.array_types import Array
from cvxnn.backends.devices import Device
from cvxnn.backends.namespaces import is_foreign

E = TypeVar("E")


def dispatches() -> bool:
    """Whether ``sklearn.set_config(array_api_dispatch=True)`` is in force."""
    return bool(get_config()["array_api_dispatch"])


def like_data(method: Callable[[E, Any], Array]) -> Callable[[E, Any], Array]:
    """A method of data X that returns arrays of the library of X, on its device.

    Real numbers have the precision of X, as elsewhere in scikit-learn. Text, of which labels may
    be, stays an array of numpy, which alone has such; and so does all where nothing is let through.
    """

    @wraps(method)
    def called(self: E, X: Any) -> Array:
        return placed_like(method(self, X), X)

    return called


def placed_like(values: Array, X: Any) -> Array:
    """An array of numpy as one of the library of X, on its device."""
    if not (dispatches() and is_foreign(X)) or values.dtype.kind not in "biuf":
        return values
    device = Device.of(X)
    there = device.xp.asarray(values, device=device.place)
    is_real = device.xp.isdtype(X.dtype, "real floating")
    return device.xp.astype(there, X.dtype) if values.dtype.kind == "f" and is_real else there
