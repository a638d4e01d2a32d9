"""A bound on functions of kinks with several outputs from one eigenvalue, for every dimension."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.verification.eigenvalues import largest_eigenvalue, spectral_norm
from cvxnn.verification.outputs.kinked import OutputsKinked
from cvxnn.verification.rounding import TINY, U, gamma, norms_up


def spectral_norm_bound(function: OutputsKinked) -> float:
    r"""An upper bound on ``max ||F||`` over the unit ball.

    Notes
    -----
    For any t in [0, 1] is ``(x)_+ = t x + (1 - t) (x)_+ + t (-x)_+``; and ``p (x)_+ <= m/4 (p +
    x / m)^2`` for every m > 0. With ``p_i = a'omega_i``, ``G = sum_i y_i omega_i'`` and any
    lengths m_i,

        a'F(u) <= u'(base + t G) a + 1/4 sum_i ((1 - t) m_i (p_i + y_i'u / m_i)^2
                                                + t m_i (p_i - y_i'u / m_i)^2)
               <= ||base + t G|| + 1/2 lambda_max(H),
        H = [k A, (1 - 2 t) G'; (1 - 2 t) G, D / k],
        A = sum_i m_i omega_i omega_i',   D = sum_i y_i y_i' / m_i,

    for unit vectors a and u, and every k > 0. Here k makes the traces of both blocks the same, and
    t makes the first norm small. What a rounded entry changes an eigenvalue by is at most the
    Frobenius norm of the moduli. O(N (r + c)^2).

    Examples
    --------
    >>> weights = np.array([[3.0, 0.0], [0.0, -4.0]])
    >>> bound = spectral_norm_bound(OutputsKinked(np.eye(2), weights, np.zeros((2, 2))))
    >>> bool(4.0 <= bound < 4.0 + 1e-12)
    True
    """
    base_norm = float(norms_up(function.base.ravel()))
    alive = function.weights.any(axis=1)
    rows, weights = function.rows[alive], function.weights[alive]
    if len(rows) == 0:
        return base_norm
    shares = norms_up(rows) / norms_up(weights)
    halves = np.sqrt(shares)[:, None] * weights, rows / np.sqrt(shares)[:, None]
    A, D = (part.T @ part for part in halves)
    G = rows.T @ weights
    t = _share(function.base, G)
    k = _balance(A, D)
    # Of roots, quotients and k some roundings more than the sums have.
    share = gamma(len(rows) + 24)
    moduli = np.block(
        [[k * _moduli(halves[0]), _cross(halves).T], [_cross(halves), _moduli(halves[1]) / k]]
    )
    rounding = share * float(np.sqrt((moduli * moduli).sum())) * 1.001
    side = (1.0 - 2.0 * t) * G
    top = largest_eigenvalue(np.block([[k * A, side.T], [side, D / k]])) + rounding
    straight = 0.0
    if function.base.any():
        straight = spectral_norm(function.base + t * G) + gamma(len(rows) + 8) * function.mass
    return float((straight + 0.5 * top) * (1.0 + 16.0 * U)) + TINY


def _balance(A: FloatArray, D: FloatArray) -> float:
    """A k by which the largest eigenvalues of both are as large, about."""
    sizes = [max(float(np.linalg.eigvalsh(part)[-1]), 0.0) for part in (A, D)]
    return float(np.sqrt(sizes[1] / sizes[0])) if min(sizes) > 0.0 else 1.0


def _share(base: FloatArray, G: FloatArray) -> float:
    size = float((G * G).sum())
    return float(np.clip(-(base * G).sum() / size, 0.0, 1.0)) if size > 0.0 else 0.0


def _moduli(part: FloatArray) -> FloatArray:
    return np.abs(part).T @ np.abs(part)


def _cross(halves: tuple[FloatArray, FloatArray]) -> FloatArray:
    return np.abs(halves[1]).T @ np.abs(halves[0])
