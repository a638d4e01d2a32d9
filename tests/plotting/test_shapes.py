"""Shape functions: their values are those of the network, kinks and units included."""

import numpy as np
import pytest
from sentences import refused

import cvxnn

pytest.importorskip("matplotlib")
from cvxnn.plotting import plot_shapes


def data(n=80):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 4)) * [1.0, 20.0, 3.0, 1.0] + [0.0, 500.0, -7.0, 0.0]
    return X, 30.0 * np.abs(X[:, 0]) + np.maximum(X[:, 1] - 500.0, 0.0) + rng.standard_normal(n)


def sums_at(figure, names, X):
    """The sum of all curves, by linear interpolation between their points."""
    total = np.zeros(len(X))
    for ax in figure.axes:
        at, values = ax.get_lines()[1].get_xydata().T
        total += np.interp(X[:, names.index(ax.get_xlabel())], at, values)
    return total


def test_curves_of_a_solution_add_up_to_the_network():
    X, y = data()
    rows = np.column_stack([X / 20.0, np.ones(len(X))])
    solution = cvxnn.solve(rows, y, 1.0, model=cvxnn.ReLU(features=1))
    names = ["a", "b", "c", "d"]
    for model in (solution, solution.network):
        total = sums_at(plot_shapes(model, rows, names), names, rows)
        values = solution.network(rows)
        np.testing.assert_allclose(total, values - values.mean(), atol=1e-8 * np.ptp(values))


@pytest.mark.long
def test_curves_of_an_estimator_are_in_the_units_of_the_data():
    X, y = data()
    estimator = cvxnn.ConvexReLURegressor(1.0, model=cvxnn.ReLU(features=1)).fit(X, y)
    figure = plot_shapes(estimator, X)
    values = estimator.predict(X)
    total = sums_at(figure, [f"x{j}" for j in range(4)], X)
    np.testing.assert_allclose(total, values - values.mean(), atol=1e-8 * np.ptp(values))
    first = figure.axes[0]
    assert first.get_xlabel() == "x0"
    low, high = first.get_lines()[1].get_xdata()[[0, -1]]
    assert (low, high) == (X[:, 0].min(), X[:, 0].max())


def test_an_estimator_may_have_the_column_of_ones_in_its_data():
    X, y = data()
    rows = np.column_stack([X[:, [0, 3]], np.ones(len(X))])
    estimator = cvxnn.ConvexReLURegressor(
        1.0, model=cvxnn.ReLU(features=1), scale_X=False, hidden_bias=False
    ).fit(rows, y)
    figure, values = plot_shapes(estimator, rows), estimator.predict(rows)
    total = sums_at(figure, ["x0", "x1"], rows)
    np.testing.assert_allclose(total, values - values.mean(), atol=1e-8 * np.ptp(values))


def test_a_feature_that_is_1_in_all_rows_is_no_bias():
    network = cvxnn.TwoLayerNetwork([[2.0, 0.0], [0.0, 1.0]], [1.0, 1.0])
    figure = plot_shapes(network, [[-1.0, 1.0], [3.0, 1.0]], ["a", "b"])
    assert [ax.get_xlabel() for ax in figure.axes] == ["a", "b"]
    at, values = figure.axes[0].get_lines()[1].get_xydata().T
    assert at.tolist() == [-1.0, 0.0, 3.0] and values.tolist() == [-3.0, -3.0, 3.0]


def test_curves_are_drawn_from_kink_to_kink():
    network = cvxnn.TwoLayerNetwork([[1.0, -1.0], [-2.0, 1.0], [1.0, 9.0]], [1.0, 1.0, 1.0])
    figure = plot_shapes(network, [[0.0, 1.0], [3.0, 1.0]])
    at, values = figure.axes[0].get_lines()[1].get_xydata().T
    assert at.tolist() == [0.0, 0.5, 1.0, 3.0]
    np.testing.assert_allclose(np.diff(values), [-0.5, 0.5, 4.0])


def test_a_network_without_neurons_has_no_curves():
    network = cvxnn.TwoLayerNetwork(np.zeros((0, 2)), [])
    figure = plot_shapes(network, [[0.0, 1.0], [3.0, 1.0]])
    assert figure.axes == [] and figure.texts[0].get_text() == "no neurons: f is constant"


def test_what_has_no_shapes_is_said():
    network = cvxnn.TwoLayerNetwork([[1.0, 1.0, -1.0, 0.0]], [1.0])
    refused(lambda: plot_shapes(network, [[0.0, 2.0, 0.0, 1.0]]), "a neuron sees the columns 0, 1")
    X = [[0.0, 2.0, 1.0]]
    refused(lambda: plot_shapes(network, [[0.0, 1.0]]), "X must have the 4 columns")
    refused(lambda: plot_shapes("network", X), "plot_shapes draws a TwoLayerNetwork")
    one = cvxnn.TwoLayerNetwork([[1.0, 0.0, 0.0]], [1.0])
    refused(lambda: plot_shapes(one, X, ["a"]), "feature_names must have 2 names")


def test_pairs_are_maps_that_add_up_to_the_network_with_the_curves():
    """At the corners of the data, which are points of all grids."""
    low, high = np.array([0.0, -1.0, 2.0]), np.array([3.0, 1.0, 4.0])
    corners = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1).T
    X = np.column_stack([corners, np.ones(8)])
    hidden = [
        [1.0, 2.0, 0.0, 0.5],
        [0.0, 1.0, -1.0, 3.0],
        [1.0, 0.0, 0.0, -1.0],
        [-1.0, 1.0, 0.0, 2.0],
    ]
    network = cvxnn.TwoLayerNetwork(hidden, [1.0, -2.0, 3.0, 0.5])
    figure, total = plot_shapes(network, X, list("abc")), np.zeros(8)
    maps = {}
    for ax in figure.axes:
        if ax.collections and ax.get_xlabel():
            maps[ax.get_xlabel(), ax.get_ylabel()] = ax.collections[0]
        elif ax.get_xlabel():
            at, values = ax.get_lines()[1].get_xydata().T
            total += np.interp(X[:, "abc".index(ax.get_xlabel())], at, values)
    assert sorted(maps) == [("a", "b"), ("b", "c")]
    for names, mesh in maps.items():
        values = mesh.get_array().reshape(80, 80)
        i, j = ("abc".index(name) for name in names)
        total += values[-(X[:, j] == high[j]).astype(int), -(X[:, i] == high[i]).astype(int)]
        # One scale of colours.
        assert mesh.get_clim() == maps["a", "b"].get_clim()
    f = network(X)
    np.testing.assert_allclose(total, f - f.mean(), atol=1e-12)
