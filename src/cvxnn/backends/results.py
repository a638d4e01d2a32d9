"""Results for data of another library as arrays of that library."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from cvxnn.backends.devices import Device
from cvxnn.backends.namespaces import is_foreign

Method = TypeVar("Method", bound=Callable[..., Any])


def like_data(method: Method) -> Method:
    """A method of data whose result for arrays of another library is one, see :func:`placed_like`.

    For all other data it is as it was.
    """

    @wraps(method)
    def called(self: Any, data: Any) -> Any:
        values = method(self, data)
        return placed_like(values, data) if is_foreign(data) and not is_foreign(values) else values

    return called  # type: ignore[return-value]


def placed_like(values: Any, data: Any) -> Any:
    """An array of numpy as one of the library of other data, on their device.

    Real numbers have the precision of the data, where those are real. Text, which only numpy has
    arrays of, stays where it is.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        return values
    device = Device.of(data)
    there = device.xp.asarray(values, device=device.place)
    kinds = (device.xp.isdtype(dtype, "real floating") for dtype in (there.dtype, data.dtype))
    return device.xp.astype(there, data.dtype) if all(kinds) else there
