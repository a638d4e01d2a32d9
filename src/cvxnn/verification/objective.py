"""The objective of a network, between two numbers, from its weights and the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.loss_values import losses_between
from cvxnn.verification.models import CheckedConv, CheckedGates, CheckedModel, CheckedReLU
from cvxnn.verification.rounding import U, gamma


@final
@dataclass(frozen=True)
class _Values:
    """Predictions as computed, and bounds on their errors, shaped as targets."""

    values: FloatArray
    errors: FloatArray


def objective_between(
    model: CheckedModel,
    state: Mapping[str, Any],
    data: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    loss: Mapping[str, Any],
    beta: float,
) -> tuple[float, float] | None:
    """Bounds on ``l(f(X), y) + beta penalty`` of a network, from below and from above.

    Every prediction is a sum of products with a rounding of ``gamma_k`` times the moduli.

    Parameters
    ----------
    model : CheckedModel
        The kind of networks.
    state : mapping
        ``arrays`` and ``settings`` of the network, by name.
    data, y, weights
        Rows of a weight above 0; y of shape (n,), or (n, c).
    loss : mapping
        Its name and parameters.
    beta : float

    Returns
    -------
    tuple of float, or None
        None for kinds of networks of which the values are not recomputed here.

    Raises
    ------
    InputError
        If the network is none of this kind, or does not suit the data.
    """
    found = _values(model, state, data, y.shape[1:])
    if found is None:
        return None
    best, worst = losses_between(loss, found.values, found.errors, y)
    squares, linear = _penalised(state)
    price, rounding = beta * (0.5 * squares + linear), gamma(y.size + 64)
    low, high = (float(weights @ part) + price for part in (best, worst))
    return low * (1.0 - 2.0 * rounding), high * (1.0 + rounding)


def _values(
    model: CheckedModel, state: Mapping[str, Any], data: FloatArray, outputs: tuple[int, ...]
) -> _Values | None:
    """Shaped as targets, whose rows have the shape `outputs`."""
    if type(model) not in _READERS:
        return None
    arrays, settings = state["arrays"], state["settings"]
    intercept = np.asarray(settings.get("intercept", 0.0), dtype=np.float64)
    if (
        intercept.shape not in ((), outputs)
        or np.shape(arrays.get("output_weights"))[1:] != outputs
    ):
        raise InputError("The network is not of the kind of the certificate.")
    with np.errstate(all="ignore"):
        found = _READERS[type(model)](model, data, arrays)
    values = found.values + intercept
    # Of the intercept, and of the ends of the interval themselves.
    errors = (found.errors + 4.0 * U * (np.abs(values) + np.abs(intercept))) * (1.0 + 1e-9)
    return _Values(values, errors + 1e-290)


def _dense(X: FloatArray, arrays: Mapping[str, Array], slope: float) -> _Values:
    hidden, output = _weights(arrays, "hidden_weights", X.shape[1])
    sums, moduli = X @ hidden.T, np.abs(X) @ np.abs(hidden).T
    values = (np.maximum(sums, 0.0) + slope * np.minimum(sums, 0.0)) @ output
    size = max(1.0, abs(slope)) * (moduli @ np.abs(output))
    skip = arrays.get("skip_weights")
    if skip is not None:
        values, size = values + X @ skip, size + np.abs(X) @ np.abs(skip)
    return _Values(values, gamma(X.shape[1] + len(output) + 8) * size)


def _relu(model: CheckedReLU, X: FloatArray, arrays: Mapping[str, Array]) -> _Values:
    return _dense(X, arrays, model.slope)


def _gated(_: CheckedGates, X: FloatArray, arrays: Mapping[str, Array]) -> _Values:
    hidden, output = _weights(arrays, "hidden_weights", X.shape[1])
    gates = arrays["gates"]
    sides, moduli = X @ gates.T, np.abs(X) @ np.abs(gates).T
    terms = np.abs(X) @ np.abs(hidden).T * np.abs(output)
    doubt = (np.abs(sides) <= gamma(X.shape[1] + 2) * moduli) & (moduli > 0.0)
    values = ((sides >= 0.0) * (X @ hidden.T)) @ output
    errors = gamma(X.shape[1] + len(output) + 8) * terms.sum(axis=1) + (doubt * terms).sum(axis=1)
    return _Values(values, errors)


def _filtered(model: CheckedConv, data: FloatArray, arrays: Mapping[str, Array]) -> _Values:
    patches = model.patches(data)
    n, count, size = patches.shape
    filters = arrays["filters"].reshape(len(arrays["filters"]), size)
    rows = patches.reshape(n * count, size)
    if arrays.get("biases") is not None:
        filters = np.column_stack([filters, arrays["biases"]])
        rows = np.column_stack([rows, np.ones(len(rows))])
    found = _dense(
        rows, {"hidden_weights": filters, "output_weights": arrays["output_weights"]}, model.slope
    )
    values, errors = (part.reshape(n, count) for part in (found.values, found.errors))
    total, worst = values.sum(axis=1), errors.sum(axis=1)
    worst = worst + gamma(count + 4) * np.abs(values).sum(axis=1)
    share = 1.0 / count if model.average else 1.0
    return _Values(share * total, share * worst * (1.0 + 1e-9))


def _weights(arrays: Mapping[str, Array], name: str, width: int) -> tuple[FloatArray, FloatArray]:
    hidden, output = arrays.get(name), arrays.get("output_weights")
    if hidden is None or output is None or hidden.ndim != 2:
        raise InputError("The network is not of the kind of the certificate.")
    if hidden.shape[1] != width or len(hidden) != len(output):
        raise InputError(f"The network reads {hidden.shape[1]} features, and X has {width}.")
    return hidden, output


def _penalised(state: Mapping[str, Any]) -> tuple[float, float]:
    """The sum of squares of the weights, and the length of those of a skip connection."""
    arrays, is_free = state["arrays"], bool(state["settings"].get("skip_is_free", False))
    squares = 0.0
    for name, part in arrays.items():
        if name not in ("skip_weights", "gates"):
            squares += float(np.vdot(part, part)) * (1.0 + gamma(part.size + 4))
    skip = arrays.get("skip_weights")
    if skip is None or is_free:
        return squares, 0.0
    return squares, float(np.sqrt(np.vdot(skip, skip))) * (1.0 + gamma(skip.size + 8))


# Predictions of kinds of networks.
_READERS: dict[type[CheckedModel], Callable[[Any, FloatArray, Mapping[str, Array]], _Values]] = {
    CheckedReLU: _relu,
    CheckedGates: _gated,
    CheckedConv: _filtered,
}
