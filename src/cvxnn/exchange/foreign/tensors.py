"""Tensors of PyTorch as arrays, without importing it."""

from __future__ import annotations

import sys
from typing import Any

from cvxnn.errors import InputError


def detached(value: Any, name: str) -> Any:
    """A torch tensor as a float64 array, wherever it lives; anything else as it is.

    Parameters
    ----------
    value : object
    name : str
        How error messages call it.

    Raises
    ------
    InputError
        If it is a tensor without values.

    Examples
    --------
    >>> detached([1.0, 2.0], "y")
    [1.0, 2.0]
    """
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    if tensor is None or not isinstance(value, tensor):
        return value
    if value.is_meta or type(value).__name__ == "UninitializedParameter":
        raise InputError(f"{name} has no values yet.")
    value = value.detach().cpu()
    if value.is_sparse:
        raise InputError(f"{name} must be dense, got a sparse tensor; use {name}.to_dense().")
    # numpy has no bfloat16.
    return (value.double() if value.is_floating_point() else value).numpy()
