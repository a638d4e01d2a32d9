"""The calls of the library that is tested: its public functions, and what they return."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import cvxnn
from adversary.instances import Instance
from adversary.problem import LEVEL, Weights

_N_SAMPLES = 50


def call(instance: Instance, time_limit: float | None) -> Any:
    """The result of the call; InputError where it is refused."""
    options = {"loss": _loss(instance), "sample_weight": instance.weights}
    options |= {"tol": instance.tol, "time_limit": time_limit}
    if instance.intercept:
        options["intercept"] = True
    X, y, beta = instance.X, instance.y, instance.beta
    if instance.kind == "certify":
        return cvxnn.certify(_given(instance, options), X, y, beta, **options)
    if instance.kind == "linear_cnn":
        X = cvxnn.image_patches(X, instance.filter_size)
    return cvxnn.solve(X, y, beta, model=model_of(instance), method=_method(instance), **options)


def model_of(instance: Instance) -> cvxnn.Model:
    """The kind of network that is trained."""
    match instance.kind:
        case "linear_cnn":
            return cvxnn.LinearConv()
        case "circular":
            return cvxnn.CircularConv()
        case "gated":
            return cvxnn.Gated(instance.gates)
        case "cnn" | "cnn_max":
            return cvxnn.Conv(
                (instance.filter_size,), padding=instance.padding, pooling=instance.pooling,
                slope=instance.slope, bias=instance.bias,
            )  # fmt: skip
    return cvxnn.ReLU(instance.slope, instance.skip)


def _method(instance: Instance) -> Any:
    if instance.kind in ("linear_cnn", "circular", "gated"):
        return "global"
    return cvxnn.Sampled(_N_SAMPLES) if instance.method == "sampled" else instance.method


def weights_of(instance: Instance, network: Any, rows: Any) -> Weights:
    """The returned network as it enters the problem with these rows, shape (n, K, p)."""
    weights = _neurons_of(instance, network, rows)
    return replace(weights, intercept=network.intercept) if instance.intercept else weights


def _neurons_of(instance: Instance, network: Any, rows: Any) -> Weights:
    if instance.kind.startswith("cnn"):
        filters = network.filters.reshape(network.n_neurons, instance.filter_size)
        if instance.bias:
            filters = np.column_stack([filters, network.biases])
        return Weights(filters, network.output_weights)
    if instance.kind == "linear_cnn":
        return Weights(network.filters, network.output_weights)
    if instance.kind == "circular":
        return Weights(network.filters, network.output_weights)
    if instance.kind == "gated":
        masks = open_masks(rows[:, 0], network.gates)
        return Weights(network.hidden_weights, network.output_weights, None, masks)
    skip = network.skip_weights if instance.skip is not None else None
    return Weights(network.hidden_weights, network.output_weights, skip)


def open_masks(X: Any, gates: Any) -> Any:
    """Where gates are open, shape (n, G); they keep away from boundaries."""
    return X @ np.asarray(gates).T >= 0.0


def _given(instance: Instance, options: dict[str, Any]) -> Any:
    """The network to certify: given, or a solution as it is or disturbed."""
    if isinstance(instance.network, tuple):
        return cvxnn.TwoLayerNetwork(*instance.network)
    network = cvxnn.solve(instance.X, instance.y, instance.beta, **options).network
    if instance.network is None:
        return network
    rng = np.random.default_rng([instance.seed, instance.index, 1])
    noise = 1.0 + instance.network * rng.standard_normal(network.hidden_weights.shape)
    return cvxnn.TwoLayerNetwork(network.hidden_weights * noise, network.output_weights)


def _loss(instance: Instance) -> Any:
    if instance.loss == "quantile":
        return cvxnn.QuantileLoss(LEVEL)
    return cvxnn.HuberLoss(instance.delta) if instance.loss == "huber" else instance.loss
