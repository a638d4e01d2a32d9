"""Values of the losses over intervals of predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.verification.rounding import gamma


def losses_between(
    loss: Mapping[str, Any], values: FloatArray, errors: FloatArray, y: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Bounds on the loss of each row where predictions are off by so much, each of shape (n,).

    A few roundings of numbers that are not negative are left to the caller.

    Parameters
    ----------
    loss : mapping
        Its name and parameters.
    values, errors, y : ndarray, shape (n,) or (n, c)

    Notes
    -----
    Losses of single numbers are convex: over an interval each is largest at an end of it, and
    least at the other, or 0.
    """
    if loss["name"] == "softmax":
        return _softmax(values, errors, y)
    if loss["name"] in _OF_LOGARITHMS:
        return _of_rows(*_OF_LOGARITHMS[loss["name"]](values, errors, y))
    ends = (values - errors, values + errors)
    losses = [_OF_NUMBERS[loss["name"]](end, y, loss) for end in ends]
    # Of a margin they are monotone; of a residual they are 0 between two signs of it.
    between = (ends[0] <= y) & (y <= ends[1])
    worst, best = np.maximum(*losses), np.where(between, 0.0, np.minimum(*losses))
    return _of_rows(best, worst)


def _of_rows(best: FloatArray, worst: FloatArray) -> tuple[FloatArray, FloatArray]:
    if best.ndim == 1:
        return best, worst
    return best.sum(axis=1), worst.sum(axis=1)


def _softmax(f: FloatArray, errors: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``s log(sum_k exp f_k) - y'f`` with ``s = sum_k y_k``, between two numbers.

    Where every f_k moves by e at most, both terms move by ``s e``. With ``m = max_k f_k`` and
    ``g = m - f >= 0`` it is ``s log(1 + sum_k exp(-g_k)) + y'g``, the k of m left out of the sum,
    of terms that are not negative. A difference g errs by its rounding, relative, and so its
    exponential by ``g`` times that.
    """
    place = np.argmax(f, axis=1)[:, None]
    gaps = np.take_along_axis(f, place, axis=1) - f
    others = np.exp(-gaps)
    np.put_along_axis(others, place, 0.0, axis=1)
    total = y.sum(axis=1)
    value = total * np.log1p(others.sum(axis=1)) + (y * gaps).sum(axis=1)
    moved = 2.0 * total * errors.max(axis=1)
    rounding = gamma(f.shape[1] + 32) * (value + total * ((1.0 + gaps) * others).sum(axis=1))
    off = (moved + rounding) * (1.0 + 1e-9)
    return np.maximum(value - off, 0.0), value + off


def _squared(f: FloatArray, y: FloatArray, loss: Mapping[str, Any]) -> FloatArray:
    return 0.5 * (f - y) ** 2


def _huber(f: FloatArray, y: FloatArray, loss: Mapping[str, Any]) -> FloatArray:
    delta = float(loss["delta"])
    size = np.abs(f - y)
    inner = np.minimum(size, delta)
    return inner * (size - 0.5 * inner)


def _logistic(f: FloatArray, y: FloatArray, loss: Mapping[str, Any]) -> FloatArray:
    return np.logaddexp(0.0, -y * f)


def _absolute(f: FloatArray, y: FloatArray, loss: Mapping[str, Any]) -> FloatArray:
    return np.abs(f - y)


def _quantile(f: FloatArray, y: FloatArray, loss: Mapping[str, Any]) -> FloatArray:
    level = float(loss["level"])
    return level * np.maximum(y - f, 0.0) + (1.0 - level) * np.maximum(f - y, 0.0)


def _hinge(f: FloatArray, y: FloatArray, loss: Mapping[str, Any]) -> FloatArray:
    return np.maximum(1.0 - y * f, 0.0)


def _squared_hinge(f: FloatArray, y: FloatArray, loss: Mapping[str, Any]) -> FloatArray:
    return 0.5 * np.maximum(1.0 - y * f, 0.0) ** 2


def _poisson(f: FloatArray, errors: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``y (e^r - 1 - r)`` for ``r = f - log y``; ``e^f`` where y is 0."""
    logarithm = np.log(np.where(y > 0.0, y, 1.0))
    off = _with_logarithm(f, errors, logarithm)
    with np.errstate(over="ignore"):
        powers = np.exp(f - off), np.exp(f + off)
        sizes = _excess_between(f - logarithm, off)
    least, most = (
        np.where(y > 0.0, y * size, power) for size, power in zip(sizes, powers, strict=True)
    )
    return least, most


def _gamma(f: FloatArray, errors: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``e^r - 1 - r`` for ``r = log y - f``."""
    logarithm = np.log(y)
    with np.errstate(over="ignore"):
        return _excess_between(logarithm - f, _with_logarithm(f, errors, logarithm))


def _with_logarithm(f: FloatArray, errors: FloatArray, logarithm: FloatArray) -> FloatArray:
    """What ``f - log y`` and the ends of it may err by."""
    return (errors + gamma(8) * (np.abs(f) + np.abs(logarithm))) * (1.0 + 1e-9)


def _excess_between(r: FloatArray, off: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``e^r - 1 - r``, which is least at 0, between two numbers."""
    ends = (r - off, r + off)
    sizes = [_excess(end) for end in ends]
    between = (ends[0] <= 0.0) & (ends[1] >= 0.0)
    return np.where(between, 0.0, np.minimum(*sizes)), np.maximum(*sizes)


def _excess(r: FloatArray) -> FloatArray:
    """As a series near 0, where differences have no digits; the first term left out is 1e-18."""
    near = np.clip(r, -0.5, 0.5)
    term, total = near, np.zeros_like(near)
    for k in range(2, 17):
        term = term * near / k
        total = total + term
    return np.where(np.abs(r) <= 0.5, total, np.expm1(r) - r)


_OF_LOGARITHMS = {"poisson": _poisson, "gamma": _gamma}

# As computed: with a few roundings, and of a difference of floats one, relative to it.
_OF_NUMBERS: dict[str, Callable[[FloatArray, FloatArray, Mapping[str, Any]], FloatArray]] = {
    "squared": _squared,
    "huber": _huber,
    "absolute": _absolute,
    "quantile": _quantile,
    "logistic": _logistic,
    "squared_hinge": _squared_hinge,
    "hinge": _hinge,
}
