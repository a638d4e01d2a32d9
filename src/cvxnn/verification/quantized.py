"""Quantised networks as a checker sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.deadline import Deadline
from cvxnn.verification.evidence import Pieces
from cvxnn.verification.kinds import CheckedModel, Claim, Weights, table, weights_of
from cvxnn.verification.rounding import gamma
from cvxnn.verification.sign_multipliers import (
    Quadratic,
    by_multipliers,
    by_tree,
    own_multipliers,
)
from cvxnn.verification.values import Values, check_width

# Features up to which a tree is a matter of moments, and multipliers need not be tried before.
_FEW = 24
# What is as good as the level that is claimed.
_SAME = 1e-9


@final
@dataclass(frozen=True)
class CheckedQuantized(CheckedModel):
    """``f(X) = sum_j (X u_j)(X v_j) a_j`` with vectors of signs u and v; a penalty of ``|a_j|``."""

    kind: ClassVar[str] = "quantized"
    network: ClassVar[str] = "QuantizedNetwork"

    @classmethod
    def of_network(cls, settings: Mapping[str, Any], arrays: Weights) -> Self:
        if not all((np.abs(signs) == 1.0).all() for signs in _signs(arrays)):
            raise InputError("network must be a Network of cvxnn: its signs are none.")
        return cls()

    def largest(
        self, data: FloatArray, v: FloatArray, claim: Claim, deadline: Deadline
    ) -> tuple[float, str]:
        """By the multipliers of the certificate; by own ones and a tree where there are none."""
        X, (level, evidence) = table(data), claim
        if evidence is not None:
            return evidence.bound(Pieces(X, v, np.zeros_like(v)), level, deadline), evidence.words
        found = Quadratic.of(X, v)
        relaxed = np.inf
        if len(found.matrix) > _FEW:
            relaxed = found.scaled(by_multipliers(found.matrix, own_multipliers(found.matrix)))
        if relaxed > level * (1.0 + _SAME):
            # The level as the tree sees it: below what rounding adds.
            goal = max(level / found.unit - found.error, 0.0) * (1.0 - _SAME)
            exact = found.scaled(by_tree(found.matrix, goal, deadline))
            if exact < relaxed:
                return exact, "a tree over signs"
        return relaxed, "multipliers of signs"

    def values(self, data: FloatArray, arrays: Weights) -> Values:
        X, output = table(data), weights_of(arrays, "output_weights", 1)
        left, right = _signs(arrays)
        for signs in (left, right):
            check_width(signs, output, X.shape[1])
        size = np.abs(X).sum(axis=1) ** 2 * np.abs(output).sum()
        rounding = gamma(2 * X.shape[1] + len(output) + 16)
        return Values(((X @ left.T) * (X @ right.T)) @ output, rounding * size)

    def penalty(self, arrays: Weights) -> tuple[float, float]:
        sizes = np.abs(weights_of(arrays, "output_weights", 1))
        total, rounding = float(sizes.sum()), gamma(len(sizes) + 4)
        return total * (1.0 - rounding), total * (1.0 + rounding)


def _signs(arrays: Weights) -> tuple[FloatArray, FloatArray]:
    return weights_of(arrays, "left_signs", 2), weights_of(arrays, "right_signs", 2)
