"""Patches of images as a checker cuts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.kinds import count


def sides_of(settings: Mapping[str, Any]) -> int | tuple[int, ...]:
    """Of the filters of a certificate; InputError if they are none."""
    sides = settings.get("filter_size")
    return tuple(map(int, sides)) if isinstance(sides, (list, tuple)) else count(sides, 1)


def sides_on(sides: int | tuple[int, ...], data: FloatArray) -> tuple[int, ...]:
    """The same for each axis of data: a number is that of all sides."""
    return (sides,) * (1 if data.ndim == 2 else 2) if isinstance(sides, int) else sides


def steps_of(settings: Mapping[str, Any]) -> tuple[int, int]:
    """Stride and padding of a certificate or a network; InputError if they are none."""
    return count(settings.get("stride"), 1), count(settings.get("padding"), 0)


def patches_in(data: FloatArray, sides: tuple[int, ...], stride: int, padding: int) -> FloatArray:
    """What filters look at, shape (n, K, h); InputError if data are no images for them.

    Examples
    --------
    >>> patches_in(np.array([[1.0, 2.0, 3.0]]), (2,), 1, 0).tolist()
    [[[1.0, 2.0], [2.0, 3.0]]]
    """
    space = len(sides)
    if data.ndim - space not in (1, 2) or min(sides) < 1:
        raise InputError("X must have the shape of the images of the certificate.")
    pixels = data.reshape(*data.shape[: space + 1], -1)
    pixels = np.pad(pixels, [(0, 0), *[(padding, padding)] * space, (0, 0)])
    if any(side > whole for side, whole in zip(sides, pixels.shape[1:], strict=False)):
        raise InputError("X must have images that are not smaller than the filters.")
    axes = tuple(range(1, space + 1))
    windows = np.lib.stride_tricks.sliding_window_view(pixels, sides, axis=axes)
    windows = windows[(slice(None), *[slice(None, None, stride)] * space)]
    # The channels last.
    windows = np.moveaxis(windows, space + 1, -1)
    return np.ascontiguousarray(windows).reshape(
        len(data), -1, int(np.prod(sides)) * pixels.shape[-1]
    )
