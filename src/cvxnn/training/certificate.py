"""What a run knows of its lower bound, as a certificate that can be checked without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.losses import LOSSES, Loss, WeightedLoss
from cvxnn.models.base import Model
from cvxnn.models.registry import MODELS
from cvxnn.problems import Problem
from cvxnn.verification.certificate import BoundCertificate


def bound_certificate(
    model: Model,
    problem: Problem[Any],
    proof: DualProof,
    arrays: Mapping[str, FloatArray],
    *,
    bound: float,
    objective: float,
    intercept: bool,
    fingerprint: str,
    has_ones: bool = False,
) -> BoundCertificate:
    """The certificate of a proof.

    Parameters
    ----------
    model : Model
    problem : Problem
        In the units of the data.
    proof : DualProof
        In the same units.
    arrays : mapping
        What else says which networks the proof is about.
    bound, objective : float
        What it proves, and what the best network has, with its error.
    intercept : bool
    fingerprint : str
        Of the data.
    has_ones : bool
        Whether a column of ones was appended to them.

    Notes
    -----
    It holds the dual point, and no data: what takes them to be found, such as the splits of a
    tree, :meth:`BoundCertificate.recorded` finds when it is asked for.
    """
    known = {name for name, kind in MODELS.items() if kind == type(model).__name__}
    settings = {
        name: value
        for name, value in model.get_params().items()
        if name not in arrays and isinstance(value, (bool, int, float, str, tuple, type(None)))
    }
    certificate = BoundCertificate(
        model=known.pop() if known else type(model).__name__,
        settings=settings,
        arrays=dict(arrays),
        loss=_loss_words(problem.loss),
        beta=problem.beta,
        intercept=intercept,
        v=np.ascontiguousarray(proof.V.reshape(problem.target.shape), dtype=np.float64),
        level=proof.oracle_bound,
        dual_bound=bound,
        objective=objective,
        kind=proof.kind,
        evidence=proof.evidence,
        fingerprint=fingerprint,
        has_ones=has_ones,
    )
    return certificate.sealed()


def _loss_words(loss: Loss) -> dict[str, Any]:
    """The name of a loss, and its numbers; of one that has no name that of its class."""
    if isinstance(loss, WeightedLoss):
        return _loss_words(loss.loss)
    names = [name for name, kind in LOSSES.items() if type(loss) is kind]
    numbers = {name: value for name, value in vars(loss).items() if isinstance(value, float)}
    return {"name": names[0] if names else type(loss).__name__, **numbers}
