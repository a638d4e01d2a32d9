"""Stages as PyTorch modules; PyTorch is not imported with this file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cvxnn.errors import InputError
from cvxnn.exchange.exported import checked_sides
from cvxnn.layers.images import Sides
from cvxnn.networks import stages

if TYPE_CHECKING:
    from torch import Tensor, dtype
    from torch.nn import Linear, Module, Sequential

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Writer:
    """The modules of stages.

    Attributes
    ----------
    torch : module
        PyTorch.
    dtype : torch.dtype
        Of the parameters.
    image_sides : tuple of int, optional
        Of the images, without the channels.
    """

    torch: Any
    dtype: dtype
    image_sides: Sides | None

    def chain(self, stages: Iterable[stages.Stage]) -> Sequential:
        """The stages one after the other.

        Raises
        ------
        InputError
            If a weight is too large for the dtype, or a sum does not know the images.
        """
        modules = [MODULES[type(stage)](self, stage) for stage in stages]
        return self.torch.nn.Sequential(*modules)

    def affine(self, stage: stages.Affine) -> Linear:
        # Made without values and of size 1: the constructor would draw random weights, which
        # moves the global generator, and warns where there are none to draw.
        layer = self.torch.nn.Linear(1, 1, bias=stage.bias is not None, device="meta")
        layer.out_features, layer.in_features = stage.weight.shape
        return self._with_values(layer, stage.weight, stage.bias)

    def activation(self, stage: stages.Activation) -> Module:
        return self.torch.nn.LeakyReLU(stage.slope) if stage.slope else self.torch.nn.ReLU()

    def gate(self, stage: stages.Gate) -> Module:
        from cvxnn.exchange.torch_layers import GatedLinear

        biases = None if stage.gates.bias is None else self._tensor(stage.gates.bias)
        return GatedLinear(self._tensor(stage.gates.weight), biases, self.affine(stage.sums))

    def sum(self, stage: stages.Sum) -> Module:
        from cvxnn.exchange.torch_layers import Sum

        return Sum([self.chain(branch) for branch in stage.branches])

    def convolution(self, stage: stages.Convolution) -> Module:
        n_neurons, channels, *sides = stage.filters.shape
        # Made without values, as a Linear.
        layer = self._of_sides(stage, "Conv")(
            channels, n_neurons, tuple(sides), stage.windows.stride, stage.windows.padding,
            bias=stage.biases is not None, device="meta",
        )  # fmt: skip
        return self._with_values(layer, stage.filters, stage.biases)

    def pooling(self, stage: stages.Pooling) -> Module:
        if stage.kind in _ADAPTIVE:
            return self._of_sides(stage, _ADAPTIVE[stage.kind])(1)
        size = stage.windows.map_shape(checked_sides(self.image_sides, stage.windows))
        return self._of_sides(stage, "LPPool")(1.0, size if len(size) > 1 else size[0])

    def flatten(self, stage: stages.Flatten) -> Module:
        return self.torch.nn.Flatten()

    def _of_sides(self, stage: stages.Convolution | stages.Pooling, name: str) -> Any:
        """The class of this name for signals or for images."""
        return getattr(self.torch.nn, f"{name}{len(stage.windows.sides)}d")

    def _with_values(self, layer: Any, weight: FloatArray, bias: FloatArray | None) -> Any:
        layer.weight = self.torch.nn.Parameter(self._tensor(weight))
        if bias is not None:
            layer.bias = self.torch.nn.Parameter(self._tensor(bias))
        return layer

    def _tensor(self, array: FloatArray) -> Tensor:
        tensor = self.torch.tensor(array, dtype=self.dtype, device="cpu")
        if not self.torch.isfinite(tensor).all():
            raise InputError(f"A weight is too large for {self.dtype}; use dtype=torch.float64.")
        return tensor


_ADAPTIVE = {"average": "AdaptiveAvgPool", "max": "AdaptiveMaxPool"}

MODULES: dict[type[stages.Stage], Callable[[Writer, Any], Module]] = {
    stages.Affine: Writer.affine,
    stages.Activation: Writer.activation,
    stages.Gate: Writer.gate,
    stages.Sum: Writer.sum,
    stages.Convolution: Writer.convolution,
    stages.Pooling: Writer.pooling,
    stages.Flatten: Writer.flatten,
}
