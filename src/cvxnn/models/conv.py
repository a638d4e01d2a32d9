"""Two-layer convolutional networks with shared filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.architectures.convolutional import POOLINGS, ConvolutionalNetwork
from cvxnn.errors import InputError
from cvxnn.layers import Layer
from cvxnn.layers.images import as_pixels, check_sides, check_steps, sliding_windows
from cvxnn.layers.max_pooling import MaxLayer, max_layer
from cvxnn.layers.patches import patch_layer
from cvxnn.methods import METHODS, Method
from cvxnn.models.base import Capabilities, Model
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.columns.max_pooling_strategy import MaxPoolingStrategy
from cvxnn.solvers.layer_strategy import LayerStrategy
from cvxnn.solvers.strategy import Strategy
from cvxnn.validation import check_choice, check_flag, check_number

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Conv(Model):
    """``f(x) = sum_j a_j pool_k phi(x_k'u_j + b_j)`` on the patches ``x_k`` of an image.

    The penalty is ``1/2 sum_j (||u_j||^2 + b_j^2 + a_j^2)``. The optimum is that of

        min l(S sum_i D_i M (v_i - w_i), y) + beta sum_i (||v_i|| + ||w_i||)

        subject to  (2 D_i - I) M v_i >= 0,  (2 D_i - I) M w_i >= 0,

    where M has all patches of all images as rows, ``D_i`` are its activation patterns,
    and S sums or averages over the patches of an image. With max pooling ``D_i`` has the
    patch with the largest ``x_k'u`` of every image, if that is positive, and S sums; the
    cone of its v_i is where these patches are the largest.

    Parameters
    ----------
    filter_size : int or tuple of int, default 3
        Height and width of a filter, or one number for both; for signals its length, a
        tuple ``(length,)`` where they have channels. As for :func:`image_patches`.
    stride, padding : int, default 1 and 0
        Pixels from one patch to the next; zeros around every image.
    pooling : {"sum", "average", "max"}, default "sum"
        Of the activations of a filter. ``"max"`` is trained by ``"exact"``, for few images
        with few patches, and ``"sampled"``: no oracle is known for it otherwise.
    slope : float, default 0.0
        Of the activation ``phi(t) = max(t, 0) + slope * min(t, 0)``: 0 is the ReLU,
        -1 the absolute value, between 0 and 1 a leaky ReLU. 0 for ``pooling="max"``.
    bias : bool, default False
        Whether filters have a bias ``b_j``: a constant 1 at the end of every patch.

    Raises
    ------
    InputError
        If a setting is not as described.

    Notes
    -----
    A CNN is a two-layer network on the patches, of which equal ones are one row; cost
    and certificate are those of :class:`ReLU` on as many rows, of the rank of
    the patches: at most the number of pixels of a filter, times channels. With small
    filters their patterns are few, however large the images. One patch as large as the
    image gives the network of :class:`ReLU` itself.

    Max pooling has its own oracle, over the patterns that are listed: O(M n K h) for each
    cone row that matters, of M patterns and K patches. The bound of ``"exact"`` is proven
    for all networks, that of ``"sampled"`` for them takes every image at its longest patch.
    More than 30 000 patterns of max pooling are a TooManyPatternsError.

    References
    ----------
    Seed paper, section 3.2.3; T. Ergen and M. Pilanci, ICLR 2021, arXiv 2006.14798.

    Examples
    --------
    >>> from cvxnn import solve
    >>> signals = [[0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]  # up, down, down
    >>> solution = solve(signals, [1.0, 0.0, 0.0], beta=0.1, model=Conv(filter_size=2))
    >>> print(solution.status.name, f"{solution.objective:.4f}", solution.network.n_neurons)
    OPTIMAL 0.1021 2
    """

    filter_size: int | tuple[int, ...] = 3
    stride: int = 1
    padding: int = 0
    pooling: str = "sum"
    slope: float = 0.0
    bias: bool = False
    kind: ClassVar[type[ConvolutionalNetwork]] = ConvolutionalNetwork
    proof_advice: ClassVar[str] = "smaller filters"

    def __post_init__(self) -> None:
        check_sides(self.filter_size)
        check_steps(self.stride, self.padding)
        check_choice(self.pooling, "pooling", POOLINGS)
        check_number(self.slope, "slope")
        check_flag(self.bias, "bias")
        if self.pooling == "max" and self.slope != 0.0:
            raise InputError(f'slope must be 0 for pooling="max", got {self.slope:g}.')

    @property
    def capabilities(self) -> Capabilities:
        if self.pooling == "max":
            return Capabilities(methods=("exact", "sampled"))
        return Capabilities(methods=tuple(METHODS), warm_start=True)

    def rows(self, data: ArrayLike) -> Layer | MaxLayer:
        """The patches of the images as a layer."""
        pixels, sides = as_pixels(data, self.filter_size)
        windows = sliding_windows(pixels, sides, self.stride, self.padding)
        patches = windows.reshape(len(pixels), -1, int(np.prod(sides)) * pixels.shape[-1])
        if self.pooling == "max":
            return max_layer(patches, has_bias=self.bias)
        layer = patch_layer(patches, average=self.pooling == "average", has_bias=self.bias)
        return layer.with_slope(float(self.slope))

    def strategy(
        self,
        problem: Problem[Any],
        method: Method,
        random_state: np.random.Generator,
        start: Neurons | None,
    ) -> Strategy:
        if self.pooling == "max":
            return MaxPoolingStrategy(problem, method, random_state)
        return LayerStrategy(problem, method, random_state, start)

    def network(self, neurons: Neurons, shape: tuple[int, ...]) -> ConvolutionalNetwork:
        hidden, output = neurons.balanced()
        sides = check_sides(self.filter_size)
        if isinstance(sides, int):
            sides = (sides,) * (1 if len(shape) == 1 else 2)
        channels = shape[len(sides):] or (1,)
        size = int(np.prod((*sides, *channels)))
        return ConvolutionalNetwork(
            hidden[:, :size].reshape(-1, *sides, *channels),
            output[:, 0],
            hidden[:, size] if self.bias else None,
            stride=self.stride,
            padding=self.padding,
            pooling=self.pooling,
            slope=self.slope,
        )

    def neurons(self, network: ConvolutionalNetwork) -> Neurons:
        hidden, output = network.on_patches(), network.output_weights
        return Neurons.of(hidden * np.abs(output)[:, None], np.sign(output)[:, None])
