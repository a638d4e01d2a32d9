"""One instance of several outputs: a call of the library, drawn from a seed and its index."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

import cvxnn
from adversary.calls import model_of
from adversary.families import FAMILIES, Data
from adversary.instances import Instance, patches_of
from adversary.outputs.problem import OutputsProblem, OutputsWeights
from adversary.problem import FloatArray

_LOSSES = {"squared": 0.4, "huber": 0.2, "softmax": 0.4}
_TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-6, 1e-6, 1e-9)
_SLOPES = (0.0, 0.0, 0.0, 0.1, -1.0, -0.4, 2.0)


@dataclass
class OutputsInstance(Instance):
    """A call with y of shape (n, c)."""

    def in_range(self) -> bool:
        if self.loss != "softmax":
            return super().in_range()
        # Beside an intercept classes without rows have no best value.
        weights = np.ones(len(self.y)) if self.weights is None else self.weights
        counts = self.y[weights > 0.0].sum(axis=0)
        return super().in_range() and not (self.intercept and bool((counts == 0.0).any()))


def draw(seed: int, index: int) -> OutputsInstance:
    """Instance `index` of a seed: always the same one."""
    rng = np.random.default_rng([seed, index, 17])
    names = list(FAMILIES)
    shares = np.array([share for _, share in FAMILIES.values()])
    family = names[int(rng.choice(len(names), p=shares / shares.sum()))]
    data = FAMILIES[family][0](rng)
    loss = str(rng.choice(list(_LOSSES), p=list(_LOSSES.values())))
    c, n = int(rng.integers(2, 4)), len(data.y)
    largest = float(np.abs(data.y).max(initial=0.0)) or 1.0
    delta = float(10.0 ** rng.uniform(-1, 1)) * largest
    if data.delta is not None and loss != "softmax":
        loss, delta = "huber", data.delta
    Y = _classes(rng, data.y, c) if loss == "softmax" else _targets(rng, data.y, c)
    slope, intercept = float(rng.choice(_SLOPES)), bool(rng.random() < 0.4)
    if intercept and loss != "softmax" and rng.random() < 0.4:
        Y = Y + rng.choice([-1.0, 1.0], c) * 10.0 ** rng.uniform(0.0, 6.0) * largest
    weights = data.weights
    if weights is None and rng.random() < 0.3:
        weights = rng.uniform(0.1, 3.0, n)
        weights[rng.random(n) < 0.2] = 0.0
        weights[0] = 1.0
    size = {"softmax": 1.0, "huber": min(largest, delta)}.get(loss, largest)
    instance = OutputsInstance(
        seed, index, family, "outputs", data.X, Y, weights, _beta(rng, data, size, weights),
        "global", loss, delta, float(rng.choice(_TOLERANCES)), slope=slope, intercept=intercept,
    )  # fmt: skip
    _with_filters(instance, np.random.default_rng([seed, index, 18]))
    return instance


def _with_filters(instance: OutputsInstance, rng: np.random.Generator) -> None:
    """Some instances on signals, whose filters are summed over their patches."""
    length = instance.X.shape[1]
    if length > 1 and rng.random() < 0.3:
        instance.kind, instance.filter_size = "cnn", int(rng.integers(1, min(length, 4)))
        instance.padding, instance.bias = int(rng.random() < 0.2), bool(rng.random() < 0.3)


def _targets(rng: np.random.Generator, y: FloatArray, c: int) -> FloatArray:
    """The targets, and others like them: shuffled, parallel, of another size, of noise, none."""
    size = float(np.abs(y).max(initial=0.0)) or 1.0
    columns = [y]
    for _ in range(c - 1):
        kinds = [
            rng.permutation(y), -2.0 * y, y * 10.0 ** rng.uniform(-8, 0),
            size * rng.standard_normal(len(y)), np.zeros(len(y)), y,
        ]  # fmt: skip
        columns.append(kinds[int(rng.choice(6, p=(0.35, 0.1, 0.15, 0.3, 0.05, 0.05)))])
    return np.column_stack(columns)


def _classes(rng: np.random.Generator, y: FloatArray, c: int) -> FloatArray:
    """One class for each row, by the size of its target or at random, or shares of all."""
    choice = rng.random()
    if choice < 0.15:
        return rng.dirichlet(np.full(c, 0.5), len(y)) + 2.0**-40
    classes = np.argsort(np.argsort(y)) * c // len(y)
    if choice < 0.4:
        classes = rng.integers(c, size=len(y))
    if choice < 0.5:
        classes = np.minimum(classes, c - 2)
    return np.eye(c)[classes]


def _beta(rng: np.random.Generator, data: Data, size: float, weights: FloatArray | None) -> float:
    """In proportion to a rough guess of the largest beta that leaves neurons."""
    power, choice = data.beta_power, rng.random()
    if power is None:
        power = rng.uniform(-3.0, 0.3)
        if choice < 0.06:
            power = rng.uniform(-12.0, -4.0)
    x = float(np.abs(data.X).max(initial=0.0)) or 1.0
    weight = 1.0 if weights is None else float(weights.max())
    exponent = np.log10(x) + np.log10(size) + np.log10(weight) + power
    return float(10.0 ** np.clip(exponent, -300.0, 300.0))


def problem_of(instance: OutputsInstance) -> OutputsProblem:
    """What the call is about, on the rows of weight above 0."""
    weights = np.ones(len(instance.X)) if instance.weights is None else instance.weights
    counted = weights > 0.0
    rows = patches_of(instance) if instance.kind == "cnn" else instance.X
    return OutputsProblem(
        rows[counted], instance.slope, instance.y[counted], weights[counted],
        instance.beta, instance.loss, instance.delta, instance.intercept,
    )  # fmt: skip


def call(instance: OutputsInstance, time_limit: float | None) -> Any:
    """The result of the call; InputError where it is refused."""
    loss = cvxnn.HuberLoss(instance.delta) if instance.loss == "huber" else instance.loss
    return cvxnn.solve(
        instance.X, instance.y, instance.beta, model=model_of(instance), loss=loss,
        sample_weight=instance.weights, intercept=instance.intercept, tol=instance.tol,
        time_limit=time_limit,
    )  # fmt: skip


def weights_of(network: Any) -> OutputsWeights:
    """The returned network."""
    intercept = tuple(Fraction(float(b)) for b in np.atleast_1d(network.intercept))
    if isinstance(network, cvxnn.ConvolutionalNetwork):
        return OutputsWeights(network.on_patches(), network.output_weights, intercept)
    return OutputsWeights(network.hidden_weights, network.output_weights, intercept)
