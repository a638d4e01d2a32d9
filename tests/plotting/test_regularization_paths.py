"""Figures over beta: what is drawn is what the path and the scores say."""

import numpy as np
import pytest
from plotting.figures import PATH, scored
from sentences import refused

from cvxnn import estimators
from cvxnn.errors import InputError
from cvxnn.plotting import plot_cv, plot_path


def line(ax, label):
    (found,) = [line for line in ax.get_lines() if line.get_label() == label]
    return np.asarray(found.get_xydata())


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_path_shows_objective_bound_and_neurons():
    ax = plot_path(PATH)
    np.testing.assert_array_equal(line(ax, "objective"), [[1.0, 2.0], [0.1, 0.2], [0.01, 0.02]])
    np.testing.assert_array_equal(
        line(ax, "lower bound"), [[1.0, 1.5], [0.1, np.nan], [0.01, 0.01]]
    )
    assert labels(ax) == ["objective", "lower bound", "neurons"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale()) == ("beta", "objective (2)", "log")
    (right,) = [other for other in ax.figure.axes if other is not ax]
    np.testing.assert_array_equal(line(right, "neurons"), [[1.0, 0.0], [0.1, 3.0], [0.01, 70.0]])
    assert right.get_ylabel() == "neurons" and right.get_ylim()[0] == 0.0


def test_a_real_path_has_its_objective_on_the_bound():
    path = estimators.regularization_path([[1.0, 1.0], [2.0, 1.0], [4.0, 1.0]], [1.0, -1.0, 1.0], 4)
    ax = plot_path(path)
    np.testing.assert_allclose(line(ax, "objective"), line(ax, "lower bound"), rtol=1e-5)


def test_a_path_of_nothing_or_something_else_is_refused():
    refused(lambda: plot_path([1.0]), "path must be a RegularizationPath, got list")
    with pytest.raises(InputError, match="one solution at least"):
        plot_path(estimators.RegularizationPath(np.zeros(0), ()))


def test_scores_have_their_mean_their_error_and_the_choice():
    ax = plot_cv(scored([[0.0, 0.2], [0.5, 0.9], [0.4, 0.4]]))
    np.testing.assert_allclose(line(ax, "mean score"), [[1.0, 0.1], [0.1, 0.7], [0.01, 0.4]])
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    for beta, low, high in [(1.0, 0.0, 0.2), (0.1, 0.5, 0.9), (0.01, 0.4, 0.4)]:
        values = corners[np.isclose(corners[:, 0], beta), 1]
        assert (values.min(), values.max()) == pytest.approx((low, high))
    assert labels(ax) == ["mean score", "standard error", "beta = 0.1"]
    np.testing.assert_array_equal(line(ax, "beta = 0.1")[:, 0], [0.1, 0.1])
    assert ax.get_ylabel() == "mean score of 2 folds" and ax.get_xscale() == "log"


def test_one_fold_has_no_standard_error():
    ax = plot_cv(scored([[0.0], [0.5]]))
    assert labels(ax) == ["mean score", "beta = 0.01"] and len(ax.collections) == 0
    assert ax.get_ylabel() == "mean score of 1 fold"


@pytest.mark.parametrize(
    "model", [estimators.ConvexReLURegressorCV(), estimators.ConvexReLURegressor()]
)
def test_a_model_without_scores_is_refused(model):
    refused(lambda: plot_cv(model), f"got {type(model).__name__} without scores")
