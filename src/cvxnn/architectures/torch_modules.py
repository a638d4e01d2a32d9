"""Networks of this room as PyTorch modules; PyTorch is not imported with this file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from cvxnn.errors import InputError
from cvxnn.exchange import as_tensor, check_dtype, import_optional, linear_layer
from cvxnn.layers.images import Sides, map_shape
from cvxnn.validation import check_count

if TYPE_CHECKING:
    from torch import dtype
    from torch.nn import Module, Sequential

    from cvxnn.architectures.convolutional import ConvolutionalNetwork
    from cvxnn.architectures.gated_networks import GatedNetwork
    from cvxnn.networks import TwoLayerNetwork

FloatArray = NDArray[np.float64]


def convolutional_module(
    networks: Sequence[ConvolutionalNetwork], image_shape: Sides | None, dtype: dtype | None
) -> Sequential:
    """``torch.nn.Sequential(Conv, ReLU or LeakyReLU, pooling, Flatten, Linear)``.

    Parameters
    ----------
    networks : sequence of ConvolutionalNetwork
        Of the same settings; one output for each.
    image_shape, dtype
        As for :meth:`ConvolutionalNetwork.to_torch`.

    Raises
    ------
    InputError
        If PyTorch is not installed, or an argument is not as described.
    """
    torch = import_optional("torch", "PyTorch", "torch")
    dtype, network = check_dtype(torch, dtype), networks[0]
    filters = np.concatenate([each.filters for each in networks])
    # A block of no columns still counts as the row of a network without filters.
    output = block_diag(*[each.output_weights[np.newaxis] for each in networks])
    biases = None if network.biases is None else np.concatenate([e.biases for e in networks])
    if not len(filters):
        filters, output = np.zeros((1, *network.filter_shape)), np.zeros((len(networks), 1))
        biases = None if biases is None else np.zeros(1)
    return torch.nn.Sequential(
        _convolution(torch, network, filters, biases, dtype),
        _activation(torch, network.slope),
        _pooling(torch, network, image_shape),
        torch.nn.Flatten(),
        linear_layer(torch, output, None, dtype),
    )


def leaky_module(network: TwoLayerNetwork, dtype: dtype | None) -> Module:
    """``Sequential(Linear, ReLU or LeakyReLU, Linear)``, with a skip connection if there is one.

    Raises
    ------
    InputError
        If PyTorch is not installed, or `dtype` is no floating type.
    """
    torch = import_optional("torch", "PyTorch", "torch")
    dtype = check_dtype(torch, dtype)
    hidden, output = network.hidden_weights, network.output_weights
    if not len(hidden):
        hidden, output = np.zeros((1, network.n_features)), np.zeros(1)
    module: Module = torch.nn.Sequential(
        linear_layer(torch, hidden, None, dtype),
        _activation(torch, network.slope),
        linear_layer(torch, output[np.newaxis], None, dtype),
    )
    if network.skip_weights is None:
        return module
    from cvxnn.architectures.skip_torch import SkipModule

    return SkipModule(module, linear_layer(torch, network.skip_weights[np.newaxis], None, dtype))


def gated_module(network: GatedNetwork, dtype: dtype | None) -> Module:
    """A :class:`GatedModule` of the network.

    Raises
    ------
    InputError
        If PyTorch is not installed, or `dtype` is no floating type.
    """
    torch = import_optional("torch", "PyTorch", "torch")
    dtype = check_dtype(torch, dtype)
    from cvxnn.architectures.gated_torch import GatedModule

    return GatedModule(
        as_tensor(torch, network.gates, dtype),
        linear_layer(torch, network.hidden_weights, None, dtype),
        linear_layer(torch, network.output_weights[np.newaxis], None, dtype),
    )


def _activation(torch: Any, slope: float) -> Module:
    return torch.nn.LeakyReLU(slope) if slope else torch.nn.ReLU()


def _convolution(
    torch: Any,
    network: ConvolutionalNetwork,
    filters: FloatArray,
    biases: FloatArray | None,
    dtype: dtype,
) -> Module:
    n_filters, *sides, channels = filters.shape
    kind = (torch.nn.Conv1d, torch.nn.Conv2d)[len(sides) - 1]
    # Made without values: the constructor would draw random weights, which moves the
    # global generator.
    layer = kind(
        channels, n_filters, tuple(sides), network.stride, network.padding,
        bias=biases is not None, device="meta",
    )  # fmt: skip
    layer.weight = torch.nn.Parameter(as_tensor(torch, np.moveaxis(filters, -1, 1), dtype))
    if biases is not None:
        layer.bias = torch.nn.Parameter(as_tensor(torch, biases, dtype))
    return layer


def _pooling(torch: Any, network: ConvolutionalNetwork, image_shape: Sides | None) -> Module:
    sides = network.filter_shape[:-1]
    kind = len(sides) - 1
    if network.pooling == "average":
        return (torch.nn.AdaptiveAvgPool1d, torch.nn.AdaptiveAvgPool2d)[kind](1)
    if network.pooling == "max":
        return (torch.nn.AdaptiveMaxPool1d, torch.nn.AdaptiveMaxPool2d)[kind](1)
    if image_shape is None or len(image_shape) not in (len(sides), len(sides) + 1):
        raise InputError(
            "image_shape must be the height and width of the images, or the length of the "
            f'signals, for the module of pooling="sum"; got {image_shape!r}.'
        )
    space = tuple(check_count(side, "image_shape") for side in image_shape[: len(sides)])
    size = map_shape(space, sides, network.stride, network.padding)
    if min(size) < 1:
        raise InputError(f"image_shape must not be smaller than a filter, got {image_shape!r}.")
    return (torch.nn.LPPool1d, torch.nn.LPPool2d)[kind](1.0, size if kind else size[0])
