"""The filters of a convolutional network as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.models.conv import ConvolutionalNetwork
from cvxnn.plotting.styles import new_figure
from cvxnn.validation import check_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.image import AxesImage


# Blue below zero, white at zero, red above.
_COLORMAP = "RdBu_r"
_COLUMNS = 8


def plot_filters(
    network: ConvolutionalNetwork,
    *,
    max_filters: int = 16,
    figure: Figure | SubFigure | None = None,
) -> Figure | SubFigure:
    """Draw the filters of a network, the most important first.

    Parameters
    ----------
    network : ConvolutionalNetwork
    max_filters : int, default 16
        The others, of less importance, are left out.
    figure : Figure or SubFigure, optional
        A new one if None.

    Returns
    -------
    Figure or SubFigure
        A picture for each filter and channel, channels below each other. All have one
        scale of colours, from minus to plus the largest weight that is drawn, with 0 in
        its middle. A title has the sign of the output weight and the share of the filter
        in the sum of all ``||(u_j, b_j)|| |a_j|``, which is its importance.

    Raises
    ------
    InputError
        If `network` is none or has no filters, or Matplotlib is not installed.

    Examples
    --------
    >>> from cvxnn import ConvolutionalNetwork
    >>> from cvxnn.plotting import plot_filters
    >>> network = ConvolutionalNetwork([[[1.0], [-1.0]], [[3.0], [0.0]]], [1.0, 1.0])
    >>> [ax.get_title() for ax in plot_filters(network).axes[:2]]
    ['+ 68 %', '+ 32 %']
    """
    if not isinstance(network, ConvolutionalNetwork):
        raise InputError(f"network must be a ConvolutionalNetwork, got {type(network).__name__}.")
    if network.n_neurons == 0:
        raise InputError("network must have one filter at least, got none.")
    shares = _shares(network)
    chosen = np.argsort(-shares, kind="stable")[: check_count(max_filters, "max_filters")]
    images = _as_images(network.filters[chosen])
    n_channels = images.shape[-1]
    columns = min(len(chosen), _COLUMNS)
    rows = -(-len(chosen) // columns) * n_channels
    if figure is None:
        figure = new_figure((0.9 * columns + 1.0, 1.1 * rows + 0.2))
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    largest = float(np.abs(images).max()) or 1.0
    for k, (image, j) in enumerate(zip(images, chosen, strict=True)):
        top = k // columns * n_channels
        for c in range(n_channels):
            picture = _draw(axes[top + c, k % columns], image[:, :, c], largest)
        axes[top, k % columns].set_title(
            _title(network.output_weights[j], shares[j]), fontsize="small"
        )
    figure.colorbar(picture, ax=axes, label="weight", fraction=0.05, ticks=[-largest, 0.0, largest])
    return figure


def _draw(ax: Axes, weights: FloatArray, largest: float) -> AxesImage:
    # With a frame: a weight of zero is as white as the page.
    ax.set_axis_on()
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(linewidth=0.5, color="0.5")
    return ax.imshow(weights, cmap=_COLORMAP, vmin=-largest, vmax=largest)


def _as_images(filters: FloatArray) -> FloatArray:
    """Shape (m, height, width, C): signals are images of one row."""
    return filters if filters.ndim == 4 else filters[:, np.newaxis]


def _title(output_weight: float, share: float) -> str:
    sign = "+" if output_weight > 0.0 else "\N{MINUS SIGN}"
    return f"{sign} {100.0 * share:.0f} %"


def _shares(network: ConvolutionalNetwork) -> FloatArray:
    """The share of every filter in the sum of ``||(u_j, b_j)|| |a_j|``, shape (m,)."""
    squares = (network.filters**2).reshape(network.n_neurons, -1).sum(axis=1)
    if network.biases is not None:
        squares = squares + network.biases**2
    sizes = np.sqrt(squares) * np.abs(network.output_weights)
    return np.asarray(sizes / (sizes.sum() or 1.0))
