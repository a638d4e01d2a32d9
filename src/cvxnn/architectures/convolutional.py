"""Two-layer convolutional networks whose filters are shared by all patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.architectures.filter_network import FilterNetwork
from cvxnn.errors import InputError
from cvxnn.evaluation import Prediction
from cvxnn.layers.images import (
    Sides,
    as_pixels,
    check_steps,
    sliding_windows,
)
from cvxnn.networks.arrays import activate, frozen
from cvxnn.networks.stacking import common, output_layer, with_zeros
from cvxnn.networks.stages import (
    Activation,
    Affine,
    Convolution,
    Flatten,
    Pooling,
    Stages,
    Windows,
)
from cvxnn.validation import check_choice, check_number

FloatArray = NDArray[np.float64]

POOLINGS = ("sum", "average", "max")

_BUFFER_BYTES = 64 * 2**20


class ConvolutionalNetwork(FilterNetwork):
    """``f(x) = sum_j a_j pool_k phi(x_k'u_j + b_j)`` over the patches ``x_k`` of an image.

    Every filter is applied to every patch, and of its activations the sum over the image
    is taken ("separate" in section 3.2.3 of the seed paper), the average or the largest. The
    activation is ``phi(t) = max(t, 0) + slope * min(t, 0)``.

    Parameters
    ----------
    filters : array-like, shape (m, height, width, C) or (m, length, C)
        The ``u_j``, for images or for signals; C channels last, 1 for grey images.
    output_weights : array-like, shape (m,)
        The ``a_j``.
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

    Raises
    ------
    InputError
        If the weights are not finite numbers of these shapes, or a setting is not
        as described.

    Examples
    --------
    >>> network = ConvolutionalNetwork([[[1.0], [-1.0]]], [2.0])  # where a signal falls
    >>> network
    ConvolutionalNetwork(n_filters=1, filter_shape=(2, 1), pooling='sum')
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
    ) -> None:
        steps = check_steps(stride, padding)
        arrays = {
            "filters": frozen(filters, "filters", 3, 4, of="filter"),
            "output_weights": frozen(output_weights, "output_weights", 1, of="filter"),
            "biases": None if biases is None else frozen(biases, "biases", 1, of="filter"),
        }
        settings = {
            "stride": steps[0],
            "padding": steps[1],
            "pooling": check_choice(pooling, "pooling", POOLINGS),
            "slope": check_number(slope, "slope"),
        }
        super().__init__(arrays, settings)
        if self.biases is not None and len(self.biases) != self.n_filters:
            raise InputError(
                f"biases must be None or one for each of the {self.n_filters} filters, "
                f"got {len(self.biases)}."
            )

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

    def forward(self, data: ArrayLike) -> FloatArray:
        """``f`` of every image, shape (n,), also available by calling the network; O(n K m h).

        The patches and activations of at most about 64 MiB of images are held at a time.

        Parameters
        ----------
        data : array-like, shape (n, height, width[, C]) or (n, length[, C])
            Images or signals, of any size that is not below that of the filters.

        Raises
        ------
        InputError
            If `data` are not finite numbers of this shape.
        """
        windows = self._windows(data)
        values = np.empty(len(windows))
        floats = windows[0].size + int(np.prod(self._map_shape(windows))) * (self.n_filters + 1)
        step = max(_BUFFER_BYTES // (8 * floats), 1)
        for start in range(0, len(windows), step):
            maps = self._activate(windows[start : start + step])
            values[start : start + step] = self._pool(maps) @ self.output_weights
        return values

    def _predict(self, data: ArrayLike) -> Prediction:
        windows, size = self._windows(data), int(np.prod(self.filter_shape))
        n_patches = windows[0].size // size
        weights = np.abs(self.output_weights) * max(1.0, abs(self.slope))
        filters = weights @ np.abs(self.filters.reshape(self.n_filters, size))
        constant = 0.0 if self.biases is None else float(weights @ np.abs(self.biases))
        moduli = np.empty(len(windows))
        step = max(_BUFFER_BYTES // (8 * windows[0].size), 1)
        for start in range(0, len(windows), step):
            patches = np.abs(windows[start : start + step]).reshape(-1, n_patches, size)
            if self.pooling == "max":
                # Each filter may win at another patch.
                patches = patches.max(axis=1, keepdims=True)
            sums = patches @ filters + constant
            moduli[start : start + step] = self._pool(sums[..., np.newaxis])[:, 0]
        return Prediction(self.forward(data), moduli, size + n_patches + self.n_filters)

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
        return maps.reshape(len(windows), *self._map_shape(windows), self.n_filters)

    @classmethod
    def stages(cls, networks: Sequence[Self]) -> Stages:
        """As :meth:`Network.stages`."""
        first = networks[0]
        for name in first._settings:
            common((network._settings[name] for network in networks), name)
        common((network.filter_shape for network in networks), "shape of a filter")
        filters = np.concatenate([network.filters for network in networks])
        sizes = [network.n_filters for network in networks]
        biases = with_zeros([network.biases for network in networks], sizes)
        constants = None if biases is None else np.concatenate(biases)
        output = output_layer(network.output_weights for network in networks)
        if not len(filters):
            # No library has convolutions of no filters: one that is zero stands for them.
            filters = np.zeros((1, *first.filter_shape))
            constants = None if constants is None else np.zeros(1)
            output = Affine("output", np.zeros((len(networks), 1)))
        windows = Windows(first.filter_shape[:-1], first.stride, first.padding)
        convolution = Convolution(np.moveaxis(filters, -1, 1), constants, windows)
        pooling = Pooling(first.pooling, windows)
        return convolution, Activation(first.slope), pooling, Flatten(), output

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
        sums: FloatArray = patches @ self.filters.reshape(self.n_filters, patches.shape[-1]).T
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
        return {"n_filters": self.n_filters, "filter_shape": self.filter_shape, **shown}
