"""Networks of other libraries: which reader one goes to, and those of fitted estimators."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from inspect import ismethod
from pathlib import PurePath
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.exchange.foreign.labels import Columns, Labels, Signs
from cvxnn.exchange.foreign.network import AS_PAIR, ReadNetwork, detached, from_layers, weights
from cvxnn.exchange.foreign.torch_network import read_module
from cvxnn.losses import Loss, SoftmaxLoss, as_loss
from cvxnn.networks import TwoLayerNetwork, check_plain
from cvxnn.networks.base import Network
from cvxnn.validation import as_real_array

_ACCEPTED = (
    "a TwoLayerNetwork, a pair (hidden_weights, output_weights) of shapes (m, d) and (m,) or "
    "(m, c), a torch module that computes Linear, ReLU, Linear, a fitted estimator of cvxnn, a "
    "fitted MLPRegressor or MLPClassifier of sklearn.neural_network with one hidden layer of "
    "ReLU, or a Pipeline that ends in one"
)


def read_network(network: Any) -> ReadNetwork:
    """Read a two-layer ReLU network of any supported library; O(md).

    Parameters
    ----------
    network : object
        A :class:`~cvxnn.TwoLayerNetwork`; a pair of arrays ``hidden_weights``
        (m, d) and ``output_weights`` (m,), (1, m) or (m, c); a module of torch that computes
        Linear, ReLU, Linear, with or without biases, BatchNorm1d and Dropout in evaluation
        mode, and a Sigmoid, Softmax or LogSoftmax at the end; a fitted ``MLPRegressor`` or
        ``MLPClassifier`` of ``sklearn.neural_network`` with one hidden layer of ReLU; a
        fitted :class:`~cvxnn.ConvexReLURegressor` or
        :class:`~cvxnn.ConvexReLUClassifier` of one network, also with cross-validation; or
        a fitted ``Pipeline`` of scikit-learn whose last step is one of these.

    Returns
    -------
    ReadNetwork
        The function in float64: to rounding, ``read.network.forward(read.data(X))``
        is what the network gives for X, for a classifier before the logistic
        function. A hidden bias is the weight on a column
        of ones. An output bias c is one more neuron on that column, with the
        weights ``sqrt(|c|)`` and ``sign(c) sqrt(|c|)``: the balanced one.

    Raises
    ------
    InputError
        If it is anything else, or its weights are not finite.

    Examples
    --------
    >>> read_network(([[1.0, -1.0]], [2.0])).network
    TwoLayerNetwork(n_neurons=1, n_features=2)
    """
    if isinstance(network, TwoLayerNetwork):
        plain = check_plain(network, "network", intercept=True, n_outputs=None)
        return ReadNetwork(plain, has_intercept=bool(np.any(plain.intercept)))
    if isinstance(network, (tuple, list)):
        return _read_pair(network)
    for module, name, read in _LIBRARIES:
        known = getattr(sys.modules.get(module), name, None)
        if known is not None and isinstance(network, known):
            return read(network)
    if isinstance(network, Network):
        raise InputError(
            f"network must be a TwoLayerNetwork of ReLU, got a {type(network).__name__}: what is "
            "proven of it is in the certificate of its Solution."
        )
    _check_loaded(network)
    hint = ""
    for attribute in ("network", "best_estimator_"):
        # A model has a method of that name.
        if hasattr(network, attribute) and not ismethod(getattr(network, attribute)):
            hint = f"; pass its attribute {attribute}"
    raise InputError(f"network must be {_ACCEPTED}; got a {type(network).__name__}{hint}.")


def _check_loaded(network: Any) -> None:
    """Refuse the weights of a module without it, and the path of a file."""
    if isinstance(network, Mapping):
        raise InputError(
            f"network must be a module of torch, not its weights alone, got a "
            f"{type(network).__name__}; load them into the module first, "
            "module.load_state_dict(weights), and pass the module."
        )
    # The steps of a pipeline may be words.
    if isinstance(network, os.PathLike) or (isinstance(network, str) and PurePath(network).suffix):
        raise InputError(
            f"network must not be a path, got {os.fspath(network)!r}; load the file first: one of "
            "cvxnn by cvxnn.load_network(path)[0], weights of torch into their module by "
            "module.load_state_dict(torch.load(path))."
        )


def _read_pair(pair: tuple[Any, ...] | list[Any]) -> ReadNetwork:
    if len(pair) != 2:
        raise InputError(f"network must be {_ACCEPTED}; got a sequence of {len(pair)}.")
    hidden, output = pair
    inner = as_real_array(detached(hidden, "hidden_weights"), "hidden_weights")
    m = len(inner) if inner.ndim else 0
    network = TwoLayerNetwork(inner, _output_weights(output, m))
    return ReadNetwork(check_plain(network, "network", n_outputs=None))


def _output_weights(value: Any, m: int) -> FloatArray:
    """Those of m neurons: one row or one column is a vector, as a layer of one output has it."""
    array = as_real_array(detached(value, "output_weights"), "output_weights")
    if array.ndim == 2 and (array.shape[1] == 1 or (len(array) == 1 and m != 1)):
        return array.ravel()
    if array.ndim == 2 and len(array) != m and array.shape[1] == m:
        raise InputError(
            f"output_weights must be of shape ({m}, c), a row for each neuron, got shape "
            f"{array.shape}; pass output_weights.T."
        )
    return array


def _read_pipeline(pipeline: Any) -> ReadNetwork:
    """The last step, on what the steps before make of X."""
    check_class(pipeline, sys.modules["sklearn.pipeline"].Pipeline)
    read = read_network(pipeline.steps[-1][1])
    if len(pipeline.steps) == 1:
        return read
    before, inner = pipeline[:-1], read.transform
    names = ", ".join(name for name, _ in before.steps)

    def transform(X: Any) -> Any:
        try:
            rows = before.transform(X)
        except (TypeError, ValueError) as error:
            reason = str(error).partition("\n")[0].removesuffix(".")
            raise InputError(
                f"The steps before the network ({names}) do not take X: {reason}."
            ) from error
        rows = rows.toarray() if hasattr(rows, "toarray") else rows
        return rows if inner is None else inner(rows)

    remark = f"X is what the steps of the Pipeline before its network ({names}) make of it."
    return replace(read, transform=transform, remarks=(remark, *read.remarks))


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
    """A fitted ``MLPClassifier``, before the logistic function or the softmax.

    It has an output for each of several classes, or for each of several questions: labels 0
    and 1 in columns. Two classes are one output.
    """
    _check_perceptron(model, "MLPClassifier")
    classes, read = tuple(model.classes_.tolist()), _read_perceptron(model)
    if model.out_activation_ == "softmax":
        return replace(read, loss="softmax", labels=Columns(classes))
    if read.n_outputs > 1:
        classes = (0, 1)
    if len(classes) != 2:
        raise InputError(f"An MLPClassifier must have two classes at least, got {len(classes)}.")
    return replace(read, loss="logistic", labels=Signs(classes))


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
    return _read_convex(model, model.network_, model._loss())


def read_classifier(model: Any) -> ReadNetwork:
    """A fitted ``ConvexReLUClassifier`` of one network, or the one that chose its beta."""
    _check_convex(model, "ConvexReLUClassifier", "networks_")
    if len(model.networks_) != 1:
        raise InputError(
            f"The {type(model).__name__} has {len(model.networks_)} networks, one for each class "
            "against the rest; certify each, networks_[k], with labels 1 for class k and -1 for "
            "the others, on X as it reads it: with a column of ones after the features if "
            "hidden_bias."
        )
    classes = tuple(model.classes_.tolist())
    is_joint = model.network_.n_outputs is not None
    labels: Labels = Columns(classes) if is_joint else Signs(classes)
    loss = SoftmaxLoss() if is_joint else as_loss(model.loss)
    remarks: tuple[str, ...] = ()
    if model.class_weight is not None:
        remarks = (
            f"Its class_weight, {model.class_weight!r}, counts only as far as sample_weight "
            "has it.",
        )
    return _read_convex(model, model.network_, loss, labels, remarks)


def _read_convex(
    model: Any,
    network: Any,
    loss: Loss,
    labels: Labels | None = None,
    remarks: tuple[str, ...] = (),
) -> ReadNetwork:
    is_dense = isinstance(network, TwoLayerNetwork)
    if not is_dense or network.slope != 0.0 or network.skip_weights is not None:
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
        labels=labels,
        feature_names=fitted_names(model),
        # Those of earlier releases have neither.
        has_intercept=getattr(model, "_has_intercept", False),
        scaling=getattr(model, "scaling_", None),
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


# The module that an instance of the class has certainly loaded, the class, and its reader.
_LIBRARIES: tuple[tuple[str, str, Callable[[Any], ReadNetwork]], ...] = (
    ("torch.nn", "Sequential", read_module),
    ("torch.nn", "Module", read_module),
    ("sklearn.neural_network", "MLPRegressor", read_perceptron_regressor),
    ("sklearn.neural_network", "MLPClassifier", read_perceptron_classifier),
    ("sklearn.pipeline", "Pipeline", _read_pipeline),
    ("cvxnn.estimators.regressor", "ConvexRegressor", read_regressor),
    ("cvxnn.estimators.classifier", "ConvexClassifier", read_classifier),
)
