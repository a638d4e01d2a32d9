"""Stages of a network that was trained on scaled data, on data as they are."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import Any, Protocol

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.networks.stages import (
    Affine,
    Convolution,
    Flatten,
    Gate,
    Product,
    Stage,
    Stages,
    Sum,
)


class Scaling(Protocol):
    """``x' = (x - centre) / scale`` and ``y' = (y - target_centre) / target_scale``.

    Attributes
    ----------
    centre : ndarray, shape (d,), or None
        None where data are not centred.
    scale : ndarray, shape (d,), or float
        One number where data are no rows of features.
    target_centre, target_scale : float, or ndarray of shape (c,) for several outputs
    """

    @property
    def centre(self) -> FloatArray | None: ...
    @property
    def scale(self) -> FloatArray | float: ...
    @property
    def target_centre(self) -> FloatArray | float: ...
    @property
    def target_scale(self) -> FloatArray | float: ...

    def transform(self, X: FloatArray) -> FloatArray:
        """x' of data."""

    def target(self, y: FloatArray) -> FloatArray:
        """y' of targets."""


def unscaled(stages: Stages, scaling: Scaling) -> Stages:
    """Stages from x to y, of those from x' to y'.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> scaling = SimpleNamespace(
    ...     centre=np.array([2.0]), scale=np.array([4.0]), target_centre=1.0, target_scale=3.0
    ... )
    >>> (step,) = unscaled((Affine("linear", np.array([[8.0]])),), scaling)
    >>> step.weight.tolist(), step.bias.tolist()
    ([[6.0]], [-11.0])
    """
    steps: list[Any] = list(stages)
    # Flattened entries have one scale, whatever their order.
    first = int(isinstance(steps[0], Flatten))
    steps[first] = _on_raw(steps[first], scaling)
    steps[-1] = _to_raw(
        steps[-1], np.atleast_1d(scaling.target_scale), np.atleast_1d(scaling.target_centre)
    )
    return tuple(steps)


@singledispatch
# Any: a stage of the kind that it was, which the type checker cannot follow.
def _on_raw(stage: Stage, scaling: Scaling) -> Any:
    """A stage that reads x', reading x instead."""
    raise TypeError(f"{type(stage).__name__} reads no data.")


@_on_raw.register
def _(stage: Affine, scaling: Scaling) -> Affine:
    weight = stage.weight / scaling.scale
    if scaling.centre is None:
        return replace(stage, weight=weight)
    bias = -(weight @ scaling.centre)
    return replace(stage, weight=weight, bias=bias if stage.bias is None else stage.bias + bias)


@_on_raw.register
def _(stage: Gate, scaling: Scaling) -> Gate:
    gates, sums = (_on_raw(part, scaling) for part in (stage.gates, stage.sums))
    return replace(stage, gates=gates, sums=sums)


@_on_raw.register
def _(stage: Product, scaling: Scaling) -> Product:
    left, right = (_on_raw(part, scaling) for part in (stage.left, stage.right))
    return replace(stage, left=left, right=right)


@_on_raw.register
def _(stage: Sum, scaling: Scaling) -> Sum:
    branches = ((_on_raw(first, scaling), *rest) for first, *rest in stage.branches)
    return replace(stage, branches=tuple(branches))


@_on_raw.register
def _(stage: Convolution, scaling: Scaling) -> Convolution:
    return replace(stage, filters=stage.filters / scaling.scale)


@singledispatch
def _to_raw(stage: Stage, scale: FloatArray, centre: FloatArray) -> Any:
    """A stage that makes y', making y instead; a scale and a centre for each, or for all."""
    raise TypeError(f"{type(stage).__name__} makes no predictions.")


@_to_raw.register
def _(stage: Affine, scale: FloatArray, centre: FloatArray) -> Affine:
    scaled = replace(stage, weight=stage.weight * scale[:, None])
    if stage.bias is None and not centre.any():
        return scaled
    bias = np.zeros(len(stage.weight)) if stage.bias is None else stage.bias * scale
    return replace(scaled, bias=bias + centre)


@_to_raw.register
def _(stage: Sum, scale: FloatArray, centre: FloatArray) -> Sum:
    # What is added is added once.
    offsets = (centre, *(0.0 * centre for _ in stage.branches[1:]))
    branches: list[Any] = [list(branch) for branch in stage.branches]
    for branch, offset in zip(branches, offsets, strict=True):
        branch[-1] = _to_raw(branch[-1], scale, offset)
    return replace(stage, branches=tuple(map(tuple, branches)))
