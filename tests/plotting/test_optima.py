"""The pictures are drawn from the numbers they show."""

import sys

import numpy as np
import pytest
from landscape.optima import cross, five_points, hill_and_valley, tent

from cvxnn import OptimalSet, TwoLayerNetwork, descent_path
from cvxnn.errors import InputError
from cvxnn.plotting import plot_descent, plot_neurons, plot_predictions


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


@pytest.fixture(scope="module")
def circle():
    return OptimalSet(*cross(2))


def on_circle(angles):
    return np.column_stack([np.cos(angles), np.sin(angles)])


def test_descent(pyplot, circle):
    X, y, beta = cross(2)
    start = TwoLayerNetwork(np.random.default_rng(0).standard_normal((12, 2)), np.ones(12))
    path = descent_path(start, circle.minimal_network(), X, y, beta)
    _, ax = pyplot.subplots()
    assert plot_descent(path, X, y, beta, n_points=50, ax=ax) is ax
    times, values = ax.lines[0].get_data()
    assert len(times) >= 50 and (np.diff(values) <= 1e-12).all()
    assert values[-1] == pytest.approx(circle.objective)
    assert [text.get_text() for text in ax.texts][:3] == ["balance", "prune", "grow"]
    assert ax.get_yscale() == "log" and ax.get_ylabel() == "objective (2)"


def test_predictions_stay_in_the_tube(pyplot, circle):
    angles = np.linspace(0.0, 6.0, 40)
    data = (np.arange(4) * np.pi / 2.0, np.ones(4))
    ax = plot_predictions(circle, angles, features=on_circle, data=data, n_members=3)
    lowest, highest = circle.prediction_range(on_circle(angles))
    members = [line.get_ydata() for line in ax.lines[:3]]
    for member in members:
        assert (member >= lowest - 1e-9).all() and (member <= highest + 1e-9).all()
    assert np.abs(members[0] - members[1]).max() > 1e-3
    tube = ax.collections[0].get_datalim(ax.transData)
    assert tube.y0 == pytest.approx(lowest.min()) and tube.y1 == pytest.approx(highest.max())
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["range of all optima", "some of them", "data"]


def test_predictions_of_one_feature_need_no_map(pyplot):
    ax = plot_predictions(OptimalSet(*five_points()), np.linspace(-6.0, 4.0, 30), n_members=1)
    assert ax.lines[0].get_ydata()[-1] == pytest.approx(1.0, abs=1e-3)


def test_neurons_side_by_side(pyplot, circle):
    first, second = circle.vertices()
    axes = plot_neurons([first, second], titles=["one", "other"], names=("x", "y"))
    assert [axis.get_title() for axis in axes] == ["one", "other"]
    arrows = axes[0].collections[0]
    drawn = np.column_stack([arrows.U, arrows.V])
    products = np.abs(first.output_weights)[:, None] * first.hidden_weights
    np.testing.assert_allclose(drawn, products)
    assert axes[0].get_xlim() == axes[1].get_xlim()


def test_optima_with_an_intercept(pyplot):
    optima = OptimalSet(*tent(1), intercept=True)
    grid = np.linspace(-1.0, 1.0, 21)
    line = plot_predictions(optima, grid, n_members=1).lines[0]
    # By the closed form, f(0) = 2 beta and f(+-1) = 1 - beta.
    np.testing.assert_allclose(line.get_ydata(), 0.2 + 0.7 * np.abs(grid), atol=1e-9)
    X, y, beta = hill_and_valley()
    first, second = OptimalSet(X, y, beta, intercept=True).vertices()
    axes = plot_neurons([first, second])
    assert [len(axis.collections[0].U) for axis in axes] == [2, 2]
    path = descent_path(first, second, X, y, beta, widen=True)
    values = plot_descent(path, X, y, beta, n_points=9).lines[0].get_ydata()
    np.testing.assert_allclose(values, values[0], rtol=1e-11)


def test_optima_of_several_outputs(pyplot):
    X, y, beta = cross(2)
    Y = np.column_stack([y, 2.0 * y])
    optima = OptimalSet(X, Y, beta)
    with pytest.raises(InputError, match="optima must be those of one output, got 2"):
        plot_predictions(optima, [0.0, 1.0])
    first, last = optima.vertices()
    ax = plot_descent(descent_path(first, last, X, Y, beta, widen=True), X, Y, beta, n_points=9)
    assert ax.lines[0].get_ydata() == pytest.approx(optima.objective)


def test_wrong_arguments(pyplot, circle):
    with pytest.raises(InputError, match="grid must be 1-D"):
        plot_predictions(circle, [0.0])
    with pytest.raises(InputError, match="features must be given for data with 3 columns"):
        plot_predictions(OptimalSet(*cross(3)), [0.0, 1.0])
    with pytest.raises(InputError, match="features must be two columns"):
        plot_neurons([circle.minimal_network()], features=(0, 2))
    with pytest.raises(InputError, match="axes must be 1"):
        plot_neurons([circle.minimal_network()], axes=[])
    with pytest.raises(InputError, match="titles must be 1, one for each network, got 2"):
        plot_neurons([circle.minimal_network()], titles=["a", "b"])
    with pytest.raises(InputError, match="networks must be a sequence of at least one"):
        plot_neurons([])
    with pytest.raises(InputError, match="features must give 2 rows, got 3"):
        plot_predictions(circle, [0.0, 1.0], features=lambda t: np.ones((3, 2)))


def test_without_matplotlib_one_sentence_says_what_to_install(monkeypatch, circle):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        InputError, match=r"Figures need Matplotlib; install it with: pip install 'cvxnn\[plot\]'"
    ):
        plot_neurons([circle.minimal_network()])
