"""Fitted estimators of scikit-learn, and those of cvxnn."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from cvxnn.errors import InputError
from cvxnn.exchange.foreign.network import AS_PAIR, ReadNetwork, from_layers, weights
from cvxnn.losses import HuberLoss, Loss, as_loss
from cvxnn.networks import TwoLayerNetwork


def read_perceptron_regressor(model: Any) -> ReadNetwork:
    """A fitted ``MLPRegressor``; InputError if it is no network of two layers with ReLU."""
    _check_perceptron(model, "MLPRegressor")
    if model.out_activation_ != "identity":
        raise InputError(
            f"An MLPRegressor must have loss='squared_error', got {model.loss!r}, whose output "
            f"goes through {model.out_activation_!r}."
        )
    return _read_perceptron(model)


def read_perceptron_classifier(model: Any) -> ReadNetwork:
    """A fitted ``MLPClassifier`` for two classes, before the logistic function."""
    _check_perceptron(model, "MLPClassifier")
    if len(model.classes_) != 2:
        raise InputError(f"An MLPClassifier must have two classes, got {len(model.classes_)}.")
    first, second = model.classes_.tolist()
    return replace(_read_perceptron(model), loss="logistic", classes=(first, second))


def _read_perceptron(model: Any) -> ReadNetwork:
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


def read_regressor(model: Any) -> ReadNetwork:
    """A fitted ``ConvexReLURegressor``, or the one that chose its beta."""
    _check_convex(model, "ConvexReLURegressor", "network_")
    loss = HuberLoss(model.delta) if model.loss == "huber" else as_loss(model.loss)
    return _read_convex(model, model.network_, loss)


def read_classifier(model: Any) -> ReadNetwork:
    """A fitted ``ConvexReLUClassifier`` for two classes, or the one that chose its beta."""
    _check_convex(model, "ConvexReLUClassifier", "networks_")
    if len(model.networks_) != 1:
        raise InputError(
            f"The {type(model).__name__} has {len(model.networks_)} networks, one for each class "
            "against the rest; certify each, networks_[k], with labels 1 for class k and -1 for "
            "the others, on X as it reads it: with a column of ones after the features if "
            "hidden_bias."
        )
    first, second = model.classes_.tolist()
    remarks: tuple[str, ...] = ()
    if model.class_weight is not None:
        remarks = (
            f"Its class_weight, {model.class_weight!r}, counts only as far as sample_weight "
            "has it.",
        )
    return _read_convex(model, model.network_, as_loss(model.loss), (first, second), remarks)


def _read_convex(
    model: Any,
    network: Any,
    loss: Loss,
    classes: tuple[Any, Any] | None = None,
    remarks: tuple[str, ...] = (),
) -> ReadNetwork:
    if not isinstance(network, TwoLayerNetwork) or not network.is_plain:
        raise InputError(
            f"The network of the {type(model).__name__} is {network!r}, not one of two layers "
            "with ReLU; its own objective_, dual_bound_ and dual_gap_ say how far it is from the "
            "best one."
        )
    # As fitted, whatever was set since.
    has_ones = network.n_features > int(model.n_features_in_)
    return ReadNetwork(
        network,
        has_ones=has_ones,
        has_hidden_biases=has_ones,
        loss=loss,
        classes=classes,
        feature_names=fitted_names(model),
        remarks=remarks,
    )


def _check_convex(model: Any, name: str, attribute: str) -> None:
    module = sys.modules["cvxnn.estimators"]
    check_fitted(model, attribute, getattr(module, name), getattr(module, f"{name}CV"))


def check_fitted(model: Any, attribute: str, *kinds: type) -> None:
    """Refuse subclasses of estimators, and those that were not fitted."""
    check_class(model, *kinds)
    if not hasattr(model, attribute):
        raise InputError(f"The {type(model).__name__} is not fitted; call its fit first.")


def check_class(model: Any, *kinds: type) -> None:
    """Refuse subclasses: what they compute is their own affair."""
    if type(model) not in kinds:
        raise InputError(
            f"The network is a {type(model).__name__}, which may compute something else than "
            f"the {kinds[0].__name__} it is derived from; {AS_PAIR}."
        )
