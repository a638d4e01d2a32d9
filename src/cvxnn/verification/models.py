"""Kinds of networks as a checker sees them: what a dual point makes of a neuron."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.costs import NO_COSTS, Costs, half_of_norms, ratio_of
from cvxnn.verification.deadline import Deadline
from cvxnn.verification.evidence import Evidence, Pieces
from cvxnn.verification.gates import largest_of_gates
from cvxnn.verification.gauges import largest_of_circles, largest_of_patches
from cvxnn.verification.groups import (
    Groups,
    Kinds,
    groups_in,
    kinds_of,
    largest_of_groups,
    outside,
    stated_features,
)
from cvxnn.verification.images import patches_in, sides_of, sides_on, steps_of
from cvxnn.verification.kinds import (
    CheckedModel,
    Claim,
    KinkedModel,
    Weights,
    count,
    half_of_squares,
    leaky,
    number,
    table,
    third_of_cubes,
    unlike,
    weights_of,
)
from cvxnn.verification.outputs.gates import largest_norm_of_gates
from cvxnn.verification.polynomial import CheckedPolynomial
from cvxnn.verification.quantized import CheckedQuantized
from cvxnn.verification.rounding import U, exact_sums, gamma, norms_up, power_of_two
from cvxnn.verification.subnetworks import CheckedParallel
from cvxnn.verification.values import Values, check_width, circular, dense, gated, patchwise


@final
@dataclass(frozen=True)
class CheckedReLU(KinkedModel):
    """``f(X) = sum_j s(X u_j) a_j + X w``; a penalised w is one more, linear, neuron.

    On a free one dual points have to vanish: :class:`~cvxnn.verification.projection.Projection`.
    Where there are groups of columns, each u is zero outside of one, and where there are costs,
    it is in their cone and pays their norm; of a network there are the signs of its neurons.
    """

    kind: ClassVar[str] = "relu"
    network: ClassVar[str] = "TwoLayerNetwork"

    slope: float
    skip: str | None
    features: int | Groups | None = None
    costs: Costs = NO_COSTS
    groups: Groups = ()
    kinds: Kinds = ()

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        skip = settings.get("skip")
        if skip not in (None, "penalised", "free"):
            raise InputError("The certificate has a skip connection of no kind.")
        slope, features = number(settings, "slope"), stated_features(settings)
        costs = Costs.read(settings)
        if (features is not None or costs) and (skip is not None or slope != 0.0):
            raise InputError(
                "The certificate has features or costs beside a slope or a skip connection."
            )
        return cls(slope, skip, features, costs)

    @classmethod
    def of_network(cls, settings: Mapping[str, Any], arrays: Weights) -> Self:
        skip = arrays.get("skip_weights")
        kind = "free" if settings.get("skip_is_free") else "penalised"
        kinds, costs = kinds_of(*_dense_weights(arrays, 1, 2)), Costs(l1_ratio=ratio_of(settings))
        # Weights of zero are none, whatever they would cost.
        own = kind if skip is not None and skip.any() else None
        return cls(number(settings, "slope"), own, costs=costs, kinds=kinds)

    def on(self, data: FloatArray) -> Self:
        if not self.is_grouped:
            return self
        X = table(data)
        every: Groups = (tuple(range(X.shape[1])),)
        groups = every if self.features is None else groups_in(self.features, X)
        return replace(self, groups=groups, costs=self.costs.on(X))

    @property
    def is_grouped(self) -> bool:
        """Whether each neuron sees one group of columns, perhaps all of them, at its costs."""
        return self.features is not None or bool(self.costs)

    @property
    def has_free_skip(self) -> bool:
        return self.skip == "free"

    @property
    def takes_outputs(self) -> bool:
        return self.skip is None and not self.is_grouped

    @property
    def words(self) -> tuple[str, ...]:
        if self.is_grouped:
            seen = f"neurons that see one of {len(self.groups)} groups of columns"
            return (*((seen,) if self.features is not None else ()), *self.costs.words)
        slope = () if self.slope == 0.0 else (f"slope {self.slope:g}",)
        return slope if self.skip is None else (*slope, f"a {self.skip} skip connection")

    def difference(self, given: Self) -> str:
        # Those without a skip connection are among those that have one.
        if given.skip in (None, self.skip):
            seen = "" if self.features is None else outside(given.kinds, self.groups)
            costs = self.costs.difference(given.kinds, given.costs.l1_ratio)
            return unlike("the slope", given.slope, self.slope) or seen or costs
        stated = "none" if self.skip is None else f"a {self.skip} one"
        return (
            f"The network has a {given.skip} skip connection, and the certificate is about "
            f"networks with {stated}."
        )

    def pieces(self, data: FloatArray, v: FloatArray) -> Pieces:
        return leaky(table(data), v, self.slope)

    def largest(
        self, data: FloatArray, v: FloatArray, claim: Claim, deadline: Deadline
    ) -> tuple[float, str]:
        if self.costs:
            return self.costs.largest(table(data), v, self.groups, claim[0], deadline)
        if self.features is not None:
            return largest_of_groups(table(data), v, self.groups, claim[0], deadline)
        bound, how = super().largest(data, v, claim, deadline)
        return (max(bound, _linear(data, v)), how) if self.skip == "penalised" else (bound, how)

    def recorded(self, data: FloatArray, v: FloatArray, level: float) -> Evidence | None:
        return None if self.is_grouped else super().recorded(data, v, level)

    def values(self, data: FloatArray, arrays: Weights) -> Values:
        X, (hidden, output) = table(data), self._weights(arrays)
        found = dense(X, hidden, output, self.slope)
        if self.skip is None:
            return found
        skip = weights_of(arrays, "skip_weights", 1)
        check_width(skip[None], skip[:1], X.shape[1])
        return found.plus(X, skip)

    def penalty(self, arrays: Weights) -> tuple[float, float]:
        weights, ratio = self._weights(arrays), self.costs.l1_ratio
        low, high = half_of_norms(*weights, ratio) if ratio else half_of_squares(weights)
        if self.skip != "penalised":
            return low, high
        skip = weights_of(arrays, "skip_weights", 1)
        length, rounding = float(np.sqrt(np.vdot(skip, skip))), gamma(skip.size + 8)
        return low + length * (1.0 - rounding), high + length * (1.0 + rounding)

    def _weights(self, arrays: Weights) -> tuple[FloatArray, FloatArray]:
        return _dense_weights(arrays, *((1, 2) if self.takes_outputs else (1,)))


@final
@dataclass(frozen=True)
class CheckedConv(KinkedModel):
    """Filters on all patches of an image, their activations added up or averaged."""

    kind: ClassVar[str] = "conv"
    network: ClassVar[str] = "ConvolutionalNetwork"

    sides: int | tuple[int, ...]
    stride: int
    padding: int
    pooling: str
    slope: float
    has_bias: bool

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        pooling = settings.get("pooling")
        if pooling not in ("sum", "average"):
            raise InputError(
                f"A certificate of {pooling} pooling cannot be checked independently yet."
            )
        return cls(
            sides_of(settings), *steps_of(settings), pooling, number(settings, "slope"),
            bool(settings.get("bias")),
        )  # fmt: skip

    @classmethod
    def of_network(cls, settings: Mapping[str, Any], arrays: Weights) -> Self:
        filters, pooling = arrays.get("filters"), str(settings.get("pooling"))
        if filters is None or filters.ndim not in (3, 4):
            raise InputError("network must be a Network of cvxnn: its filters are none.")
        return cls(
            filters.shape[1:-1], *steps_of(settings), pooling, number(settings, "slope"),
            arrays.get("biases") is not None,
        )  # fmt: skip

    @property
    def takes_outputs(self) -> bool:
        return True

    def on(self, data: FloatArray) -> Self:
        return replace(self, sides=sides_on(self.sides, data))

    @property
    def words(self) -> tuple[str, ...]:
        sides = self.sides if isinstance(self.sides, tuple) else (self.sides,)
        found = [f"filters of {' x '.join(map(str, sides))}", f"{self.pooling} pooling"]
        found += [f"stride {self.stride}"] if self.stride != 1 else []
        found += [f"padding {self.padding}"] if self.padding else []
        found += [f"slope {self.slope:g}"] if self.slope != 0.0 else []
        return (*found, "biases") if self.has_bias else tuple(found)

    def difference(self, given: Self) -> str:
        pairs = {
            "filters of sides": (given.sides, self.sides),
            "the stride": (given.stride, self.stride),
            "the padding": (given.padding, self.padding),
            "the pooling": (given.pooling, self.pooling),
            "the slope": (given.slope, self.slope),
            "biases:": (given.has_bias, self.has_bias),
        }
        found = (unlike(name, *both) for name, both in pairs.items())
        return next((sentence for sentence in found if sentence), "")

    def pieces(self, data: FloatArray, v: FloatArray) -> Pieces:
        patches = self.patches(data)
        K = patches.shape[1]
        rows, weights = self._rows(patches), np.repeat(v, K, axis=0)
        return leaky(rows, weights / K if self.pooling == "average" else weights, self.slope, 1)

    def values(self, data: FloatArray, arrays: Weights) -> Values:
        patches = self.patches(data)
        filters, output = arrays["filters"], weights_of(arrays, "output_weights", 1, 2)
        filters = filters.reshape(len(filters), int(np.prod(filters.shape[1:])))
        check_width(filters, output, patches.shape[2])
        if self.has_bias:
            filters = np.column_stack([filters, weights_of(arrays, "biases", 1)])
        found = dense(self._rows(patches), filters, output, self.slope)
        return found.pooled(patches.shape[1], average=self.pooling == "average")

    def _rows(self, patches: FloatArray) -> FloatArray:
        """Of all images, shape (n K, h), or with a 1 at the end for the biases."""
        n, K, h = patches.shape
        rows = patches.reshape(n * K, h)
        return np.column_stack([rows, np.ones(n * K)]) if self.has_bias else rows

    def patches(self, data: FloatArray) -> FloatArray:
        """What filters look at, shape (n, K, h)."""
        assert isinstance(self.sides, tuple)
        return patches_in(data, self.sides, self.stride, self.padding)


@final
@dataclass(frozen=True, eq=False)
class CheckedGates(CheckedModel):
    """``f(X) = sum_j 1[X g_j >= 0] (X u_j) a_j`` on gates that are part of the certificate."""

    kind: ClassVar[str] = "gated"
    network: ClassVar[str] = "GatedNetwork"

    gates: FloatArray
    depth: int = 2

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        gates = arrays.get("gates")
        if gates is None:
            raise InputError("A certificate without its gates cannot be checked independently yet.")
        if gates.ndim != 2 or gates.dtype != np.float64 or not np.isfinite(gates).all():
            raise InputError("The gates of the certificate are none.")
        # Certificates of an earlier release do not say it.
        return cls(gates, count(settings.get("depth", 2), 2))

    @classmethod
    def of_network(cls, settings: Mapping[str, Any], arrays: Weights) -> Self:
        gates = weights_of(arrays, "gates", 2)
        if "inner_weights" not in arrays:
            return cls(gates)
        return cls(np.hstack([gates, weights_of(arrays, "second_gates", 2)]), 3)

    @property
    def takes_outputs(self) -> bool:
        return True

    @property
    def words(self) -> tuple[str, ...]:
        return (f"{len(self.gates)} gates{' of three layers' if self.depth == 3 else ''}",)

    def difference(self, given: Self) -> str:
        if given.depth != self.depth:
            return unlike("the depth", given.depth, self.depth)
        # Of zeros either sign is the same gate.
        known = {(gate + 0.0).tobytes() for gate in self.gates}
        others = sum((gate + 0.0).tobytes() not in known for gate in given.gates)
        if not others:
            return ""
        return (
            f"The network has {others} of {len(given.gates)} gates that are none of the "
            f"{len(self.gates)} of the certificate."
        )

    def largest(
        self, data: FloatArray, v: FloatArray, claim: Claim, deadline: Deadline
    ) -> tuple[float, str]:
        X = table(data)
        if self.gates.shape[1] != (self.depth - 1) * X.shape[1]:
            raise InputError("X must have as many columns as the gates of the certificate.")
        if v.ndim == 1:
            return largest_of_gates(X, self.gates, v), "a norm for each gate"
        return largest_norm_of_gates(X, self.gates, v), "a singular value for each gate"

    def values(self, data: FloatArray, arrays: Weights) -> Values:
        X, (hidden, output) = table(data), _dense_weights(arrays, 1, 2)
        if self.depth == 2:
            return gated(X, self.gates, hidden, output)
        inner = weights_of(arrays, "inner_weights", 1)
        return gated(X, self.gates, hidden * inner[:, None], output)

    def penalty(self, arrays: Weights) -> tuple[float, float]:
        parts = _dense_weights(arrays, 1, 2)
        if self.depth == 2:
            return half_of_squares(parts)
        return third_of_cubes((*parts, weights_of(arrays, "inner_weights", 1)))


class BilinearModel(CheckedModel):
    """Linear networks of one output whose output weights are vectors."""

    @classmethod
    def outputs_of(cls, arrays: Weights) -> tuple[int, ...]:
        return ()


@final
@dataclass(frozen=True)
class CheckedLinearConv(BilinearModel):
    """Linear networks with output weights for every patch."""

    kind: ClassVar[str] = "linear_conv"
    network: ClassVar[str] = "LinearCNN"

    def largest(
        self, data: FloatArray, v: FloatArray, claim: Claim, deadline: Deadline
    ) -> tuple[float, str]:
        return largest_of_patches(_patches(data), v), "a singular value"

    def values(self, data: FloatArray, arrays: Weights) -> Values:
        return patchwise(_patches(data), *_bilinear_weights(arrays))


@final
@dataclass(frozen=True)
class CheckedCircularConv(BilinearModel):
    """Linear networks with circular filters."""

    kind: ClassVar[str] = "circular_conv"
    network: ClassVar[str] = "CircularCNN"

    def largest(
        self, data: FloatArray, v: FloatArray, claim: Claim, deadline: Deadline
    ) -> tuple[float, str]:
        return largest_of_circles(table(data), v), "a spectrum"

    def values(self, data: FloatArray, arrays: Weights) -> Values:
        return circular(table(data), *_bilinear_weights(arrays))


_KINDS: tuple[type[CheckedModel], ...] = (
    CheckedReLU,
    CheckedConv,
    CheckedGates,
    CheckedLinearConv,
    CheckedCircularConv,
    CheckedPolynomial,
    CheckedQuantized,
    CheckedParallel,
)
CHECKED: dict[str, type[CheckedModel]] = {model.kind: model for model in _KINDS}


def _linear(data: FloatArray, v: FloatArray) -> float:
    """``||X'v||``, rounded up: of a linear neuron."""
    X = table(data)
    unit, weight_unit = power_of_two(X), power_of_two(v)
    X, v = X / unit, v / weight_unit
    length = float(norms_up(exact_sums(v, X))) * (1.0 + 4.0 * U)
    return float(np.nextafter(length * (1.0 + 4.0 * U) * unit * weight_unit, np.inf))


def _patches(data: FloatArray) -> FloatArray:
    if data.ndim != 3:
        raise InputError("X must be patches of shape (n, K, h).")
    return data


def _dense_weights(arrays: Weights, *ndims: int) -> tuple[FloatArray, FloatArray]:
    """Of the layers, the second with so many axes."""
    return weights_of(arrays, "hidden_weights", 2), weights_of(arrays, "output_weights", *ndims)


def _bilinear_weights(arrays: Weights) -> tuple[FloatArray, FloatArray]:
    return weights_of(arrays, "filters", 2), weights_of(arrays, "output_weights", 2)
