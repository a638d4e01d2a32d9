"""The certificate of a result, checked as anybody would: its bound against exact objectives."""

from __future__ import annotations

import warnings
from fractions import Fraction
from typing import Any

import cvxnn
from adversary.instances import Instance

_UNCHECKED = "cannot be checked independently yet"
# By how much an objective of many terms in float64 may be off, as a share.
_ROUNDING = 1 + Fraction(1, 10**9)


def certificate_faults(
    instance: Instance, result: Any, high: Fraction, least: Fraction | None = None
) -> list[str]:
    """What is wrong with it, for a network of the exact objective `high` at most.

    A certificate has to be accepted, by a bound that no network is below: not this one, nor the
    best that is known, of the objective `least`.
    """
    certificate = getattr(result, "certificate", None)
    if certificate is None or instance.uses_certify:
        return []
    X = instance.X
    if instance.kind == "linear_cnn":
        X = cvxnn.image_patches(X, instance.filter_size)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            report = certificate.verify(X, instance.y, instance.weights, network=result.network)
    except cvxnn.InputError as error:
        return [] if _UNCHECKED in str(error) else [str(error)]
    faults = [] if report.accepted else [report.reason]
    if report.bound > (high if least is None else min(high, least)):
        faults.append(f"recomputed bound {report.bound!r} above the exact objective")
    if report.is_recomputed and Fraction(report.objective) * _ROUNDING < high:
        faults.append(f"recomputed objective {report.objective!r} below the exact one")
    return faults
