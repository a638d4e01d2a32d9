"""Three-layer networks as a checker sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.deadline import Deadline
from cvxnn.verification.kinds import (
    CheckedModel,
    Claim,
    Weights,
    table,
    third_of_cubes,
    weights_of,
)
from cvxnn.verification.ramps import largest_of_ramps
from cvxnn.verification.rounding import gamma
from cvxnn.verification.sign_choices import largest_of_sub_networks
from cvxnn.verification.values import Values


@final
@dataclass(frozen=True)
class CheckedParallel(CheckedModel):
    """``f(X) = sum_k ((X W_k + c_k)_+ b_k + e_k)_+ a_k``: free biases on one feature, or none."""

    kind: ClassVar[str] = "parallel"
    network: ClassVar[str] = "ParallelNetwork"

    bias: str | None

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        bias = settings.get("bias")
        if bias not in (None, "free"):
            raise InputError("The certificate has biases of no kind.")
        return cls(bias)

    @classmethod
    def of_network(cls, settings: Mapping[str, Any], arrays: Weights) -> Self:
        has_bias = any(name in arrays for name in ("hidden_biases", "inner_biases"))
        return cls("free" if has_bias else None)

    @property
    def words(self) -> tuple[str, ...]:
        return (f"{self.bias or 'no'} biases",)

    def difference(self, given: Self) -> str:
        # Those without biases are among those that have some.
        if given.bias in (None, self.bias):
            return ""
        return "The network has biases, and the certificate is about networks without."

    def largest(
        self, data: FloatArray, v: FloatArray, claim: Claim, deadline: Deadline
    ) -> tuple[float, str]:
        X = table(data)
        if self.bias is None:
            return largest_of_sub_networks(X, v, *claim, deadline)
        if X.shape[1] != 1:
            raise InputError("X must have one column, as the certificate is about one feature.")
        return largest_of_ramps(X[:, 0], v), "turns along a line, exactly"

    def values(self, data: FloatArray, arrays: Weights) -> Values:
        return _values(table(data), arrays)

    def penalty(self, arrays: Weights) -> tuple[float, float]:
        layers = (("hidden_weights", 3), ("inner_weights", 2), ("output_weights", 1))
        return third_of_cubes(weights_of(arrays, name, axes) for name, axes in layers)


def _values(X: FloatArray, arrays: Weights) -> Values:
    """Predictions, sub-network by sub-network, with the moduli of their terms; O(n K m1 d)."""
    hidden, inner = weights_of(arrays, "hidden_weights", 3), weights_of(arrays, "inner_weights", 2)
    outer = weights_of(arrays, "output_weights", 1)
    if hidden.shape[2] != X.shape[1]:
        raise InputError(f"The network reads {hidden.shape[2]} features, and X has {X.shape[1]}.")
    if hidden.shape[:2] != inner.shape or len(outer) != len(inner):
        raise InputError("network must be a Network of cvxnn: its layers do not go together.")
    c = arrays.get("hidden_biases", np.zeros_like(inner))
    e = arrays.get("inner_biases", np.zeros_like(outer))
    values, moduli = np.zeros(len(X)), np.zeros(len(X))
    for W, c_k, b, e_k, a in zip(hidden, c, inner, e, outer, strict=True):
        units = np.maximum(X @ W.T + c_k, 0.0)
        values += a * np.maximum(units @ b + e_k, 0.0)
        sizes = np.abs(X) @ np.abs(W).T + np.abs(c_k)
        moduli += abs(a) * (sizes @ np.abs(b) + abs(e_k))
    roundings = X.shape[1] + inner.shape[1] + len(outer) + 12
    return Values(values, gamma(roundings) * moduli)
