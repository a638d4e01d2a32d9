"""What leaves prove of sub-networks, as the proof of a bound."""

from __future__ import annotations

from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.layers import spectral_bound
from cvxnn.oracle.parallel.leaves import LeafOracle, Leaves
from cvxnn.oracle.price import VectorOracle
from cvxnn.solvers.parallel.joint_dual import PricedPoint
from cvxnn.verification.sign_choices import SignChoices

# Shares of negative entries that the bound without choices tries as coefficients.
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def proof_of(point: PricedPoint) -> DualProof:
    """What leaves have proven, with themselves as the evidence."""
    leaves = point.leaves
    evidence = SignChoices(leaves.signs, leaves.choices, leaves.coefficients)
    return DualProof(point.v[:, None], point.bounds, "choices", evidence=evidence)


def quick_proof(X: FloatArray, v: FloatArray) -> DualProof:
    """What one eigenvalue for each vector of the leaves without choices proves of any v."""
    leaves = _without_choices(v, 1.0)
    bounds = [
        max(spectral_bound(X, over), spectral_bound(X, under))
        for over, under in zip(leaves.over(v), -leaves.coefficients, strict=True)
    ]
    return proof_of(PricedPoint(v, np.array(bounds), leaves))


def _without_choices(v: FloatArray, share: float) -> Leaves:
    roots = Leaves.roots(len(v))
    return roots.with_coefficients(share * np.minimum(roots.signs[:, None] * v, 0.0))


def root_proof(
    oracle: VectorOracle[Any], v: FloatArray, beta: float, deadline: Deadline
) -> PricedPoint:
    """The best bound without choices, of coefficients that are shares of the negative entries."""
    leaf_oracle, found = LeafOracle(oracle), []
    for share in _SHARES:
        leaves = _without_choices(v, share)
        price = leaf_oracle.price(leaves, v, beta, deadline=deadline)
        found.append(PricedPoint(v, price.of_signs(leaves), leaves))
    return min(found, key=lambda point: float(point.bounds.max()))
