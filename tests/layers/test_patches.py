"""Patches as the rows of a layer."""

import numpy as np

from cvxnn.layers.images import patch_layer


def test_equal_patches_are_one_row_and_keep_their_count():
    patches = np.array(
        [[[0.0, 1.0], [-0.0, 1.0], [2.0, 3.0]], [[0.0, 0.0], [2.0, 3.0], [0.0, 1.0]]]
    )
    layer = patch_layer(patches, average=False, has_bias=False)
    assert len(layer.rows) == 2
    direction = np.array([[0.3, -0.1], [-1.0, 2.0]])
    expected = np.maximum(patches @ direction.T, 0.0).sum(axis=1)
    assert np.allclose(layer.activations(direction), expected)
    with_ones = patch_layer(patches, average=True, has_bias=True)
    # The patch of zeros has the side of its constant.
    assert len(with_ones.rows) == 3
    longer = np.column_stack([direction, [0.5, -0.2]])
    expected = np.maximum(patches @ direction.T + longer[:, 2], 0.0).mean(axis=1)
    assert np.allclose(with_ones.activations(longer), expected)
