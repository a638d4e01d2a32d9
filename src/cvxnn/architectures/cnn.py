"""Convolutional networks with shared filters, trained through the convex program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.architectures.convolutional import POOLINGS, ConvolutionalNetwork
from cvxnn.architectures.max_pooling import MaxPoolingMethod
from cvxnn.architectures.results import ArchitectureSolution, warn_unless_successful
from cvxnn.architectures.rounds import Callback
from cvxnn.errors import InputError
from cvxnn.layers import Layer
from cvxnn.layers.images import as_pixels, check_steps, sliding_windows
from cvxnn.layers.max_pooling import MaxLayer, max_layer
from cvxnn.layers.patches import patch_layer
from cvxnn.losses import Loss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.training.solve import execute, prepare_run
from cvxnn.validation import check_choice, check_flag, check_number

FloatArray = NDArray[np.float64]


def solve_cnn(
    images: ArrayLike,
    y: ArrayLike,
    beta: float,
    filter_size: int | tuple[int, ...],
    *,
    stride: int = 1,
    padding: int = 0,
    pooling: str = "sum",
    slope: float = 0.0,
    fit_intercept: bool = False,
    method: str = "global",
    loss: str | Loss = "squared",
    sample_weight: ArrayLike | None = None,
    n_samples: int = 500,
    scheme: str = "data",
    tol: float = 1e-6,
    max_iter: int = 100,
    time_limit: float | None = None,
    random_state: int | np.random.Generator | None = 0,
    certify: bool = True,
    callback: Callback | None = None,
) -> ArchitectureSolution[ConvolutionalNetwork]:
    """Train a two-layer CNN with shared filters and sum, average or max pooling.

    The objective, over networks ``f(x) = sum_j a_j pool_k phi(x_k'u_j + b_j)`` on the
    patches ``x_k`` of an image, with any number of filters, is

        l(f, y) + beta/2 sum_j (||u_j||^2 + b_j^2 + a_j^2),

    a sum over the images (not a mean). It has the optimal value of the convex program

        min l(S sum_i D_i M (v_i - w_i), y) + beta sum_i (||v_i|| + ||w_i||)

        subject to  (2 D_i - I) M v_i >= 0,  (2 D_i - I) M w_i >= 0,

    where M has all patches of all images as rows, ``D_i`` are its activation patterns,
    and S sums or averages over the patches of an image. With max pooling ``D_i`` has the
    patch with the largest ``x_k'u`` of every image, if that is positive, and S sums; the
    cone of its v_i is where these patches are the largest.

    Parameters
    ----------
    images : array-like
        Images of shape (n, height, width) or (n, height, width, channels), or signals
        of shape (n, length) or (n, length, channels).
    y : array-like, shape (n,)
        Targets; labels -1 and 1 for the losses of labels.
    beta : float
        Regularisation, > 0.
    filter_size : int or tuple of int
        As for :func:`image_patches`.
    stride, padding : int, default 1 and 0
        As for :func:`image_patches`.
    pooling : {"sum", "average", "max"}, default "sum"
        Of the activations of a filter.
    slope : float, default 0.0
        Of the activation ``phi(t) = max(t, 0) + slope * min(t, 0)``: 0 is the ReLU,
        -1 the absolute value, between 0 and 1 a leaky ReLU. 0 for ``pooling="max"``.
    fit_intercept : bool, default False
        Whether filters have a bias ``b_j``: a constant 1 at the end of every patch.
    method : {"global", "exact", "sampled"}, default "global"
        As for :func:`cvxnn.solve`. Patterns are those of the patches: with small
        filters they are few, however large the images. For ``pooling="max"`` only
        ``"exact"``, for few images with few patches, and ``"sampled"``.
    loss, sample_weight, n_samples, scheme, tol, max_iter, time_limit, random_state
        As for :func:`cvxnn.solve`; rows are images.
    certify, callback
        As for :func:`cvxnn.solve`.

    Returns
    -------
    ArchitectureSolution
        Its network is a :class:`ConvolutionalNetwork`. Also when a limit is reached or
        Ctrl-C is pressed: the best so far.

    Raises
    ------
    InputError
        If an argument is not as described.
    TooManyPatternsError
        If ``"exact"`` would not fit into memory, or has more than 30 000 patterns of max
        pooling; before any work starts, or else while these are listed.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the gap asked for was not reached.

    Notes
    -----
    A CNN is a two-layer network on the patches, of which equal ones are one row; cost
    and certificate are those of :func:`cvxnn.solve` on as many rows, of the rank of
    the patches: at most the number of pixels of a filter, times channels. One patch
    as large as the image gives the network of :func:`cvxnn.solve` itself.

    Max pooling has its own oracle, over the patterns that are listed: O(M n K h) for each
    cone row that matters, of M patterns and K patches. The bound of ``"exact"`` is proven
    for all networks, that of ``"sampled"`` for them takes every image at its longest patch.

    References
    ----------
    Seed paper, section 3.2.3; T. Ergen and M. Pilanci, ICLR 2021, arXiv 2006.14798.

    Examples
    --------
    >>> import numpy as np
    >>> signals = [[0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]  # up, down, down
    >>> solution = solve_cnn(signals, [1.0, 0.0, 0.0], beta=0.1, filter_size=2)
    >>> print(solution.status.name, f"{solution.objective:.4f}", solution.network.n_filters)
    OPTIMAL 0.1021 2
    """
    solution = solve_cnn_quietly(
        images, y, beta, filter_size,
        stride=stride, padding=padding, pooling=pooling, slope=slope,
        fit_intercept=fit_intercept, method=method, loss=loss, sample_weight=sample_weight,
        n_samples=n_samples, scheme=scheme, tol=tol, max_iter=max_iter, time_limit=time_limit,
        random_state=random_state, certify=certify, callback=callback,
    )  # fmt: skip
    warn_unless_successful(solution)
    return solution


def solve_cnn_quietly(
    images: ArrayLike,
    y: ArrayLike,
    beta: float,
    filter_size: int | tuple[int, ...],
    *,
    stride: int,
    padding: int,
    pooling: str,
    slope: float,
    fit_intercept: bool,
    method: str,
    **options: Any,
) -> ArchitectureSolution[ConvolutionalNetwork]:
    """:func:`solve_cnn` without its warning, for callers that say how the run ended."""
    pixels, sides = as_pixels(images, filter_size)
    kind = _Kind.checked((*sides, pixels.shape[-1]), stride, padding, pooling, slope, fit_intercept)
    layer = kind.layer(pixels)
    run = prepare_run(layer, y, beta, method, **options)
    if isinstance(layer, MaxLayer):
        run.method = MaxPoolingMethod.of(run.method, layer.n_patches)
    trained = execute(run)
    return ArchitectureSolution(
        network=kind.network(trained.network),
        objective=trained.objective,
        dual_bound=trained.dual_bound,
        status=trained.status,
        beta=trained.beta,
        tol=trained.tol,
        n_patterns=trained.n_patterns,
        program_gap=trained.program_gap,
        elapsed=trained.elapsed,
        history=trained.history,
        objective_error=trained.objective_error,
    )


@dataclass(frozen=True)
class _Kind:
    """The networks that are trained: all but their weights."""

    filter_shape: tuple[int, ...]
    stride: int
    padding: int
    pooling: str
    slope: float
    has_bias: bool

    @classmethod
    def checked(
        cls,
        filter_shape: tuple[int, ...],
        stride: object,
        padding: object,
        pooling: object,
        slope: object,
        fit_intercept: object,
    ) -> _Kind:
        """From arguments; InputError if one is not as described."""
        kind = cls(
            filter_shape,
            *check_steps(stride, padding),
            check_choice(pooling, "pooling", POOLINGS),
            check_number(slope, "slope"),
            check_flag(fit_intercept, "fit_intercept"),
        )
        if kind.pooling == "max" and kind.slope != 0.0:
            raise InputError(f'slope must be 0 for pooling="max", got {kind.slope:g}.')
        return kind

    def layer(self, pixels: FloatArray) -> Layer | MaxLayer:
        """The patches of the images as a layer."""
        windows = sliding_windows(pixels, self.filter_shape[:-1], self.stride, self.padding)
        patches = windows.reshape(len(pixels), -1, int(np.prod(self.filter_shape)))
        if self.pooling == "max":
            return max_layer(patches, has_bias=self.has_bias)
        average = self.pooling == "average"
        layer = patch_layer(patches, average=average, has_bias=self.has_bias)
        return layer.with_slope(self.slope)

    def network(self, neurons: TwoLayerNetwork) -> ConvolutionalNetwork:
        """The network whose filters, and biases, are neurons on that layer."""
        hidden, size = neurons.hidden_weights, int(np.prod(self.filter_shape))
        return ConvolutionalNetwork(
            hidden[:, :size].reshape(-1, *self.filter_shape),
            neurons.output_weights,
            hidden[:, size] if self.has_bias else None,
            stride=self.stride,
            padding=self.padding,
            pooling=self.pooling,
            slope=self.slope,
        )
