"""Kinds of networks as a checker sees them: what a dual point makes of a neuron."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.evidence import Evidence, Pieces
from cvxnn.verification.gates import largest_of_gates
from cvxnn.verification.gauges import largest_of_circles, largest_of_patches
from cvxnn.verification.largest import largest_of_kinks, recorded_evidence
from cvxnn.verification.outputs.largest import largest_of_outputs, recorded_splits
from cvxnn.verification.rounding import U, exact_sums, norms_up, power_of_two


class CheckedModel(ABC):
    """A kind of networks with its settings.

    Attributes
    ----------
    kind : str
        The name of the model in :func:`cvxnn.solve`.
    """

    kind: ClassVar[str]

    @property
    def has_free_skip(self) -> bool:
        """Whether there is a linear part beside the neurons that costs nothing."""
        return False

    @property
    def takes_outputs(self) -> bool:
        """Whether dual points of several outputs, of shape (n, c), can be checked."""
        return False

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """From the settings of the model, where any of them matter.

        Raises
        ------
        InputError
            If its certificates cannot be checked.
        """
        return cls()

    @abstractmethod
    def largest(
        self, data: FloatArray, v: FloatArray, level: float, evidence: Evidence | None
    ) -> tuple[float, str]:
        """A bound on ``||v'phi(u)||`` over ``||u|| <= 1``, about `level` or less, and how.

        Of several outputs v has the shape (n, c).

        Raises
        ------
        InputError
            If data or evidence are none for such networks.
        """

    def recorded(self, data: FloatArray, v: FloatArray, level: float) -> Evidence | None:
        """Evidence that saves a check its search, where there is any."""
        return None


class KinkedModel(CheckedModel):
    """Networks whose neurons are sums of kinks."""

    def largest(
        self, data: FloatArray, v: FloatArray, level: float, evidence: Evidence | None
    ) -> tuple[float, str]:
        largest = largest_of_kinks if v.ndim == 1 else largest_of_outputs
        return largest(self.pieces(data, v), level, evidence)

    def recorded(self, data: FloatArray, v: FloatArray, level: float) -> Evidence | None:
        recorded = recorded_evidence if v.ndim == 1 else recorded_splits
        return recorded(self.pieces(data, v), level)

    @abstractmethod
    def pieces(self, data: FloatArray, v: FloatArray) -> Pieces:
        """``v'phi(u)``."""


def leaky(rows: FloatArray, v: FloatArray, slope: float, roundings: int = 0) -> Pieces:
    """``sum_i v_i s(x_i'u)`` with ``s(t) = (t)_+ - slope (-t)_+ = (1 - slope) (t)_+ + slope t``."""
    if slope == 0.0:
        return Pieces(rows, v, np.zeros_like(v), roundings)
    # One rounding of 1 - slope, relative to it, and one of each product.
    return Pieces(rows, (1.0 - slope) * v, slope * v, roundings + 2)


@final
@dataclass(frozen=True)
class CheckedReLU(KinkedModel):
    """``f(X) = sum_j s(X u_j) a_j + X w``; a penalised w is one more, linear, neuron.

    On a free one dual points have to vanish: :class:`~cvxnn.verification.projection.Projection`.
    """

    kind: ClassVar[str] = "relu"

    slope: float
    skip: str | None

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        skip = settings.get("skip")
        if skip not in (None, "penalised", "free"):
            raise InputError("The certificate has a skip connection of no kind.")
        return cls(_number(settings, "slope"), skip)

    @property
    def has_free_skip(self) -> bool:
        return self.skip == "free"

    @property
    def takes_outputs(self) -> bool:
        return self.skip is None

    def pieces(self, data: FloatArray, v: FloatArray) -> Pieces:
        return leaky(_table(data), v, self.slope)

    def largest(
        self, data: FloatArray, v: FloatArray, level: float, evidence: Evidence | None
    ) -> tuple[float, str]:
        bound, how = super().largest(data, v, level, evidence)
        return (max(bound, _linear(data, v)), how) if self.skip == "penalised" else (bound, how)


@final
@dataclass(frozen=True)
class CheckedConv(KinkedModel):
    """Filters on all patches of an image, their activations added up or averaged."""

    kind: ClassVar[str] = "conv"

    sides: int | tuple[int, ...]
    stride: int
    padding: int
    average: bool
    slope: float
    has_bias: bool

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        pooling = settings.get("pooling")
        if pooling not in ("sum", "average"):
            raise InputError(
                f"A certificate of {pooling} pooling cannot be checked independently yet."
            )
        sides = settings.get("filter_size")
        sides = tuple(map(int, sides)) if isinstance(sides, (list, tuple)) else _count(sides, 1)
        return cls(
            sides, _count(settings.get("stride"), 1), _count(settings.get("padding"), 0),
            pooling == "average", _number(settings, "slope"), bool(settings.get("bias")),
        )  # fmt: skip

    def pieces(self, data: FloatArray, v: FloatArray) -> Pieces:
        patches = self.patches(data)
        n, count, size = patches.shape
        rows, weights = patches.reshape(n * count, size), np.repeat(v, count)
        if self.has_bias:
            rows = np.column_stack([rows, np.ones(len(rows))])
        return leaky(rows, weights / count if self.average else weights, self.slope, 1)

    def patches(self, data: FloatArray) -> FloatArray:
        """What filters look at, shape (n, K, h)."""
        sides = self.sides
        if isinstance(sides, int):
            sides = (sides,) * (1 if data.ndim == 2 else 2)
        space = len(sides)
        if data.ndim - space not in (1, 2) or min(sides) < 1:
            raise InputError("X must have the shape of the images of the certificate.")
        pixels = data.reshape(*data.shape[: space + 1], -1)
        around = [(0, 0), *[(self.padding, self.padding)] * space, (0, 0)]
        pixels = np.pad(pixels, around)
        if any(side > whole for side, whole in zip(sides, pixels.shape[1:], strict=False)):
            raise InputError("X must have images that are not smaller than the filters.")
        axes = tuple(range(1, space + 1))
        windows = np.lib.stride_tricks.sliding_window_view(pixels, sides, axis=axes)
        windows = windows[(slice(None), *[slice(None, None, self.stride)] * space)]
        # The channels last.
        windows = np.moveaxis(windows, space + 1, -1)
        return np.ascontiguousarray(windows).reshape(
            len(data), -1, int(np.prod(sides)) * pixels.shape[-1]
        )


@final
@dataclass(frozen=True, eq=False)
class CheckedGates(CheckedModel):
    """``f(X) = sum_j 1[X g_j >= 0] (X u_j) a_j`` on gates that are part of the certificate."""

    kind: ClassVar[str] = "gated"

    gates: FloatArray

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        gates = arrays.get("gates")
        if gates is None:
            raise InputError("A certificate without its gates cannot be checked independently yet.")
        if gates.ndim != 2 or gates.dtype != np.float64 or not np.isfinite(gates).all():
            raise InputError("The gates of the certificate are none.")
        return cls(gates)

    def largest(
        self, data: FloatArray, v: FloatArray, level: float, evidence: Evidence | None
    ) -> tuple[float, str]:
        X = _table(data)
        if self.gates.shape[1] != X.shape[1]:
            raise InputError("X must have as many columns as the gates of the certificate.")
        return largest_of_gates(X, self.gates, v), "a norm for each gate"


@final
@dataclass(frozen=True)
class CheckedLinearConv(CheckedModel):
    """Linear networks with output weights for every patch."""

    kind: ClassVar[str] = "linear_conv"

    def largest(
        self, data: FloatArray, v: FloatArray, level: float, evidence: Evidence | None
    ) -> tuple[float, str]:
        if data.ndim != 3:
            raise InputError("X must be patches of shape (n, K, h).")
        return largest_of_patches(data, v), "a singular value"


@final
@dataclass(frozen=True)
class CheckedCircularConv(CheckedModel):
    """Linear networks with circular filters."""

    kind: ClassVar[str] = "circular_conv"

    def largest(
        self, data: FloatArray, v: FloatArray, level: float, evidence: Evidence | None
    ) -> tuple[float, str]:
        return largest_of_circles(_table(data), v), "a spectrum"


CHECKED: dict[str, type[CheckedModel]] = {
    model.kind: model
    for model in (CheckedReLU, CheckedConv, CheckedGates, CheckedLinearConv, CheckedCircularConv)
}


def _linear(data: FloatArray, v: FloatArray) -> float:
    """``||X'v||``, rounded up: of a linear neuron."""
    X = _table(data)
    unit, weight_unit = power_of_two(X), power_of_two(v)
    X, v = X / unit, v / weight_unit
    length = float(norms_up(exact_sums(v, X))) * (1.0 + 4.0 * U)
    return float(np.nextafter(length * (1.0 + 4.0 * U) * unit * weight_unit, np.inf))


def _table(data: FloatArray) -> FloatArray:
    if data.ndim != 2:
        raise InputError(f"X must be 2-D, of shape (n, d), got shape {data.shape}.")
    return data


def _number(settings: Mapping[str, Any], name: str) -> float:
    value = settings.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise InputError(f"The certificate has a {name} that is no number.")
    return float(value)


def _count(value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError("The certificate has a setting that is no number of pixels.")
    return value
