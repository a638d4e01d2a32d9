"""One instance of the other networks: a call of the library, drawn from a seed and its index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import cvxnn
from adversary.calls import _loss as loss_of
from adversary.families import FAMILIES, Data
from adversary.instances import Instance
from adversary.others.problem import OthersProblem, Terms
from adversary.problem import OF_LABELS, FloatArray

KINDS = {"polynomial": 0.25, "quantized": 0.2, "parallel": 0.2, "ramps": 0.15, "gates": 0.2}
_LOSSES = {
    "squared": 0.4, "huber": 0.12, "logistic": 0.12, "squared_hinge": 0.1, "absolute": 0.1,
    "quantile": 0.08, "hinge": 0.08,
}  # fmt: skip
_SMOOTH = {"absolute": "squared", "quantile": "huber", "hinge": "squared_hinge"}
_COEFFICIENTS = (
    (0.09, 0.5, 0.47), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (-1.0, 0.5, 0.0), (1.0, -2.0, 1.0),
    (0.0, 0.0, 1.0), (0.3, 0.0, -0.2),
)  # fmt: skip
_TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-6, 1e-6, 1e-9)
# Few rows: arithmetic is exact, and three layers are proven for few only.
_ROWS = {"polynomial": 24, "quantized": 24, "parallel": 7, "ramps": 24, "gates": 24}


@dataclass
class OthersInstance(Instance):
    """A call with coefficients of a polynomial, or the gates of a second layer."""

    coefficients: tuple[float, ...] = ()
    second_gates: Any = None

    def in_range(self) -> bool:
        """Squares of data have to be numbers, too."""
        sizes = np.abs(self.X[self.X != 0.0])
        has_squares = self.kind in ("polynomial", "quantized")
        fits = not has_squares or bool(((sizes > 1e-45) & (sizes < 1e45)).all())
        return super().in_range() and fits and float(np.abs(self.y).max(initial=0.0)) < 1e45


def draw(seed: int, index: int) -> OthersInstance:
    """Instance `index` of a seed: always the same one."""
    rng = np.random.default_rng([seed, index, 29])
    names, shares = list(FAMILIES), np.array([share for _, share in FAMILIES.values()])
    family = names[int(rng.choice(len(names), p=shares / shares.sum()))]
    data = FAMILIES[family][0](rng)
    kind = str(rng.choice(list(KINDS), p=np.array(list(KINDS.values())) / sum(KINDS.values())))
    loss = str(rng.choice(list(_LOSSES), p=list(_LOSSES.values())))
    loss = _SMOOTH.get(loss, loss) if kind == "gates" else loss
    largest = float(np.abs(data.y).max(initial=0.0)) or 1.0
    delta = float(10.0 ** rng.uniform(-1, 1)) * largest
    if data.delta is not None:
        loss, delta = "huber", data.delta
    few = slice(_ROWS[kind])
    X, y = data.X[few, :6], data.y[few]
    if kind == "ramps":
        X = X[:, :1]
    if loss in OF_LABELS:
        y = np.where(y > np.median(y), 1.0, -1.0)
    instance = OthersInstance(
        seed, index, family, kind, X, y, _weights(rng, data, len(y)), 1.0, "global", loss, delta,
        float(rng.choice(_TOLERANCES)), intercept=kind == "ramps" or bool(rng.random() < 0.3),
    )  # fmt: skip
    if kind == "polynomial":
        instance.coefficients = _COEFFICIENTS[int(rng.integers(len(_COEFFICIENTS)))]
    if kind == "gates":
        instance.gates, instance.second_gates = _gates(rng, X, 8), _gates(rng, X, 4)
    instance.beta = _beta(rng, instance, data.beta_power)
    return instance


def _weights(rng: np.random.Generator, data: Data, n: int) -> FloatArray | None:
    if data.weights is not None:
        return data.weights[:n]
    if rng.random() < 0.75:
        return None
    weights = rng.uniform(0.1, 3.0, n)
    weights[rng.random(n) < 0.2] = 0.0
    weights[0] = 1.0
    return weights


def _gates(rng: np.random.Generator, X: FloatArray, count: int) -> FloatArray:
    """Directions whose boundaries keep away from all rows, but for rows that are zero."""
    gates = rng.standard_normal((count, X.shape[1]))
    sizes = np.abs(X).max(axis=1, keepdims=True)
    products = np.abs(X / np.where(sizes > 0.0, sizes, 1.0) @ gates.T)
    kept = gates[((products > 1e-9) | (sizes == 0.0)).all(axis=0)]
    return kept if len(kept) else np.zeros((1, X.shape[1]))


def _beta(rng: np.random.Generator, instance: OthersInstance, power: float | None) -> float:
    """In proportion to a rough guess of the largest beta that leaves neurons."""
    if power is None:
        power = rng.uniform(-3.0, 0.3)
        if rng.random() < 0.06:
            power = rng.uniform(-12.0, -4.0)
    x = float(np.abs(instance.X).max(initial=0.0)) or 1.0
    if instance.kind == "polynomial":
        a, b, c = np.abs(instance.coefficients)
        x = (a * x + b) * x + c
    elif instance.kind == "quantized":
        x = x * x
    y = float(np.abs(instance.y).max(initial=0.0)) or 1.0
    if instance.loss == "huber":
        y = min(y, instance.delta)
    elif instance.loss in (*OF_LABELS, "absolute", "quantile"):
        y = 1.0
    weight = 1.0 if instance.weights is None else float(instance.weights.max())
    exponent = np.log10(x) + np.log10(y) + np.log10(weight) + power
    return float(10.0 ** np.clip(exponent, -300.0, 300.0))


def problem_of(instance: OthersInstance) -> OthersProblem:
    """What the call is about, on the rows of weight above 0."""
    weights = np.ones(len(instance.X)) if instance.weights is None else instance.weights
    counted = weights > 0.0
    return OthersProblem(
        instance.kind, instance.X[counted], instance.y[counted], weights[counted], instance.beta,
        instance.loss, instance.delta, instance.intercept, instance.coefficients,
    )  # fmt: skip


def model_of(instance: OthersInstance) -> cvxnn.Model:
    """The model that is trained."""
    match instance.kind:
        case "polynomial":
            return cvxnn.Polynomial(*instance.coefficients)
        case "quantized":
            return cvxnn.Quantized()
        case "gates":
            return cvxnn.Gated(instance.gates, depth=3, second_gates=instance.second_gates)
    return cvxnn.Parallel(bias="free" if instance.kind == "ramps" else None)


def call(instance: OthersInstance, time_limit: float | None) -> Any:
    """The result of the call; InputError where it is refused."""
    return cvxnn.solve(
        instance.X, instance.y, instance.beta, model=model_of(instance), loss=loss_of(instance),
        sample_weight=instance.weights, intercept=instance.intercept, tol=instance.tol,
        time_limit=time_limit,
    )  # fmt: skip


def terms_of(instance: OthersInstance, network: Any) -> Terms:
    """The returned network on the rows of weight above 0."""
    alpha, intercept = network.output_weights, float(network.intercept)
    match instance.kind:
        case "polynomial":
            return Terms(alpha, (network.hidden_weights,), intercept)
        case "quantized":
            return Terms(alpha, (network.left_signs, network.right_signs), intercept)
        case "gates":
            X = problem_of(instance).X
            is_open = (network.gates @ X.T >= 0.0) & (network.second_gates @ X.T >= 0.0)
            return Terms(
                alpha * network.inner_weights, (network.hidden_weights, is_open), intercept
            )
    W, b = network.hidden_weights, network.inner_weights
    c = np.zeros(b.shape) if network.hidden_biases is None else network.hidden_biases
    e = np.zeros(len(b)) if network.inner_biases is None else network.inner_biases
    return Terms(alpha, (W, b, c, e), intercept)
