"""A network of every kind and setting, with data for it, as the exports see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pytest

from cvxnn import (
    CircularCNN,
    ConvolutionalNetwork,
    GatedNetwork,
    LinearCNN,
    TwoLayerNetwork,
    to_onnx,
    to_torch,
)


@dataclass(frozen=True)
class Kind:
    """How to make a network with so many neurons, and the shape of its data."""

    make: Callable[[int], Any]
    shape: tuple[int, ...]
    image_shape: tuple[int, ...] | None = None

    @property
    def data(self) -> np.ndarray:
        """For `forward`; the last column of rows is one of ones."""
        data = np.random.default_rng(1).standard_normal(self.shape)
        if self.image_shape is None:
            data[..., -1] = 1.0
        return data

    @property
    def channels_first(self) -> np.ndarray:
        """The data as other libraries have them."""
        if self.image_shape is None:
            return self.data
        has_channels = len(self.shape) > len(self.image_shape) + 1
        return np.moveaxis(self.data, -1, 1) if has_channels else self.data[:, np.newaxis]


def normal(m: int, *shape: int) -> np.ndarray:
    return np.random.default_rng([m, *shape]).standard_normal((m, *shape))


def leaky(slope: float, has_skip: bool) -> Kind:
    skip = normal(4) if has_skip else None

    def make(m: int) -> TwoLayerNetwork:
        return TwoLayerNetwork(normal(m, 4), normal(m), slope=slope, skip_weights=skip)

    return Kind(make, (20, 4))


GEOMETRIES = [
    # Shape of the data, of the filters, stride and padding.
    ((5, 9), (4, 1), 1, 0),
    ((5, 9, 2), (4, 2), 2, 1),
    ((5, 7, 6), (3, 2, 1), 1, 0),
    ((5, 7, 6), (3, 3, 1), 2, 2),
    ((5, 7, 6, 3), (2, 3, 3), 3, 1),
]


def convolutional(geometry: int, pooling: str, slope: float, has_biases: bool) -> Kind:
    shape, filter_shape, stride, padding = GEOMETRIES[geometry]

    def make(m: int) -> ConvolutionalNetwork:
        return ConvolutionalNetwork(
            normal(m, *filter_shape), normal(m), normal(m) if has_biases else None,
            stride=stride, padding=padding, pooling=pooling, slope=slope,
        )  # fmt: skip

    return Kind(make, shape, shape[1 : len(filter_shape)])


# Rows of features, with weights for the column of ones.
ROWS: dict[str, Kind] = {
    "ReLU": Kind(lambda m: TwoLayerNetwork(normal(m, 4), normal(m)), (20, 4)),
    "gated": Kind(lambda m: GatedNetwork(normal(m, 4)[::-1], normal(m, 4), normal(m)), (20, 4)),
    "circular": Kind(lambda m: CircularCNN(normal(m, 4), normal(m, 4)), (20, 4)),
} | {
    f"slope {slope}{', skip' * has_skip}": leaky(slope, has_skip)
    for slope, has_skip in product((0.0, 0.2, -1.0), (False, True))
}
IMAGES = {
    f"geometry {i}, {pooling}": convolutional(
        i, pooling, (0.0, 0.1, -1.0)[(i + j) % 3], (i + j) % 2 == 0
    )
    for i, (j, pooling) in product(range(5), enumerate(("sum", "average", "max")))
}
KINDS = {
    **ROWS,
    **IMAGES,
    "linear": Kind(lambda m: LinearCNN(normal(m, 3), normal(m, 5)), (20, 5, 3)),
}
RELU = ROWS["ReLU"]


def by_torch(networks: Any, inputs: np.ndarray, dtype: str = "float64", **options: Any) -> Any:
    torch = pytest.importorskip("torch")
    module = to_torch(networks, dtype=getattr(torch, dtype), **options)
    with torch.no_grad():
        return module(torch.tensor(inputs, dtype=getattr(torch, dtype))).numpy()


def by_onnx(networks: Any, inputs: np.ndarray, dtype: str = "float64", **options: Any) -> Any:
    reference = pytest.importorskip("onnx.reference")
    model = to_onnx(networks, dtype=dtype, **options)
    (values,) = reference.ReferenceEvaluator(model).run(None, {"X": inputs.astype(dtype)})
    return values
