"""Patches: what a convolution sees of images and signals, as arrays."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.layers import Layer
from cvxnn.validation import as_real_array, check_count, check_data

Sides = tuple[int, ...]

_SHAPES = {
    1: "(n, length) or (n, length, channels)",
    2: "(n, height, width) or (n, height, width, channels)",
}


def image_patches(
    images: ArrayLike, filter_size: int | Sides, stride: int = 1, padding: int = 0
) -> FloatArray:
    """The patches of images, or of signals, that the filters of a convolution are applied to.

    Parameters
    ----------
    images : array-like
        Images of shape (n, height, width) or (n, height, width, channels), or signals
        of shape (n, length) or (n, length, channels).
    filter_size : int or tuple of int
        Height and width of a filter, or one number for both; for signals its length,
        which has to be a tuple ``(length,)`` where they have channels: an array of
        three dimensions is taken for images otherwise.
    stride : int, default 1
        Pixels from one patch to the next, in every direction.
    padding : int, default 0
        Zeros around every image, on each side.

    Returns
    -------
    ndarray, shape (n, K, h)
        Patch k in the order of rows of the image; its h = height * width * channels
        numbers in the order of rows, channels last.

    Raises
    ------
    InputError
        If an argument is not as described, or a filter is larger than the padded image.

    Notes
    -----
    The windows are a view of the images (strides, no copy), read-only. Bringing
    them into three dimensions copies them, O(n K h), except where strides can
    describe that too, as for signals of one channel. Padding copies the images once.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import image_patches
    >>> images = np.arange(9.0).reshape(1, 3, 3)
    >>> image_patches(images, 2).shape
    (1, 4, 4)
    >>> image_patches(images, 2)[0, 0]
    array([0., 1., 3., 4.])
    >>> image_patches(images, 3, stride=2, padding=1).shape
    (1, 4, 9)
    >>> image_patches([[1.0, 2.0, 3.0]], 2)
    array([[[1., 2.],
            [2., 3.]]])
    """
    pixels, sides = as_pixels(images, filter_size)
    windows = sliding_windows(pixels, sides, *check_steps(stride, padding))
    patches: FloatArray = windows.reshape(len(pixels), -1, int(np.prod(sides)) * pixels.shape[-1])
    return patches


def as_pixels(images: object, filter_size: object) -> tuple[FloatArray, Sides]:
    """Images or signals with an axis of channels, and the sides of a filter.

    Parameters
    ----------
    images, filter_size
        As for :func:`image_patches`.

    Returns
    -------
    pixels : ndarray, shape (n, height, width, C) or (n, length, C)
        A view where `images` are float64 and C-contiguous.
    sides : tuple of int
        One for signals, two for images.

    Raises
    ------
    InputError
        If the images are not finite numbers of a shape that goes with the filter.

    Examples
    --------
    >>> pixels, sides = as_pixels([[1.0, 2.0, 3.0]], 2)
    >>> pixels.shape, sides
    ((1, 3, 1), (2,))
    """
    array = as_real_array(images, "images")
    sides = check_sides(filter_size)
    if isinstance(sides, int):
        sides = (sides,) * (1 if array.ndim == 2 else 2)
    if array.ndim - len(sides) not in (1, 2):
        raise InputError(
            f"images must be of shape {_SHAPES[len(sides)]} for filters of shape {sides}, "
            f"got shape {array.shape}."
        )
    if array.size == 0:
        raise InputError(f"images must not be empty, got shape {array.shape}.")
    check_data(array.reshape(len(array), -1), "images")
    return array.reshape(*array.shape[: len(sides) + 1], -1), sides


def sliding_windows(pixels: FloatArray, sides: Sides, stride: int, padding: int) -> FloatArray:
    """The windows of a filter: a view, shape (n, map height, map width, height, width, C).

    For signals (n, map length, length, C).

    Raises
    ------
    InputError
        If a filter is larger than the padded image.

    Examples
    --------
    >>> sliding_windows(np.zeros((5, 8, 8, 3)), (3, 3), stride=2, padding=0).shape
    (5, 3, 3, 3, 3, 3)
    """
    if padding:
        around = ((padding, padding),) * len(sides)
        pixels = np.pad(pixels, ((0, 0), *around, (0, 0)))
    space = tuple(range(1, len(sides) + 1))
    padded = pixels.shape[1:-1]
    if any(side > available for side, available in zip(sides, padded, strict=True)):
        raise InputError(
            f"filter_size must be at most {_by(padded)}, the padded image, got {_by(sides)}."
        )
    windows = sliding_window_view(pixels, sides, axis=space)
    windows = windows[(slice(None), *(slice(None, None, stride) for _ in space))]
    return np.moveaxis(windows, len(sides) + 1, -1)


def map_shape(space: Sides, sides: Sides, stride: int, padding: int) -> Sides:
    """How many windows there are in each direction of an image of these sides.

    Examples
    --------
    >>> map_shape((8, 8), (3, 3), stride=2, padding=0)
    (3, 3)
    """
    return tuple(
        (whole + 2 * padding - side) // stride + 1 for whole, side in zip(space, sides, strict=True)
    )


def check_steps(stride: object, padding: object) -> tuple[int, int]:
    """Stride and padding as integers, or an `InputError`.

    Examples
    --------
    >>> check_steps(1, 0)
    (1, 0)
    """
    return check_count(stride, "stride"), check_count(padding, "padding", minimum=0)


def check_sides(filter_size: object) -> int | Sides:
    """One number, or one for each side of a filter, or an `InputError`.

    Examples
    --------
    >>> check_sides([3, 2])
    (3, 2)
    """
    if not isinstance(filter_size, tuple | list):
        return check_count(filter_size, "filter_size")
    if len(filter_size) not in _SHAPES:
        raise InputError(
            "filter_size must be an integer, or one or two of them in a tuple, "
            f"got {len(filter_size)}."
        )
    return tuple(check_count(side, "filter_size") for side in filter_size)


def check_patches(patches: object) -> FloatArray:
    """Patches as float64, shape (n, K, h), C-contiguous: copied where they are not.

    Raises
    ------
    InputError
        If they are not numbers, not 3-D, empty, not finite, or too large or small.

    Examples
    --------
    >>> check_patches([[[1, 2]]]).shape
    (1, 1, 2)
    """
    array = as_real_array(patches, "patches")
    if array.ndim != 3 or array.size == 0:
        raise InputError(
            f"patches must be 3-D, of shape (n, K, h), none of them 0, got shape {array.shape}."
        )
    return check_data(array.reshape(len(array), -1), "patches").reshape(array.shape)


def _by(sides: Sides) -> str:
    return " x ".join(map(str, sides))


def patch_layer(patches: FloatArray, *, average: bool, has_bias: bool) -> Layer:
    """The layer ``sum_j pool_k (x_k'u_j)_+ a_j`` of filters on patches ``x_k``.

    Parameters
    ----------
    patches : ndarray, shape (n, K, h)
    average : bool
        Whether to divide the sum over the patches by K.
    has_bias : bool
        Whether every patch ends with a constant 1.

    Returns
    -------
    Layer
        Its readout counts how often an image has each patch. Patches that are equal,
        as in the empty margins of images, are one row: they are on the same side of
        every filter. One of zeros without a constant has no side, and no row.

    Notes
    -----
    O(n K h log(n K)).

    Examples
    --------
    >>> layer = patch_layer(np.array([[[1.0], [1.0], [2.0]]]), average=False, has_bias=False)
    >>> layer.rows, layer.readout.toarray()
    (array([[1.],
           [2.]]), array([[2., 1.]]))
    """
    n, n_patches, size = patches.shape
    rows, member = _distinct(patches.reshape(n * n_patches, size))
    image = np.repeat(np.arange(n), n_patches)
    # Entries of the same place are added up.
    readout = csr_array((np.ones(len(member)), (image, member)), shape=(n, len(rows)))
    if average:
        readout /= n_patches
    if has_bias:
        return Layer(np.column_stack([rows, np.ones(len(rows))]), readout)
    seen = np.flatnonzero(rows.any(axis=1))
    if len(seen) in (0, len(rows)):
        return Layer(rows, readout)
    return Layer(np.ascontiguousarray(rows[seen]), csr_array(readout[:, seen]))


def _distinct(table: FloatArray) -> tuple[FloatArray, NDArray[np.intp]]:
    """Rows without repetition, in the order in which they appear, and which each row is."""
    # Compared as bytes, in which -0.0 would differ from 0.0: several times as quick as
    # by columns.
    table = np.ascontiguousarray(table + 0.0)
    keys = table.view(np.dtype((np.void, table.itemsize * table.shape[1])))
    _, first, member = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return table[first[order]], np.argsort(order)[member.reshape(-1)]


def circular_convolution(first: FloatArray, second: FloatArray) -> FloatArray:
    """Row by row, shape (..., d); O(d log d) a row.

    Examples
    --------
    >>> circular_convolution(np.array([0.0, 1.0]), np.array([3.0, 4.0])).round(12)
    array([4., 3.])
    """
    d = first.shape[-1]
    spectrum = np.fft.rfft(first) * np.fft.rfft(second)
    return np.asarray(np.fft.irfft(spectrum, n=d))
