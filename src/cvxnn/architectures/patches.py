"""Patches: what a convolution sees of images, as arrays."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from cvxnn.errors import InputError
from cvxnn.validation import as_real_array, check_count, check_data

FloatArray = NDArray[np.float64]


def image_patches(
    images: ArrayLike, filter_size: int | tuple[int, int], stride: int = 1, padding: int = 0
) -> FloatArray:
    """The patches of images that the filters of a convolution are applied to.

    Parameters
    ----------
    images : array-like, shape (n, H, W) or (n, H, W, C)
        C channels last.
    filter_size : int or pair of int
        Height and width of a filter; one number for both.
    stride : int, default 1
        Pixels from one patch to the next, in both directions.
    padding : int, default 0
        Zeros around every image, on each of the four sides.

    Returns
    -------
    ndarray, shape (n, K, h)
        Patch k in the order of rows of the image; its h = height * width * C
        numbers in the order of rows, channels last.

    Raises
    ------
    InputError
        If an argument is not as described, or a filter is larger than the padded image.

    Notes
    -----
    The windows are a view of the images (strides, no copy), read-only. Bringing
    them into three dimensions copies them, O(n K h), except where strides can
    describe that too, as for one row of pixels per image (H = 1, one channel).
    Padding copies the images once.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.arange(9.0).reshape(1, 3, 3)
    >>> image_patches(images, 2).shape
    (1, 4, 4)
    >>> image_patches(images, 2)[0, 0]
    array([0., 1., 3., 4.])
    >>> image_patches(images, 3, stride=2, padding=1).shape
    (1, 4, 9)
    """
    pixels = as_real_array(images, "images")
    if pixels.ndim not in (3, 4) or pixels.size == 0:
        raise InputError(
            "images must be of shape (n, H, W) or (n, H, W, C), none of them 0, "
            f"got shape {pixels.shape}."
        )
    height, width = _check_size(filter_size)
    stride = check_count(stride, "stride")
    padding = check_count(padding, "padding", minimum=0)
    if padding:
        around = (padding, padding)
        rest = ((0, 0),) * (pixels.ndim - 3)
        pixels = np.pad(pixels, ((0, 0), around, around, *rest))
    if height > pixels.shape[1] or width > pixels.shape[2]:
        raise InputError(
            f"filter_size must be at most {pixels.shape[1]} x {pixels.shape[2]}, the padded "
            f"image, got {height} x {width}."
        )
    windows = sliding_window_view(pixels, (height, width), axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    if pixels.ndim == 4:
        windows = np.moveaxis(windows, 3, -1)
    n, rows, columns = windows.shape[:3]
    patches: FloatArray = windows.reshape(n, rows * columns, -1)
    return patches


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


def _check_size(filter_size: object) -> tuple[int, int]:
    if isinstance(filter_size, tuple | list):
        if len(filter_size) != 2:
            raise InputError(
                f"filter_size must be an integer or two of them, got {len(filter_size)}."
            )
        height, width = filter_size
    else:
        height = width = filter_size
    return check_count(height, "filter_size"), check_count(width, "filter_size")
