"""One instance is a call of the library: drawn from two integers, the seed and its index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from adversary.families import FAMILIES, Data
from adversary.problem import OF_LABELS, FloatArray, Problem

KINDS = {
    "relu": 0.33,
    "leaky": 0.11,
    "skip_penalised": 0.12,
    "skip_free": 0.08,
    "gated": 0.07,
    "cnn": 0.08,
    "cnn_max": 0.05,
    "linear_cnn": 0.04,
    "circular": 0.04,
    "certify": 0.08,
}
_LOSSES = ("squared", "huber", "logistic", "squared_hinge")
# For a share of the instances, those with kinks in the place of these.
_KINKED = {
    "squared": "absolute",
    "huber": "quantile",
    "logistic": "hinge",
    "squared_hinge": "hinge",
}
_SHARE_KINKED = 0.3
# Fixed gates take smooth losses, and certificates of free parts are for the squared one.
WITHOUT_KINKS = ("gated", "skip_free")
WITHOUT_INTERCEPT = ("skip_penalised", "skip_free", "certify")
_WITH_INTERCEPT = 1.0 / 3.0
_TOLERANCES = (1e-3, 1e-6, 1e-6, 1e-6, 1e-8, 1e-10, 1e-13)


@dataclass
class Instance:
    """A call: the network kind with its arguments, everything in float64."""

    seed: int
    index: int
    family: str
    kind: str
    X: FloatArray
    y: FloatArray
    weights: FloatArray | None
    beta: float
    method: str
    loss: str
    delta: float
    tol: float
    slope: float = 0.0
    skip: str | None = None
    pooling: str = "sum"
    filter_size: int = 1
    padding: int = 0
    bias: bool = False
    gates: Any = None
    network: Any = None
    intercept: bool = False

    @property
    def uses_certify(self) -> bool:
        return self.kind == "certify"

    def in_range(self) -> bool:
        """Whether the documentation promises that the call is accepted."""
        arrays = [self.X, self.y] + ([] if self.weights is None else [self.weights])
        beta, x, y = self.beta, _largest(self.X), _largest(self.y)
        if self.loss in OF_LABELS or self.loss == "gamma":
            y = 1.0
        with np.errstate(over="ignore"):
            proportion = np.float64(beta) / (x or 1.0) / (y or 1.0)
        in_proportion = bool(1e-149 < proportion < 1e149)
        near = _decades(self.X) <= 100.0 and (
            self.weights is None or _decades(self.weights) <= 30.0
        )
        numbers = all(_documented(array) for array in arrays)
        return numbers and in_proportion and near and not self._lacks_labels()

    def _lacks_labels(self) -> bool:
        """Labels of one kind have no best intercept, nor have counts of 0."""
        weights = np.ones(len(self.y)) if self.weights is None else self.weights
        if self.loss == "poisson":
            return self.intercept and not (weights @ self.y > 0.0)
        labels = np.unique(self.y[weights > 0.0])
        is_classified = self.loss in OF_LABELS
        return self.intercept and is_classified and len(labels) < 2

    def short(self) -> str:
        """One line that a person can read, with the data where they are few."""
        parts = [f"{self.family}/{self.kind}", f"n={len(self.X)} d={self.X.shape[1]}"]
        loss = f"huber({self.delta:.3g})" if self.loss == "huber" else self.loss
        parts += [f"{self.method} {loss} beta={self.beta!r} tol={self.tol:g}"]
        for name in ("slope", "skip", "padding", "bias", "intercept"):
            if getattr(self, name):
                parts.append(f"{name}={getattr(self, name)}")
        if self.kind.startswith("cnn"):
            parts.append(f"{self.pooling} filter={self.filter_size}")
        if self.X.size <= 16:
            parts.append(f"X={self.X.tolist()} y={self.y.tolist()}")
            if self.weights is not None:
                parts.append(f"w={self.weights.tolist()}")
        return " ".join(parts)


def draw(seed: int, index: int) -> Instance:
    """Instance `index` of a seed: always the same one."""
    rng = np.random.default_rng([seed, index])
    family = _pick(rng, {name: share for name, (_, share) in FAMILIES.items()})
    data = FAMILIES[family][0](rng)
    kind = _pick(rng, KINDS)
    # Drawn whatever the kind, so that families and kinds do not shift each other.
    loss = str(rng.choice(_LOSSES, p=(0.52, 0.16, 0.16, 0.16)))
    delta = float(10.0 ** rng.uniform(-1, 1)) * (_largest(data.y) or 1.0)
    if data.delta is not None:
        loss, delta = "huber", data.delta
    if kind == "skip_free":
        loss = "squared"
    # Of a stream of its own, so that all else is drawn as before.
    has_kinks = np.random.default_rng([seed, index, 1]).random() < _SHARE_KINKED
    if has_kinks and kind not in WITHOUT_KINKS:
        loss = _KINKED[loss]
    y = data.y
    if loss in OF_LABELS:
        y = np.where(y - (np.median(y) if rng.random() < 0.7 else 0.0) > 0.0, 1.0, -1.0)
    instance = Instance(
        seed, index, family, kind, data.X, y, _weights(rng, data, kind),
        beta=1.0, method=_method(rng, kind, data), loss=loss, delta=delta,
        tol=float(rng.choice(_TOLERANCES)),
    )  # fmt: skip
    _settings(rng, instance)
    instance.beta = _beta(rng, instance, data.beta_power)
    if kind == "certify":
        instance.network = _random_network(rng, instance)
    _intercept(rng, instance)
    return instance


def problem_of(instance: Instance) -> Problem:
    """What the call is about, on the rows of weight above 0."""
    X, kind = instance.X, instance.kind
    weights = np.ones(len(X)) if instance.weights is None else instance.weights
    counted = weights > 0.0
    if kind.startswith("cnn"):
        rows, read = patches_of(instance), instance.pooling
    elif kind == "linear_cnn":
        rows, read = patches_of(instance), "bilinear"
    elif kind == "circular":
        d = X.shape[1]
        shifts = (np.arange(d)[:, None] + np.arange(d)) % d
        rows, read = X[:, shifts], "bilinear"
    else:
        rows, read = X[:, None, :], "gated" if kind == "gated" else "sum"
    return Problem(
        rows[counted], read, instance.slope, instance.skip, instance.y[counted],
        weights[counted], instance.beta, instance.loss, instance.delta, instance.intercept,
    )  # fmt: skip


def patches_of(instance: Instance) -> FloatArray:
    """The patches of the signals, (n, K, h), with a 1 at the end for a bias."""
    X = np.pad(instance.X, ((0, 0), (instance.padding, instance.padding)))
    size = instance.filter_size
    count = X.shape[1] - size + 1
    patches = np.stack([X[:, k : k + size] for k in range(count)], axis=1)
    if instance.bias:
        patches = np.concatenate([patches, np.ones((*patches.shape[:2], 1))], axis=2)
    return patches


def _settings(rng: np.random.Generator, instance: Instance) -> None:
    kind, d = instance.kind, instance.X.shape[1]
    if kind in ("leaky", "skip_penalised", "skip_free"):
        slopes = [0.0, 0.01, -1.0, 1.0, 0.5, float(rng.normal()), -3.0]
        instance.slope = float(rng.choice(slopes))
        instance.skip = {"skip_penalised": "penalised", "skip_free": "free"}.get(kind)
    elif kind in ("cnn", "cnn_max", "linear_cnn"):
        instance.filter_size = int(rng.integers(1, min(d, 3) + 1))
    if kind == "cnn":
        instance.pooling = str(rng.choice(["sum", "average"]))
        instance.slope = float(rng.choice([0.0, 0.0, -1.0, 0.1]))
    elif kind == "cnn_max":
        instance.pooling = "max"
    if kind.startswith("cnn"):
        instance.padding = int(rng.random() < 0.2)
        instance.bias = bool(rng.random() < 0.25)
        most = 9 if kind == "cnn_max" else 40
        instance.X, instance.y = instance.X[:most], instance.y[:most]
        if instance.weights is not None:
            instance.weights = instance.weights[:most]
    if kind == "gated":
        instance.gates = _gates(rng, instance.X)
        if rng.random() < 0.25:
            instance.gates = np.vstack([instance.gates, np.zeros(d)])


def _intercept(rng: np.random.Generator, instance: Instance) -> None:
    """For some, at times with targets that are far from 0; the last to be drawn."""
    if instance.kind in WITHOUT_INTERCEPT or rng.random() > _WITH_INTERCEPT:
        return
    instance.intercept = True
    choice, size = rng.random(), 10.0 ** rng.uniform(0.0, 6.0)
    if choice < 0.4 and instance.loss not in OF_LABELS:
        instance.y = instance.y + rng.choice([-1.0, 1.0]) * size * _largest(instance.y)


def _gates(rng: np.random.Generator, X: FloatArray) -> FloatArray:
    """Directions whose boundaries keep away from all rows, but for rows that are zero."""
    gates = rng.standard_normal((25, X.shape[1]))
    sizes = np.abs(X).max(axis=1, keepdims=True)
    rows = X / np.where(sizes > 0.0, sizes, 1.0)
    products = np.abs(rows @ gates.T)
    clear = (products > 1e-9) | (sizes == 0.0)
    kept = gates[clear.all(axis=0)]
    return kept if len(kept) else np.zeros((1, X.shape[1]))


def _beta(rng: np.random.Generator, instance: Instance, power: float | None) -> float:
    """In proportion to a rough guess of the largest beta that leaves neurons."""
    if power is None:
        choice = rng.random()
        power = rng.uniform(-4.0, 0.0)
        if choice < 0.06:
            power = rng.uniform(-20.0, -5.0)
        elif choice < 0.09:
            power = rng.uniform(0.0, 15.0)
    x, y = _largest(instance.X) or 1.0, _largest(instance.y) or 1.0
    if instance.loss == "huber":
        y = min(y, instance.delta)
    elif instance.loss in (*OF_LABELS, "absolute", "quantile"):
        y = 1.0
    weight = 1.0 if instance.weights is None else _largest(instance.weights)
    exponent = np.log10(x) + np.log10(y) + np.log10(weight) + power
    return float(10.0 ** np.clip(exponent, -300.0, 300.0))


def _weights(rng: np.random.Generator, data: Data, kind: str) -> FloatArray | None:
    n, choice = len(data.y), rng.random()
    if kind in ("linear_cnn", "circular"):
        return None
    if data.weights is not None:
        return data.weights
    if choice < 0.7:
        return None
    weights = rng.uniform(0.1, 3.0, size=n)
    if choice > 0.87:
        weights[rng.random(n) < 0.4] = 0.0
        weights[0] = 1.0
    return weights


def _method(rng: np.random.Generator, kind: str, data: Data) -> str:
    method = str(rng.choice(["global", "exact", "sampled"], p=(0.6, 0.25, 0.15)))
    if kind == "cnn_max":
        return "sampled" if method == "sampled" else "exact"
    if method == "exact" and len(data.X) > 20 and data.X.shape[1] > 2:
        return "global"
    return method


def _random_network(rng: np.random.Generator, instance: Instance) -> Any:
    """None for the solution itself, a scale for the solution disturbed, or weights."""
    choice = rng.random()
    if choice < 0.4:
        return None
    if choice < 0.7:
        return float(10.0 ** rng.uniform(-10, -1))
    m, d = int(rng.integers(0, 4)), instance.X.shape[1]
    size = np.sqrt((_largest(instance.y) or 1.0) / (_largest(instance.X) or 1.0))
    return size * rng.standard_normal((m, d)), size * rng.standard_normal(m)


def _pick(rng: np.random.Generator, shares: dict[str, float]) -> str:
    names, sizes = list(shares), np.array(list(shares.values()))
    return names[int(rng.choice(len(names), p=sizes / sizes.sum()))]


def _largest(array: FloatArray) -> float:
    return float(np.abs(array).max(initial=0.0))


def _decades(array: FloatArray) -> float:
    """Between the smallest and the largest entry, 0 apart."""
    sizes = np.log10(np.abs(array[array != 0.0]))
    return float(np.ptp(sizes)) if sizes.size else 0.0


def _documented(array: FloatArray) -> bool:
    sizes = np.abs(array[array != 0.0])
    return bool(((sizes >= 1e-100) & (sizes <= 1e100)).all())
