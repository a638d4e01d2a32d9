"""The perceptrons of scikit-learn."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from cvxnn.errors import InputError
from cvxnn.exchange.foreign.layers import check_fitted, from_layers, weights
from cvxnn.exchange.foreign.network import ReadNetwork


def read_perceptron_regressor(model: Any) -> ReadNetwork:
    """A fitted ``MLPRegressor``; InputError if it is no network of two layers with ReLU."""
    _check_perceptron(model, "MLPRegressor")
    if model.out_activation_ != "identity":
        raise InputError(
            f"An MLPRegressor must have loss='squared_error', got {model.loss!r}, whose output "
            f"goes through {model.out_activation_!r}."
        )
    return _read(model)


def read_perceptron_classifier(model: Any) -> ReadNetwork:
    """A fitted ``MLPClassifier`` for two classes, before the logistic function."""
    _check_perceptron(model, "MLPClassifier")
    if len(model.classes_) != 2:
        raise InputError(f"An MLPClassifier must have two classes, got {len(model.classes_)}.")
    first, second = model.classes_.tolist()
    return replace(_read(model), loss="logistic", classes=(first, second))


def _read(model: Any) -> ReadNetwork:
    (hidden, output), (biases, output_biases) = model.coefs_, model.intercepts_
    read = from_layers(
        weights(hidden, "network.coefs_[0]").T,
        weights(biases, "network.intercepts_[0]"),
        weights(output, "network.coefs_[1]").T,
        weights(output_biases, "network.intercepts_[1]"),
    )
    return replace(read, alpha=float(model.alpha), feature_names=fitted_names(model))


def fitted_names(model: Any) -> tuple[str, ...] | None:
    """Names of the columns that an estimator was fitted on, where it knows them."""
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else tuple(str(name) for name in names)


def _check_perceptron(model: Any, name: str) -> None:
    check_fitted(model, "coefs_", getattr(sys.modules["sklearn.neural_network"], name))
    if len(model.coefs_) != 2:
        raise InputError(
            f"An {name} must have one hidden layer, as with hidden_layer_sizes=(100,), "
            f"got {len(model.coefs_) - 1}."
        )
    if model.activation != "relu":
        raise InputError(f"An {name} must have activation='relu', got {model.activation!r}.")
