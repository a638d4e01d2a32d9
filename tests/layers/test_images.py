"""Patches by explicit loops, their memory, and the checks of their arguments."""

import numpy as np
import pytest
from programs import patches_by_loops

from cvxnn import InputError, image_patches


@pytest.mark.parametrize(
    ("shape", "size", "sides"),
    [
        ((2, 5, 6), 2, (2, 2)),
        ((2, 5, 6, 3), (3, 2), (3, 2)),
        ((2, 5, 6, 3), 3, (3, 3)),
        ((3, 7), 3, (3,)),
        ((3, 7), (3,), (3,)),
        ((3, 7, 2), (3,), (3,)),
    ],
)
@pytest.mark.parametrize("stride, padding", [(1, 0), (2, 0), (2, 1)])
def test_patches_are_windows_of_the_images(shape, size, sides, stride, padding):
    images = np.random.default_rng(0).standard_normal(shape)
    expected = patches_by_loops(images, sides, stride, padding)
    assert np.array_equal(image_patches(images, size, stride, padding), expected)


@pytest.mark.parametrize("shape, size", [((2, 6), 3), ((2, 1, 6), (1, 3))])
def test_patches_of_one_row_of_pixels_are_a_view(shape, size):
    images = np.arange(12.0).reshape(shape)
    patches = image_patches(images, size)
    assert np.shares_memory(patches, images)
    assert not patches.flags.writeable


@pytest.mark.parametrize(
    "shape, arguments, message",
    [
        ((2,), {"filter_size": 1}, r"images must be of shape \(n, height, width\) or"),
        ((2, 4), {"filter_size": (2, 2)}, "images must be of shape"),
        ((2, 4, 4, 1), {"filter_size": (2,)}, r"\(n, length\) or \(n, length, channels\)"),
        ((0, 2, 2), {"filter_size": 1}, "images must not be empty"),
        ((1, 2, 2), {"filter_size": 3}, "filter_size must be at most 2 x 2"),
        ((1, 2, 2), {"filter_size": 5, "padding": 1}, "at most 4 x 4, the padded image"),
        ((1, 2), {"filter_size": 3}, "filter_size must be at most 2, "),
        ((1, 2, 2), {"filter_size": 0}, "filter_size must be an integer of at least 1"),
        ((1, 2, 2), {"filter_size": (1, 2, 3)}, "one or two of them in a tuple, got 3"),
        ((1, 2, 2), {"filter_size": 1.5}, "filter_size must be an integer"),
        ((1, 2, 2), {"filter_size": 1, "stride": 0}, "stride must be"),
        ((1, 2, 2), {"filter_size": 1, "padding": -1}, "padding must be"),
    ],
)
def test_bad_input_is_one_sentence(shape, arguments, message):
    with pytest.raises(InputError, match=message) as error:
        image_patches(np.ones(shape), **arguments)
    assert "\n" not in str(error.value)


def test_images_must_be_finite():
    with pytest.raises(InputError, match="images must be finite"):
        image_patches([[1.0, np.nan]], 1)
