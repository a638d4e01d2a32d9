"""Networks as PyTorch modules, and back; PyTorch is not imported with this file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError, import_optional
from cvxnn.exchange.exported import Exported, Networks, checked_sides
from cvxnn.exchange.foreign import read_network
from cvxnn.exchange.scaled import Scaling
from cvxnn.layers.images import Sides
from cvxnn.networks import TwoLayerNetwork, stages

if TYPE_CHECKING:
    from torch import Tensor, dtype
    from torch.nn import Linear, Module, Sequential


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

    def quadratic(self, stage: stages.Quadratic) -> Module:
        from cvxnn.exchange.torch_layers import Quadratic

        return Quadratic(stage.a, stage.b, stage.c)

    def gate(self, stage: stages.Gate) -> Module:
        from cvxnn.exchange.torch_layers import GatedLinear

        biases = None if stage.gates.bias is None else self._tensor(stage.gates.bias)
        sums = MODULES[type(stage.sums)](self, stage.sums)
        return GatedLinear(self._tensor(stage.gates.weight), biases, sums)

    def product(self, stage: stages.Product) -> Module:
        from cvxnn.exchange.torch_layers import Product

        sides = (stage.left, stage.right)
        weights = [self._tensor(side.weight) for side in sides]
        biases = [None if side.bias is None else self._tensor(side.bias) for side in sides]
        return Product(*zip(weights, biases, strict=True))

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

    def probabilities(self, stage: stages.Probabilities) -> Module:
        several = stage.n_outputs > 1
        return self.torch.nn.Softmax(dim=1) if several else self.torch.nn.Sigmoid()

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
    stages.Quadratic: Writer.quadratic,
    stages.Gate: Writer.gate,
    stages.Product: Writer.product,
    stages.Sum: Writer.sum,
    stages.Convolution: Writer.convolution,
    stages.Pooling: Writer.pooling,
    stages.Flatten: Writer.flatten,
    stages.Probabilities: Writer.probabilities,
}


def to_torch(
    network: Networks,
    *,
    has_ones: bool = False,
    image_shape: Sides | None = None,
    scaling: Scaling | None = None,
    probabilities: bool = False,
    dtype: dtype | None = None,
) -> Sequential:
    """The network as a ``torch.nn.Sequential``, such as one of Linear, ReLU, Linear; O(k m d).

    The module is on the CPU, can be trained further, and draws no random numbers
    when it is made.

    Parameters
    ----------
    network : network, or list of networks
        Of any kind. One output for each of k networks of the same kind and settings,
        in this order, all on the same data.
    has_ones : bool, default False
        Whether the last column that the network reads is one of ones. Its weights
        become the biases of the hidden layer, and the module takes the other d - 1
        columns. Otherwise the module has no biases and takes all d. Not for
        convolutional networks.
    image_shape : tuple of int, optional
        For a :class:`ConvolutionalNetwork` with ``pooling="sum"``, whose layer has the
        size of a feature map: height and width of the images, or length of the signals,
        with or without channels at the end.
    scaling : optional
        What data and targets were divided by before the training, such as ``scaling_`` of a
        fitted estimator: the module takes data and gives values as they were before.
    probabilities : bool, default False
        Whether the module ends in probabilities of classes, for a network that was trained by
        their logarithms: the softmax of several outputs (loss ``"softmax"``), or of one
        output the sigmoid, the probability of the second of two classes (``"logistic"``).
    dtype : torch.dtype, optional
        Of the parameters: ``torch.float64`` if None, else float64, float32, bfloat16
        or float16.

    Returns
    -------
    torch.nn.Sequential
        From shape (n, d) or (n, d - 1) to (n, k), so (n, 1) for one network of one output. Images
        have shape (n, C, height, width) or (n, C, length), as PyTorch has it:
        ``torch.from_numpy(np.moveaxis(images, -1, 1))`` of images with channels last.
        With float64 its values are those of ``network.forward`` to rounding.

    Raises
    ------
    InputError
        If PyTorch is not installed, or an argument is not as described, or a weight
        is too large for `dtype`.

    See Also
    --------
    from_torch : the way back.

    Notes
    -----
    The parameters are the weights of the network, so that what is trained further has
    the same penalty; gates, and the signs of a :class:`QuantizedNetwork`, are buffers, which
    are stored and not trained. The sum over
    an image is an ``LPPool`` of norm 1. A convolutional network without filters becomes
    one of one filter that is zero: PyTorch has no convolutions of none. A
    :class:`LinearCNN` or :class:`CircularCNN` becomes the linear function that it is, one
    ``Linear`` of its coefficients.

    Examples
    --------
    >>> import torch
    >>> from cvxnn import ConvolutionalNetwork, GatedNetwork, TwoLayerNetwork, to_torch
    >>> network = TwoLayerNetwork([[1.0, -1.0], [2.0, 0.0]], [1.0, 3.0])
    >>> module = to_torch(network, has_ones=True)
    >>> module
    Sequential(
      (0): Linear(in_features=1, out_features=2, bias=True)
      (1): ReLU()
      (2): Linear(in_features=2, out_features=1, bias=False)
    )
    >>> module(torch.tensor([[4.0]], dtype=torch.float64)).item(), network.forward([4.0, 1.0])
    (27.0, 27.0)
    >>> leaky = to_torch(TwoLayerNetwork([[1.0]], [2.0], slope=0.1))
    >>> round(leaky(torch.tensor([[-3.0]], dtype=torch.float64)).item(), 12)
    -0.6
    >>> gated = to_torch(GatedNetwork([[1.0]], [[-2.0]], [3.0]))
    >>> gated(torch.tensor([[5.0], [-5.0]], dtype=torch.float64)).tolist()
    [[-30.0], [0.0]]
    >>> convolutional = to_torch(ConvolutionalNetwork([[[1.0], [-1.0]]], [2.0]), image_shape=(4,))
    >>> convolutional(torch.tensor([[[3.0, 1.0, 2.0, 0.0]]], dtype=torch.float64)).item()
    8.0
    """
    torch = import_optional(
        "torch", "The export needs PyTorch; install it with: pip install 'cvxnn[torch]'."
    )
    exported = Exported.of(network, has_ones, image_shape, scaling, probabilities=probabilities)
    return Writer(torch, _checked_dtype(torch, dtype), exported.image_sides).chain(exported.stages)


def from_torch(module: Module) -> TwoLayerNetwork:
    """A ``torch.nn.Sequential(Linear, ReLU, Linear)`` as a network, in float64; O(m d).

    Parameters
    ----------
    module : torch.nn.Sequential
        With any number of outputs; of any dtype, on any device.

    Returns
    -------
    TwoLayerNetwork
        The same function to rounding. Where a layer has a bias, the network reads
        one more feature than the module: a last column of ones, whose weights are
        the hidden biases. An output bias b other than 0 is one more neuron, on that
        column alone, with the weights ``sqrt(|b|)`` and ``sign(b) sqrt(|b|)``, of several
        outputs ``sqrt(||b||)`` and ``b / sqrt(||b||)``. What
        :func:`to_torch` makes of such a network without an intercept comes back as that network.

    Raises
    ------
    InputError
        If the module is of another form, has hooks, or its parameters are not finite: one
        sentence says which.

    Examples
    --------
    >>> from cvxnn import TwoLayerNetwork, from_torch, to_torch
    >>> network = TwoLayerNetwork([[1.0, -1.0]], [3.0])
    >>> from_torch(to_torch(network, has_ones=True)) == network
    True
    """
    # An instance of a class of torch exists only after torch was imported.
    sequential = getattr(sys.modules.get("torch.nn"), "Sequential", ())
    if not isinstance(module, sequential):
        raise InputError(
            "module must be a torch.nn.Sequential(Linear, ReLU, Linear), "
            f"got a {type(module).__name__}."
        )
    read = read_network(module)
    if read.labels is not None:
        raise InputError(
            "module must end in Linear: what goes through a Sigmoid or Softmax is no such network."
        )
    return read.network


def _checked_dtype(torch: Any, dtype: dtype | None) -> dtype:
    accepted = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
    if dtype is None:
        return torch.float64
    if dtype not in accepted:
        names = ", ".join(map(str, accepted))
        raise InputError(f"dtype must be one of {names}, got {dtype!r}.")
    return dtype
