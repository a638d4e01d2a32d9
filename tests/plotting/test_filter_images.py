"""Pictures of filters: what is drawn is what the network has."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sentences import refused
from variants import with_long

from cvxnn import ConvolutionalNetwork, TwoLayerNetwork
from cvxnn.plotting import plot_filters

MINUS = "\N{MINUS SIGN}"


def network(m, *shape, has_biases=True):
    rng = np.random.default_rng(0)
    biases = rng.standard_normal(m) if has_biases else None
    return ConvolutionalNetwork(rng.standard_normal((m, *shape)), rng.standard_normal(m), biases)


def pictures(figure):
    return [np.asarray(image.get_array()) for ax in figure.axes for image in ax.get_images()]


def titles(figure):
    return [ax.get_title() for ax in figure.axes if ax.get_title()]


def test_the_most_important_filter_comes_first():
    filters = np.array([[[1.0], [0.0]], [[0.0], [2.0]], [[3.0], [4.0]]])
    figure = plot_filters(ConvolutionalNetwork(filters, [3.0, -0.5, 1.0], [0.0, 0.0, 12.0]))
    # ||(u, b)|| |a| is 3, 1 and 13.
    assert titles(figure) == ["+ 76 %", "+ 18 %", f"{MINUS} 6 %"]
    drawn = [picture.tolist() for picture in pictures(figure)[:3]]
    assert drawn == [[[3.0, 4.0]], [[1.0, 0.0]], [[0.0, 2.0]]]


@with_long("shape", [(3, 2, 1), (2, 2, 3), (4, 2)])
def test_every_channel_is_a_picture_on_one_symmetric_scale(shape):
    figure = plot_filters(network(5, *shape), max_filters=4)
    images = [image for ax in figure.axes for image in ax.get_images()]
    assert len(images) == 4 * shape[-1] and len(titles(figure)) == 4
    limits = {image.get_clim() for image in images}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low == -high
    drawn = np.abs(np.concatenate([picture.ravel() for picture in pictures(figure)[:-1]]))
    assert high >= drawn.max()
    FigureCanvasAgg(figure).draw()


def test_many_filters_are_several_rows():
    figure = plot_filters(network(11, 2, 2, 1))
    assert sum(len(ax.get_images()) for ax in figure.axes) == 11 and len(titles(figure)) == 11


def test_a_figure_that_is_given_is_drawn_on():
    left, right = Figure(figsize=(8.0, 2.0)).subfigures(1, 2)
    assert plot_filters(network(2, 2, 2, 1), figure=left) is left and left.axes and not right.axes


def test_filters_that_are_zero_can_be_drawn():
    figure = plot_filters(ConvolutionalNetwork(np.zeros((1, 2, 2, 1)), [0.0]))
    assert titles(figure) == [f"{MINUS} 0 %"]
    FigureCanvasAgg(figure).draw()


@pytest.mark.parametrize(
    "net, options, message",
    [
        (TwoLayerNetwork([[1.0]], [1.0]), {}, "network must be a ConvolutionalNetwork"),
        (network(0, 2, 2, 1), {}, "one filter at least, got none"),
        (network(1, 2, 2, 1), {"max_filters": 0}, "max_filters must be an integer"),
    ],
)
def test_bad_input_is_one_sentence(net, options, message):
    refused(lambda: plot_filters(net, **options), message)
