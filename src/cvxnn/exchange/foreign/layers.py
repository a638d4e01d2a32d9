"""From the weights and biases of two layers to a network without biases."""

from __future__ import annotations

from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.exchange.foreign.network import ReadNetwork, detached
from cvxnn.networks import TwoLayerNetwork
from cvxnn.validation import as_real_array, check_finite

AS_PAIR = "pass its weights as a pair (hidden_weights, output_weights)"


def from_layers(
    hidden: FloatArray,
    hidden_bias: FloatArray | None,
    output: FloatArray,
    output_bias: FloatArray | None,
) -> ReadNetwork:
    """The network of two layers with weights (m, d) and (k, m), and biases (m,) and (k,)."""
    if len(output) != 1:
        raise InputError(f"The network must have one output, got {len(output)}.")
    has_ones = hidden_bias is not None or output_bias is not None
    constant = 0.0 if output_bias is None else float(output_bias[0])
    weights = output[0]
    if has_ones:
        ones = np.zeros(len(hidden)) if hidden_bias is None else hidden_bias
        hidden = np.column_stack([hidden, ones])
    if constant != 0.0:
        root = np.sqrt(abs(constant))
        hidden = np.vstack([hidden, [*np.zeros(hidden.shape[1] - 1), root]])
        weights = np.append(weights, np.copysign(root, constant))
    return ReadNetwork(
        TwoLayerNetwork(hidden, weights),
        has_ones=has_ones,
        has_hidden_biases=hidden_bias is not None,
        output_bias=constant,
    )


def weights(value: Any, name: str) -> FloatArray:
    """Finite numbers of a layer in float64; InputError that calls them `name` otherwise."""
    array = as_real_array(detached(value, name), name)
    check_finite(array, name)
    return array


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
