"""The fitted estimators of this library."""

from __future__ import annotations

import sys
from typing import Any

from cvxnn.errors import InputError
from cvxnn.exchange.foreign.layers import check_fitted
from cvxnn.exchange.foreign.network import ReadNetwork
from cvxnn.exchange.foreign.scikit_learn import fitted_names
from cvxnn.losses import HuberLoss, Loss, as_loss
from cvxnn.networks import TwoLayerNetwork


def read_regressor(model: Any) -> ReadNetwork:
    """A fitted ``ConvexReLURegressor``, or the one that chose its beta."""
    _check(model, "ConvexReLURegressor", "network_")
    loss = HuberLoss(model.delta) if model.loss == "huber" else as_loss(model.loss)
    return _read(model, model.network_, loss)


def read_classifier(model: Any) -> ReadNetwork:
    """A fitted ``ConvexReLUClassifier`` for two classes, or the one that chose its beta."""
    _check(model, "ConvexReLUClassifier", "networks_")
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
    return _read(model, model.network_, as_loss(model.loss), (first, second), remarks)


def _read(
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


def _check(model: Any, name: str, attribute: str) -> None:
    module = sys.modules["cvxnn.estimators"]
    check_fitted(model, attribute, getattr(module, name), getattr(module, f"{name}CV"))
