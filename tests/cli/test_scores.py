"""Scores of predictions, held against those of scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from cvxnn.cli.scores import in_words, of_classes, of_numbers

RNG = np.random.default_rng(0)
Y = RNG.poisson(3.0, 20).astype(float) + 1.0
F = Y + RNG.uniform(-0.5, 0.5, 20)


def test_those_of_numbers():
    found = of_numbers(Y, F, "quantile", 0.8) | of_numbers(Y, F, "absolute")
    assert found == pytest.approx(
        {
            "rmse": metrics.root_mean_squared_error(Y, F),
            "mae": metrics.mean_absolute_error(Y, F),
            "pinball": metrics.mean_pinball_loss(Y, F, alpha=0.8),
            "r2": metrics.r2_score(Y, F),
        }
    )
    assert of_numbers(Y, F, "poisson")["d2"] == pytest.approx(
        metrics.d2_tweedie_score(Y, F, power=1)
    )


def test_targets_that_are_all_equal_have_no_share_to_explain():
    assert of_numbers(np.ones(3), np.array([1.0, 1.0, 2.0]))["r2"] is None
    assert in_words(of_numbers(np.ones(1), np.ones(1))) == "RMSE 0"


def test_those_of_classes():
    labels = np.array(["a", "b", "c", "a"])
    shares = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.5, 0.3, 0.2], [1.0, 0.0, 0.0]])
    found = of_classes(labels, np.array(["a", "b", "a", "a"]), shares, ("a", "b", "c"))
    assert (found["accuracy"], found["commonest"]) == (0.75, 0.5)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(labels, shares))
    # Of a class that is none of the model's there is no probability.
    assert "log_loss" not in of_classes(labels, labels, shares[:, :2], ("a", "b"))
