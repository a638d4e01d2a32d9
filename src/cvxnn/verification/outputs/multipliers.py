"""A bound for several outputs from multipliers of pairs of rows: any numbers do."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.verification.multipliers import ArrowForm

# How far from a guess ratios of the two parts of a bound are tried, in powers of two, and steps.
_FAR, _STEPS, _GOLDEN = 8.0, 24, 0.6180339887498949


class Pairs(NamedTuple):
    """For B blocks of b rows and ``p = (Xu)_+``, ``q = (-Xu)_+``: of products of p and q.

    Attributes
    ----------
    pp, pq, qq : ndarray, shape (B, b, b)
    """

    pp: FloatArray
    pq: FloatArray
    qq: FloatArray

    def inside(self) -> Pairs:
        """The nearest that may be used: any for ``p_i q_i = 0``, else none below 0."""
        pp, qq = (np.maximum(0.5 * (part + part.mT), 0.0) for part in (self.pp, self.qq))
        same = np.eye(self.pq.shape[1], dtype=bool)
        return Pairs(pp, np.where(same, self.pq, np.maximum(self.pq, 0.0)), qq)


def pairs_bound(rows: FloatArray, weights: FloatArray, base: FloatArray, given: Pairs) -> float:
    """An upper bound on ``||base'u + sum_i (x_i'u)_+ omega_i||`` for ``||u|| <= 1``.

    Parameters
    ----------
    rows : ndarray, shape (B, b, d)
        Of size one.
    weights : ndarray, shape (B, b, c)
        The omega_i, of size one.
    base : ndarray, shape (d, c)
    given : Pairs

    Notes
    -----
    For a unit vector a, and with ``s = p + q = |Xu|``, ``p - q = Xu``, any numbers ``t_b, m`` and
    ``lambda >= 0``,

        a'(base'u + sum_i p_i omega_i)
            <= a'base'u + sum_i p_i a'omega_i + L(p, q) + sum_b t_b (||X_b u||^2 - ||s_b||^2)
            = z'Q z <= m + lambda - z'N z,      z = (a, u, s),   N = diag(m I, lambda I, 0) - Q,

    as products of p and q are not negative: what
    :func:`~cvxnn.verification.multipliers.relaxation_bound` says of 1, here for a. Its rounding
    is that of the same class. O(B (b + c + d)^3).

    Examples
    --------
    >>> none = Pairs(*(np.zeros((1, 1, 1)) for _ in range(3)))
    >>> weights = np.array([[[3.0, 4.0]]])
    >>> round(pairs_bound(np.array([[[1.0, 0.0]]]), weights, np.zeros((2, 2)), none), 6)
    5.0
    """
    if not all(np.isfinite(part).all() for part in given):
        return np.inf
    L, (count, b, d), c = given.inside(), rows.shape, weights.shape[2]
    m = c + d
    whole, extra = np.zeros((count, m + 2 * b, m + 2 * b)), np.zeros((m, m))
    p, q = slice(m, m + b), slice(m + b, m + 2 * b)
    whole[:, :c, p], whole[:, p, :c] = 0.5 * weights.mT, 0.5 * weights
    whole[:, p, p], whole[:, q, q] = L.pp, L.qq
    whole[:, p, q], whole[:, q, p] = L.pq, L.pq.mT
    extra[:c, c:], extra[c:, :c] = 0.5 * base.T, 0.5 * base
    with np.errstate(all="ignore"):
        form = ArrowForm(rows, whole, extra, head=c)
        bound = form.proven(*form.chosen(lambda S: _over_both(S, c)))
    return bound if np.isfinite(bound) else np.inf


def _over_both(S: FloatArray, c: int) -> tuple[float, float]:
    """The m and lambda of the smallest sum with ``diag(m I, lambda I) >= S``, about.

    They are ``r t`` and ``t / r`` with t the largest eigenvalue of S, scaled on both sides; their
    sum is a function of log r without local minima, as that of a semidefinite program is.
    """
    if not np.isfinite(S).all():
        return np.inf, 0.0
    size = float(np.abs(S).max(initial=0.0))

    def parts(power: float) -> tuple[float, float]:
        root = 2.0 ** (0.5 * power)
        sides = np.concatenate([np.full(c, 1.0 / root), np.full(len(S) - c, root)])
        top = float(np.linalg.eigvalsh(sides[:, None] * S * sides)[-1])
        # A little more, where rounding would make N indefinite.
        top = max(top, 0.0) * (1.0 + 1e-13) + 1e-15 * size
        return top * root * root, top / (root * root)

    sizes = [float(np.linalg.norm(part)) for part in (S[:c, :c], S[c:, c:])]
    guess = float(np.log2(sizes[0] / sizes[1])) / 2.0 if min(sizes) > 0.0 else 0.0
    low, high = guess - _FAR, guess + _FAR
    inner = [high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)]
    values = [sum(parts(power)) for power in inner]
    for _ in range(_STEPS):
        if values[0] < values[1]:
            high, inner[1], values[1] = inner[1], inner[0], values[0]
            inner[0] = high - _GOLDEN * (high - low)
            values[0] = sum(parts(inner[0]))
        else:
            low, inner[0], values[0] = inner[0], inner[1], values[1]
            inner[1] = low + _GOLDEN * (high - low)
            values[1] = sum(parts(inner[1]))
    return parts(inner[0])
