"""Which library an array is of, found without importing one."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError

# A module with the functions of the array API standard.
Namespace = Any
# Libraries whose arrays array-api-compat gives the names of the standard.
_WRAPPED = ("torch", "cupy")


def namespace_of(array: Any) -> Namespace:
    """The functions for an array, with the names of the array API standard.

    Parameters
    ----------
    array : array
        Of numpy, for which it costs next to nothing, or of a library that follows the standard.

    Examples
    --------
    >>> namespace_of(np.zeros(2)).__name__
    'numpy'
    """
    if isinstance(array, np.ndarray | np.generic | float):
        return np
    return namespace(library_of(array))


@cache
def namespace(library: str) -> Namespace:
    """The functions of a library with the names of the array API standard.

    Raises
    ------
    InputError
        If it is not installed, or array-api-compat, which it needs.
    """
    name = f"array_api_compat.{library}" if library in _WRAPPED else library
    try:
        return import_module("jax.numpy" if library == "jax" else name)
    except ImportError as error:
        raise InputError(
            f"arrays of {library} need the packages {library} and array-api-compat, as "
            f"`pip install 'cvxnn[array-api]' {library}` installs them."
        ) from error


def is_foreign(array: object) -> bool:
    """Whether it is an array of another library that follows the array API standard.

    Lists, tables and whatever else numpy makes an array of are not.

    Examples
    --------
    >>> is_foreign(np.zeros(2)), is_foreign([1.0, 2.0])
    (False, False)
    """
    if isinstance(array, np.ndarray | np.generic) or is_dask(array):
        return False
    # Asked of the class: other objects may have all attributes that one asks them for.
    kind = type(array)
    return library_of(array) in _WRAPPED or hasattr(kind, "__array_namespace__")


def is_dask(value: object) -> bool:
    """Whether it is an array, a frame or a series of dask, which is not imported for that.

    Examples
    --------
    >>> is_dask(np.zeros(2))
    False
    """
    package = type(value).__module__.split(".")[0]
    return package in ("dask", "dask_expr") and hasattr(value, "__dask_graph__")


def library_of(array: object) -> str:
    """The library of an array, by the name of its package.

    Examples
    --------
    >>> library_of(np.zeros(2))
    'numpy'
    """
    name = type(array).__module__.partition(".")[0]
    return "jax" if name == "jaxlib" else name


def in_numpy(array: Any) -> Array:
    """The same numbers in an array of numpy, in the memory of the CPU.

    Raises
    ------
    InputError
        If there is no way to numpy for them, as for sparse tensors.

    Examples
    --------
    >>> in_numpy(np.ones(2))
    array([1., 1.])
    """
    match library_of(array):
        case "torch":
            return _of_torch(array)
        case "cupy":
            return np.asarray(array.get())
        case "array_api_strict":
            return np.asarray(array.to_device(namespace("array_api_strict").Device("CPU_DEVICE")))
    return np.asarray(array)


def _of_torch(tensor: Any) -> Array:
    import torch

    if tensor.dtype is torch.bfloat16:
        # Numpy has no such numbers.
        tensor = tensor.float()
    try:
        return np.asarray(tensor.numpy(force=True))
    except (TypeError, NotImplementedError) as error:
        kind = f"{tensor.dtype}, {tensor.layout}, on {tensor.device}"
        raise InputError(f"A tensor of {kind} cannot be read: give a dense one.") from error


def from_device(data: Any) -> Any:
    """An array of another library as one of numpy; anything else as it is.

    Examples
    --------
    >>> from_device([1.0, 2.0])
    [1.0, 2.0]
    """
    return in_numpy(data) if is_foreign(data) else data


def in_float64(array: Any) -> FloatArray:
    """The same numbers in an array of numpy, in double precision."""
    return np.asarray(in_numpy(array), dtype=np.float64)
