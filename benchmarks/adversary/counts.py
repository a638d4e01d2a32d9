"""Instances with counts and amounts, whose logarithm is predicted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from adversary.instances import Instance, draw
from adversary.problem import FloatArray

_NAMES = ("poisson", "gamma")
# The largest counts, and the share of zeros among few of them.
_LARGEST, _ZEROS = 6.0, 0.2


def draw_counts(seed: int, index: int) -> Instance:
    """Instance `index` of a seed with one of these losses, but beside a free linear part.

    There the loss may have no minimum.
    """
    instance = draw(seed, index)
    if instance.kind == "skip_free":
        return instance
    rng = np.random.default_rng([seed, index, 4])
    size = 10.0 ** rng.uniform(-1.0, _LARGEST)
    largest = float(np.abs(instance.y).max(initial=0.0)) or 1.0
    spread = np.exp(rng.uniform(0.0, 3.0) * instance.y / largest)
    loss = str(rng.choice(_NAMES))
    y = np.floor(size * spread) if loss == "poisson" else size * spread
    if loss == "poisson":
        y[rng.random(len(y)) < _ZEROS * rng.random()] = 0.0
    network = instance.network if isinstance(instance.network, float) else None
    beta = _beta(rng, instance, y if loss == "poisson" else np.ones(1))
    return replace(instance, loss=loss, y=y, beta=beta, network=network)


def _beta(rng: np.random.Generator, instance: Instance, y: FloatArray) -> float:
    sizes = (instance.X, y, np.ones(1) if instance.weights is None else instance.weights)
    exponents = [np.log10(float(np.abs(part).max(initial=0.0)) or 1.0) for part in sizes]
    return float(10.0 ** np.clip(sum(exponents) + rng.uniform(-4.0, 0.0), -300.0, 300.0))
