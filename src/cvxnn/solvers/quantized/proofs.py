"""What an oracle has found of a dual point, as a proof."""

from __future__ import annotations

from dataclasses import replace

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.oracle.quantized.oracle import Bound
from cvxnn.verification.sign_multipliers import SignMultipliers


def proof_of(v: FloatArray, bound: Bound) -> DualProof:
    """The proof of a bound on v, shape (n,), with its multipliers where it has some."""
    proof = DualProof.of(v, bound.value, bound.kind)
    if bound.multipliers is None:
        return proof
    return replace(proof, evidence=SignMultipliers(bound.multipliers))
