"""Losses by name: values of dual points, and what is asked of targets."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.duals import (
    AbsoluteDual,
    Dual,
    HingeDual,
    HuberDual,
    LogisticDual,
    QuantileDual,
    SquaredDual,
    SquaredHingeDual,
)
from cvxnn.verification.log_links import GammaDual, PoissonDual
from cvxnn.verification.outputs.softmax import SoftmaxDual

DUALS: dict[str, type[Dual]] = {
    kind.name: kind
    for kind in (
        SquaredDual,
        HuberDual,
        AbsoluteDual,
        QuantileDual,
        SquaredHingeDual,
        HingeDual,
        LogisticDual,
        SoftmaxDual,
        PoissonDual,
        GammaDual,
    )
}


def check_targets(loss: object, targets: FloatArray) -> None:
    """InputError if a loss is none of these, or is not for targets of shape (n,) or (n, c)."""
    if not isinstance(loss, str) or loss not in DUALS:
        raise InputError(f"A certificate of the loss {loss} cannot be checked independently yet.")
    kind = DUALS[loss]
    kind.check(targets)
    if kind.has_signs and not np.isin(targets, (-1.0, 1.0)).all():
        raise InputError("y must have the labels -1 and 1 only for this loss.")
    if kind.joins_outputs and (
        targets.ndim < 2 or (targets < 0.0).any() or not targets.any(axis=1).all()
    ):
        raise InputError("y must have a column for each class, and no row below 0 or of zeros.")
