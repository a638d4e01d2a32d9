"""Two-layer convolutional networks whose filters are shared by all patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.backends.results import like_data
from cvxnn.errors import InputError
from cvxnn.evaluation import Prediction, predict
from cvxnn.layers import Layer, row_chunks
from cvxnn.layers.images import (
    Sides,
    as_pixels,
    check_sides,
    check_steps,
    patch_layer,
    sliding_windows,
)
from cvxnn.layers.max_pooling import MaxLayer, max_layer
from cvxnn.methods import METHODS
from cvxnn.models.base import Capabilities, Choices, Model
from cvxnn.networks import stages as steps
from cvxnn.networks.weights import FilterNetwork, activate, frozen
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.maxima.strategy import MaxPoolingStrategy
from cvxnn.solvers.strategy import Strategy
from cvxnn.validation import check_choice, check_flag, check_number

POOLINGS = ("sum", "average", "max")


class ConvolutionalNetwork(FilterNetwork):
    """``f(x) = sum_j a_j pool_k phi(x_k'u_j + b_j)`` over the patches ``x_k`` of an image.

    Every filter is applied to every patch, and of its activations the sum over the image
    is taken ("separate" in section 3.2.3 of the seed paper), the average or the largest. The
    activation is ``phi(t) = max(t, 0) + slope * min(t, 0)``.

    Parameters
    ----------
    filters : array-like, shape (m, height, width, C) or (m, length, C)
        The ``u_j``, for images or for signals; C channels last, 1 for grey images.
    output_weights : array-like, shape (m,), or (m, c) for c outputs
        The ``a_j``; filters are shared by the outputs.
    biases : array-like, shape (m,), optional
        The ``b_j``: weights of a constant 1 at the end of every patch, which are
        penalised like every other weight. None for none.
    stride : int, default 1
    padding : int, default 0
        See :func:`image_patches`.
    pooling : {"sum", "average", "max"}, default "sum"
        What becomes of the activations of a filter.
    slope : float, default 0.0
        0 is the ReLU, -1 the absolute value; between 0 and 1 a leaky ReLU.
    intercept : float or array-like of shape (c,), default 0.0
        What is added to every value, without a penalty.

    Raises
    ------
    InputError
        If the weights are not finite numbers of these shapes, or a setting is not
        as described.

    Examples
    --------
    >>> network = ConvolutionalNetwork([[[1.0], [-1.0]]], [2.0])  # where a signal falls
    >>> network
    ConvolutionalNetwork(n_neurons=1, filter_shape=(2, 1), pooling='sum')
    >>> network.forward([[3.0, 1.0, 2.0, 0.0], [0.0, 1.0, 2.0, 3.0]])
    array([8., 0.])
    """

    __slots__ = ()

    def __init__(
        self,
        filters: ArrayLike,
        output_weights: ArrayLike,
        biases: ArrayLike | None = None,
        *,
        stride: int = 1,
        padding: int = 0,
        pooling: str = "sum",
        slope: float = 0.0,
        intercept: float | ArrayLike = 0.0,
    ) -> None:
        steps = check_steps(stride, padding)
        arrays = {
            "filters": frozen(filters, "filters", 3, 4, of="filter"),
            "output_weights": frozen(output_weights, "output_weights", 1, 2, of="filter"),
            "biases": None if biases is None else frozen(biases, "biases", 1, of="filter"),
        }
        settings = {
            "stride": steps[0],
            "padding": steps[1],
            "pooling": check_choice(pooling, "pooling", POOLINGS),
            "slope": check_number(slope, "slope"),
        }
        super().__init__(arrays, settings, intercept)
        self._check_heads()
        if self.biases is not None and len(self.biases) != self.n_neurons:
            raise InputError(
                f"biases must be None or one for each of the {self.n_neurons} filters, "
                f"got {len(self.biases)}."
            )

    @property
    def n_outputs(self) -> int | None:
        return self._n_heads

    @property
    def biases(self) -> FloatArray | None:
        """The ``b_j``: read-only array of shape (m,), or None."""
        return self._arrays.get("biases")

    @property
    def filter_shape(self) -> tuple[int, ...]:
        """Sides and channels of a filter."""
        return self.filters.shape[1:]

    @property
    def stride(self) -> int:
        """Pixels from one patch to the next."""
        return int(self._settings["stride"])

    @property
    def padding(self) -> int:
        """Zeros on each side of an image."""
        return int(self._settings["padding"])

    @property
    def pooling(self) -> str:
        """``"sum"``, ``"average"`` or ``"max"``."""
        return str(self._settings["pooling"])

    @property
    def slope(self) -> float:
        """That of the activation below zero."""
        return float(self._settings["slope"])

    @like_data
    def forward(self, data: ArrayLike) -> FloatArray:
        """``f`` of every image, also available by calling the network; O(n K m h).

        The patches and activations of some images are held at a time, at most 16 MiB.

        Parameters
        ----------
        data : array-like, shape (n, height, width[, C]) or (n, length[, C])
            Images or signals, of any size that is not below that of the filters.

        Returns
        -------
        ndarray, shape (n,), or (n, c) for c outputs

        Raises
        ------
        InputError
            If `data` are not finite numbers of this shape.
        """
        windows = self._windows(data)
        values = np.empty((len(windows), *self.output_weights.shape[1:]))
        floats = windows[0].size + int(np.prod(self._map_shape(windows))) * (self.n_neurons + 1)
        for chunk in row_chunks(len(windows), floats):
            values[chunk] = self._pool(self._activate(windows[chunk])) @ self.output_weights
        return values + self.intercept

    def rows(self, data: ArrayLike) -> Layer | MaxLayer:
        has_bias = self.biases is not None
        return _layer(self._windows(data), self.filter_shape, self.pooling, self.slope, has_bias)

    def _neurons_on(self, rows: Layer | MaxLayer) -> Prediction:
        filters, output = self.on_patches(), self.output_weights
        if isinstance(rows, MaxLayer) and self.slope != 0.0:
            # A layer of the largest activations has those of ReLU.
            maps = (activate(part.patches @ filters.T, self.slope)
                    for _, part in rows.tiles(self.n_neurons))  # fmt: skip
            values = np.concatenate([part.max(axis=1) @ output for part in maps])
            size = max(1.0, abs(self.slope)) * (np.abs(filters).T @ np.abs(output))
            return Prediction(values, rows.moduli(size), rows.terms + len(output))
        # One over the number of patches is rounded.
        of_readout = int(self.pooling == "average")
        return predict(rows, filters, output, of_readout=of_readout)

    def on_patches(self) -> FloatArray:
        """The filters as weights of patches, biases last, shape (m, h)."""
        filters = self.filters.reshape(self.n_neurons, int(np.prod(self.filter_shape)))
        return filters if self.biases is None else np.column_stack([filters, self.biases])

    def feature_maps(self, data: ArrayLike) -> FloatArray:
        """The activations ``phi(x_k'u_j + b_j)`` before pooling, all at once; O(n K m h).

        Parameters
        ----------
        data : array-like
            As for :meth:`forward`.

        Returns
        -------
        ndarray, shape (n, map height, map width, m) or (n, map length, m)

        Raises
        ------
        InputError
            As :meth:`forward`.

        Examples
        --------
        >>> network = ConvolutionalNetwork([[[1.0], [-1.0]]], [2.0])
        >>> network.feature_maps([[3.0, 1.0, 2.0, 0.0]])[0, :, 0]
        array([2., 0., 2.])
        """
        windows = self._windows(data)
        maps = self._activate(windows)
        return maps.reshape(len(windows), *self._map_shape(windows), self.n_neurons)

    @classmethod
    def _stages(cls, networks: Sequence[Self]) -> steps.Stages:
        first = networks[0]
        for name in first._settings.keys() - {"intercept"}:
            steps.common((network._settings[name] for network in networks), name)
        steps.common((network.filter_shape for network in networks), "shape of a filter")
        filters = np.concatenate([network.filters for network in networks])
        sizes = [network.n_neurons for network in networks]
        biases = steps.with_zeros([network.biases for network in networks], sizes)
        constants = None if biases is None else np.concatenate(biases)
        output = steps.output_layer(network.output_weights for network in networks)
        if not len(filters):
            # No library has convolutions of no filters: one that is zero stands for them.
            filters = np.zeros((1, *first.filter_shape))
            constants = None if constants is None else np.zeros(1)
            output = steps.Affine("output", np.zeros((len(output.weight), 1)))
        windows = steps.Windows(first.filter_shape[:-1], first.stride, first.padding)
        convolution = steps.Convolution(np.moveaxis(filters, -1, 1), constants, windows)
        pooling = steps.Pooling(first.pooling, windows)
        return convolution, steps.Activation(first.slope), pooling, steps.Flatten(), output

    def _windows(self, data: ArrayLike) -> FloatArray:
        """The patches of the images, as a view."""
        sides = self.filter_shape[:-1]
        pixels, _ = as_pixels(data, sides)
        if pixels.shape[-1] != self.filter_shape[-1]:
            raise InputError(
                f"images must have the {self.filter_shape[-1]} channels of the filters at the "
                f"end of their shape, got shape {np.shape(data)}."
            )
        return sliding_windows(pixels, sides, self.stride, self.padding)

    def _pool(self, maps: FloatArray) -> FloatArray:
        """From shape (n, K, m) to (n, m)."""
        if self.pooling == "max":
            return np.asarray(maps.max(axis=1))
        return np.asarray(maps.sum(axis=1) if self.pooling == "sum" else maps.mean(axis=1))

    def _map_shape(self, windows: FloatArray) -> Sides:
        return windows.shape[1 : self.filters.ndim - 1]

    def _activate(self, windows: FloatArray) -> FloatArray:
        """Activations, shape (n, K, m)."""
        patches = windows.reshape(len(windows), -1, int(np.prod(self.filter_shape)))
        sums: FloatArray = patches @ self.filters.reshape(self.n_neurons, patches.shape[-1]).T
        if self.biases is not None:
            sums += self.biases
        return activate(sums, self.slope)

    @property
    def _shown(self) -> dict[str, Any]:
        settings = {
            "stride": self.stride if self.stride > 1 else None,
            "padding": self.padding or None,
            "pooling": self.pooling,
            "slope": self.slope or None,
        }
        shown = {name: value for name, value in settings.items() if value is not None}
        own = {"n_neurons": self.n_neurons, "filter_shape": self.filter_shape}
        outputs = {} if self.n_outputs is None else {"n_outputs": self.n_outputs}
        return {**own, **outputs, **shown}


def _layer(
    windows: FloatArray, filter_shape: Sides, pooling: str, slope: float, has_bias: bool
) -> Layer | MaxLayer:
    """The patches of images, as :func:`sliding_windows` has them, as a layer."""
    patches = windows.reshape(len(windows), -1, int(np.prod(filter_shape)))
    if pooling == "max":
        return max_layer(patches, has_bias=has_bias)
    layer = patch_layer(patches, average=pooling == "average", has_bias=has_bias)
    return layer.with_slope(slope)


@dataclass(frozen=True)
class Conv(Model):
    """``f(x) = sum_j a_j pool_k phi(x_k'u_j + b_j)`` on the patches ``x_k`` of an image.

    The penalty is ``1/2 sum_j (||u_j||^2 + b_j^2 + a_j^2)``; several outputs share filters, and
    the a_j are vectors, with sums and averages. Of one output the optimum is that of::

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
        Of the activations of a filter. ``"max"`` is trained by ``"global"``, which proves its
        end for few images with few patches, ``"exact"``, for these, and ``"sampled"``.
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

    Of several outputs an ascent begins with the rows of some images, and what it finds is held
    against all of them; the end is proven on all patches.

    Max pooling has its own oracle, over the patterns that are listed: O(M n K h) for each
    cone row that matters, of M patterns and K patches. The bound of ``"exact"`` is proven
    for all networks, that of ``"sampled"`` for them takes every image at its longest patch.
    ``"global"`` climbs along subgradients, in which each image counts with its largest patch,
    moves all filters at once and lets them rest in their patterns; up to 1000 patterns it is
    ``"exact"``, whether it certifies or not, if a quarter of the time limit is enough to list
    them, up to 10 000 are listed for a proof at the end, as far as the time for it goes, and
    beyond its bound is that of ``"sampled"``.
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
    takes_ones: ClassVar[bool] = False
    takes_any_size: ClassVar[bool] = True

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
            return Capabilities(methods=("global", "exact", "sampled"), warm_start=True)
        return Capabilities(methods=tuple(METHODS), warm_start=True, outputs=("global",))

    @property
    def data_axes(self) -> tuple[int, ...]:
        """Those of samples, sides of a filter and perhaps channels."""
        sides = check_sides(self.filter_size)
        return (2, 3, 4) if isinstance(sides, int) else (len(sides) + 1, len(sides) + 2)

    def with_bias(self) -> Self:
        """With a bias for each filter."""
        return self.replaced(bias=True)

    def rows(self, data: ArrayLike) -> Layer | MaxLayer:
        """The patches of the images as a layer."""
        pixels, sides = as_pixels(data, self.filter_size)
        windows = sliding_windows(pixels, sides, self.stride, self.padding)
        filter_shape = (*sides, pixels.shape[-1])
        return _layer(windows, filter_shape, self.pooling, float(self.slope), self.bias)

    def strategy(self, problem: Problem[Any], choices: Choices) -> Strategy:
        if self.pooling == "max":
            return MaxPoolingStrategy(problem, choices.method, choices.random_state, choices.start)
        return choices.on_layer(problem)

    def _network(self, neurons: Neurons, shape: tuple[int, ...]) -> ConvolutionalNetwork:
        hidden, output = neurons.balanced()
        sides = check_sides(self.filter_size)
        if isinstance(sides, int):
            sides = (sides,) * (1 if len(shape) == 1 else 2)
        channels = shape[len(sides) :] or (1,)
        size = int(np.prod((*sides, *channels)))
        return ConvolutionalNetwork(
            hidden[:, :size].reshape(-1, *sides, *channels),
            output[:, 0] if output.shape[1] == 1 else output,
            hidden[:, size] if self.bias else None,
            stride=self.stride,
            padding=self.padding,
            pooling=self.pooling,
            slope=self.slope,
        )

    def _neurons(self, network: ConvolutionalNetwork) -> Neurons:
        return Neurons.of_weights(network.on_patches(), network.output_weights)
