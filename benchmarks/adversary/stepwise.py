"""Instances of methods that add one neuron a round."""

from __future__ import annotations

from dataclasses import replace

from adversary.instances import Instance, draw

KINDS = ("relu", "leaky", "skip_penalised", "cnn")
_METHODS = ("frank_wolfe", "incremental")
_SMOOTH = {"absolute": "squared", "quantile": "huber", "hinge": "squared_hinge"}


def draw_stepwise(seed: int, index: int) -> Instance:
    """An instance of a kind that both methods train; without kinks and intercept for one."""
    instance, k = draw(seed, index), 0
    while instance.kind not in KINDS:
        k += 1
        instance = draw(seed, index + 10_000_000 * k)
    instance = replace(instance, index=index, method=_METHODS[index % 2])
    if instance.method == "incremental":
        return instance
    return replace(instance, loss=_SMOOTH.get(instance.loss, instance.loss), intercept=False)
