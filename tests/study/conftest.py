"""A small file of images in place of CIFAR-10."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """12 images and 8 test images: dark ones are airplanes, bright ones automobiles."""
    rng = np.random.default_rng(0)
    arrays = {}
    for kind, count in (("train", 12), ("test", 8)):
        labels = np.resize([-1, 1], (count, 1))
        noise = rng.uniform(-0.5, 0.5, (count, 3072))
        arrays[f"{kind}_data"] = (noise + 0.4 * labels).astype(np.float32)
        arrays[f"{kind}_label"] = labels
    path = tmp_path_factory.mktemp("images") / "images.npz"
    np.savez(path, **arrays)
    return path
