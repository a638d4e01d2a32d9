"""Which reader a network goes to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.exchange.foreign.estimators import (
    check_class,
    read_classifier,
    read_perceptron_classifier,
    read_perceptron_regressor,
    read_regressor,
)
from cvxnn.exchange.foreign.network import ReadNetwork, detached
from cvxnn.exchange.foreign.torch_network import read_module
from cvxnn.networks import TwoLayerNetwork, check_plain
from cvxnn.validation import as_real_array

_ACCEPTED = (
    "a TwoLayerNetwork, a pair (hidden_weights, output_weights) of shapes (m, d) and (m,), a "
    "torch module that computes Linear, ReLU, Linear, a fitted estimator of cvxnn, a fitted "
    "MLPRegressor or binary MLPClassifier of sklearn.neural_network with one hidden layer of "
    "ReLU, or a Pipeline that ends in one"
)


def read_network(network: Any) -> ReadNetwork:
    """Read a two-layer ReLU network of any supported library; O(md).

    Parameters
    ----------
    network : object
        A :class:`~cvxnn.TwoLayerNetwork`; a pair of arrays ``hidden_weights``
        (m, d) and ``output_weights`` (m,), (1, m) or (m, 1); a module of torch with one
        output that computes Linear, ReLU, Linear, with or without biases, BatchNorm1d and
        Dropout in evaluation mode, and a Sigmoid at the end; a fitted ``MLPRegressor`` or
        ``MLPClassifier`` of ``sklearn.neural_network`` with one hidden layer of ReLU and
        one output; a fitted :class:`~cvxnn.ConvexReLURegressor` or
        :class:`~cvxnn.ConvexReLUClassifier` for two classes, also with cross-validation; or
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
        return ReadNetwork(check_plain(network, "network"))
    if isinstance(network, (tuple, list)):
        return _read_pair(network)
    for module, name, read in _LIBRARIES:
        known = getattr(sys.modules.get(module), name, None)
        if known is not None and isinstance(network, known):
            return read(network)
    hint = ""
    for attribute in ("network", "best_estimator_"):
        if hasattr(network, attribute):
            hint = f"; pass its attribute {attribute}"
    raise InputError(f"network must be {_ACCEPTED}; got a {type(network).__name__}{hint}.")


def _read_pair(pair: tuple[Any, ...] | list[Any]) -> ReadNetwork:
    if len(pair) != 2:
        raise InputError(f"network must be {_ACCEPTED}; got a sequence of {len(pair)}.")
    hidden, output = pair
    return ReadNetwork(
        TwoLayerNetwork(detached(hidden, "hidden_weights"), _as_vector(output, "output_weights"))
    )


def _as_vector(value: Any, name: str) -> FloatArray:
    """One row or one column as a vector: so a layer of one output stores its weights."""
    array = as_real_array(detached(value, name), name)
    return array.ravel() if array.ndim == 2 and 1 in array.shape else array


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
