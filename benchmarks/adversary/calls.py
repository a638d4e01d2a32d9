"""The calls of the library that is tested: its public functions, and what they return."""

from __future__ import annotations

from typing import Any

import numpy as np

import cvxnn
from adversary.instances import Instance
from adversary.problem import Weights

_N_SAMPLES = 50


def call(instance: Instance, time_limit: float | None) -> Any:
    """The result of the call; InputError where it is refused."""
    common = {"loss": _loss(instance), "tol": instance.tol, "time_limit": time_limit}
    X, y, beta = instance.X, instance.y, instance.beta
    if instance.kind == "linear_cnn":
        patches = cvxnn.image_patches(X, instance.filter_size)
        return cvxnn.solve_linear_cnn(patches, y, beta, **common)
    if instance.kind == "circular":
        return cvxnn.solve_circular_cnn(X, y, beta, **common)
    common["sample_weight"] = instance.weights
    if instance.kind == "gated":
        return cvxnn.solve_gated(X, y, beta, instance.gates, **common)
    if instance.kind == "certify":
        return cvxnn.certify(_given(instance, common), X, y, beta, **common)
    common |= {"method": instance.method, "n_samples": _N_SAMPLES}
    if instance.kind == "relu":
        return cvxnn.solve(X, y, beta, **common)
    if instance.kind.startswith("cnn"):
        return cvxnn.solve_cnn(
            X, y, beta, (instance.filter_size,),
            padding=instance.padding, pooling=instance.pooling, slope=instance.slope,
            fit_intercept=instance.fit_intercept, **common,
        )  # fmt: skip
    return cvxnn.solve_leaky(X, y, beta, instance.slope, skip=instance.skip, **common)


def weights_of(instance: Instance, network: Any, rows: Any) -> Weights:
    """The returned network as it enters the problem with these rows, shape (n, K, p)."""
    if instance.kind.startswith("cnn"):
        filters = network.filters.reshape(network.n_neurons, instance.filter_size)
        if instance.fit_intercept:
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


def _given(instance: Instance, common: dict[str, Any]) -> Any:
    """The network to certify: given, or a solution as it is or disturbed."""
    if isinstance(instance.network, tuple):
        return cvxnn.TwoLayerNetwork(*instance.network)
    network = cvxnn.solve(instance.X, instance.y, instance.beta, **common).network
    if instance.network is None:
        return network
    rng = np.random.default_rng([instance.seed, instance.index, 1])
    noise = 1.0 + instance.network * rng.standard_normal(network.hidden_weights.shape)
    return cvxnn.TwoLayerNetwork(network.hidden_weights * noise, network.output_weights)


def _loss(instance: Instance) -> Any:
    return cvxnn.HuberLoss(instance.delta) if instance.loss == "huber" else instance.loss
