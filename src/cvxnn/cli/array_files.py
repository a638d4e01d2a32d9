"""Data that no table holds, such as images: arrays in an ``.npz`` of numpy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cvxnn.array_types import Array
from cvxnn.errors import InputError
from cvxnn.files import DAMAGE


def read_arrays(path: Path, needed: Sequence[str], others: Sequence[str] = ()) -> dict[str, Array]:
    """The arrays of some names in a file of `numpy.savez`; nothing is unpickled.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InputError
        If it is damaged, or an array that is needed is not in it.
    """
    content = path.open("rb")
    with content:
        try:
            with np.load(content, allow_pickle=False) as archive:
                found = {name: archive[name] for name in (*needed, *others) if name in archive}
        except DAMAGE as error:
            raise InputError(f"{path} is damaged, or no .npz of arrays of numbers.") from error
    for name in needed:
        if name not in found:
            raise InputError(f"{path} has no array of the name {name}.")
    return found
