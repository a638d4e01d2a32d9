"""Data as a checker takes them, and their fingerprint."""

from __future__ import annotations

import hashlib
import json

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.backends.namespaces import in_numpy
from cvxnn.errors import InputError


def fingerprint_of(X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> str:
    """The SHA-256 of data as float64: of shapes and entries; linear in their size.

    Examples
    --------
    >>> fingerprint_of([[1], [2]], [0, 1]) == fingerprint_of(np.array([[1.0], [2.0]]), [0.0, 1.0])
    True
    """
    found = hashlib.sha256()
    for name, part in (("X", X), ("y", y), ("sample_weight", sample_weight)):
        if part is None:
            continue
        array = np.atleast_1d(floats(part, name))
        array = array.ravel() if name == "y" and array.size == len(array) else array
        found.update(json.dumps([name, array.shape]).encode())
        # Zeros of both signs are the same number.
        found.update((array + 0.0).tobytes())
    return found.hexdigest()


def floats(value: ArrayLike, name: str) -> FloatArray:
    """An array of finite float64; InputError if it is none, or empty.

    Examples
    --------
    >>> floats([1, 2], "y")
    array([1., 2.])
    """
    try:
        given = np.asarray(in_numpy(value))
        if np.iscomplexobj(given):
            raise TypeError("complex numbers are none of these")
        array = np.ascontiguousarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be an array of real numbers.") from error
    if array.size == 0 or not np.isfinite(array).all():
        raise InputError(f"{name} must be finite numbers, and not empty.")
    return array
