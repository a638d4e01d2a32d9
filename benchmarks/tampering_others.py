"""Cases of `tampering.py` of degree two, of signs and of three layers: what they state."""

from __future__ import annotations

from typing import Any

import numpy as np
from adversary.others.problem import OthersProblem, Terms
from adversary.others.search import OthersSearch

import cvxnn
from cvxnn import BoundCertificate

Problem = tuple[np.ndarray, np.ndarray, np.ndarray | None, dict[str, Any]]


def of_others(plane: np.ndarray, y: np.ndarray, weights: np.ndarray) -> dict[str, Problem]:
    """Problems of other networks than two layers of ReLU, and of one neuron a round."""
    labels, line = np.sign(y), plane[:, :1]
    deep = cvxnn.Gated(_GATES[:4], depth=3, second_gates=_GATES[4:])
    steps = {"method": cvxnn.FrankWolfe(), "max_iter": 40}
    filters = cvxnn.Polynomial(1.0, 0.0, 0.5, filter_size=2)
    return {
        "polynomial": (plane, y, weights, {"model": cvxnn.Polynomial()}),
        "polynomial, labels": (plane, labels, None, _labelled(cvxnn.Polynomial(1.0, -0.5, 0.2))),
        "polynomial, filters": (plane, y, None, {"model": filters}),
        "quantized": (plane, y, weights, {"model": cvxnn.Quantized()}),
        "quantized, labels": (plane, labels, None, _labelled(cvxnn.Quantized())),
        "sub-networks": (plane[:5, :2], y[:5], None, {"model": cvxnn.Parallel()}),
        "ramps": (line, y, weights, {"model": cvxnn.Parallel(bias="free")}),
        "three gated layers": (plane, y, weights, {"model": deep}),
        "frank_wolfe": (plane, y, None, steps),
        "incremental": (plane, y, weights, {"method": "incremental"}),
    }


_GATES = np.random.default_rng(5).standard_normal((7, 3))


def _labelled(model: cvxnn.Model) -> dict[str, Any]:
    return {"model": model, "loss": "logistic", "intercept": True}


def other_settings(certificate: BoundCertificate) -> list[dict[str, Any]]:
    """Changes of the settings of such a model, and other models in its place."""
    own = certificate.settings
    changes: list[dict[str, Any]] = {
        "polynomial": [{"a": 0.3}, {"a": -0.09}, {"b": 0.0}, {"c": 2.0}, {"filter_size": 1}],
        "parallel": [{"bias": "free"}, {"bias": None}, {"depth": 2}],
        "gated": [{"depth": 2}, {"depth": 3}, {"skip": "penalised"}],
    }.get(certificate.model, [])
    changed = [{"settings": {**own, **change}} for change in changes]
    return [*changed, *({"model": model} for model in ("polynomial", "quantized", "parallel"))]


def other_arrays(network: Any) -> list[dict[str, Any]]:
    """Other settings of a network of such a kind, and arrays that are settings."""
    if isinstance(network, cvxnn.PolynomialNetwork):
        return [{"a": network.a + 0.1}, {"b": network.b - 0.1}, {"c": network.c + 1.0}]
    if isinstance(network, cvxnn.ParallelNetwork):
        return [{"hidden_biases": np.full(network.inner_weights.shape, 0.1)}]
    if getattr(network, "second_gates", None) is not None:
        return [{"second_gates": -network.second_gates}]
    return []


def stated_others(certificate: BoundCertificate) -> cvxnn.Model | None:
    """The model that a certificate states, if it is one of these and there is one."""
    settings = dict(certificate.settings)
    match certificate.model:
        case "polynomial":
            return cvxnn.Polynomial(**settings)
        case "quantized":
            return cvxnn.Quantized(**settings)
        case "parallel":
            return cvxnn.Parallel(**settings)
    return None


def model_of(network: Any) -> cvxnn.Model | None:
    """The model that trains networks like one of these."""
    if isinstance(network, cvxnn.PolynomialNetwork):
        sides = network.hidden_weights.shape[1:-1] if network.is_convolutional else None
        steps = network.stride, network.padding
        return cvxnn.Polynomial(*network.coefficients, sides, *steps)
    if isinstance(network, cvxnn.QuantizedNetwork):
        return cvxnn.Quantized()
    if isinstance(network, cvxnn.ParallelNetwork):
        return cvxnn.Parallel(bias=None if network.hidden_biases is None else "free")
    return None


def deep_objective(
    pairs: np.ndarray, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None, beta: float,
    loss: Any, intercept: bool,
) -> list[float]:  # fmt: skip
    """Of a good network on pairs of gates of two layers, found by itself."""
    first, second = np.hsplit(np.asarray(pairs), 2)
    masks = (first @ X.T >= 0.0) & (second @ X.T >= 0.0)
    name, delta = (loss, 1.0) if isinstance(loss, str) else ("huber", loss.delta)
    problem = OthersProblem(
        "gates", X, y, np.ones(len(y)) if weights is None else weights, beta, name, delta, intercept
    )
    nothing = Terms(np.zeros(0), (np.zeros((0, X.shape[1])), np.zeros((0, len(X)), dtype=bool)))
    search = OthersSearch(problem, nothing, np.random.default_rng(0), masks)
    return [float(search.run()[1])]
