"""Figures: what is drawn is what the arguments say, and nothing global is touched."""

import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from plotting.figures import FIGURES, LINE, NETWORK, PLANE, PLANE_NETWORK, make_search
from sentences import refused
from variants import with_long

from cvxnn import plotting
from cvxnn.errors import InputError
from cvxnn.networks import TwoLayerNetwork
from cvxnn.results import Progress


def curves(ax):
    """The data of the lines that are drawn, without the entries of the legend."""
    lines = [np.asarray(line.get_xydata()) for line in ax.get_lines()]
    return [line for line in lines if len(line) > 2]


def labels(ax):
    return ax.get_legend_handles_labels()[1]


def luminance(color):
    return float(np.dot(to_rgb(color), [0.299, 0.587, 0.114]))


# ------------------------------------------------------------------ objectives


@pytest.mark.parametrize("x", ["iteration", "seconds"])
def test_every_trial_is_drawn(x):
    search = make_search()
    ax = plotting.plot_objective(search, x=x)
    drawn = curves(ax)
    assert len(drawn) == 3
    for trial, curve in enumerate(drawn):
        expected = search.iterations if x == "iteration" else search.seconds[trial]
        np.testing.assert_array_equal(curve[:, 0], expected)
        np.testing.assert_array_equal(curve[:, 1], search.losses[trial])
    assert ax.get_yscale() == "log" and ax.get_ylabel() == "objective (2)"
    assert ax.get_xlabel() == ("iteration" if x == "iteration" else "time (s)")
    assert labels(ax) == ["SGD"]


def test_levels_and_bound_are_horizontal_lines_with_their_values():
    levels = {"optimal": 0.5, "sampled": 0.75, "by hand": 0.9}
    ax = plotting.plot_objective(make_search(), levels=levels, bound=0.4999)
    assert labels(ax)[1:] == ["optimal 0.5", "sampled 0.75", "by hand 0.9", "lower bound 0.4999"]
    heights = [line.get_ydata() for line in ax.get_lines()[-4:]]
    assert heights == [[0.5, 0.5], [0.75, 0.75], [0.9, 0.9], [0.4999, 0.4999]]


def test_searches_of_one_optimizer_are_told_apart():
    ax = plotting.plot_objective({f"m={m}": make_search() for m in (5, 10, 100)})
    handles, names = ax.get_legend_handles_labels()
    assert names == ["m=5", "m=10", "m=100"]
    for first, second in combinations(handles, 2):
        assert first.get_marker() != second.get_marker()
        assert abs(luminance(first.get_color()) - luminance(second.get_color())) > 0.15


def test_a_trial_that_diverged_ends_in_a_cross():
    search = make_search()
    losses = search.losses.copy()
    losses[0, 2:] = np.inf
    ax = plotting.plot_objective(replace(search, losses=losses))
    assert labels(ax) == ["SGD", "SGD, diverged"]
    line = ax.get_lines()[0]
    assert (line.get_marker(), line.get_markevery()) == ("x", [1])
    np.testing.assert_array_equal(line.get_ydata(), [16.0, 8.0])


def test_styles_differ_in_line_style_or_clearly_in_luminance():
    for first, second in combinations(plotting.STYLES.values(), 2):
        lighter = abs(luminance(first.color) - luminance(second.color)) > 0.15
        assert first.color != second.color or first.linestyle != second.linestyle
        assert first.linestyle != second.linestyle or first.linewidth != second.linewidth or lighter
        assert first.marker != second.marker


def test_an_unknown_axis_is_refused():
    with pytest.raises(InputError, match="x must be one of 'iteration', 'seconds'"):
        plotting.plot_objective(make_search(), x="epoch")


# ------------------------------------------------------------------ scores and gaps


def test_accuracy_is_the_share_of_right_signs():
    ax = plotting.plot_scores(make_search(), [1.0, -1.0], levels={"optimal": 0.9})
    np.testing.assert_array_equal(curves(ax)[0][:, 1], [0.5, 0.5, 0.5, 1.0, 1.0])
    assert ax.get_ylabel() == "test accuracy" and labels(ax) == ["SGD", "optimal 0.9"]


def test_any_score_is_drawn_and_diverged_records_are_left_out():
    search = make_search()
    losses = search.losses.copy()
    losses[:, 4] = np.inf
    ax = plotting.plot_scores(
        replace(search, losses=losses),
        [1.0, 2.0],
        score=lambda y, values: float(np.sum(y * values)),
        ylabel="sum",
    )
    np.testing.assert_array_equal(curves(ax)[0][:, 1], [3.0, 3.0, 3.0, -1.0])
    assert ax.get_ylabel() == "sum"


def test_scores_need_monitored_outputs_of_the_same_rows():
    with pytest.raises(InputError, match="X_monitor"):
        plotting.plot_scores(replace(make_search(), monitored=None), [1.0, -1.0])
    refused(lambda: plotting.plot_scores(make_search(), [1.0, -1.0, 1.0]), "3 entries")


def test_the_gap_starts_with_the_first_bound():
    rounds = [
        Progress(0, 0.1, 2.0, -np.inf, 1, 1),
        Progress(1, 0.2, 2.0, 1.0, 1, 1),
        Progress(2, 0.3, 1.0, 1.0, 1, 1),
    ]
    ax = plotting.plot_gap(rounds, tol=1e-6)
    np.testing.assert_array_equal(ax.get_lines()[0].get_xydata(), [[0.2, 0.5], [0.3, 1e-16]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "relative gap")
    assert labels(ax) == ["relative gap", "tolerance 1e-06"]
    refused(lambda: plotting.plot_gap(rounds[:1]), "got none")


# ------------------------------------------------------------------ networks


def test_the_function_and_its_breakpoints():
    ax = plotting.plot_breakpoints(NETWORK, LINE, [0.0, 1.0, 2.0])
    function = curves(ax)[0]
    points = np.column_stack([function[:, 0], np.ones(len(function))])
    np.testing.assert_array_equal(function[:, 1], NETWORK.forward(points))
    assert {1.0, 0.5} <= set(function[:, 0])
    assert labels(ax) == ["f", "data", "breakpoint, weight > 0: 1", "breakpoint, weight < 0: 1"]
    places = [line.get_xdata()[0] for line in ax.get_lines() if len(line.get_xdata()) == 2]
    assert places == [1.0, 0.5]


def test_breakpoints_without_ones_lie_at_zero():
    ax = plotting.plot_breakpoints(TwoLayerNetwork([[1.0]], [1.0]), [[-1.0], [2.0]])
    assert labels(ax) == ["f", "breakpoint, weight > 0: 1"] and ax.get_ylabel() == "f"


def test_lines_of_two_features_have_arrows_to_the_active_side():
    ax = plotting.plot_breakpoints(PLANE_NETWORK, PLANE, [1.0, -1.0, 1.0, 1.0])
    assert labels(ax) == ["line, weight > 0: 1", "line, weight < 0: 1", "y <= 0", "y > 0"]
    arrows = [(text.xyann, text.xy) for text in ax.texts]
    assert len(arrows) == 4
    for foot, head in arrows:
        values = [(PLANE_NETWORK.hidden_weights @ [*point, 1.0]) for point in (foot, head)]
        neuron = int(np.argmin(np.abs(values[0])))
        assert values[0][neuron] == pytest.approx(0.0, abs=1e-12) and values[1][neuron] > 0.0


def test_lines_outside_the_figure_are_not_drawn():
    network = TwoLayerNetwork([[1.0, 0.0, -50.0], [0.0, 0.0, 1.0], [1.0, 1.0, -50.0]], np.ones(3))
    ax = plotting.plot_breakpoints(network, PLANE)
    assert labels(ax) == [] and len(ax.texts) == 0


@pytest.mark.parametrize("ones", [True, False])
def test_regions_have_the_sign_of_the_network(ones):
    X = PLANE if ones else PLANE[:, :2]
    hidden = PLANE_NETWORK.hidden_weights
    network = TwoLayerNetwork(hidden if ones else hidden[:, :2], PLANE_NETWORK.output_weights)
    ax = plotting.plot_decision_regions(network, X, [-1.0, -1.0, 1.0, 1.0])
    wrong = np.sum((network.forward(X) > 0.0) != [False, False, True, True])
    assert labels(ax) == ["y <= 0", "y > 0", f"wrong sign: {wrong}"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("feature 1", "feature 2")
    ax.legend_.remove()
    assert isinstance(ax.figure, Figure)
    for collection in ax.collections[1:]:
        collection.remove()
    for point in ([2.5, 1.5], [-1.5, 1.5], [-1.0, -2.5], [0.5, 0.5]):
        row = [*point, 1.0] if ones else point
        expected = "#9CC9E6" if network.forward(row) > 0.0 else "#FBE3D2"
        np.testing.assert_allclose(pixel(ax, point), to_rgb(expected), atol=0.01)


def pixel(ax, point):
    """The colour that is drawn at a point of the data."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())
    column, row = ax.transData.transform(point)
    return image[len(image) - 1 - round(row), round(column), :3] / 255.0


def test_other_features_are_refused():
    wide = TwoLayerNetwork(np.ones((1, 4)), [1.0])
    with pytest.raises(InputError, match="1 or 2 features, a last column of ones apart, got 3"):
        plotting.plot_breakpoints(wide, np.ones((2, 4)))
    with pytest.raises(InputError, match="must have 2 features"):
        plotting.plot_decision_regions(NETWORK, LINE, [1.0, 1.0, 1.0])
    with pytest.raises(InputError, match="2 columns that the network reads, got 3"):
        plotting.plot_breakpoints(NETWORK, PLANE)


# ------------------------------------------------------------------ all figures


@pytest.mark.parametrize("name", FIGURES)
def test_the_axes_given_are_drawn_on_and_returned(name):
    ax = Figure().add_subplot()
    assert FIGURES[name](ax) is ax and ax.get_xlabel() and ax.get_ylabel()


@with_long("name", FIGURES, always=3)
def test_the_legend_is_inside_the_figure_and_covers_no_data(name):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    ax = FIGURES[name](None)
    FigureCanvasAgg(ax.figure).draw()
    legend = ax.get_legend().get_window_extent()
    assert Bbox.intersection(legend, ax.get_window_extent()) is None
    box = ax.figure.bbox
    assert box.x0 <= legend.x0 and legend.x1 <= box.x1 and legend.y1 <= box.y1


def test_without_matplotlib_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    refused(lambda: plotting.plot_objective(make_search()), r"pip install 'cvxnn\[plot\]'")
