"""Losses of counts and amounts: halves of deviances, exactly and in float64."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.special import logsumexp

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
_CONTEXT = Context(prec=90, Emin=-(10**15), Emax=10**15)
_ERROR = Fraction(1, 10**50)
# An exponent beyond which a network is none that is returned.
_FARTHEST = 10**5


def row_loss(name: str, f: Fraction, y: Fraction) -> tuple[Fraction, Fraction]:
    """Half of the deviance of one number, between two numbers, from ninety digits."""
    f = max(min(f, Fraction(_FARTHEST)), Fraction(-_FARTHEST))
    with localcontext(_CONTEXT):
        value = Decimal(f.numerator) / Decimal(f.denominator)
        if y == 0:
            power = Fraction(value.exp())
            return power * (1 - _ERROR), power * (1 + _ERROR)
        logarithm = (Decimal(y.numerator) / Decimal(y.denominator)).ln()
        r = value - logarithm if name == "poisson" else logarithm - value
        if r == 0:
            # The logarithm of 1 is 0, exactly.
            return Fraction(0), Fraction(0)
        size = Fraction(r.exp() - 1 - r) * (y if name == "poisson" else 1)
    # A difference may have lost thirty of the digits, and be next to nothing.
    return max(size * (1 - _ERROR) - _ERROR, Fraction(0)), size * (1 + _ERROR) + _ERROR


def best_intercept(name: str, f: FloatArray, y: FloatArray, weights: FloatArray) -> float:
    """Its exponential is a quotient of sums."""
    if name == "poisson":
        return float(np.log(weights @ y) - logsumexp(f, b=weights))
    return float(logsumexp(-f, b=weights * y) - np.log(weights.sum()))


def losses(
    name: str, f: FloatArray, y: FloatArray, weights: FloatArray
) -> tuple[float, FloatArray]:
    """The loss and its gradient."""
    logarithm = np.log(np.where(y > 0.0, y, 1.0))
    sign = 1.0 if name == "poisson" else -1.0
    r = np.minimum(sign * (f - logarithm), 300.0)
    values, slopes = np.expm1(r) - r, np.expm1(r)
    if name == "poisson":
        values = np.where(y > 0.0, y * values, np.exp(r))
        slopes = np.where(y > 0.0, y * slopes, np.exp(r))
    return float(weights @ values), weights * sign * slopes
